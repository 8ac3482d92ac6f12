//! A server behind `https`: encrypted from the first byte on, and only with a certificate that the
//! web's authorities vouch for.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "support/people.rs"]
mod people;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use people::{Person, link};
use quartet_engine::{EndReason, Event, FailureCode};
use rustls::{
    AlertDescription, Error, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_in_plain_words() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = CertificateDer::from(own.cert);
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let refusals = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refusals);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let error = acceptor.accept(stream).await.err().unwrap();
            // Not a word was said beyond the handshake, which the other side broke off.
            let refused = matches!(
                error.get_ref().and_then(|error| error.downcast_ref()),
                Some(Error::AlertReceived(
                    AlertDescription::UnknownCA
                        | AlertDescription::BadCertificate
                        | AlertDescription::CertificateUnknown
                ))
            );
            assert!(refused, "{error}");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });

    let mut ann = Person::new("Ann");
    ann.join(&link(&url));
    let message = ann
        .hear("a failure", |it| match it {
            Event::Ended(EndReason::Failed { code: FailureCode::ServerUnreachable, message }) => {
                Some(message)
            }
            _ => None,
        })
        .await;
    assert!(message.contains("certificate is not valid or not trusted"), "{message}");
    assert!(refusals.load(Ordering::Relaxed) > 0);
    ann.engine.shutdown().await;
}
