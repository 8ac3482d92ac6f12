//! TLS with a certificate from files, which are read again when they have changed.
//!
//! New connections get the new certificate, open ones stay as they are. A file that is missing,
//! half written or does not fit the other changes nothing: the certificate before goes on, a
//! warning says so, and the files are looked at again.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{fs, sync::Notify, time};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// The files are looked at this often: who renews a certificate does so days before it ends.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Bytes of a file that are read: a chain has some KiB.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Where a certificate is, both files in PEM (RFC 7468).
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and after it those up to the one that everybody has.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is of no use: {source}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// Key and certificate are not of one pair, or of an unknown kind.
    #[error("the certificate cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// What tells that a file has changed.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// The certificate of a server, and where it comes from.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    reload: Notify,
}

impl Tls {
    /// Reads the files; without a certificate there is no server.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let source = |source| TlsError::Read { path: path.to_owned(), source };
            std::fs::read(path).map_err(source)
        };
        let provider = Arc::new(ring::default_provider());
        let pair = certified(&files, &read(&files.certificate)?, &read(&files.key)?, &provider)?;
        let current = Arc::new(Current { certified: RwLock::new(Arc::new(pair)) });
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        // WebSockets begin as HTTP/1.1 here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files, current, acceptor, reload: Notify::new() })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again now, changed or not.
    pub(crate) fn reload(&self) {
        self.reload.notify_one();
    }

    /// Looks for changes, for ever.
    pub(crate) async fn watch(&self) {
        let mut known = self.stamp().await;
        loop {
            let asked = tokio::select! {
                () = time::sleep(LOOK_INTERVAL) => false,
                () = self.reload.notified() => true,
            };
            let stamp = self.stamp().await;
            if asked || stamp != known {
                known = stamp;
                match self.read_again().await {
                    Ok(()) => info!("the certificate was read again"),
                    Err(error) => warn!(%error, "the certificate before stays in use"),
                }
            }
        }
    }

    async fn stamp(&self) -> Stamp {
        let mut stamp = [None; 2];
        for (stamp, path) in stamp.iter_mut().zip([&self.files.certificate, &self.files.key]) {
            let metadata = fs::metadata(path).await.ok();
            *stamp = metadata.and_then(|file| Some((file.modified().ok()?, file.len())));
        }
        stamp
    }

    async fn read_again(&self) -> Result<(), TlsError> {
        let TlsFiles { certificate, key } = &self.files;
        let (certificate, key) = (read(certificate).await?, read(key).await?);
        let provider = self.acceptor.config().crypto_provider();
        let pair = certified(&self.files, &certificate, &key, provider)?;
        let mut current = self.current.certified.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(pair);
        Ok(())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let refused = |source| TlsError::Read { path: path.to_owned(), source };
    if fs::metadata(path).await.map_err(refused)?.len() > MAX_FILE_BYTES {
        return Err(refused(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).await.map_err(refused)
}

fn certified(
    files: &TlsFiles,
    chain: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let content = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Content { path, source }
    };
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(content(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(content(&files.key))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

/// Gives each new connection the certificate of the moment, whatever name it asks for.
#[derive(Debug)]
struct Current {
    certified: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.certified.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}
