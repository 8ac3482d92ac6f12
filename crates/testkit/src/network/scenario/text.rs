//! The file's form of a scenario, and how it becomes one.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::network::{Bursts, PathConfig};

use super::{AddressKind, Clip, Goals, NAMES, Person, Scenario, ScenarioError, Servers, Step};

/// Rates below this are no links: a cut says what is meant.
const LEAST_KBIT_S: f64 = 1.0;
/// Nobody waits longer for a packet.
const LONGEST_MS: f64 = 60_000.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    seconds: f64,
    #[serde(default = "default_warm_up")]
    warm_up_s: f64,
    #[serde(default)]
    only_by_name: bool,
    people: usize,
    #[serde(default)]
    clip: ClipText,
    max_kbit_s: Option<u32>,
    #[serde(default = "default_seed")]
    seed: u64,
    #[serde(default)]
    servers: Servers,
    #[serde(default)]
    relay_only: bool,
    /// Holds for everybody.
    #[serde(default)]
    all: PersonText,
    /// What differs for one.
    #[serde(default)]
    person: BTreeMap<String, PersonText>,
    #[serde(default)]
    goals: Goals,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClipText {
    width: u16,
    height: u16,
    #[serde(default = "default_fps")]
    fps: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PersonText {
    address: Option<AddressKind>,
    udp_blocked: Option<bool>,
    up: PathText,
    down: PathText,
    step: Vec<StepText>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    at_s: f64,
    #[serde(default)]
    up: PathText,
    #[serde(default)]
    down: PathText,
    #[serde(default)]
    new_address: bool,
}

/// Whatever is left out stays as it was.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PathText {
    /// `inf` is no limit.
    rate_kbit_s: Option<f64>,
    queue_ms: Option<f64>,
    delay_ms: Option<f64>,
    jitter_ms: Option<f64>,
    jitter_reorders: Option<bool>,
    loss_percent: Option<f64>,
    burst_mean: Option<f64>,
    burst_percent: Option<f64>,
    reorder_percent: Option<f64>,
    reorder_by_ms: Option<f64>,
    cut: Option<bool>,
}

impl Default for ClipText {
    fn default() -> Self {
        Self { width: 640, height: 360, fps: default_fps() }
    }
}

fn default_warm_up() -> f64 {
    5.0
}

fn default_fps() -> u32 {
    30
}

fn default_seed() -> u64 {
    1
}

pub(super) fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let file: File = toml::from_str(text)?;
    sensible((2..=NAMES.len()).contains(&file.people), || {
        format!("people = {}: two to four take part", file.people)
    })?;
    let names = &NAMES[..file.people];
    if let Some(stranger) = file.person.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(senseless(format!("[person.{stranger}]: those are {}", names.join(", "))));
    }
    let (width, height) = (file.clip.width, file.clip.height);
    sensible(width >= 160 && height >= 90 && width % 2 == 0 && height % 2 == 0, || {
        format!("a clip of {width}×{height}: even, and at least 160×90")
    })?;
    sensible((1..=60).contains(&file.clip.fps), || "a clip has 1 to 60 fps".to_owned())?;
    sensible(file.warm_up_s < file.seconds, || "warm_up_s leaves nothing to measure".to_owned())?;

    sensible(!file.relay_only || file.servers == Servers::Turn, || {
        "relay_only without a relay: servers = \"turn\"".to_owned()
    })?;
    let nobody = PersonText::default();
    let people = names.iter().map(|name| {
        let own = file.person.get(*name).unwrap_or(&nobody);
        person(name, &file.all, own, file.seconds)
    });
    let scenario = Scenario {
        name: name.to_owned(),
        about: file.about,
        duration: seconds("seconds", file.seconds)?,
        warm_up: seconds("warm_up_s", file.warm_up_s)?,
        only_by_name: file.only_by_name,
        clip: Clip { width, height, fps: file.clip.fps },
        max_kbit_s: file.max_kbit_s,
        seed: file.seed,
        servers: file.servers,
        relay_only: file.relay_only,
        people: people.collect::<Result<_, _>>()?,
        goals: file.goals,
    };
    check_goals(&scenario)?;
    Ok(scenario)
}

