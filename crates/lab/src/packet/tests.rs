use super::*;

/// The whole of RFC 1071's sum: 0xffff when a packet with its checksum is sound.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn pseudo_header(packet: &[u8]) -> Vec<u8> {
    let length = (packet.len() - 20) as u16;
    [&packet[12..20], &[0, packet[9]], &length.to_be_bytes()].concat()
}

/// A packet with right checksums, from 192.168.1.2:5000 to 198.51.100.2:6000.
fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (header, checksum_at) = if protocol == UDP { (8, 26) } else { (20, 36) };
    let length = (20 + header + payload.len()) as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0, 192, 168, 1, 2, 198, 51, 100, 2]);
    let own = !sum(&[&bytes]);
    bytes[10..12].copy_from_slice(&own.to_be_bytes());
    bytes.extend(5000_u16.to_be_bytes());
    bytes.extend(6000_u16.to_be_bytes());
    bytes.resize(20 + header, 0);
    if protocol == UDP {
        bytes[24..26].copy_from_slice(&(length - 20).to_be_bytes());
    }
    bytes.extend(payload);
    let own = !sum(&[&pseudo_header(&bytes), &bytes[20..]]);
    bytes[checksum_at..checksum_at + 2].copy_from_slice(&own.to_be_bytes());
    bytes
}

fn is_sound(bytes: &[u8]) -> bool {
    sum(&[&bytes[..20]]) == 0xffff && sum(&[&pseudo_header(bytes), &bytes[20..]]) == 0xffff
}

#[test]
fn a_rewritten_packet_has_right_checksums() {
    let mut rng = fastrand::Rng::with_seed(4);
    for protocol in [UDP, TCP] {
        for _ in 0..500 {
            let payload: Vec<u8> = (0..rng.usize(0..99)).map(|_| rng.u8(..)).collect();
            let mut bytes = packet(protocol, &payload);
            assert!(is_sound(&bytes));
            for end in [End::Source, End::Destination] {
                let to = SocketAddrV4::new(Ipv4Addr::from(rng.u32(..)), rng.u16(..));
                let mut view = Packet::parse(&mut bytes).unwrap();
                view.set_socket(end, to);
                assert_eq!(view.socket(end), Some(to));
                assert!(is_sound(&bytes), "{protocol} {to}");
            }
        }
    }
}

#[test]
fn a_udp_packet_without_a_checksum_stays_without_one() {
    let mut bytes = packet(UDP, b"hello");
    bytes[26..28].fill(0);
    let mut view = Packet::parse(&mut bytes).unwrap();
    view.set_socket(End::Source, SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 9), 1));
    assert_eq!(bytes[26..28], [0, 0]);
    assert_eq!(sum(&[&bytes[..20]]), 0xffff);
}

#[test]
fn what_is_no_packet_is_none_and_what_has_no_port_has_none() {
    for bytes in [&[][..], &[0x45], &[0x65; 40], &[0x4f; 20], &[0x41; 40]] {
        assert!(Packet::parse(&mut bytes.to_vec()).is_none());
    }
    let mut short = packet(UDP, b"hello");
    short.truncate(30);
    assert!(Packet::parse(&mut short).is_none());
    let mut fragment = packet(UDP, b"hello");
    fragment[7] = 1;
    let mut view = Packet::parse(&mut fragment).unwrap();
    assert_eq!(view.socket(End::Source), None);
    let before = view.bytes.to_vec();
    view.set_socket(End::Source, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
    assert_eq!(view.bytes, before);
}
