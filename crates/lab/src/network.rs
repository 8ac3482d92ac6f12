//! A scenario's network: a namespace for everybody and for the servers, and the router between.

use std::{net::Ipv4Addr, path::PathBuf};

use anyhow::Context as _;
use quartet_testkit::network::{AddressKind, Direction, PathConfig, Scenario, Servers, Step};

use crate::{
    namespace::{Host, Namespace},
    relay::{self, IceServer, Relay},
    router::{Attachment, Router, Traffic},
};

/// Addresses that belong to nobody (RFC 5737): these for participants, 1 to 4 and then, after a
/// change of address, those higher by [`CHANGE`].
const PEOPLE: [u8; 3] = [198, 51, 100];
const CHANGE: u8 = 10;
/// These for servers.
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// A running network; everything in it is gone when dropped.
#[derive(Debug)]
pub struct Network {
    // Dropped in this order: what runs, the wire, what it joins.
    relay: Option<Relay>,
    router: Option<Router>,
    people: Vec<Person>,
    server: Host,
    ice_servers: Vec<IceServer>,
    /// The relay is more than one who tells addresses.
    relays: bool,
    _servers: Vec<Namespace>,
}

#[derive(Debug)]
struct Person {
    namespace: Namespace,
    host: Host,
    kind: AddressKind,
    /// As the network sees it.
    outer: Ipv4Addr,
}

impl Network {
    /// Builds the network of a scenario as it is at its beginning.
    ///
    /// # Errors
    ///
    /// When this is not Linux's root, or something that is needed is missing.
    pub fn build(scenario: &Scenario) -> anyhow::Result<Self> {
        let mut ends = Vec::new();
        let mut people = Vec::new();
        for (number, person) in (1..).zip(&scenario.people) {
            let outer = Ipv4Addr::new(PEOPLE[0], PEOPLE[1], PEOPLE[2], number);
            let inner = match person.address {
                AddressKind::Public => outer,
                _ => Ipv4Addr::new(192, 168, number, 2),
            };
            let (namespace, tun) = Namespace::make(&person.name, inner)?;
            let attachment = Attachment {
                name: person.name.clone(),
                address: outer,
                kind: person.address,
                udp_blocked: person.udp_blocked,
                up: person.up.clone(),
                down: person.down.clone(),
                seed: scenario.seed.wrapping_mul(1000).wrapping_add(number.into()),
            };
            ends.push((tun, attachment));
            let host = namespace.host(&person.name, inner);
            people.push(Person { namespace, host, kind: person.address, outer });
        }
        let mut servers = Vec::new();
        let mut attach = |name: &str, address| -> anyhow::Result<Host> {
            let (namespace, tun) = Namespace::make(name, address)?;
            let host = namespace.host(name, address);
            ends.push((tun, open(name, address)));
            servers.push(namespace);
            Ok(host)
        };
        let server = attach("server", SERVER)?;
        let mut relay_host = None;
        if scenario.servers != Servers::None {
            relay_host = Some(attach("relay", RELAY)?);
        }
        let router = Router::start(ends).context("the router")?;
        let ice_servers =
            relay_host.as_ref().map(|host| relay::ice_servers(scenario.servers, host));
        Ok(Self {
            relay: relay_host.as_ref().map(Relay::start).transpose()?,
            router: Some(router),
            people,
            server,
            ice_servers: ice_servers.unwrap_or_default(),
            relays: scenario.servers == Servers::Turn,
            _servers: servers,
        })
    }

    /// Where the participants are, in the scenario's order.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.people.iter().map(|person| &person.host)
    }

    /// Where a signalling server can be, which all of them reach on a good line.
    #[must_use]
    pub fn server(&self) -> &Host {
        &self.server
    }

    /// What participants are told for finding a way.
    #[must_use]
    pub fn ice_servers(&self) -> &[IceServer] {
        &self.ice_servers
    }

    /// The addresses of the relay, and the file with the secret that it shares with the signalling
    /// server, when there is one.
    #[must_use]
    pub fn turn(&self) -> Option<(&[String], PathBuf)> {
        let relay = self.relay.as_ref().filter(|_| self.relays)?;
        Some((relay.urls(), relay.secret_file()))
    }

    /// Does what a step says to the participant of this number.
    pub fn apply(&mut self, number: usize, step: &Step) -> anyhow::Result<()> {
        let router = self.router.as_ref().context("the router has ended")?;
        for (direction, to) in [(Direction::Up, &step.up), (Direction::Down, &step.down)] {
            if let Some(to) = to {
                router.set_path(number, direction, to.clone());
            }
        }
        if step.new_address {
            let person = &mut self.people[number];
            let [a, b, c, last] = person.outer.octets();
            let next = last.checked_add(CHANGE).context("too many changes of an address")?;
            let after = Ipv4Addr::new(a, b, c, next);
            // Behind a NAT the machine itself notices nothing.
            if person.kind == AddressKind::Public {
                person.namespace.readdress(person.outer, after)?;
            }
            router.readdress(number, after);
            person.outer = after;
        }
        Ok(())
    }

    /// Takes everything down, and gives what passed.
    pub fn finish(mut self) -> anyhow::Result<Traffic> {
        self.relay = None;
        self.router.take().context("the router has ended")?.stop()
    }
}

/// Nothing between it and the others.
fn open(name: &str, address: Ipv4Addr) -> Attachment {
    Attachment {
        name: name.to_owned(),
        address,
        kind: AddressKind::Public,
        udp_blocked: false,
        up: PathConfig::default(),
        down: PathConfig::default(),
        seed: 0,
    }
}
