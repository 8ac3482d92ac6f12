//! Notices that this machine's addresses have changed: another Wi-Fi, a cable, a VPN.
//!
//! No library tells of it on every platform; asking the system takes microseconds.

use std::{collections::BTreeSet, net::IpAddr};

/// The addresses by which others may reach this machine.
#[derive(Debug, Default)]
pub(crate) struct Network {
    known: BTreeSet<IpAddr>,
}

impl Network {
    /// The addresses of now.
    pub(crate) fn now() -> Self {
        Self { known: addresses().unwrap_or_default() }
    }

    /// They are others than the last time.
    pub(crate) fn has_changed(&mut self) -> bool {
        addresses().is_some_and(|found| self.replace(found))
    }

    /// Between two networks there is none: nothing to look for until there is one.
    fn replace(&mut self, found: BTreeSet<IpAddr>) -> bool {
        let changed = !found.is_empty() && found != self.known;
        if changed {
            self.known = found;
        }
        changed
    }
}

/// `None` when the system does not say.
fn addresses() -> Option<BTreeSet<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let outside = interfaces.iter().filter(|interface| !interface.is_loopback());
    Some(outside.map(if_addrs::Interface::ip).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(addresses: &[[u8; 4]]) -> BTreeSet<IpAddr> {
        addresses.iter().map(|address| IpAddr::from(*address)).collect()
    }

    #[test]
    fn another_network_is_noticed_once_and_none_is_not() {
        let mut here = Network { known: network(&[[192, 168, 1, 2]]) };
        assert!(!here.replace(network(&[[192, 168, 1, 2]])));
        assert!(!here.replace(network(&[])), "the cable is out");
        assert!(!here.replace(network(&[[192, 168, 1, 2]])), "and in again");
        assert!(here.replace(network(&[[192, 168, 1, 2], [10, 0, 0, 7]])), "a VPN");
        assert!(!here.replace(network(&[[10, 0, 0, 7], [192, 168, 1, 2]])));
        assert!(here.replace(network(&[[172, 16, 0, 9]])), "another Wi-Fi");
    }
}
