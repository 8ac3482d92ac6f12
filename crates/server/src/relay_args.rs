//! The options of `quartet-server` for a relay of its own.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use quartet_server::{
    RelayOptions,
    relay::{PeerPolicy, RelayLimits},
};

/// A STUN and TURN server within this one, by UDP and TCP: everybody who joins gets credentials of
/// their own for it, which end.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    /// Where it listens; usual is port 3478.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "turn_secret_file")]
    turn_listen: Option<SocketAddr>,

    /// Its address as the internet sees it, if it listens on another one, or on all (0.0.0.0).
    #[arg(long, value_name = "ADDRESS", requires = "turn_listen")]
    turn_address: Option<IpAddr>,

    /// The UDP ports of relayed ends, which a firewall has to let in.
    #[arg(long, value_name = "LOW-HIGH", requires = "turn_listen", value_parser = ports,
        default_value = "49152-65535")]
    turn_ports: RangeInclusive<u16>,

    /// Relayed ends at once; each takes a file descriptor.
    #[arg(long, value_name = "N", requires = "turn_listen",
        default_value_t = RelayLimits::default().allocations)]
    turn_max_allocations: u32,

    /// Relay to peers in private networks and on this machine, too: only where the relay may reach
    /// whatever this machine may.
    #[arg(long, requires = "turn_listen")]
    turn_allow_private: bool,
}

impl RelayArgs {
    /// Descriptors that it takes: of a relayed end, and of a client that comes by TCP.
    pub(crate) fn files(&self) -> u64 {
        if self.turn_listen.is_some() { 2 * u64::from(self.turn_max_allocations) } else { 0 }
    }

    /// What was asked for, if it was; an error in words.
    pub(crate) fn read(self, ttl: Duration) -> Result<Option<RelayOptions>, &'static str> {
        let Some(listen) = self.turn_listen else { return Ok(None) };
        let address = self.turn_address.unwrap_or(listen.ip());
        if address.is_unspecified() {
            return Err(
                "--turn-listen on all addresses needs --turn-address: what clients are told",
            );
        }
        if address.is_ipv4() != listen.is_ipv4() {
            return Err("--turn-address and --turn-listen are of different families");
        }
        let policy =
            if self.turn_allow_private { PeerPolicy::AlsoPrivate } else { PeerPolicy::Public };
        Ok(Some(RelayOptions {
            address: Some(address),
            ports: self.turn_ports,
            peers: policy,
            limits: RelayLimits {
                allocations: self.turn_max_allocations,
                ..RelayLimits::default()
            },
            ttl,
            ..RelayOptions::at(listen)
        }))
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let form = "write LOW-HIGH, two ports from 1024 on";
    let (low, high) = text.split_once('-').ok_or(form)?;
    let (low, high) = (low.parse().map_err(|_| form)?, high.parse().map_err(|_| form)?);
    if low < 1024 || low > high { Err(form) } else { Ok(low..=high) }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        relay: RelayArgs,
        #[arg(long)]
        turn_secret_file: Option<String>,
    }

    fn read(line: &str) -> Result<Option<RelayOptions>, String> {
        let words = std::iter::once("quartet-server").chain(line.split_whitespace());
        let only = Only::try_parse_from(words).map_err(|error| error.to_string())?;
        only.relay.read(Duration::from_secs(60)).map_err(str::to_owned)
    }

    #[test]
    fn a_relay_is_there_only_when_asked_for() {
        assert!(read("").unwrap().is_none());
        let relay = read("--turn-listen 192.0.2.1:3478").unwrap().unwrap();
        assert_eq!(relay.address, Some("192.0.2.1".parse().unwrap()));
        assert_eq!((relay.peers, relay.ports), (PeerPolicy::Public, RelayOptions::PORTS));
        let line = "--turn-listen 0.0.0.0:1 --turn-address 192.0.2.1 --turn-allow-private \
                    --turn-ports 5000-5010 --turn-max-allocations 7";
        let relay = read(line).unwrap().unwrap();
        assert_eq!((relay.peers, relay.ports), (PeerPolicy::AlsoPrivate, 5000..=5010));
        assert_eq!(relay.limits.allocations, 7);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for line in [
            "--turn-address 192.0.2.1",
            "--turn-listen 0.0.0.0:3478",
            "--turn-listen 0.0.0.0:3478 --turn-address 2001:db8::1",
            "--turn-listen 192.0.2.1:1 --turn-ports 5000",
            "--turn-listen 192.0.2.1:1 --turn-ports 5010-5000",
            "--turn-listen 192.0.2.1:1 --turn-ports 80-90",
            "--turn-listen 192.0.2.1:1 --turn-secret-file x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
