//! Whether a run reached what its scenario asks for.

use quartet_testkit::network::{Goals, PathGoal, Unchanged};
use serde::Serialize;

use crate::{
    figures::{PersonFigures, RunFigures, SecondFigures, StreamFigures},
    router::Traffic,
};

/// The memory of a program settles in this first minute, in seconds.
const MEMORY_SETTLES: f64 = 60.0;

/// One goal and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The goal, in words.
    pub goal: String,
    /// What was reached, of the worst.
    pub reached: String,
    /// It was reached.
    pub met: bool,
}

/// Judges every goal.
#[must_use]
pub fn judge(goals: &Goals, figures: &RunFigures, traffic: &Traffic) -> Vec<Judgement> {
    let mut judged = Vec::new();
    let streams: Vec<_> =
        figures.streams.iter().filter(|it| !goals.except.contains(&it.to)).collect();
    of_streams(goals, &streams, figures.window.seconds(), &mut judged);
    of_people(goals, &figures.people, &mut judged);
    for goal in &goals.path {
        of_path(goal, figures.window.zero, traffic, &mut judged);
    }
    if let Some(unchanged) = &goals.unchanged {
        of_unchanged(unchanged, &figures.streams, &mut judged);
    }
    judged
}

/// At least, or at most.
#[derive(Clone, Copy)]
enum Bound {
    Least,
    Most,
}

fn of_streams(
    goals: &Goals,
    streams: &[&StreamFigures],
    seconds: f64,
    judged: &mut Vec<Judgement>,
) {
    let mut check = |goal: Option<f64>,
                     bound: Bound,
                     (what, unit): (&str, &str),
                     value: &dyn Fn(&StreamFigures) -> Option<f64>| {
        let Some(goal) = goal else { return };
        let values = streams.iter().map(|stream| {
            // What is not there is as bad as can be.
            (format!("{} → {}", stream.from, stream.to), value(stream).unwrap_or(f64::NAN))
        });
        judged.push(bounded(what, unit, bound, goal, values));
    };
    let percent = |share: f64| Some(share * 100.0);
    check(goals.fps, Bound::Least, ("frame rate", "fps"), &|it| Some(it.pictures.fps));
    check(goals.height.map(f64::from), Bound::Least, ("height", "px"), &|it| {
        Some(it.pictures.height.into())
    });
    check(goals.freezes.map(|it| it as f64), Bound::Most, ("freezes", ""), &|it| {
        Some(it.pictures.freezes as f64)
    });
    check(goals.longest_freeze_ms, Bound::Most, ("longest freeze", "ms"), &|it| {
        Some(it.pictures.longest_freeze_s * 1000.0)
    });
    check(goals.frozen_percent, Bound::Most, ("frozen", "%"), &|it| {
        percent(it.pictures.frozen_s / seconds)
    });
    check(goals.p50_ms, Bound::Most, ("latency p50", "ms"), &|it| it.pictures.latency_p50_ms);
    check(goals.p95_ms, Bound::Most, ("latency p95", "ms"), &|it| it.pictures.latency_p95_ms);
    check(goals.concealed_percent, Bound::Most, ("concealed audio", "%"), &|it| {
        percent(it.voice.concealed)
    });
    let worst = ("concealed audio, worst second", "%");
    check(goals.concealed_second_percent, Bound::Most, worst, &|it| {
        percent(it.voice.concealed_worst_second)
    });
    let first = ("time to the first picture", "ms");
    check(goals.first_picture_ms, Bound::Most, first, &|it| it.first_picture_ms);
}

fn of_people(goals: &Goals, people: &[PersonFigures], judged: &mut Vec<Judgement>) {
    let each = |value: fn(&PersonFigures) -> f64| {
        people.iter().map(move |person| (person.name.clone(), value(person)))
    };
    if let Some(most) = goals.cpu {
        let values = each(|it| it.cpu_cores);
        judged.push(bounded("CPU of a participant", "cores", Bound::Most, most, values));
    }
    if let Some(most) = goals.memory_mb {
        let values = each(|it| it.memory_mb);
        judged.push(bounded("memory of a participant", "MB", Bound::Most, most, values));
    }
    if let Some(most) = goals.memory_growth_percent {
        let values = each(memory_growth);
        judged.push(bounded("growth of the memory", "%", Bound::Most, most, values));
    }
}

