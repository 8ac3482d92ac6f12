//! `docs/protocol.md` and the types say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::Duration,
};

use quartet_proto::{
    About, ChatMessage, ClientMessage, Code, CodePart, EMOJI, ErrorCode, FilesMessage, Fingerprint,
    JoinLink, LinkSecret, Nonce, PROTOCOL_VERSION, PeerId, PeerMessage, Proof, ServerMessage,
    ServerUrl, SessionKey, Statement, Word, limits,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/protocol.md");
const LIMITS: &str = include_str!("../src/limits.rs");

/// A JSON message of the page, and the `##` heading that it stands under.
struct Example {
    heading: &'static str,
    value: Value,
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    let mut heading = "";
    let mut block: Option<String> = None;
    for line in PAGE.lines() {
        match (&mut block, line) {
            (None, "```json") => block = Some(String::new()),
            (None, line) => heading = line.strip_prefix("## ").unwrap_or(heading),
            (Some(text), "```") => {
                let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
                examples.extend(values.map(|value| {
                    let value = value.unwrap_or_else(|error| panic!("{error} in {text}"));
                    Example { heading, value }
                }));
                block = None;
            }
            (Some(text), line) => text.push_str(line),
        }
    }
    assert!(block.is_none(), "a block is not closed");
    examples
}

/// The words that a type knows, as it says itself when it gets one that it does not know.
fn words<T: DeserializeOwned + Debug>(unknown: Value) -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(unknown).expect_err("an unknown word").to_string();
    let (_, known) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn examples_of(direction: &str) -> BTreeSet<String> {
    let matching = |example: &Example| {
        (example.heading == direction) || {
            // Errors have a chapter of their own.
            direction == "From the server" && example.heading == "Errors"
        }
    };
    let examples = examples().into_iter().filter(matching);
    examples.map(|example| example.value["type"].as_str().expect("a type").to_owned()).collect()
}

#[track_caller]
fn assert_same_after_reading<T: DeserializeOwned + Serialize>(value: &Value) {
    let message: T =
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error} in {value}"));
    assert_eq!(serde_json::to_value(message).expect("JSON"), *value);
}

#[test]
fn every_example_is_a_message_and_says_all_of_it() {
    let examples = examples();
    assert!(examples.len() > 30);
    for Example { heading, value } in &examples {
        match *heading {
            "From the client" => assert_same_after_reading::<ClientMessage>(value),
            "From the server" | "Errors" => assert_same_after_reading::<ServerMessage>(value),
            "Between participants" => assert_same_after_reading::<PeerMessage>(value),
            "Chat" => assert_same_after_reading::<ChatMessage>(value),
            "Files" => assert_same_after_reading::<FilesMessage>(value),
            other => panic!("an example under “{other}” belongs to no direction: {value}"),
        }
    }
}

#[test]
fn every_message_has_an_example() {
    let unknown = serde_json::json!({ "type": "?" });
    assert_eq!(words::<ClientMessage>(unknown.clone()), examples_of("From the client"));
    assert_eq!(words::<ServerMessage>(unknown.clone()), examples_of("From the server"));
    assert_eq!(words::<PeerMessage>(unknown.clone()), examples_of("Between participants"));
    assert_eq!(words::<ChatMessage>(unknown.clone()), examples_of("Chat"));
    assert_eq!(words::<FilesMessage>(unknown), examples_of("Files"));
}

#[test]
fn every_example_stands_under_its_own_heading() {
    let mut heading = "";
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = name;
        } else if line == "## Errors" {
            return;
        } else if let Some((_, rest)) = line.split_once(r#""type": ""#) {
            assert!(rest.starts_with(&format!("{heading}\"")), "{line} under {heading}");
        }
    }
    panic!("the chapter of errors is gone");
}

#[test]
fn every_error_code_has_an_example_and_a_description() {
    let codes = words::<ErrorCode>(Value::from("?"));
    let examples = examples().into_iter().filter(|example| example.heading == "Errors");
    let shown: BTreeSet<String> =
        examples.map(|example| example.value["code"].as_str().expect("a code").into()).collect();
    assert_eq!(codes, shown);
    let described: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("**")?.split_once("**: ").map(|(code, _)| code.into()))
        .collect();
    assert_eq!(codes, described);
}

