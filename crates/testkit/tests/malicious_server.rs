//! A server that wants to stand in the middle, under virtual time: nobody is ever connected by it,
//! it is said plainly, and it costs a bounded number of tries.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use std::{cell::RefCell, rc::Rc, time::Duration};

use quartet_core::session::{Connection, Input, Mark, SessionEvent};
use quartet_proto::{
    About, AuthKey, ClientMessage, Code, DescriptionKind, Fingerprint, LinkSecret, MediaState,
    Nonce, PeerId, PeerInfo, Proof, RoomPolicy, ServerMessage, Statement, Word,
};
use quartet_testkit::world::{Who, World};

const SECOND: Duration = Duration::from_secs(1);
const SEEDS: u64 = 40;

/// A world of two, by role: the one who offers, and the other.
fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    world.join();
    world.join();
    let offerer = usize::from(world.person(1).id < world.person(0).id);
    (world, offerer, 1 - offerer)
}

fn view(world: &World, who: Who, of: Who) -> Connection {
    world.person(who).peers()[&world.person(of).id].connection
}

fn code(world: &World, who: Who, of: Who) -> Option<Code> {
    world.person(who).peers()[&world.person(of).id].trust.code
}

fn was_ever(world: &World, who: Who, connection: Connection) -> bool {
    let said = |event: &SessionEvent| matches!(event, SessionEvent::PeerConnection(_, it) if *it == connection);
    world.person(who).heard.iter().any(|(_, event)| said(event))
}

/// With another certificate.
fn swapped(sdp: &str, certificate: Fingerprint) -> String {
    let own = Fingerprint::of_sdp(sdp).unwrap();
    sdp.replace(&own.to_string(), &certificate.to_string())
}

/// Neither is ever connected while the server does this, and both are quiet in the end.
fn assert_never_connected(
    what: &str,
    change: impl Fn(ServerMessage) -> Vec<ServerMessage> + Clone + 'static,
) {
    for seed in 0..SEEDS {
        println!("{what}, seed {seed}");
        let (mut world, offerer, answerer) = two(seed);
        world.corrupt(offerer, change.clone());
        world.corrupt(answerer, change.clone());
        world.run_for(120 * SECOND);
        for who in [offerer, answerer] {
            assert!(!was_ever(&world, who, Connection::Connected), "{who} is connected");
        }
        let told = |who| was_ever(&world, who, Connection::Untrusted);
        assert!(told(offerer) || told(answerer), "nobody is told why");
        let since = world.elapsed();
        world.run_for(300 * SECOND);
        for who in [offerer, answerer] {
            let person = world.person(who);
            let opened = person.opened.iter().filter(|(at, ..)| *at > since).count();
            assert!(opened <= 40, "{who} opens {opened} links in five minutes");
            let said = person.count_sent(since, |it| !matches!(it, ClientMessage::Ping { .. }));
            assert!(said <= 200, "{who} says {said} things in five minutes");
        }
        world.assert_ends_cleanly();
    }
}

#[test]
fn proofs_that_are_taken_away_connect_nobody() {
    assert_never_connected("stripped", |message| match message {
        ServerMessage::Description { from, epoch, kind, sdp, .. } => {
            vec![ServerMessage::Description { from, epoch, kind, sdp, proof: None }]
        }
        message => vec![message],
    });
}

#[test]
fn swapped_certificates_connect_nobody() {
    assert_never_connected("swapped", |message| match message {
        ServerMessage::Description { from, epoch, kind, sdp, proof } => {
            let sdp = swapped(&sdp, Fingerprint::from_bytes([9; 32]));
            vec![ServerMessage::Description { from, epoch, kind, sdp, proof }]
        }
        message => vec![message],
    });
}

#[test]
fn a_text_that_was_touched_connects_nobody() {
    assert_never_connected("touched", |message| match message {
        ServerMessage::Description { from, epoch, kind, sdp, proof } => {
            let sdp = format!("{sdp}a=setup:active\r\n");
            vec![ServerMessage::Description { from, epoch, kind, sdp, proof }]
        }
        message => vec![message],
    });
}

