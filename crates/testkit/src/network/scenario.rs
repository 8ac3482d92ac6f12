//! A scenario: who takes part, how everybody's link is and how it changes, and what must come of it.
//!
//! Written as TOML (`crates/lab/scenarios`, where a page says how); parsed here for the laboratory
//! and for tests under virtual time alike.

mod goals;
mod text;

use std::time::Duration;

pub use self::goals::{Direction, Goals, PathGoal, Unchanged};

use super::PathConfig;

/// How the participants of a scenario are called, in this order.
pub(super) const NAMES: [&str; 4] = ["ann", "bob", "cat", "dan"];

/// A scenario that holds together.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The file's name without `.toml`.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// Measured from the moment when everybody is connected to everybody.
    pub duration: Duration,
    /// Seconds at the beginning that the figures leave out.
    pub warm_up: Duration,
    /// Left out when all scenarios are run.
    pub only_by_name: bool,
    /// The picture that everybody sends.
    pub clip: Clip,
    /// The most that a picture may take on a link, in kbit/s.
    pub max_kbit_s: Option<u32>,
    /// What chance does in it follows from this.
    pub seed: u64,
    /// Servers for finding a way through NATs.
    pub servers: Servers,
    /// Everybody takes relayed paths only.
    pub relay_only: bool,
    /// Two to four.
    pub people: Vec<Person>,
    /// What must come of it.
    pub goals: Goals,
}

/// Size and pace of the pictures at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clip {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second.
    pub fps: u32,
}

/// A participant and the link to the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Lower case.
    pub name: String,
    /// How the network sees the participant's address.
    pub address: AddressKind,
    /// UDP does not pass at all.
    pub udp_blocked: bool,
    /// From the participant, at the beginning.
    pub up: PathConfig,
    /// To the participant, at the beginning.
    pub down: PathConfig,
    /// What happens later, in this order.
    pub steps: Vec<Step>,
}

/// How the network sees a participant's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressKind {
    /// As it is.
    #[default]
    Public,
    /// Behind a NAT that gives one port for each inner one, to which everybody may send.
    FullCone,
    /// The same port for everybody, but only those may answer who were sent to (address and port):
    /// the usual router at home.
    Restricted,
    /// A port for each address that is sent to, which only that address may answer.
    Symmetric,
}

/// A change on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Since the beginning.
    pub at: Duration,
    /// What the path from the participant becomes.
    pub up: Option<PathConfig>,
    /// What the path to the participant becomes.
    pub down: Option<PathConfig>,
    /// The participant gets another address, as when Wi-Fi becomes mobile.
    pub new_address: bool,
}

/// Servers for finding a way through NATs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Servers {
    /// None.
    #[default]
    None,
    /// One that tells everybody the own address.
    Stun,
    /// That, and it relays, over UDP and TCP.
    Turn,
}

/// Why a text is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, or with fields that no scenario has.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// It does not hold together.
    #[error("{0}")]
    Senseless(String),
}

impl Scenario {
    /// Reads a scenario from the text of a file of this name.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        text::parse(name, text)
    }

    /// The person of this name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }
}

impl Person {
    /// The path of this direction at a time since the beginning.
    #[must_use]
    pub fn path_at(&self, direction: Direction, at: Duration) -> &PathConfig {
        let (first, of): (_, fn(&Step) -> Option<&PathConfig>) = match direction {
            Direction::Up => (&self.up, |step| step.up.as_ref()),
            Direction::Down => (&self.down, |step| step.down.as_ref()),
        };
        self.steps.iter().take_while(|step| step.at <= at).filter_map(of).last().unwrap_or(first)
    }
}

#[cfg(test)]
mod tests;
