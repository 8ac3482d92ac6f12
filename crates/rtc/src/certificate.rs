//! The certificate with which this side proves itself in DTLS.

use std::fmt;

use rtc::{
    crypto::{self, SignatureScheme},
    peer_connection::certificate::{CertificateParams, RTCCertificate},
};

use crate::LinkError;

/// A self-signed certificate (RFC 8827 §6.5), made for one visit to a room: all links of the visit
/// use it, so the others see the same fingerprint after every reconnect, and nobody can tell two
/// visits to be the same person's.
#[derive(Clone)]
pub struct Certificate(RTCCertificate);

impl Certificate {
    /// A new one, ECDSA on P-256: some hundred microseconds.
    ///
    /// # Errors
    ///
    /// When the machine has no randomness.
    pub fn generate() -> Result<Self, LinkError> {
        let failed = || LinkError::refused("making a certificate", "no key could be made");
        let provider = crypto::default_provider().map_err(|_| failed())?;
        // Nobody looks at the name.
        let parameters =
            CertificateParams::new(vec!["quartet".to_owned()]).map_err(|_| failed())?;
        let scheme = SignatureScheme::EcdsaP256Sha256;
        let certificate = RTCCertificate::generate(provider.crypto(), scheme, parameters);
        certificate.map(Self).map_err(|_| failed())
    }

    /// For the library.
    pub(crate) fn inner(&self) -> RTCCertificate {
        self.0.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(…)")
    }
}
