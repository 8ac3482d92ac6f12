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
    use crate::client::{Client, key, room};

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "relaysecret\n").unwrap();
    let mut command = Program::command(&["--turn-url", "turn:turn.example.org"]);
    command
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
}
