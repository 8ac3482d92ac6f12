//! Names, identifiers, ICE servers and messages that strangers send.

use proptest::prelude::*;
use quartet_proto::{
    ClientMessage, IceServer, InvalidIceServer, InvalidName, MediaState, PeerId, PeerInfo,
    PeerMessage, RoomId, RoomPolicy, ServerMessage, SessionKey, display_name, limits,
    limits::MAX_NAME_CHARS,
};

#[test]
fn names_of_all_scripts_pass() {
    for name in [
        "Ann",
        "สมศรี รักไทย",
        "李小龍",
        "محمد",
        "می‌خواهم", // with a zero-width non-joiner, as Persian needs
        "👩‍👩‍👧",      // with zero-width joiners
        "❤️",
        "O'Brien-Smith, Jr.",
        "<b>&amp;",
        "x",
    ] {
        assert_eq!(display_name(name), Ok(name));
        assert_eq!(display_name(&format!(" \t{name}\n\u{3000}")), Ok(name));
    }
    let longest = "ก".repeat(MAX_NAME_CHARS);
    assert_eq!(display_name(&longest), Ok(longest.as_str()));
}

#[test]
fn names_that_deceive_are_refused() {
    let too_long = "x".repeat(MAX_NAME_CHARS + 1);
    let enormous = "x".repeat(1_000_000);
    for (name, expected) in [
        ("", InvalidName::Empty),
        (" \n\t\u{a0}", InvalidName::Empty),
        ("\u{200D}", InvalidName::Empty),
        ("\u{2800}", InvalidName::Empty),
        ("\u{FE0F}\u{200C}", InvalidName::Empty),
        (&too_long, InvalidName::TooLong),
        (&enormous, InvalidName::TooLong),
        ("Ann\nBob", InvalidName::Character),
        ("Ann\u{0}", InvalidName::Character),
        ("Ann\u{7f}", InvalidName::Character),
        ("Ann\u{9b}31m", InvalidName::Character),
        ("Ann\u{1b}[31m", InvalidName::Character),
        ("\u{202E}nnA", InvalidName::Character),
        ("\u{2066}Ann", InvalidName::Character),
        ("Ann\u{200F}", InvalidName::Character),
        ("Ann\u{061C}b", InvalidName::Character),
        ("Ann\u{2028}b", InvalidName::Character),
        ("A\u{200B}nn", InvalidName::Character),
        ("A\u{FEFF}nn", InvalidName::Character),
        ("\u{3164}", InvalidName::Character),
        ("A\u{E0041}", InvalidName::Character),
    ] {
        assert_eq!(display_name(name), Err(expected), "{name:?}");
    }
}

#[test]
fn ice_servers_are_written_in_one_line() {
    let stun = |url: &str| IceServer { urls: vec![url.into()], username: None, credential: None };
    let turn = |url: &str, user: &str, credential: &str| IceServer {
        urls: vec![url.into()],
        username: Some(user.into()),
        credential: Some(credential.into()),
    };
    for (text, expected) in [
        ("stun:stun.example.org", stun("stun:stun.example.org")),
        ("stuns:192.0.2.1:5349", stun("stuns:192.0.2.1:5349")),
        ("stun:[2001:db8::1]:3478", stun("stun:[2001:db8::1]:3478")),
        ("turn:ann:secret@turn.example.org", turn("turn:turn.example.org", "ann", "secret")),
        (
            "turn:1700000000%3Aann:a:b%40c@turn.example.org:3478?transport=tcp",
            turn("turn:turn.example.org:3478?transport=tcp", "1700000000:ann", "a:b@c"),
        ),
        ("turns:a:b@c@[::1]:5349", turn("turns:[::1]:5349", "a", "b@c")),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("", InvalidIceServer::Form),
        ("stun", InvalidIceServer::Form),
        ("stun:", InvalidIceServer::Form),
        ("stun:a b", InvalidIceServer::Form),
        ("stun:a/b", InvalidIceServer::Form),
        ("stun://a.example", InvalidIceServer::Form),
        ("stun:a.example:99999", InvalidIceServer::Form),
        ("stun:a.example?transport=udp", InvalidIceServer::Form),
        ("http:a.example", InvalidIceServer::Form),
        ("turn:a:b@c.example?transport=sctp", InvalidIceServer::Form),
        ("turn:a%FF:b@c.example", InvalidIceServer::Form),
        ("turn:c.example", InvalidIceServer::NoCredential),
        ("turn:a@c.example", InvalidIceServer::NoCredential),
        ("turn::b@c.example", InvalidIceServer::NoCredential),
        ("turn:a:@c.example", InvalidIceServer::NoCredential),
        ("stun:a:b@c.example", InvalidIceServer::NeedlessCredential),
    ] {
        assert_eq!(text.parse::<IceServer>(), Err(expected), "{text}");
    }
}

