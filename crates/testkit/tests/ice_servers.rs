//! STUN and TURN servers that the signalling server offers, and their renewal in a call.

use std::{iter, time::Instant};

use quartet_core::{
    LinkAction,
    session::{Input, Output, Session, SessionConfig},
};
use quartet_proto::{
    Epoch, IceServer, LinkSecret, MediaState, NonceSeed, PeerId, PeerInfo, RoomId, RoomPolicy,
    ServerMessage, SessionKey,
};

const MEDIA: MediaState = MediaState { muted: false, camera_off: false, sharing: None };

fn servers(username: &str) -> Vec<IceServer> {
    let urls = vec!["turn:turn.example.org".to_owned()];
    let credential = Some("secret".to_owned());
    vec![IceServer { urls, username: Some(username.to_owned()), credential }]
}

fn info(id: u64) -> PeerInfo {
    // Above every own id: this side offers.
    PeerInfo { id: PeerId::from_u64(u64::MAX - id), name: "Bo".into(), media: MEDIA }
}

struct Member {
    session: Session,
    now: Instant,
    you: PeerId,
}

impl Member {
    /// In a room with one other.
    fn with(ice_servers: Vec<IceServer>) -> Self {
        let key = SessionKey::from_bytes([7; 16]);
        let (room, now, you) = (RoomId::from_bytes([1; 16]), Instant::now(), key.peer_id());
        let (auth, seed) =
            (LinkSecret::from_bytes([1; 16]).auth_key(), NonceSeed::from_bytes([1; 32]));
        let (name, policy) = ("Ann".into(), RoomPolicy::Open);
        let config = SessionConfig { room, key, auth, seed, name, media: MEDIA, policy };
        let mut member = Self { session: Session::new(config, now), now, you };
        member.session.handle(now, Input::SocketOpened);
        member.welcome(ice_servers);
        member
    }

    fn hear(&mut self, message: ServerMessage) {
        self.session.handle(self.now, Input::SocketMessage(message));
    }

    fn welcome(&mut self, ice_servers: Vec<IceServer>) {
        let (you, peers) = (self.you, vec![info(1)]);
        let (policy, knocking) = (RoomPolicy::Open, Vec::new());
        self.hear(ServerMessage::Welcome { you, peers, ice_servers, policy, knocking });
    }

    /// What links were opened with, and what open ones were told.
    fn told(&mut self) -> Vec<(PeerId, Epoch, Vec<IceServer>)> {
        let outputs = iter::from_fn(|| self.session.poll());
        outputs
            .filter_map(|output| match output {
                Output::OpenLink { peer, epoch, ice_servers, .. }
                | Output::Link { peer, epoch, action: LinkAction::IceServers(ice_servers) } => {
                    Some((peer, epoch, ice_servers))
                }
                _ => None,
            })
            .collect()
    }
}

#[test]
fn renewed_servers_reach_the_links_that_are_there_and_those_to_come() {
    let mut member = Member::with(servers("first"));
    assert_eq!(member.told(), [(info(1).id, 1, servers("first"))]);
    member.hear(ServerMessage::IceServers { ice_servers: servers("second") });
    assert_eq!(member.told(), [(info(1).id, 1, servers("second"))]);
    member.hear(ServerMessage::PeerJoined { peer: info(2) });
    assert_eq!(member.told(), [(info(2).id, 1, servers("second"))]);
}

#[test]
fn those_of_a_second_welcome_reach_the_links_that_are_there() {
    let mut member = Member::with(servers("first"));
    member.told();
    member.session.handle(member.now, Input::SocketClosed);
    while !iter::from_fn(|| member.session.poll()).any(|it| it == Output::OpenSocket) {
        member.now = member.session.poll_timeout().expect("it tries again");
        member.session.handle_timeout(member.now);
    }
    member.session.handle(member.now, Input::SocketOpened);
    member.welcome(servers("second"));
    // The link that was there hears of them; as it never connected, another follows.
    let told = member.told();
    assert_eq!(told[0], (info(1).id, 1, servers("second")));
    assert!(told.iter().all(|(_, _, ice_servers)| *ice_servers == servers("second")));
}

#[test]
fn the_same_ones_again_are_no_news_and_a_flood_of_them_is_cut() {
    let mut member = Member::with(servers("first"));
    member.told();
    member.hear(ServerMessage::IceServers { ice_servers: servers("first") });
    assert_eq!(member.told(), []);
    let crowd = (0..1000).flat_map(|n| servers(&n.to_string())).collect();
    member.hear(ServerMessage::IceServers { ice_servers: crowd });
    let told = member.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].2.len(), 8);
}
