// Who was met in this visit, and by which certificate: an id is the server's word, a certificate is
// the peer's own. Behind a closed door nobody takes an id over. The same as
// `session/acquaintances.rs` of `quartet_core`.

import type { PeerId } from './messages';
import type { Fingerprint } from './trust';

/** People who are remembered, the newest. */
const MAX_KEPT = 64;

export class Acquaintances {
  /** Everybody met, and each time. */
  private met = 0;
  /** What they first proved to have. */
  private readonly certificates = new Map<PeerId, Fingerprint>();

  /** Another one; their number. */
  meet(): number {
    return ++this.met;
  }

  /** The certificate that was first proven under this id. */
  certificate(id: PeerId): Fingerprint | null {
    return this.certificates.get(id) ?? null;
  }

  /** Somebody has proven to have this one. */
  proven(id: PeerId, certificate: Fingerprint): void {
    if (this.certificates.has(id)) return;
    const [oldest] = this.certificates.keys();
    if (this.certificates.size >= MAX_KEPT && oldest !== undefined)
      this.certificates.delete(oldest);
    this.certificates.set(id, certificate);
  }
}