#[test]
fn of_what_a_participant_says_only_what_is_known_counts() {
    let read = |text: &str| serde_json::from_str::<PeerMessage>(text).ok();
    let highest = r#"{"type":"view","height":65535}"#;
    assert_eq!(read(highest), Some(PeerMessage::View { height: u16::MAX, screen: None }));
    let ids = vec![PeerId::from_u64(u64::MAX); limits::MAX_ROOM_IDS];
    let longest = PeerMessage::Room {
        policy: RoomPolicy::Locked,
        change: u32::MAX,
        admitted: ids.clone(),
        removed: ids,
    };
    assert!(
        serde_json::to_string(&longest).unwrap().len() * 4 < limits::MAX_PEER_MESSAGE_BYTES * 3
    );
    // From a later version.
    let later = r#"{"height":180,"type":"view","width":320,"more":{"of":["it"]}}"#;
    assert_eq!(read(later), Some(PeerMessage::View { height: 180, screen: None }));
    for text in [
        "",
        "null",
        "[]",
        r#""view""#,
        r#"{"type":"view"}"#,
        r#"{"type":"view","height":-1}"#,
        r#"{"type":"view","height":65536}"#,
        r#"{"type":"view","height":1.5}"#,
        r#"{"type":"view","height":"360"}"#,
        r#"{"type":"view","height":1e999}"#,
        r#"{"type":"view","height":1,"height":2}"#,
        r#"{"type":"View","height":1}"#,
        r#"{"type":"teleport","height":1}"#,
        r#"{"height":1}"#,
        r#"{"type":"view","height":360}{"type":"view","height":0}"#,
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    // As deep as such a message can be.
    assert_eq!(read(&"[".repeat(limits::MAX_PEER_MESSAGE_BYTES)), None);
}

#[test]
fn what_is_printed_for_logs_gives_nothing_away() {
    let room = RoomId::from_bytes([0x5a; 16]);
    let key = SessionKey::from_bytes([0x6b; 16]);
    let secrets =
        [String::from(room), String::from(key.clone()), "Somsri".into(), "192.0.2".into()];
    let peer =
        PeerInfo { id: PeerId::from_u64(1), name: "Somsri".into(), media: MediaState::default() };
    let join = ClientMessage::Join {
        room,
        key,
        name: "Somsri".into(),
        media: MediaState::default(),
        policy: RoomPolicy::Knock,
        members: None,
    };
    let offer = serde_json::json!({
        "type": "description", "to": "0000000000000001", "epoch": 1, "kind": "offer",
        "sdp": "c=IN IP4 192.0.2.1",
        "proof": { "word": "A".repeat(43), "mac": "A".repeat(43) },
    });
    let offer: ClientMessage = serde_json::from_value(offer).unwrap();
    let ice = ServerMessage::Welcome {
        you: PeerId::from_u64(2),
        peers: vec![peer.clone()],
        ice_servers: vec!["turn:Somsri:Somsri@192.0.2.1".parse().unwrap()],
        policy: RoomPolicy::Open,
        knocking: vec![peer.clone()],
    };
    let shown = format!("{join:?} {offer:?} {ice:?} {peer:?} {:?}", ClientMessage::Watch { room });
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
}

proptest! {
    #[test]
    fn a_name_that_passes_is_short_visible_and_on_one_line(text in any::<String>()) {
        if let Ok(name) = display_name(&text) {
            prop_assert!((1..=MAX_NAME_CHARS).contains(&name.chars().count()));
            prop_assert_eq!(name, text.trim());
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert_eq!(display_name(name), Ok(name));
        }
    }

    #[test]
    fn one_hidden_character_anywhere_spoils_a_name(
        before in "[a-z]{1,8}",
        hidden in "[\u{0}-\u{8}\u{e}-\u{1f}\u{7f}-\u{84}\u{86}-\u{9f}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}]",
        after in "[a-z]{1,8}",
    ) {
        let name = format!("{before}{hidden}{after}");
        prop_assert_eq!(display_name(&name), Err(InvalidName::Character));
    }

    #[test]
    fn identifiers_are_read_back_and_nothing_else_is_one(bytes: [u8; 16], n: u64, text: String) {
        let (room, key) = (RoomId::from_bytes(bytes), SessionKey::from_bytes(bytes));
        prop_assert_eq!(RoomId::try_from(String::from(room)), Ok(room));
        prop_assert_eq!(SessionKey::try_from(String::from(key.clone())), Ok(key));
        let peer = PeerId::from_u64(n);
        prop_assert_eq!(peer.to_string().parse::<PeerId>(), Ok(peer));
        if let Ok(peer) = text.parse::<PeerId>() {
            prop_assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn the_order_of_participants_is_the_order_of_their_texts(a: u64, b: u64) {
        let (a, b) = (PeerId::from_u64(a), PeerId::from_u64(b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn any_text_is_a_message_or_an_error(text in any::<String>()) {
        let _ = serde_json::from_str::<ClientMessage>(&text);
        let _ = serde_json::from_str::<ServerMessage>(&text);
        let _ = serde_json::from_str::<PeerMessage>(&text);
        let _ = text.parse::<IceServer>();
    }
}
