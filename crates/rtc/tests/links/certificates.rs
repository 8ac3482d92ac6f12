//! Who is at the other end: the certificate that a description names, and nobody else.

use std::{sync::Arc, time::Duration};

use quartet_core::{LinkAction, LinkEvent, LinkState};
use quartet_proto::{DescriptionKind, Fingerprint};
use quartet_rtc::{Certificate, Link, LinkConfig, LinkRole};
use tokio::{sync::mpsc, time::timeout};

use crate::pair::{PATIENCE, Recorder, loopback};

/// Long enough for a handshake on loopback, many times over.
const WATCHED: Duration = Duration::from_secs(3);

struct End {
    link: Link,
    events: mpsc::Receiver<LinkEvent>,
}

async fn end(role: LinkRole, certificate: &Certificate) -> End {
    let (sender, events) = mpsc::channel(64);
    let config = LinkConfig { role, ice: loopback(), certificate: certificate.clone() };
    let link = Link::open(config, Arc::new(Recorder::deaf()), sender).await.unwrap();
    End { link, events }
}

/// Carries what each end says to the other, with the certificate in descriptions of one kind swapped
/// for another one; whether both ends, or either, were connected within the time.
async fn connects(swapped: Option<DescriptionKind>) -> (bool, bool) {
    let (one, two, third) = (
        Certificate::generate().unwrap(),
        Certificate::generate().unwrap(),
        Fingerprint::from_bytes([7; 32]),
    );
    let mut ends = (end(LinkRole::Offerer, &one).await, end(LinkRole::Answerer, &two).await);
    ends.0.link.act(LinkAction::Offer { ice_restart: false });
    let mut connected = (false, false);
    let carry = async {
        while !(connected.0 && connected.1) {
            let (event, to, here) = tokio::select! {
                Some(event) = ends.0.events.recv() => (event, &ends.1.link, &mut connected.0),
                Some(event) = ends.1.events.recv() => (event, &ends.0.link, &mut connected.1),
            };
            match event {
                LinkEvent::Description { kind, mut sdp } => {
                    if swapped == Some(kind) {
                        let own = Fingerprint::of_sdp(&sdp).unwrap();
                        sdp = sdp.replace(&own.to_string(), &third.to_string());
                        assert_eq!(Fingerprint::of_sdp(&sdp), Ok(third));
                    }
                    to.act(LinkAction::Description { kind, sdp });
                }
                LinkEvent::Candidate(candidate) => to.act(LinkAction::Candidate(candidate)),
                LinkEvent::State(LinkState::Connected) => *here = true,
                _ => {}
            }
        }
    };
    let limit = if swapped.is_some() { WATCHED } else { PATIENCE };
    let _ = timeout(limit, carry).await;
    ends.0.link.close().await;
    ends.1.link.close().await;
    connected
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_another_certificate_than_its_description_named_is_never_connected() {
    assert_eq!(connects(None).await, (true, true));
    // The answerer takes the offerer for somebody else.
    assert!(!connects(Some(DescriptionKind::Offer)).await.1);
    // The offerer takes the answerer for somebody else.
    assert!(!connects(Some(DescriptionKind::Answer)).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_links_of_a_certificate_name_it() {
    let certificate = Certificate::generate().unwrap();
    let mut named = Vec::new();
    for _ in 0..2 {
        let mut end = end(LinkRole::Offerer, &certificate).await;
        end.link.act(LinkAction::Offer { ice_restart: false });
        let sdp = loop {
            let event = timeout(PATIENCE, end.events.recv()).await.unwrap().unwrap();
            if let LinkEvent::Description { sdp, .. } = event {
                break sdp;
            }
        };
        named.push(Fingerprint::of_sdp(&sdp).unwrap());
        end.link.close().await;
    }
    assert_eq!(named[0], named[1]);
}