/// The most of the last quarter against the most of the first one, in percent.
fn memory_growth(person: &PersonFigures) -> f64 {
    let end = person.memory.last().map_or(0.0, |(at, _)| *at);
    let most = |from: f64, to: f64| {
        let within = person.memory.iter().filter(|(at, _)| (from..=to).contains(at));
        within.map(|(_, mb)| *mb).fold(f64::NAN, f64::max)
    };
    let first = most(MEMORY_SETTLES, (end / 4.0).max(MEMORY_SETTLES));
    (most(end * 0.75, end) / first - 1.0) * 100.0
}

fn of_path(goal: &PathGoal, zero: f64, traffic: &Traffic, judged: &mut Vec<Judgement>) {
    let found = traffic.paths.iter().find(|it| it.of == goal.of && it.direction == goal.direction);
    let (from, to) = (zero + goal.from_s, zero + goal.to_s);
    let line =
        format!("line {:?} of {}, {} to {} s", goal.direction, goal.of, goal.from_s, goal.to_s);
    let line = line.replace("Up", "from").replace("Down", "to").replace(" of ", " ");
    let mut check = |goal: Option<f64>, bound, what: &str, unit, value: f64| {
        if let Some(goal) = goal {
            let values = [(String::new(), value)].into_iter();
            judged.push(bounded(&format!("{line}: {what}"), unit, bound, goal, values));
        }
    };
    let value = |of: &dyn Fn(&crate::router::PathTraffic) -> f64| found.map_or(f64::NAN, of);
    let carried = value(&|path| path.kbit_s(from, to));
    let rate = value(&|path| {
        let (sum, count) = path
            .within(from, to)
            .fold((0.0, 0.0), |(sum, count), sample| (sum + f64::from(sample.rate), count + 1.0));
        sum / count / 1000.0
    });
    let queue = value(&|path| path.longest_queue_ms(from, to));
    check(goal.queue_ms, Bound::Most, "queue", "ms", queue);
    check(goal.use_percent, Bound::Least, "used", "%", carried / rate * 100.0);
    check(goal.kbit_s, Bound::Least, "carried", "kbit/s", carried);
}

fn of_unchanged(goal: &Unchanged, streams: &[StreamFigures], judged: &mut Vec<Judgement>) {
    let untouched: Vec<_> =
        streams.iter().filter(|it| it.from != goal.but && it.to != goal.but).collect();
    for (what, value) in
        [("frame rate", (|it| it.fps) as fn(&SecondFigures) -> f64), ("bit rate", |it| it.kbps)]
    {
        let change = |stream: &&StreamFigures| {
            let [before, after] = [goal.before_s, goal.after_s].map(|[from, to]| {
                let seconds = stream.seconds.iter().filter(|it| it.t >= from && it.t + 1.0 <= to);
                let (sum, count) =
                    seconds.fold((0.0, 0.0), |(sum, count), it| (sum + value(it), count + 1.0));
                sum / count
            });
            (after / before - 1.0) * 100.0
        };
        let values = untouched
            .iter()
            .map(|stream| (format!("{} → {}", stream.from, stream.to), change(stream).abs()));
        let what = format!("{what} of the others changed, with a weak {}", goal.but);
        judged.push(bounded(&what, "%", Bound::Most, goal.percent, values));
    }
}

/// Compares the worst of several values; NaN is worse than all.
fn bounded(
    what: &str,
    unit: &str,
    bound: Bound,
    goal: f64,
    values: impl Iterator<Item = (String, f64)>,
) -> Judgement {
    let badness = |value: f64| match bound {
        _ if value.is_nan() => f64::INFINITY,
        Bound::Least => -value,
        Bound::Most => value,
    };
    let worst = values.max_by(|a, b| badness(a.1).total_cmp(&badness(b.1)));
    let (word, sign) = match bound {
        Bound::Least => ("≥", -1.0),
        Bound::Most => ("≤", 1.0),
    };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let goal_text = format!("{what} {word} {goal}{unit}");
    match worst {
        Some((whose, value)) => Judgement {
            goal: goal_text,
            reached: match (value.is_nan(), whose.is_empty()) {
                (true, _) => format!("nothing ({whose})"),
                (false, true) => format!("{value:.3}{unit}"),
                (false, false) => format!("{value:.3}{unit} ({whose})"),
            },
            met: badness(value) <= sign * goal,
        },
        None => Judgement { goal: goal_text, reached: "nothing".to_owned(), met: false },
    }
}

#[cfg(test)]
mod tests;
