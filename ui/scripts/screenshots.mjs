// Pictures of every screen, at three sizes and in both languages, from the painted demo call.
//
//   npm run build && npm run screenshots -- [FOLDER] [NAME …]
//
// Needs Chromium: CHROMIUM=/path/to/it when it is not /usr/bin/chromium.

import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { preview } from 'vite';

const SCENES = {
  home: '',
  refused: '',
  green_room: 'at=green_room&people=3',
  green_room_first: 'at=green_room&people=1&broken',
  alone: 'at=in_call&people=1',
  two: 'at=in_call&people=2',
  three: 'at=in_call&people=3',
  four: 'at=in_call&people=4&dark&bad',
  offline: 'at=in_call&people=2&offline&broken',
  busy: 'at=in_call&people=3&busy',
  chat: 'at=in_call&people=3&chat',
  files: 'at=in_call&people=3&files',
  chat_unread: 'at=in_call&people=3&chat',
  knocking: 'at=in_call&people=3&policy=knock&knocking=2',
  room: 'at=in_call&people=4&policy=knock',
  hands: 'at=in_call&people=4&hands&quiet&reactions',
  reactions: 'at=in_call&people=3&reactions',
  remove: 'at=in_call&people=4&policy=knock',
  shared: 'at=in_call&people=4&shared',
  sharing: 'at=in_call&people=3&sharing',
  share: 'at=in_call&people=3',
  verify: 'at=in_call&people=3',
  verified: 'at=in_call&people=3',
  look: 'at=in_call&people=4',
  large: 'at=in_call&people=4',
  large_two: 'at=in_call&people=2',
  ask: 'at=green_room&people=3&policy=knock',
  waiting: 'at=waiting&people=3&policy=knock',
  left_locked: 'at=left&people=3&failure=room_locked',
  settings: 'at=green_room&people=2&standin',
  help: 'at=in_call&people=4',
  left: 'at=left&people=3',
  left_full: 'at=left&people=3&failure=room_full',
};
const SIZES = [
  [360, 640],
  [1280, 800],
  [3840, 2160],
];

const [folder = 'dist/screenshots', ...only] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const server = await preview({ preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const address = server.httpServer.address();
  for (const [width, height] of SIZES) {
    for (const language of ['en', 'th']) {
      const page = await browser.newPage({ viewport: { width, height } });
      for (const [scene, query] of Object.entries(SCENES)) {
        const name = `${scene}-${width}x${height}-${language}`;
        if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
        await page.goto(`http://127.0.0.1:${address.port}/?demo&lang=${language}&${query}`);
        await page.waitForSelector('main');
        if (scene === 'settings') await page.getByTestId('settings').click();
        if (scene === 'chat') await page.keyboard.press('t');
        if (scene === 'files') await page.keyboard.press('f');
        if (scene === 'room' || scene === 'remove') await page.keyboard.press('p');
        if (scene === 'remove') await page.getByTestId('remove').first().click();
        if (scene === 'verify' || scene === 'verified') {
          await page.getByTestId('trust').first().click();
        }
        if (scene === 'verified') await page.getByTestId('confirm').click();
        if (scene === 'look') await page.keyboard.press('g');
        if (scene.startsWith('large')) await page.keyboard.press('k');
        if (scene === 'reactions') await page.keyboard.press('e');
        if (scene === 'share') await page.keyboard.press('s');
        if (scene === 'hands' || scene === 'reactions') await page.waitForTimeout(1_200);
        if (scene === 'help') await page.keyboard.press('?');
        if (scene === 'refused') {
          await page.getByTestId('link-input').fill('https://example.org/j#short');
          await page.getByTestId('open-link').click();
          await page.waitForSelector('[role=alert]');
        }
        // Past the transitions, and somebody is speaking.
        await page.waitForTimeout(700);
        await page.screenshot({ path: `${folder}/${name}.png` });
        console.log(name);
      }
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
}
