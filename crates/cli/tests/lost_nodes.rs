//! Three servers behind a balancer, a call across all of them, and what goes wrong with servers: one
//! is stopped, one killed, and what they share is away for a while. The call notices nothing.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

#[path = "../../server/tests/nodes/redis.rs"]
mod redis;
#[path = "support/room.rs"]
mod room;

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use quartet_harness::{Participant, ParticipantOptions, SignallingServer, wait_until};
use redis::Redis;
use serde_json::Value;

/// A dead server's lease ends after 5 s, and people come back with growing pauses up to 8 s.
const COME_BACK: Duration = Duration::from_secs(25);
/// For an answer from this machine.
const SOON: Duration = Duration::from_secs(5);

struct Node {
    process: SignallingServer,
    address: SocketAddr,
}

impl Node {
    fn start(redis: &Redis, name: &str) -> Self {
        let mut command = Command::new(room::programs().path("quartet-server").unwrap());
        command.args(["--listen", "127.0.0.1:0", "--drain", "1", "--node", name]);
        let process =
            SignallingServer::from_command(command.env("QUARTET_REDIS", redis.url())).unwrap();
        let address = process.url().strip_prefix("http://").unwrap().parse().unwrap();
        Self { process, address }
    }

    /// How many people it knows to be in its rooms.
    fn people(&self) -> usize {
        let figures = get(self.address, "/metrics").unwrap_or_default();
        let figure = |name: &str| -> usize {
            let line = figures.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |value| value.trim().parse().unwrap())
        };
        figure("quartet_participants ") - figure("quartet_away ")
    }
}

/// What an address answers, head and all.
fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Each connection goes to the next server that is ready; if none is, to any that is there.
fn balance(nodes: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (turn, client) in listener.incoming().enumerate() {
            let mut order = nodes.clone();
            order.rotate_left(turn % nodes.len());
            order.sort_by_key(|node| !is_ready(*node));
            let (Ok(client), Some(server)) =
                (client, order.into_iter().find_map(|node| TcpStream::connect(node).ok()))
            else {
                continue;
            };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                });
            }
        }
    });
    address
}

/// The next figures from now on.
fn stats(person: &Participant) -> Value {
    let wanted = person.events_named("stats").len() + 1;
    person.wait_for("stats", wanted, SOON).unwrap().swap_remove(wanted - 1)
}

fn everybody_is_on(nodes: &[Node], count: usize) {
    let all = wait_until("everybody to be back", COME_BACK, || {
        Ok((nodes.iter().map(Node::people).sum::<usize>() == count).then_some(()))
    });
    all.unwrap();
}

#[test]
fn a_call_outlives_two_of_three_servers_and_what_they_share() {
    let mut redis = Redis::start();
    let mut nodes: Vec<Node> = ["a", "b", "c"].map(|name| Node::start(&redis, name)).into();
    for node in &nodes {
        let ready = || Ok(is_ready(node.address).then_some(()));
        wait_until("a server to be ready", SOON, ready).unwrap();
    }
    let balancer = balance(nodes.iter().map(|node| node.address).collect());
    let link = room::new_link(&format!("http://{balancer}"));
    let join = |name, hz| {
        let options = ParticipantOptions::with_tone(name, hz, 120);
        Participant::join(&room::programs(), &link, &options).unwrap()
    };
    // The first one in makes its server the room's owner.
    let ann = join("Ann", 500);
    ann.wait_for("joined", 1, COME_BACK).unwrap();
    let mut people = vec![ann, join("Bo", 800), join("Cy", 1100)];
    for person in &people {
        person.wait_for("first_video", 2, COME_BACK).unwrap();
    }
    let before: Vec<_> = people.iter().map(stats).collect();

    // The owner is stopped: for a second it is not ready, then it sends everybody away.
    let owner = nodes.iter().position(|node| node.people() == 3).expect("an owner");
    let mut stopped = nodes.swap_remove(owner);
    stopped.process.child().terminate().unwrap();
    assert_eq!(stopped.process.child().wait(2 * SOON).unwrap().code(), Some(0));
    everybody_is_on(&nodes, 3);

    // Whoever owns the room now dies without a word.
    let owner = nodes.iter().position(|node| node.people() == 3).expect("an owner");
    let mut killed = nodes.swap_remove(owner);
    killed.process.child().kill().unwrap();
    everybody_is_on(&nodes, 3);

    // And what they shared is away.
    redis.kill();
    let cut_off = || Ok((!is_ready(nodes[0].address)).then_some(()));
    wait_until("the server to notice", SOON, cut_off).unwrap();
    let mut late = join("Dee", 1400);
    assert_eq!(late.wait(COME_BACK).unwrap().code(), Some(1));
    assert_eq!(late.events_named("error")[0]["code"], "unavailable");
    people.iter().for_each(|person| drop(stats(person)));

    redis.start_again();
    let back = || Ok(is_ready(nodes[0].address).then_some(()));
    wait_until("the server to be ready again", COME_BACK, back).unwrap();
    let late = join("Dee", 1400);
    late.wait_for("first_video", 3, COME_BACK).unwrap();
    late.wait_for("first_audio", 3, COME_BACK).unwrap();

    for (person, before) in people.iter().zip(&before) {
        assert!(person.events_named("peer_left").is_empty());
        let connected = person.events_named("connected").len();
        assert_eq!(connected, 3, "two at first and the late one: no link was made anew");
        let after = stats(person);
        let seconds = after["t"].as_f64().unwrap() - before["t"].as_f64().unwrap();
        for old in before["peers"].as_array().unwrap() {
            let now = after["peers"].as_array().unwrap();
            let now = now.iter().find(|peer| peer["peer"] == old["peer"]).unwrap();
            println!("{seconds:.1} s: {} to {}", old["video_in"], now["video_in"]);
            // A picture that stands still for longer than a few pictures' time is a freeze.
            assert_eq!(now["video_in"]["freezes"], old["video_in"]["freezes"], "{now}");
            let frames = |stats: &Value| stats["video_in"]["frames"].as_f64().unwrap();
            assert!(frames(now) - frames(old) > 28.0 * seconds - 5.0, "{now} after {seconds} s");
            let packets = |stats: &Value| stats["audio_in"]["packets"].as_f64().unwrap();
            assert!(packets(now) - packets(old) > 45.0 * seconds - 10.0, "{now} after {seconds} s");
        }
    }
    people.push(late);
    for mut person in people {
        person.child().terminate().unwrap();
        assert_eq!(person.wait(SOON).unwrap().code(), Some(0));
    }
}