#[test]
fn proofs_by_another_key_connect_nobody() {
    let key = LinkSecret::from_bytes([9; 16]).auth_key();
    assert_never_connected("another key", move |message| match message {
        ServerMessage::Description { from, epoch, kind, sdp, proof: Some(proof) } => {
            let own = Fingerprint::of_sdp(&sdp).unwrap();
            let statement = Statement {
                about: About::Offer,
                epoch,
                from,
                to: from,
                own,
                other: None,
                reply_to: None,
                sdp: Some(&sdp),
            };
            let proof = Some(key.prove(&statement, proof.word));
            vec![ServerMessage::Description { from, epoch, kind, sdp, proof }]
        }
        message => vec![message],
    });
}

#[test]
fn epochs_that_were_changed_connect_nobody() {
    assert_never_connected("epochs", |message| match message {
        ServerMessage::Description { from, epoch, kind, sdp, proof } => {
            vec![ServerMessage::Description { from, epoch: epoch + 1, kind, sdp, proof }]
        }
        message => vec![message],
    });
}

#[test]
fn a_confirmation_that_is_forged_or_never_comes_connects_no_answerer() {
    let forged = Proof { word: Word::from_bytes([1; 32]), mac: Word::from_bytes([2; 32]) };
    for replacement in [Some(forged), None] {
        for seed in 0..SEEDS {
            println!("seed {seed}");
            let (mut world, _, answerer) = two(seed);
            world.corrupt(answerer, move |message| match message {
                ServerMessage::Confirm { from, epoch, .. } => replacement
                    .map(|proof| ServerMessage::Confirm { from, epoch, proof })
                    .into_iter()
                    .collect(),
                message => vec![message],
            });
            world.run_for(200 * SECOND);
            assert!(!was_ever(&world, answerer, Connection::Connected));
            assert!(was_ever(&world, answerer, Connection::Untrusted));
        }
    }
}

#[test]
fn repetitions_change_nothing() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (mut world, offerer, answerer) = two(seed);
        for who in [offerer, answerer] {
            let mut past = Vec::new();
            world.corrupt(who, move |message| {
                use ServerMessage::{Candidate, Confirm, Description};
                if !matches!(message, Description { .. } | Confirm { .. } | Candidate { .. }) {
                    return vec![message];
                }
                past.push(message.clone());
                // The newest, all that there was before it, and the newest again.
                let mut all = vec![message.clone()];
                all.extend(past.iter().cloned());
                all.push(message);
                all
            });
        }
        world.assert_settles_within(2 * SECOND);
        world.tell(offerer, Input::NetworkChanged);
        world.run_for(5 * SECOND);
        assert_eq!(world.unsettled(), None);
        for who in [offerer, answerer] {
            assert_eq!(world.person(who).opened.len(), 1, "{who} opens another link");
            assert!(!was_ever(&world, who, Connection::Untrusted));
        }
    }
}

#[test]
fn a_forged_description_costs_a_connected_pair_nothing() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (mut world, offerer, answerer) = two(seed);
        world.assert_settles_within(2 * SECOND);
        let (from, to) = (world.person(offerer).id, world.person(answerer).id);
        let sdp = format!("a=fingerprint:sha-256 {}\r\n1 1\r\n", Fingerprint::from_bytes([1; 32]));
        for epoch in 0..100 {
            let (kind, sdp, proof) = (DescriptionKind::Offer, sdp.clone(), None);
            world.forge(answerer, ServerMessage::Description { from, epoch, kind, sdp, proof });
            let proof = Proof { word: Word::from_bytes([1; 32]), mac: Word::from_bytes([2; 32]) };
            world.forge(answerer, ServerMessage::Confirm { from, epoch, proof });
            let (kind, sdp, proof) = (DescriptionKind::Answer, "1 1".to_owned(), Some(proof));
            world.forge(offerer, ServerMessage::Description { from: to, epoch, kind, sdp, proof });
        }
        world.run_for(10 * SECOND);
        assert_eq!(world.unsettled(), None);
        assert_eq!(view(&world, answerer, offerer), Connection::Connected);
        assert_eq!(world.person(answerer).teardowns, []);
    }
}

