//! Who was met in this visit, and by which certificate: an id is the server's word, a certificate is
//! the peer's own. Behind a closed door nobody takes an id over.

use std::collections::VecDeque;

use quartet_proto::{Fingerprint, PeerId};

/// People who are remembered, the newest: more than come through a room of four in a long evening.
const MAX_KEPT: usize = 64;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Acquaintances {
    /// Everybody met, and each time.
    met: u64,
    /// What they first proved to have.
    certificates: VecDeque<(PeerId, Fingerprint)>,
}

impl Acquaintances {
    /// Another one; their number.
    pub(super) fn meet(&mut self) -> u64 {
        self.met += 1;
        self.met
    }

    /// The certificate that was first proven under this id.
    pub(super) fn certificate(&self, id: PeerId) -> Option<Fingerprint> {
        self.certificates.iter().find(|(known, _)| *known == id).map(|(_, it)| *it)
    }

    /// Somebody has proven to have this one.
    pub(super) fn proven(&mut self, id: PeerId, certificate: Fingerprint) {
        if self.certificate(id).is_none() {
            if self.certificates.len() == MAX_KEPT {
                self.certificates.pop_front();
            }
            self.certificates.push_back((id, certificate));
        }
    }
}
