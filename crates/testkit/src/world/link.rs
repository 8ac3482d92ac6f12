//! A model of a peer connection: descriptions carry a certificate and ICE credentials, and two ends
//! connect when each has the other's newest ones, a candidate for them, and a path.

use std::time::{Duration, Instant};

use quartet_core::{LinkAction, LinkEvent, LinkState};
use quartet_proto::{Candidate, DescriptionKind, Epoch, Fingerprint};

/// ICE and DTLS over a path that is there.
const HANDSHAKE: Duration = Duration::from_millis(150);
/// As in webrtc-rs: silent for so long is `disconnected`.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// And for so long `failed`; likewise without any path at the beginning.
const FAILED_AFTER: Duration = Duration::from_secs(30);

/// What a description says: whose certificate, of which connection, and which credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Description {
    certificate: Fingerprint,
    connection: u64,
    ufrag: u64,
}

impl Description {
    fn parse(sdp: &str) -> Option<Self> {
        let certificate = Fingerprint::of_sdp(sdp).ok()?;
        let (connection, ufrag) = sdp.lines().nth(1)?.split_once(' ')?;
        let (connection, ufrag) = (connection.parse().ok()?, ufrag.parse().ok()?);
        Some(Self { certificate, connection, ufrag })
    }

    fn sdp(&self) -> String {
        let Self { certificate, connection, ufrag } = self;
        format!("a=fingerprint:sha-256 {certificate}\r\n{connection} {ufrag}\r\n")
    }
}

/// Both ends' descriptions, once they have agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    local: Description,
    remote: Description,
}

impl Path {
    fn seen_from_there(self) -> Self {
        Self { local: self.remote, remote: self.local }
    }
}

/// What an end shows to the other one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    agreed: Option<Path>,
    reachable: bool,
    path: Option<Path>,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct SimLink {
    /// Unique in the world.
    pub(super) serial: u64,
    certificate: Fingerprint,
    pub(super) epoch: Epoch,
    /// When its last word arrives.
    pub(super) said_at: Instant,
    /// The last state that the session was told.
    pub(super) told: LinkState,
    offerer: bool,
    state: LinkState,
    local: Option<Description>,
    remote: Option<Description>,
    offer_is_out: bool,
    /// Those that the candidates so far are for.
    candidates: Vec<u64>,
    agreed_at: Option<Instant>,
    path: Option<Path>,
    /// Something came over the path, or the search for one began.
    alive_at: Instant,
}

impl SimLink {
    pub(super) fn new(
        (serial, certificate): (u64, Fingerprint),
        epoch: Epoch,
        offerer: bool,
        now: Instant,
    ) -> Self {
        Self {
            serial,
            certificate,
            epoch,
            said_at: now,
            told: LinkState::Connecting,
            offerer,
            state: LinkState::Connecting,
            local: None,
            remote: None,
            offer_is_out: false,
            candidates: Vec::new(),
            agreed_at: None,
            path: None,
            alive_at: now,
        }
    }

    pub(super) fn act(
        &mut self,
        now: Instant,
        action: LinkAction,
        restart_drops_path: bool,
        random: &mut fastrand::Rng,
    ) -> Vec<LinkEvent> {
        let broken = |why: &str| vec![LinkEvent::Broken(why.to_owned())];
        match action {
            LinkAction::Offer { ice_restart } => {
                if !self.offerer {
                    return broken("only one side offers");
                }
                if ice_restart != self.local.is_some() {
                    return broken("a restart needs a first offer, and only that");
                }
                self.offer_is_out = true;
                self.describe(now, DescriptionKind::Offer, restart_drops_path, random)
            }
            LinkAction::RepeatOffer => match self.local {
                Some(local) if self.offer_is_out => repeated(local, DescriptionKind::Offer),
                _ => broken("there is no offer to repeat"),
            },
            LinkAction::Description { kind, sdp } => {
                let Some(description) = Description::parse(&sdp) else {
                    return broken("not a description");
                };
                let other = |d: &Description| d.connection != description.connection;
                if self.remote.as_ref().is_some_and(other) {
                    return broken("it is another connection");
                }
                let new = self.remote.replace(description) != Some(description);
                match kind {
                    DescriptionKind::Offer if self.offerer => broken("both sides offer"),
                    DescriptionKind::Answer if !self.offer_is_out => broken("nothing to answer"),
                    DescriptionKind::Answer => {
                        self.offer_is_out = false;
                        Vec::new()
                    }
                    DescriptionKind::Offer if new || self.local.is_none() => {
                        self.describe(now, DescriptionKind::Answer, restart_drops_path, random)
                    }
                    DescriptionKind::Offer => {
                        let local = self.local.into_iter();
                        local.flat_map(|it| repeated(it, DescriptionKind::Answer)).collect()
                    }
                }
            }
            LinkAction::Candidate(candidate) => {
                self.candidates.extend(candidate.candidate.parse::<u64>());
                Vec::new()
            }
            // Paths in this world need no servers.
            LinkAction::IceServers(_) => Vec::new(),
        }
    }

