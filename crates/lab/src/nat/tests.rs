use super::*;
use crate::packet::TCP;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn inner(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 2), port)
}

fn remote(host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, host), port)
}

#[test]
fn a_full_cone_has_one_port_for_all_and_lets_everybody_in() {
    let (mut nat, now) = (Nat::new(AddressKind::FullCone, PUBLIC), Instant::now());
    let outer = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    assert_eq!(nat.outbound(now, UDP, inner(5000), remote(3, 1)), Some(outer));
    assert_eq!(nat.inbound(now, UDP, remote(9, 9), outer), Some(inner(5000)));
    assert_ne!(nat.outbound(now, UDP, inner(5001), remote(2, 1)), Some(outer));
}

#[test]
fn a_restricted_one_lets_in_whom_it_sent_to() {
    let (mut nat, now) = (Nat::new(AddressKind::Restricted, PUBLIC), Instant::now());
    let outer = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    assert_eq!(nat.inbound(now, UDP, remote(2, 1), outer), Some(inner(5000)));
    assert_eq!(nat.inbound(now, UDP, remote(2, 2), outer), None);
    assert_eq!(nat.inbound(now, UDP, remote(3, 1), outer), None);
    assert_eq!(nat.outbound(now, UDP, inner(5000), remote(3, 1)), Some(outer));
    assert_eq!(nat.inbound(now, UDP, remote(3, 1), outer), Some(inner(5000)));
}

#[test]
fn a_symmetric_one_has_a_port_for_each() {
    let (mut nat, now) = (Nat::new(AddressKind::Symmetric, PUBLIC), Instant::now());
    let first = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    let second = nat.outbound(now, UDP, inner(5000), remote(3, 1)).unwrap();
    assert_ne!(first, second);
    assert_eq!(nat.inbound(now, UDP, remote(2, 1), first), Some(inner(5000)));
    assert_eq!(nat.inbound(now, UDP, remote(3, 1), first), None);
    assert_eq!(nat.outbound(now, UDP, inner(5000), remote(2, 1)), Some(first));
}

#[test]
fn udp_and_tcp_are_apart() {
    let (mut nat, now) = (Nat::new(AddressKind::FullCone, PUBLIC), Instant::now());
    let udp = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    assert_eq!(nat.inbound(now, TCP, remote(2, 1), udp), None);
    let tcp = nat.outbound(now, TCP, inner(5000), remote(2, 1)).unwrap();
    assert_eq!(nat.inbound(now, TCP, remote(2, 1), tcp), Some(inner(5000)));
}

#[test]
fn what_is_not_used_ends_and_traffic_from_outside_is_no_use() {
    let (mut nat, start) = (Nat::new(AddressKind::FullCone, PUBLIC), Instant::now());
    let outer = nat.outbound(start, UDP, inner(5000), remote(2, 1)).unwrap();
    let late = start + UDP_IDLE - Duration::from_secs(1);
    assert!(nat.inbound(late, UDP, remote(2, 1), outer).is_some());
    let later = start + UDP_IDLE;
    assert_eq!(nat.inbound(later, UDP, remote(2, 1), outer), None);
    assert!(nat.outbound(later, UDP, inner(5000), remote(2, 1)).is_some_and(|new| new != outer));
    assert_eq!((nat.mappings.len(), nat.ports.len()), (1, 1));
}

#[test]
fn another_address_forgets_everything() {
    let (mut nat, now) = (Nat::new(AddressKind::Restricted, PUBLIC), Instant::now());
    let before = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    nat.readdress(Ipv4Addr::new(198, 51, 100, 77));
    assert_eq!(nat.inbound(now, UDP, remote(2, 1), before), None);
    let after = nat.outbound(now, UDP, inner(5000), remote(2, 1)).unwrap();
    assert_eq!(*after.ip(), Ipv4Addr::new(198, 51, 100, 77));
}

#[test]
fn mappings_are_bounded() {
    let (mut nat, now) = (Nat::new(AddressKind::Symmetric, PUBLIC), Instant::now());
    for port in 0..20_000 {
        nat.outbound(now, UDP, inner(5000), remote(2, port));
    }
    assert_eq!(nat.mappings.len(), MOST);
    let later = now + UDP_IDLE;
    assert!(nat.outbound(later, UDP, inner(5000), remote(3, 1)).is_some(), "full for good");
    assert_eq!((nat.mappings.len(), nat.ports.len()), (1, 1));
}