fn person(
    name: &str,
    all: &PersonText,
    own: &PersonText,
    end_s: f64,
) -> Result<Person, ScenarioError> {
    let begin = PathConfig::default();
    let up = own.up.change(&all.up.change(&begin)?)?;
    let down = own.down.change(&all.down.change(&begin)?)?;
    let mut texts = [&*all.step, &*own.step].concat();
    texts.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let (mut now_up, mut now_down) = (up.clone(), down.clone());
    let mut steps = Vec::new();
    for text in texts {
        sensible(text.at_s < end_s, || format!("a step at {} s is after the end", text.at_s))?;
        let change = |text: &PathText, now: &mut PathConfig| -> Result<_, ScenarioError> {
            if *text == PathText::default() {
                return Ok(None);
            }
            *now = text.change(now)?;
            Ok(Some(now.clone()))
        };
        steps.push(Step {
            at: seconds("at_s", text.at_s)?,
            up: change(&text.up, &mut now_up)?,
            down: change(&text.down, &mut now_down)?,
            new_address: text.new_address,
        });
    }
    Ok(Person {
        name: name.to_owned(),
        address: own.address.or(all.address).unwrap_or_default(),
        udp_blocked: own.udp_blocked.or(all.udp_blocked).unwrap_or(false),
        up,
        down,
        steps,
    })
}

impl PathText {
    /// The path that was so becomes so.
    fn change(&self, before: &PathConfig) -> Result<PathConfig, ScenarioError> {
        let mut path = before.clone();
        if let Some(rate) = self.rate_kbit_s {
            sensible(rate >= LEAST_KBIT_S, || {
                format!("rate_kbit_s = {rate}: at least {LEAST_KBIT_S}, inf, or say cut = true")
            })?;
            path.rate = rate.is_finite().then_some((rate * 1000.0) as u64);
        }
        for (name, text, field) in [
            ("queue_ms", self.queue_ms, &mut path.queue),
            ("delay_ms", self.delay_ms, &mut path.delay),
            ("jitter_ms", self.jitter_ms, &mut path.jitter),
            ("reorder_by_ms", self.reorder_by_ms, &mut path.reorder_by),
        ] {
            if let Some(ms) = text {
                sensible((0.0..=LONGEST_MS).contains(&ms), || {
                    format!("{name} = {ms}: 0 to {LONGEST_MS}")
                })?;
                *field = Duration::from_secs_f64(ms / 1000.0);
            }
        }
        for (name, text, field) in [
            ("loss_percent", self.loss_percent, &mut path.loss),
            ("reorder_percent", self.reorder_percent, &mut path.reorder),
        ] {
            if let Some(percent) = text {
                *field = share(name, percent)?;
            }
        }
        if self.burst_percent.is_some() || self.burst_mean.is_some() {
            let (Some(percent), Some(mean)) = (self.burst_percent, self.burst_mean) else {
                return Err(senseless("burst_percent and burst_mean belong together".to_owned()));
            };
            sensible(percent < 100.0, || "burst_percent = 100 is a cut".to_owned())?;
            sensible((1.0..=1e6).contains(&mean), || {
                format!("burst_mean = {mean}: packets, at least 1")
            })?;
            let share = share("burst_percent", percent)?;
            path.bursts = (share > 0.0).then_some(Bursts { mean, share });
        }
        path.jitter_reorders = self.jitter_reorders.unwrap_or(path.jitter_reorders);
        path.cut = self.cut.unwrap_or(path.cut);
        Ok(path)
    }
}

fn check_goals(scenario: &Scenario) -> Result<(), ScenarioError> {
    let goals = &scenario.goals;
    let named = goals.path.iter().map(|goal| &goal.of);
    let named = named.chain(&goals.except).chain(goals.unchanged.iter().map(|it| &it.but));
    for name in named {
        sensible(scenario.person(name).is_some(), || format!("goals: nobody is called {name}"))?;
    }
    let spans = goals.path.iter().map(|goal| [goal.from_s, goal.to_s]);
    let spans = spans.chain(goals.unchanged.iter().flat_map(|it| [it.before_s, it.after_s]));
    for [from, to] in spans {
        let end = scenario.duration.as_secs_f64();
        sensible(0.0 <= from && from < to && to <= end, || {
            format!("goals: no span of the scenario is from {from} to {to} s")
        })?;
    }
    for goal in goals.path.iter().filter(|goal| goal.use_percent.is_some()) {
        let from = Duration::from_secs_f64(goal.from_s);
        let path = scenario.person(&goal.of).map(|person| person.path_at(goal.direction, from));
        sensible(path.is_some_and(|path| path.rate.is_some()), || {
            "goals: use_percent of a path without a rate".to_owned()
        })?;
    }
    Ok(())
}

fn share(name: &str, percent: f64) -> Result<f64, ScenarioError> {
    sensible((0.0..=100.0).contains(&percent), || format!("{name} = {percent}: 0 to 100"))?;
    Ok(percent / 100.0)
}

fn seconds(name: &str, value: f64) -> Result<Duration, ScenarioError> {
    let known = Duration::try_from_secs_f64(value);
    known.map_err(|_| senseless(format!("{name} = {value} is no time")))
}

fn sensible(holds: bool, reason: impl FnOnce() -> String) -> Result<(), ScenarioError> {
    if holds { Ok(()) } else { Err(senseless(reason())) }
}

fn senseless(reason: String) -> ScenarioError {
    ScenarioError::Senseless(reason)
}
