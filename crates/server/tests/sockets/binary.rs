//! The program: its first line, its arguments, its end.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quartet-server");

fn run(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(PROGRAM)
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

#[test]
fn its_first_line_says_where_it_listens() {
    let (mut child, line) = run(&["--ice-server", "turn:user:secret@turn.example.org"]);
    let port = line
        .strip_prefix(r#"{"event":"listening","url":"http://127.0.0.1:"#)
        .and_then(|rest| rest.strip_suffix("\"}\n"))
        .unwrap_or_else(|| panic!("{line}"));
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    std::net::TcpStream::connect(address).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
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
        let (mut child, line) = run(&[]);
        let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = listening["url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut client = Client::greeted(address.parse().unwrap()).await;
        let id = child.id().to_string();
        let killed = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(killed.success());
        client.expect_error(ErrorCode::ShuttingDown).await;
        client.expect_close().await;
        drop(client);
        let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_has_no_names_rooms_addresses_or_secrets() {
    use std::io::Read as _;

    use crate::client::{Client, key, room};

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "relaysecret\n").unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["--listen", "127.0.0.1:0", "--turn-url", "turn:turn.example.org"])
        .args(["--ice-server", "turn:someuser:someword@turn.example.org"])
        .args(["--trusted-proxy", "127.0.0.1", "--max-connections-per-address", "3"])
        .arg("--turn-secret-file")
        .arg(&secret)
        .env("RUST_LOG", "quartet_server=trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = listening["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let address = address.parse().unwrap();
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
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    drop((client, held));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(log.contains("connected"), "{log}");
    let id = key(1).peer_id().to_string();
    let rooms = [String::from(room(1)), String::from(key(1)), id, "Guest".to_owned()];
    let others = ["203.0.113", "relaysecret", "someuser", "someword", "secretword", "turn.example"];
    for word in rooms.iter().map(String::as_str).chain(others) {
        assert!(!log.contains(word), "{word} in {log}");
    }
}