#[test]
fn what_one_person_says_is_not_taken_for_anothers() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..3 {
            world.join();
        }
        let ids: Vec<PeerId> = (0..3).map(|who| world.person(who).id).collect();
        // Everybody hears the two others in each other's names.
        for who in 0..3 {
            let others: Vec<PeerId> = ids.iter().copied().filter(|id| *id != ids[who]).collect();
            world.corrupt(who, move |message| match message {
                ServerMessage::Description { from, epoch, kind, sdp, proof } => {
                    let from = if from == others[0] { others[1] } else { others[0] };
                    vec![ServerMessage::Description { from, epoch, kind, sdp, proof }]
                }
                message => vec![message],
            });
        }
        world.run_for(60 * SECOND);
        for who in 0..3 {
            assert!(!was_ever(&world, who, Connection::Connected), "{who} is connected");
        }
    }
}

#[test]
fn somebody_without_the_link_is_nobody_to_the_others() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (mut world, one, other) = two(seed);
        let impostor = world.join_as_impostor();
        world.run_for(60 * SECOND);
        assert_eq!(view(&world, one, other), Connection::Connected);
        for who in [one, other] {
            assert!(matches!(
                view(&world, who, impostor),
                Connection::Untrusted | Connection::Failed
            ));
        }
        assert!(!was_ever(&world, impostor, Connection::Connected));
        let told = [one, other, impostor].map(|who| was_ever(&world, who, Connection::Untrusted));
        assert!(told.contains(&true));
        world.assert_ends_cleanly();
    }
}

#[test]
fn people_whom_the_server_invents_are_not_connected() {
    let (mut world, one, _) = two(1);
    world.assert_settles_within(2 * SECOND);
    let id = PeerId::from_u64(0);
    let (name, media) = ("Nobody".to_owned(), MediaState::default());
    world.forge(one, ServerMessage::PeerJoined { peer: PeerInfo { id, name, media } });
    let sdp = format!("a=fingerprint:sha-256 {}\r\n1 1\r\n", Fingerprint::from_bytes([1; 32]));
    let opened = world.person(one).opened.len();
    for epoch in 1..20 {
        let (from, kind, sdp, proof) = (id, DescriptionKind::Offer, sdp.clone(), None);
        world.forge(one, ServerMessage::Description { from, epoch, kind, sdp, proof });
        world.run_for(SECOND);
    }
    assert_eq!(world.person(one).peers()[&id].connection, Connection::Untrusted);
    assert_eq!(world.person(one).opened.len(), opened, "nothing was opened for them");
}

#[test]
fn an_honest_server_after_a_dishonest_one_connects_those_who_come_anew() {
    let (mut world, offerer, answerer) = two(3);
    world.corrupt(answerer, |message| match message {
        ServerMessage::Description { .. } => Vec::new(),
        message => vec![message],
    });
    world.run_for(30 * SECOND);
    world.repent();
    world.assert_settles_within(30 * SECOND);
    assert_eq!(code(&world, offerer, answerer), code(&world, answerer, offerer));
}

#[test]
fn a_code_stays_over_every_reconnect_and_so_does_its_mark() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (mut world, one, other) = two(seed);
        world.assert_settles_within(2 * SECOND);
        let first = code(&world, one, other).unwrap();
        let peer = world.person(other).id;
        let wrong = Code::from_places([0; 4]).unwrap();
        world.tell(one, Input::ConfirmCode { peer, code: wrong, matches: true });
        assert_eq!(world.person(one).peers()[&peer].trust.mark, Mark::Unconfirmed);
        world.tell(one, Input::ConfirmCode { peer, code: first, matches: true });
        for _ in 0..3 {
            assert!(world.break_link(one, other));
            world.run_for(SECOND);
            world.assert_settles_within(5 * SECOND);
            world.stop_server();
            world.run_for(SECOND);
            world.start_server();
            world.assert_settles_within(15 * SECOND);
            let trust = world.person(one).peers()[&peer].trust;
            assert_eq!((trust.code, trust.mark), (Some(first), Mark::Confirmed));
        }
    }
}

