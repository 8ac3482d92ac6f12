//! The program: its first line, its arguments, its end.

use std::process::Command;

use crate::program::{PROGRAM, Program};

#[test]
fn its_first_line_says_where_it_listens() {
    let program = Program::start(&["--ice-server", "turn:user:secret@turn.example.org"]);
    let address = program
        .line
        .strip_prefix(r#"{"event":"listening","url":"http://"#)
        .and_then(|rest| rest.strip_suffix("\"}\n"))
        .unwrap_or_else(|| panic!("{}", program.line));
    std::net::TcpStream::connect(address).unwrap();
}

#[test]
fn a_wrong_argument_is_a_usage_error() {
    for wrong in [["--ice-server", "http://example.org"], ["--listen", "somewhere"]] {
        let output = Command::new(PROGRAM).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_with_a_goodbye() {
    use quartet_proto::ErrorCode;

    use crate::client::Client;

    for signal in ["TERM", "INT"] {
        let program = Program::start(&[]);
        let mut client = Client::greeted(program.address()).await;
        program.signal(signal);
        client.expect_error(ErrorCode::ShuttingDown).await;
        client.expect_close().await;
        drop(client);
        let (status, _) = tokio::task::spawn_blocking(move || program.ended()).await.unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_has_no_names_rooms_addresses_or_secrets() {
    let log = log_of_a_session("text").await;
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_err()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_of_json_has_none_either_and_is_an_object_a_line() {
    let log = log_of_a_session("json").await;
    for line in log.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect(line);
        for field in ["timestamp", "level", "target", "message"] {
            assert!(object[field].is_string(), "{field} in {line}");
        }
    }
    let has = |message: &str| log.contains(&format!("\"message\":\"{message}\",\"conn\":"));
    assert!(has("connected") && has("disconnected"), "{log}");
}

/// All that the server logs while people of all kinds come and go, in which nothing of them may be.
#[cfg(unix)]
async fn log_of_a_session(format: &str) -> String {
    use crate::client::{Client, key, room};

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "relaysecret\n").unwrap();
    let mut command = Program::command(&["--turn-url", "turn:turn.example.org"]);
    command
        .args(["--log-format", format])
        .args(["--ice-server", "turn:someuser:someword@turn.example.org"])
        .args(["--trusted-proxy", "127.0.0.1", "--max-connections-per-address", "3"])
        .arg("--turn-secret-file")
        .arg(&secret);
    let program = Program::run(&mut command);
    let address = program.address();
    let mut client = Client::forwarded(address, "203.0.113.77").await;
    client.greet().await;
    client.join(room(1), key(1)).await;
    for text in ["{", r#"{"type":"candidate","candidate":"secretword"}"#, r#"{"secretword":1}"#] {
        client.send_text(text).await;
        client.try_next().await.unwrap();
    }
    client.send_frame(tungstenite::Message::binary(b"secretword".to_vec())).await;
    client.try_next().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Client::forwarded(address, "203.0.113.77").await);
    }
    client.expect_alive().await;
    program.signal("TERM");
    drop((client, held));
    let (_, log) = tokio::task::spawn_blocking(move || program.ended()).await.unwrap();
    assert!(log.contains("connected"), "{log}");
    let id = key(1).peer_id().to_string();
    let rooms = [String::from(room(1)), String::from(key(1)), id, "Guest".to_owned()];
    let others = ["203.0.113", "relaysecret", "someuser", "someword", "secretword", "turn.example"];
    for word in rooms.iter().map(String::as_str).chain(others) {
        assert!(!log.contains(word), "{word} in {log}");
    }
    log
}

#[cfg(unix)]
#[tokio::test]
async fn a_proxy_that_is_not_named_is_noticed_once() {
    use crate::client::Client;

    let warnings = async |arguments: &[&str]| {
        let program = Program::start(arguments);
        for _ in 0..3 {
            Client::forwarded(program.address(), "203.0.113.77").await.greet().await;
        }
        program.signal("TERM");
        let (_, log) = tokio::task::spawn_blocking(move || program.ended()).await.unwrap();
        assert!(!log.contains("203.0.113") && !log.contains("127.0.0.1"), "{log}");
        log.matches("--trusted-proxy").count()
    };
    assert_eq!(warnings(&[]).await, 1);
    assert_eq!(warnings(&["--trusted-proxy", "127.0.0.1"]).await, 0);
}

#[cfg(feature = "redis")]
#[test]
fn a_password_among_the_arguments_is_refused_and_not_repeated() {
    for url in ["rediss://user:secretword@localhost", "redis://secretword@nowhere:port"] {
        let output = Command::new(PROGRAM).args(["--redis", url]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("edis") && !said.contains("secretword"), "{said}");
    }
}
