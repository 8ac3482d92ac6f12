// What a code is made of, in the order of docs/protocol.md, with names for reading aloud.

import type { LanguageCode } from './translate';

type Row = [emoji: string, names: Record<LanguageCode, string>];

const row = (emoji: string, en: string, th: string): Row => [emoji, { en, th }];

// prettier-ignore
export const EMOJI: readonly Row[] = [
  row('🐶', 'Dog', 'หมา'), row('🐱', 'Cat', 'แมว'), row('🦁', 'Lion', 'สิงโต'), row('🐎', 'Horse', 'ม้า'),
  row('🦄', 'Unicorn', 'ยูนิคอร์น'), row('🐷', 'Pig', 'หมู'), row('🐘', 'Elephant', 'ช้าง'), row('🐰', 'Rabbit', 'กระต่าย'),
  row('🐼', 'Panda', 'แพนด้า'), row('🐓', 'Rooster', 'ไก่'), row('🐧', 'Penguin', 'เพนกวิน'), row('🐢', 'Turtle', 'เต่า'),
  row('🐟', 'Fish', 'ปลา'), row('🐙', 'Octopus', 'หมึก'), row('🦋', 'Butterfly', 'ผีเสื้อ'), row('🌷', 'Flower', 'ดอกไม้'),
  row('🌳', 'Tree', 'ต้นไม้'), row('🌵', 'Cactus', 'กระบองเพชร'), row('🍄', 'Mushroom', 'เห็ด'), row('🌏', 'Globe', 'ลูกโลก'),
  row('🌙', 'Moon', 'พระจันทร์'), row('☁️', 'Cloud', 'ก้อนเมฆ'), row('🔥', 'Fire', 'ไฟ'), row('🍌', 'Banana', 'กล้วย'),
  row('🍎', 'Apple', 'แอปเปิล'), row('🍓', 'Strawberry', 'สตรอว์เบอร์รี'), row('🌽', 'Corn', 'ข้าวโพด'), row('🍕', 'Pizza', 'พิซซ่า'),
  row('🎂', 'Cake', 'เค้ก'), row('❤️', 'Heart', 'หัวใจ'), row('😀', 'Smiley', 'หน้ายิ้ม'), row('🤖', 'Robot', 'หุ่นยนต์'),
  row('🎩', 'Hat', 'หมวก'), row('👓', 'Glasses', 'แว่นตา'), row('🔧', 'Spanner', 'ประแจ'), row('🎅', 'Santa', 'ซานต้า'),
  row('👍', 'Thumbs Up', 'ยกนิ้วโป้ง'), row('☂️', 'Umbrella', 'ร่ม'), row('⌛', 'Hourglass', 'นาฬิกาทราย'), row('⏰', 'Clock', 'นาฬิกาปลุก'),
  row('🎁', 'Gift', 'ของขวัญ'), row('💡', 'Light Bulb', 'หลอดไฟ'), row('📕', 'Book', 'หนังสือ'), row('✏️', 'Pencil', 'ดินสอ'),
  row('📎', 'Paperclip', 'คลิปหนีบกระดาษ'), row('✂️', 'Scissors', 'กรรไกร'), row('🔒', 'Lock', 'แม่กุญแจ'), row('🔑', 'Key', 'ลูกกุญแจ'),
  row('🔨', 'Hammer', 'ค้อน'), row('☎️', 'Telephone', 'โทรศัพท์'), row('🏁', 'Flag', 'ธง'), row('🚂', 'Train', 'รถไฟ'),
  row('🚲', 'Bicycle', 'จักรยาน'), row('✈️', 'Aeroplane', 'เครื่องบิน'), row('🚀', 'Rocket', 'จรวด'), row('🏆', 'Trophy', 'ถ้วยรางวัล'),
  row('⚽', 'Ball', 'ลูกบอล'), row('🎸', 'Guitar', 'กีตาร์'), row('🎺', 'Trumpet', 'แตร'), row('🔔', 'Bell', 'กระดิ่ง'),
  row('⚓', 'Anchor', 'สมอเรือ'), row('🎧', 'Headphones', 'หูฟัง'), row('📁', 'Folder', 'แฟ้ม'), row('📌', 'Pin', 'หมุด'),
];

/** The emoji of a code, and how they are called. */
export function codeWords(
  code: readonly number[],
  language: LanguageCode,
): { emoji: string; name: string }[] {
  return code.flatMap((place) => {
    const found = EMOJI[place];
    return found ? [{ emoji: found[0], name: found[1][language] }] : [];
  });
}
