use std::{future::poll_fn, task::Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// What a datagram of TURN looks like: on a channel, of `len` bytes.
fn datagram(number: u8, len: u16) -> Vec<u8> {
    let mut bytes = vec![0x40, number];
    bytes.extend(len.to_be_bytes());
    bytes.resize(4 + usize::from(len), number);
    bytes
}

fn open(room: usize) -> (Tunnel, DuplexStream) {
    let (near, far) = duplex(room);
    (Tunnel::through(Box::pin(async { Ok(Box::new(near) as Box<dyn Stream>) })), far)
}

fn send(tunnel: &mut Tunnel, datagram: &[u8]) {
    tunnel.send(&mut Context::from_waker(Waker::noop()), datagram);
}

/// Lets it do what it can.
fn go_on(tunnel: &mut Tunnel) -> Poll<Bytes> {
    tunnel.poll_receive(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn what_is_sent_before_the_stream_is_there_waits_for_it() {
    let (mut tunnel, mut far) = open(4_096);
    send(&mut tunnel, &datagram(1, 3));
    send(&mut tunnel, &datagram(2, 4));
    // Asked again meanwhile.
    send(&mut tunnel, &datagram(1, 3));
    assert!(go_on(&mut tunnel).is_pending() && !tunnel.is_behind());
    let mut stream = [0; 16];
    far.read_exact(&mut stream).await.unwrap();
    assert_eq!(stream, [0x40, 1, 0, 3, 1, 1, 1, 0, 0x40, 2, 0, 4, 2, 2, 2, 2]);
    drop(tunnel);
    assert_eq!(far.read(&mut stream).await.unwrap(), 0, "more than what was sent");
}

#[tokio::test]
async fn what_the_server_says_is_received_message_by_message() {
    let (mut tunnel, mut far) = open(4_096);
    let mut stream = BytesMut::new();
    frame(&datagram(1, 3), &mut stream);
    frame(&datagram(2, 900), &mut stream);
    far.write_all(&stream).await.unwrap();
    for expected in [datagram(1, 3), datagram(2, 900)] {
        assert_eq!(poll_fn(|cx| tunnel.poll_receive(cx)).await, expected);
    }
    assert!(go_on(&mut tunnel).is_pending());
}

#[tokio::test]
async fn of_what_waits_for_a_stream_that_takes_nothing_the_oldest_goes() {
    let (mut tunnel, mut far) = open(1);
    assert!(go_on(&mut tunnel).is_pending());
    for number in 0..=255 {
        send(&mut tunnel, &datagram(number, 996));
        assert!(tunnel.waiting_bytes <= MAX_WAITING && tunnel.outgoing.len() <= BATCH + 1_000);
    }
    assert!(tunnel.is_behind());
    let reader = tokio::spawn(async move {
        let mut deframer = Deframer::default();
        let mut numbers = Vec::new();
        let mut bytes = [0; 512];
        loop {
            let len = far.read(&mut bytes).await.unwrap();
            deframer.push(&bytes[..len]);
            while let Some(message) = deframer.next().unwrap() {
                numbers.push(message[1]);
                if message[1] == 255 {
                    return numbers;
                }
            }
        }
    });
    tokio::select! {
        _ = poll_fn(|cx| tunnel.poll_receive(cx)) => unreachable!("nothing was said"),
        numbers = reader => {
            let numbers = numbers.unwrap();
            assert!(numbers.is_sorted() && numbers.len() < 100, "{numbers:?}");
            assert!(numbers.ends_with(&[253, 254, 255]));
        }
    }
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_left_alone() {
    let (mut tunnel, mut far) = open(4_096);
    far.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.unwrap();
    assert!(go_on(&mut tunnel).is_pending());
    assert!(tunnel.has_ended());
    send(&mut tunnel, &datagram(1, 3));
    assert_eq!(tunnel.waiting_bytes, 0, "nothing waits for what has ended");
}

#[tokio::test]
async fn the_end_of_the_stream_is_that_of_the_tunnel() {
    let (mut tunnel, far) = open(4_096);
    assert!(go_on(&mut tunnel).is_pending() && !tunnel.has_ended());
    drop(far);
    assert!(go_on(&mut tunnel).is_pending() && tunnel.has_ended());
    let mut tunnel =
        Tunnel::through(Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) }));
    assert!(go_on(&mut tunnel).is_pending() && tunnel.has_ended());
}

#[test]
fn stand_ins_are_told_from_real_addresses() {
    for number in [1, 255] {
        for of in ["192.0.2.1:1", "[2001:db8::1]:1"] {
            assert!(is_stand_in(stand_in(number, of.parse().unwrap()).ip()));
        }
    }
    for real in ["192.0.2.1", "239.255.255.255", "2001:db8::1", "::1", "100:0:0:1::1"] {
        assert!(!is_stand_in(real.parse().unwrap()), "{real}");
    }
}