    /// What this end shows to the other one.
    pub(super) fn face(&self) -> Face {
        Face { agreed: self.agreed(), reachable: self.reaches(), path: self.path }
    }

    pub(super) fn is_over_same_path_as(&self, other: &Self) -> bool {
        self.path.is_some() && self.path == other.path.map(Path::seen_from_there)
    }

    /// A look at the other end, where a path leads there.
    pub(super) fn tick(&mut self, now: Instant, other: Option<&Face>) -> Vec<LinkEvent> {
        let agreed = self.agreed();
        let match_there = other.is_some_and(|face| {
            let ready = face.reachable && self.reaches();
            ready && agreed.is_some() && face.agreed.map(Path::seen_from_there) == agreed
        });
        let mut state = self.state;
        if match_there && self.path != agreed {
            let since = *self.agreed_at.get_or_insert(now);
            if now >= since + HANDSHAKE {
                self.path = agreed;
                self.alive_at = now;
                state = LinkState::Connected;
            }
        } else if !match_there {
            self.agreed_at = None;
        }
        let ends = |path: Path| (path.local.connection, path.remote.connection);
        let alive = self.path.is_some_and(|path| {
            let there = other.and_then(|face| face.path).map(Path::seen_from_there);
            there.is_some_and(|there| ends(there) == ends(path))
        });
        if alive {
            self.alive_at = now;
            if state == LinkState::Disconnected {
                state = LinkState::Connected;
            }
        }
        let silent = now - self.alive_at;
        if silent >= FAILED_AFTER {
            state = LinkState::Failed;
        } else if silent >= DISCONNECTED_AFTER && state == LinkState::Connected {
            state = LinkState::Disconnected;
        }
        self.change(state)
    }

    /// What both ends would use, once they agree.
    fn agreed(&self) -> Option<Path> {
        let remote = self.remote.filter(|_| !self.offer_is_out)?;
        Some(Path { local: self.local?, remote })
    }

    /// It has heard where the other end is.
    fn reaches(&self) -> bool {
        self.remote.is_some_and(|remote| self.candidates.contains(&remote.ufrag))
    }

    fn describe(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        restart_drops_path: bool,
        random: &mut fastrand::Rng,
    ) -> Vec<LinkEvent> {
        let ufrag = random.u64(..);
        let (certificate, connection) = (self.certificate, self.serial);
        let local = self.local.insert(Description { certificate, connection, ufrag });
        let mut says = repeated(*local, kind);
        self.agreed_at = None;
        let candidate = says[1].clone();
        says.extend((0..random.usize(0..3)).map(|_| candidate.clone()));
        if restart_drops_path && self.path.take().is_some() {
            self.alive_at = now;
            says.extend(self.change(LinkState::Connecting));
        }
        says
    }

    fn change(&mut self, state: LinkState) -> Vec<LinkEvent> {
        if std::mem::replace(&mut self.state, state) == state {
            return Vec::new();
        }
        vec![LinkEvent::State(state)]
    }
}

/// A description and a candidate for it.
fn repeated(description: Description, kind: DescriptionKind) -> Vec<LinkEvent> {
    let candidate = Candidate {
        candidate: description.ufrag.to_string(),
        sdp_mid: None,
        sdp_mline_index: None,
        username_fragment: None,
    };
    vec![LinkEvent::Description { kind, sdp: description.sdp() }, LinkEvent::Candidate(candidate)]
}
