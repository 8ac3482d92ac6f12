// Findings and paths in the person's language.

import type { PathView } from '../bindings';
import { displayName } from '../i18n/names';
import type { Translate } from '../i18n/translate';
import type { Finding } from './diagnose';

export function findingText(t: Translate, { cause, name, lines }: Finding): string {
  const called = { name: displayName(name, t('name.nobody')) };
  switch (cause) {
    case 'untrusted':
    case 'no_path':
    case 'no_relay':
    case 'path_lost':
    case 'lossy_there':
    case 'lossy_way':
    case 'queue_there':
    case 'queue_way':
    case 'jitter_there':
    case 'jitter_way':
    case 'busy_there':
    case 'far':
    case 'far_relay':
    case 'no_picture':
    case 'no_voice':
    case 'udp_blocked':
    case 'relayed':
    case 'small_window':
      return t(`doctor.${cause}`, called);
    case 'upload_full_there':
    case 'download_full_there':
    case 'way_in_full':
    case 'way_out_full':
      return t(`doctor.${cause}`, { ...called, lines });
    case 'download_full':
    case 'upload_full':
      return t(`doctor.${cause}`, { lines });
    default:
      return t(`doctor.${cause}`);
  }
}

export function pathText(t: Translate, path: PathView | null): string {
  if (path === null) return t('details.path.none');
  if (path.by_stream) return t('details.path.stream');
  if (path.local === 'relay' || path.remote === 'relay') return t('details.path.relay');
  const direct = path.local === 'host' && path.remote === 'host';
  return t(direct ? 'details.path.direct' : 'details.path.nat');
}
