use std::net::SocketAddrV4;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn public(name: &str, last: u8) -> Attachment {
    Attachment {
        name: name.to_owned(),
        address: Ipv4Addr::new(198, 51, 100, last),
        kind: AddressKind::Public,
        udp_blocked: false,
        up: PathConfig::default(),
        down: PathConfig::default(),
        seed: 1,
    }
}

fn udp(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, UDP, 0, 0];
    bytes.extend(from.ip().octets());
    bytes.extend(to.ip().octets());
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.resize(40, 0);
    bytes
}

fn socket(address: [u8; 4], port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address.into(), port)
}

/// Where it arrives, from whom and at whom.
fn arrives(switch: &mut Switch, now: Instant) -> Option<(usize, SocketAddrV4, SocketAddrV4)> {
    let (end, mut bytes) = switch.poll(now)?;
    let packet = Packet::parse(&mut bytes).unwrap();
    let ends = [End::Source, End::Destination].map(|end| packet.socket(end).unwrap());
    Some((end, ends[0], ends[1]))
}

#[test]
fn a_packet_goes_up_and_down_and_takes_both_delays() {
    let mut ann = public("ann", 1);
    ann.up.delay = 10 * MS;
    let mut bob = public("bob", 2);
    bob.down.delay = 15 * MS;
    let now = Instant::now();
    let mut switch = Switch::new(vec![ann, bob], now);
    let (a, b) = (socket([198, 51, 100, 1], 5), socket([198, 51, 100, 2], 6));
    switch.sent(now, 0, &udp(a, b));
    assert_eq!(switch.poll_timeout(), Some(now + 10 * MS));
    assert_eq!(arrives(&mut switch, now + 10 * MS), None);
    assert_eq!(switch.poll_timeout(), Some(now + 25 * MS));
    assert_eq!(arrives(&mut switch, now + 25 * MS), Some((1, a, b)));
    let traffic = switch.finish(now + 1000 * MS, Duration::ZERO);
    let carried: Vec<_> = traffic.paths.iter().map(|path| path.delivered).collect();
    assert_eq!((carried, traffic.late_packets), (vec![1, 0, 0, 1], 0));
}

#[test]
fn two_behind_restricted_nats_meet_when_both_have_sent() {
    let now = Instant::now();
    let ends = [("ann", 1), ("bob", 2)]
        .map(|(name, last)| Attachment { kind: AddressKind::Restricted, ..public(name, last) });
    let mut switch = Switch::new(ends.to_vec(), now);
    let inner = [socket([192, 168, 1, 2], 5000), socket([192, 168, 2, 2], 5000)];
    let outer = [socket([198, 51, 100, 1], 40_000), socket([198, 51, 100, 2], 40_000)];
    switch.sent(now, 0, &udp(inner[0], outer[1]));
    assert_eq!(arrives(&mut switch, now), None, "bob has sent nothing yet");
    switch.sent(now, 1, &udp(inner[1], outer[0]));
    assert_eq!(arrives(&mut switch, now), Some((0, outer[1], inner[0])));
    switch.sent(now, 0, &udp(inner[0], outer[1]));
    assert_eq!(arrives(&mut switch, now), Some((1, outer[0], inner[1])));
}

#[test]
fn what_is_blocked_strange_or_for_nobody_is_stopped() {
    let now = Instant::now();
    let mut bob = public("bob", 2);
    bob.udp_blocked = true;
    let mut switch = Switch::new(vec![public("ann", 1), bob], now);
    let (a, b) = (socket([198, 51, 100, 1], 5), socket([198, 51, 100, 2], 6));
    switch.sent(now, 0, &udp(a, b));
    switch.sent(now, 1, &udp(b, a));
    switch.sent(now, 0, &udp(socket([9, 9, 9, 9], 1), b));
    switch.sent(now, 0, &udp(a, socket([8, 8, 8, 8], 1)));
    switch.sent(now, 0, &[1, 2, 3]);
    assert_eq!(arrives(&mut switch, now), None);
    assert_eq!(switch.finish(now + MS, Duration::ZERO).stopped, 5);
}

#[test]
fn after_a_new_address_the_old_one_is_nobodys() {
    let now = Instant::now();
    let mut switch = Switch::new(vec![public("ann", 1), public("bob", 2)], now);
    let (a, b) = (socket([198, 51, 100, 1], 5), socket([198, 51, 100, 2], 6));
    let moved = socket([198, 51, 100, 102], 6);
    switch.readdress(1, *moved.ip());
    switch.sent(now, 0, &udp(a, b));
    switch.sent(now, 1, &udp(b, a));
    assert_eq!(arrives(&mut switch, now), None);
    switch.sent(now, 0, &udp(a, moved));
    assert_eq!(arrives(&mut switch, now), Some((1, a, moved)));
}

#[test]
fn what_a_path_carried_is_known_over_time() {
    let mut ann = public("ann", 1);
    ann.up.rate = Some(32_000); // a packet of 40 bytes takes 10 ms
    let start = Instant::now();
    let mut switch = Switch::new(vec![ann, public("bob", 2)], start);
    let packet = udp(socket([198, 51, 100, 1], 5), socket([198, 51, 100, 2], 6));
    for ms in 0..2000 {
        let now = start + MS * ms;
        if ms % 5 == 0 && ms < 1000 {
            switch.sent(now, 0, &packet);
        }
        while switch.poll(now).is_some() {}
    }
    let traffic = switch.finish(start + 2000 * MS, Duration::ZERO);
    let up = &traffic.paths[0];
    let from = up.samples[0].at - up.samples[0].seconds;
    assert!((up.kbit_s(from + 0.1, from + 1.0) - 32.0).abs() < 1.0);
    assert!(up.longest_queue_ms(from, from + 2.0) >= 200.0);
    assert_eq!(up.longest_queue_ms(from + 1.5, from + 2.0), 0.0);
    assert!(up.is_shaped() && up.dropped > 0 && !traffic.paths[3].is_shaped());
}