#[test]
fn behind_a_closed_door_nobody_takes_the_id_of_a_member_over() {
    for (seed, closed) in (0..SEEDS).flat_map(|seed| [(seed, false), (seed, true)]) {
        println!("seed {seed}, closed: {closed}");
        let (mut world, one, other) = two(seed);
        world.assert_settles_within(2 * SECOND);
        let peer = world.person(other).id;
        if closed {
            world.tell(one, Input::SetPolicy(RoomPolicy::Locked));
            world.run_for(SECOND);
        }
        // The server knows the member's key, and whoever it sends has the link.
        world.take_over(other, Fingerprint::from_bytes([0x77; 32]));
        let since = world.person(one).heard.len();
        assert!(world.break_link(one, other));
        world.run_for(60 * SECOND);
        let states = world.person(one).heard[since..].iter().filter_map(|(_, event)| match event {
            SessionEvent::PeerConnection(id, state) if *id == peer => Some(*state),
            _ => None,
        });
        let states: Vec<_> = states.collect();
        assert_eq!(states.contains(&Connection::Connected), !closed, "{states:?}");
        assert_eq!(states.contains(&Connection::Untrusted), closed, "{states:?}");
    }
}

/// The server, with the link: it makes proofs of its own, with its own certificate.
struct Insider {
    key: AuthKey,
    ids: (PeerId, PeerId),
    certificates: (Fingerprint, Fingerprint),
    /// The `mac` of the offer, and the `word` of the answer, as they really were.
    offer: Option<Word>,
    answer: Option<Word>,
}

impl Insider {
    const CERTIFICATE: Fingerprint = Fingerprint::from_bytes([0x66; 32]);
    const NONCE: Nonce = Nonce::from_bytes([0x66; 32]);

    fn between(&mut self, message: ServerMessage) -> ServerMessage {
        let ((offerer, answerer), own) = (self.ids, Self::CERTIFICATE);
        match message {
            ServerMessage::Description { from, epoch, kind, sdp, proof: Some(proof) } => {
                let sdp = swapped(&sdp, own);
                let offers = kind == DescriptionKind::Offer;
                let statement = Statement {
                    about: if offers { About::Offer } else { About::Answer },
                    epoch,
                    from,
                    to: if offers { answerer } else { offerer },
                    own,
                    other: (!offers).then_some(self.certificates.0),
                    reply_to: self.offer.filter(|_| !offers),
                    sdp: Some(&sdp),
                };
                let word = if offers { Self::NONCE.commit() } else { Self::NONCE.reveal() };
                let forged = self.key.prove(&statement, word);
                if offers {
                    self.offer = Some(proof.mac);
                } else {
                    self.answer = Some(proof.word);
                }
                ServerMessage::Description { from, epoch, kind, sdp, proof: Some(forged) }
            }
            ServerMessage::Confirm { from, epoch, .. } => {
                let statement = Statement {
                    about: About::Confirm,
                    epoch,
                    from,
                    to: answerer,
                    own,
                    other: Some(self.certificates.1),
                    reply_to: self.answer,
                    sdp: None,
                };
                let proof = self.key.prove(&statement, Self::NONCE.reveal());
                ServerMessage::Confirm { from, epoch, proof }
            }
            message => message,
        }
    }
}

#[test]
fn somebody_in_the_middle_who_has_the_link_shows_in_the_codes() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (mut world, offerer, answerer) = two(seed);
        let insider = Rc::new(RefCell::new(Insider {
            key: LinkSecret::from_bytes([7; 16]).auth_key(),
            ids: (world.person(offerer).id, world.person(answerer).id),
            certificates: (world.person(offerer).certificate, world.person(answerer).certificate),
            offer: None,
            answer: None,
        }));
        for who in [offerer, answerer] {
            let insider = Rc::clone(&insider);
            world.corrupt(who, move |message| vec![insider.borrow_mut().between(message)]);
        }
        world.run_for(5 * SECOND);
        let codes = (code(&world, offerer, answerer), code(&world, answerer, offerer));
        let (Some(here), Some(there)) = codes else { panic!("both have a code: {codes:?}") };
        assert_ne!(here, there);
    }
}
