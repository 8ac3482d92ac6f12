// The files of the desktop app: its commands.

import { invoke } from '@tauri-apps/api/core';

import { MAX_PASTED_BYTES } from '../files/files.svelte';
import type { FileEngine, Recipient } from './files';

export class NativeFiles implements FileEngine {
  readonly can = { choose: true, show: true };

  pick(to: Recipient): Promise<void> {
    return invoke('pick_files', { to });
  }

  async offer(files: File[], to: Recipient): Promise<void> {
    for (const file of files) {
      if (file.size > MAX_PASTED_BYTES) throw { code: 'file_too_large', message: 'too large' };
      const headers = {
        'quartet-name': encodeURIComponent(file.name),
        'quartet-to': to ?? '',
      };
      await invoke('offer_pasted', await file.arrayBuffer(), { headers });
    }
  }

  offerDropped(to: Recipient): Promise<void> {
    return invoke('offer_dropped', { to });
  }

  accept(file: string, choose: boolean): Promise<void> {
    return invoke('accept_file', { file, choose });
  }

  cancel(file: string): Promise<void> {
    return invoke('cancel_file', { file });
  }

  pause(file: string, paused: boolean): Promise<void> {
    return invoke('pause_file', { file, paused });
  }

  withdraw(file: string, peer: string): Promise<void> {
    return invoke('withdraw_file', { file, peer });
  }

  hold(file: string, held: boolean): Promise<void> {
    return invoke('hold_file', { file, held });
  }

  show(file: string): Promise<void> {
    return invoke('show_file', { file });
  }
}
