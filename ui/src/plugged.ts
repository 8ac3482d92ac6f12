// What was plugged in or pulled out, and which of the chosen devices another one stands in for.

import type { AppView, DevicesView } from './bindings';
import type { DeviceKind } from './engine/engine';
import type { MessageArguments } from './i18n/translate';

const LISTS = { camera: 'cameras', microphone: 'microphones', speaker: 'speakers' } as const;
const PREFIXES = { camera: 'camera:', microphone: 'mic:', speaker: 'speaker:' } as const;
export const DEVICE_KINDS = ['camera', 'microphone', 'speaker'] as const satisfies DeviceKind[];

/** Devices of a kind that are there, by id; without the system's choice and the test sources. */
function present(devices: DevicesView, kind: DeviceKind): Map<string, string> {
  const found = devices[LISTS[kind]].filter(
    // One that was chosen and is not there now has no name.
    ({ id, label }) => id.startsWith(PREFIXES[kind]) && id !== label,
  );
  return new Map(found.map(({ id, label }) => [id, label]));
}

/** What is to be said of the change from one view to the next. */
export function plugged(before: AppView, after: AppView): MessageArguments[] {
  const said: MessageArguments[] = [];
  if (before.devices !== after.devices) {
    const lists = DEVICE_KINDS.map(
      (kind) => [kind, present(before.devices, kind), present(after.devices, kind)] as const,
    );
    // A browser names devices only once one may be used, and then all of them: that is no news.
    if (lists.some(([, was]) => was.size > 0)) {
      for (const [kind, was, is] of lists) {
        for (const [id, device] of is) {
          if (!was.has(id)) said.push([`said.plugged.${kind}`, { device }]);
        }
        for (const [id, device] of was) {
          if (!is.has(id)) said.push(['said.unplugged', { device }]);
        }
      }
    }
  }
  for (const kind of DEVICE_KINDS) {
    const [was, is] = [before, after].map(({ me }) => me.stand_ins.includes(kind));
    if (is && !was) said.push([`said.standIn.${kind}`]);
    // With the end of the call, everything is closed.
    if (was && !is && after.me[kind].is !== 'none') said.push([`said.standInOver.${kind}`]);
  }
  return said;
}
