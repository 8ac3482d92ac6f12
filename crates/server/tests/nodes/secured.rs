//! Redis behind TLS and a password: used, and the password told to nobody.

use std::time::Duration;

use quartet_proto::{ClientMessage, ErrorCode};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Client, PATIENCE, http, key, room},
    program::Program,
    secured_redis::{PASSWORD, SecuredRedis, USER},
    site::joins_work,
};

fn start(url: &str, by_environment: bool, arguments: &[&str]) -> Program {
    let mut command = Program::command(arguments);
    if by_environment {
        command.env("QUARTET_REDIS", url);
    } else {
        command.args(["--redis", url]);
    }
    Program::run(&mut command)
}

async fn log_of(program: Program) -> String {
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", program.id()));
    if let Ok(arguments) = arguments {
        assert!(arguments.contains("--listen") && !arguments.contains(PASSWORD), "{arguments}");
    }
    program.signal("TERM");
    let (_, log) = tokio::task::spawn_blocking(move || program.ended()).await.unwrap();
    for word in [PASSWORD, "not-the-word", "127.0.0.1", "rediss:"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    log
}

#[tokio::test]
async fn nodes_meet_through_tls_with_the_password_in_a_file_or_the_environment() {
    let redis = SecuredRedis::start();
    let (ca, password) = (redis.file("cert.pem"), redis.file("password"));
    let by_file = ["--redis-ca", &ca, "--redis-password-file", &password];
    let a = start(&redis.url(&format!("{USER}@")), false, &by_file);
    let b = start(&redis.url(&format!("{USER}:{PASSWORD}@")), true, &["--redis-ca", &ca]);
    for node in [&a, &b] {
        joins_work(node.address()).await;
        assert_eq!(http(node.address(), "GET", "/readyz").await.status, 200);
    }
    let mut first = Client::joined(a.address(), room(1), 1).await;
    let mut second = Client::greeted(b.address()).await;
    assert_eq!(second.join(room(1), key(2)).await.len(), 1);
    first.expect_peer_joined(key(2).peer_id()).await;
    drop((first, second));
    for node in [a, b] {
        assert!(log_of(node).await.contains("Redis is there"));
    }
}

#[tokio::test]
async fn a_redis_that_is_not_the_one_or_does_not_know_us_is_no_redis() {
    let redis = SecuredRedis::start();
    let ca = redis.file("cert.pem");
    let wrong_word =
        start(&redis.url(&format!("{USER}:not-the-word@")), true, &["--redis-ca", &ca]);
    // Nobody vouches for its certificate.
    let unknown = start(&redis.url(&format!("{USER}:{PASSWORD}@")), true, &[]);
    for node in [wrong_word, unknown] {
        let mut client = Client::greeted(node.address()).await;
        client.send(ClientMessage::Watch { room: room(1) }).await;
        client.expect_error(ErrorCode::Unavailable).await;
        let ready = http(node.address(), "GET", "/readyz").await;
        assert_eq!((ready.status, ready.body.as_str()), (503, "Redis is away\n"));
        // That it has tried, and what came of it, it only logs.
        let tried = async {
            loop {
                client.expect_alive().await;
                if node.said_so_far("Redis is away") {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, tried).await.expect("a try");
        assert!(!log_of(node).await.contains("Redis is there"));
    }
}