/// A limit as the page writes it.
trait Shown {
    fn shown(self) -> String;
}

impl Shown for usize {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for u64 {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for u32 {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for Duration {
    fn shown(self) -> String {
        format!("{} s", self.as_secs_f64())
    }
}

macro_rules! limits {
    ($($name:ident)*) => {
        BTreeMap::from([$((stringify!($name).to_owned(), limits::$name.shown())),*])
    };
}

#[test]
fn every_limit_is_quoted_with_its_value() {
    let limits = limits! {
        ROOM_CAPACITY MAX_MESSAGE_BYTES MAX_SDP_BYTES MAX_CANDIDATE_BYTES MAX_NAME_CHARS
        MAX_LINK_BYTES MESSAGE_BURST MESSAGES_PER_SECOND PING_INTERVAL SILENCE_LIMIT RESUME_GRACE
        HELLO_LIMIT ROOMLESS_LIMIT FLOOD_LIMIT
        MAX_PEER_MESSAGE_BYTES MAX_WATCHERS MAX_WAITING MAX_MEMBERS REFUSAL_PAUSE RETURN_LIMIT
        MAX_ROOM_IDS
        MAX_CHAT_BYTES MAX_CHAT_MESSAGE_BYTES MAX_CHAT_CLOCK
        CHAT_HISTORY CHAT_HISTORY_BYTES MAX_CHAT_AUTHORS CHAT_BURST CHAT_MESSAGES_PER_SECOND
        CHAT_BYTES_PER_SECOND
        REACTION_BURST REACTIONS_PER_SECOND REACTION_BURST_HEARD
        MAX_FILE_BYTES MAX_FILE_NAME_BYTES MAX_FILE_KIND_BYTES CHUNK_BYTES MAX_CHUNKS MAX_PIECE_BYTES
        MAX_FILES_MESSAGE_BYTES MAX_FILES_OFFERED MAX_FILE_REQUESTS FILES_BURST
        FILES_MESSAGES_PER_SECOND
    };
    let in_source: BTreeSet<String> = LIMITS
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(in_source, limits.keys().cloned().collect(), "the list above is complete");
    assert_eq!(rows_under("## Limits"), limits);
}

#[test]
fn sentences_about_time_follow_the_limits() {
    let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
    let (silence, grace) = (seconds(limits::SILENCE_LIMIT), seconds(limits::RESUME_GRACE));
    let gone = seconds(limits::SILENCE_LIMIT + limits::RESUME_GRACE);
    // Line breaks mean nothing in this format.
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        format!("says `ping` every {}.", seconds(limits::PING_INTERVAL)),
        format!("nothing has come for {silence} is closed"),
        format!("says `hello` within {}.", seconds(limits::HELLO_LIMIT)),
        format!("looked into none, for {}.", seconds(limits::ROOMLESS_LIMIT)),
        format!("keeps its seat for {grace}."),
        format!("gone after {gone} at the most: {silence} of silence and {grace} of grace"),
        format!("each try in the next {},", seconds(limits::REFUSAL_PAUSE)),
        format!("for {} minutes after it was given up", limits::RETURN_LIMIT.as_secs() / 60),
        format!("A name has 1 to {} characters", limits::MAX_NAME_CHARS),
        format!("Version: `{PROTOCOL_VERSION}`"),
    ] {
        assert!(page.contains(&sentence), "{sentence}");
    }
    let hello = serde_json::json!({ "version": PROTOCOL_VERSION });
    for example in examples().into_iter().filter(|example| example.value["type"] == "hello") {
        assert_eq!(example.value["version"], hello["version"]);
    }
}

#[test]
fn the_test_vector_is_true() {
    let vector = rows_under("Test vector:");
    let secret = LinkSecret::from_bytes(std::array::from_fn(|i| i.try_into().unwrap()));
    let key = SessionKey::from_bytes(std::array::from_fn(|i| (16 + i).try_into().unwrap()));
    let server = ServerUrl::parse("https://quartet.example").unwrap();
    let link = JoinLink { server, secret };
    assert!(link.to_web_url().ends_with(&format!("#{}", vector["secret"])));
    assert_eq!(String::from(link.secret.room_id()), vector["room"]);
    assert_eq!(link.to_web_url(), vector["web link"]);
    assert_eq!(link.to_app_url(), vector["app link"]);
    assert_eq!(key.peer_id().to_string(), vector["participant"]);
    assert_eq!(String::from(key), vector["session key"]);
    assert_eq!(vector.len(), 6);
}

#[test]
fn the_test_vector_of_a_pair_is_true() {
    let vector = rows_under("Test vector of a pair:");
    let counting = |from: u8| std::array::from_fn(|i| from + u8::try_from(i).unwrap());
    let of = |name: &str| vector[name].clone();
    let word = |name: &str| Word::try_from(of(name)).unwrap();
    let key = LinkSecret::from_bytes(std::array::from_fn(|i| i.try_into().unwrap())).auth_key();
    let offerer: PeerId = of("offerer").parse().unwrap();
    let answerer: PeerId = of("answerer").parse().unwrap();
    let sdp = |of: &str| format!("v=0\r\na=fingerprint:sha-256 {of}\r\n");
    let offer = sdp(&of("certificate of the offerer"));
    let answer = sdp(&of("certificate of the answerer"));
    let certificates = (Fingerprint::of_sdp(&offer), Fingerprint::of_sdp(&answer));
    let (own, other) = (certificates.0.unwrap(), certificates.1.unwrap());
    assert_eq!((own.as_bytes(), other.as_bytes()), (&counting(0), &counting(32)));
    let nonces = (Nonce::from_bytes(counting(64)), Nonce::from_bytes(counting(96)));
    assert_eq!(nonces.0.reveal(), word("nonce of the offerer"));
    assert_eq!(nonces.1.reveal(), word("nonce of the answerer"));
    assert_eq!(nonces.0.commit(), word("word of the offer"));

    let offer = Statement {
        about: About::Offer,
        epoch: 1,
        from: offerer,
        to: answerer,
        own,
        other: None,
        reply_to: None,
        sdp: Some(&offer),
    };
    let offered = Proof { word: nonces.0.commit(), mac: word("mac of the offer") };
    assert!(key.is_proven(&offer, &offered), "the key is {}", of("authentication key"));
    let answer = Statement {
        about: About::Answer,
        from: answerer,
        to: offerer,
        own: other,
        other: Some(own),
        reply_to: Some(offered.mac),
        sdp: Some(&answer),
        ..offer
    };
    let answered = Proof { word: nonces.1.reveal(), mac: word("mac of the answer") };
    assert!(key.is_proven(&answer, &answered));
    let confirm = Statement {
        about: About::Confirm,
        other: Some(other),
        reply_to: Some(answered.word),
        sdp: None,
        ..offer
    };
    let confirmed = Proof { word: nonces.0.reveal(), mac: word("mac of the confirm") };
    assert!(key.is_proven(&confirm, &confirmed));

    let ends = (
        CodePart { id: offerer, fingerprint: own, nonce: nonces.0 },
        CodePart { id: answerer, fingerprint: other, nonce: nonces.1 },
    );
    let names = Code::new(&ends.0, &ends.1).emoji().map(|(_, name)| name);
    assert_eq!(names.join(", "), of("code"));
    assert_eq!(vector.len(), 13);
}

#[test]
fn the_emoji_are_listed_in_their_order() {
    let (_, list) = PAGE.split_once("```text\n").unwrap();
    let lines = list.lines().take_while(|line| *line != "```");
    let expected =
        EMOJI.iter().enumerate().map(|(place, (emoji, name))| format!("{place} {emoji} {name}"));
    assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// The first two columns of the table after a line, without the back quotes.
fn rows_under(line: &str) -> BTreeMap<String, String> {
    PAGE.lines()
        .skip_while(|text| *text != line)
        .skip_while(|text| !text.starts_with('|'))
        .take_while(|text| text.starts_with('|'))
        .skip(2)
        .map(|row| {
            let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
            (cells.next().expect("a name").to_owned(), cells.next().expect("a value").to_owned())
        })
        .collect()
}
