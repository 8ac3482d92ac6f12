//! What a participant said and wrote, as the figures want it.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::Value;

use crate::figures::{Captures, PersonFigures, Picture, StreamRecord, VoiceSample, Window, growth};

use super::Person;

/// Writes what one said, for whoever wants to know more than the report tells.
pub(super) fn keep(file: &Path, events: &[Value]) -> anyhow::Result<()> {
    let lines = events.iter().map(|event| format!("{event}\n"));
    fs::write(file, lines.collect::<String>()).with_context(|| format!("{}", file.display()))
}

/// What one took.
pub(super) fn person(
    name: &str,
    events: &[Value],
    cpu_cores: f64,
    window: Window,
) -> PersonFigures {
    let stats: Vec<_> = named(events, "stats").collect();
    let memory: Vec<_> = stats
        .iter()
        .filter_map(|it| Some((it["t"].as_f64()?, it["rss_mb"].as_f64()?)))
        .filter(|(at, _)| window.contains(*at))
        .collect();
    let encoder: Vec<_> = stats
        .iter()
        .filter_map(|it| {
            let all = it["encode"].as_array()?.iter();
            Some((it["t"].as_f64()?, all.filter_map(|it| it["cpu_ms"].as_f64()).sum()))
        })
        .collect();
    PersonFigures {
        name: name.to_owned(),
        cpu_cores,
        memory_mb: memory.iter().map(|(_, mb)| *mb).fold(0.0, f64::max),
        encoder_cores: Some(growth(&encoder, window) / 1000.0 / window.seconds()),
        memory: memory.into_iter().map(|(at, mb)| (at - window.zero, mb)).collect(),
    }
}

/// When one's pictures were captured; `round` is after how many their numbers begin again.
pub(super) fn captures(folder: &Path, round: Option<u32>) -> anyhow::Result<Captures> {
    let rows = rows(&folder.join("self.csv"))?.into_iter().filter_map(|row| {
        let number: u64 = row.first()?.parse().ok()?;
        let number = round.map_or(number, |round| number % u64::from(round));
        Some((number as u32, micros(row.get(1)?)?)) // a picture holds 32 bits
    });
    Ok(Captures::new(rows))
}

/// What `to` saw and heard of `from`, whose ids in the room were these.
pub(super) fn stream(
    (from, to): (&Person, &Person),
    ids: &[&str],
    events: &[Value],
) -> anyhow::Result<StreamRecord> {
    let of_peer = |event: &&Value| ids.iter().any(|id| event["peer"] == *id);
    let time = |event: Option<&Value>| event.and_then(|event| event["t"].as_f64());
    let mut record = StreamRecord {
        from: from.name.clone(),
        to: to.name.clone(),
        joined_at: time(named(events, "joined").next()),
        connected_at: time(named(events, "connected").find(of_peer)),
        ..StreamRecord::default()
    };
    for id in ids {
        let file = to.folder.join(format!("{id}.csv"));
        if file.is_file() {
            record.pictures.extend(rows(&file)?.iter().filter_map(|row| picture(row)));
        }
    }
    let (mut bytes, mut concealed, mut before) = (0.0, 0.0, None);
    for stats in named(events, "stats") {
        let Some(at) = stats["t"].as_f64() else { continue };
        let peer = stats["peers"].as_array().and_then(|all| all.iter().find(of_peer));
        let Some(peer) = peer else { continue };
        let seconds = before.map_or(0.0, |before| at - before);
        before = Some(at);
        bytes += peer["video_in"]["kbps"].as_f64().unwrap_or_default() * 125.0 * seconds;
        let share = peer["audio_in"]["concealed_window"].as_f64().unwrap_or_default();
        concealed += share * seconds;
        record.video_bytes.push((at, bytes));
        record.voice.push(VoiceSample { at, played: at, concealed });
    }
    Ok(record)
}

fn named<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == name)
}

fn picture(row: &[String]) -> Option<Picture> {
    let [number, at, width, height] = row else { return None };
    Some(Picture {
        number: number.parse().ok(),
        at: micros(at)?,
        width: width.parse().ok()?,
        height: height.parse().ok()?,
    })
}

fn rows(file: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    Ok(text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

fn micros(text: &str) -> Option<f64> {
    Some(text.parse::<i64>().ok()? as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WINDOW: Window = Window { zero: 100.0, from: 101.0, to: 103.0 };

    #[test]
    fn a_participants_own_words_become_its_figures() {
        let stats = |t: f64, mb: f64| {
            json!({ "event": "stats", "t": t, "rss_mb": mb,
                    "encode": [{ "cpu_ms": (t - 100.0) * 50.0 }, { "cpu_ms": (t - 100.0) * 20.0 }] })
        };
        let events =
            [stats(100.0, 99.0), stats(101.0, 40.0), stats(102.0, 42.0), stats(103.0, 50.0)];
        let person = person("ann", &events, 0.25, WINDOW);
        assert_eq!((person.memory_mb, person.cpu_cores), (42.0, 0.25));
        assert_eq!(person.memory, [(1.0, 40.0), (2.0, 42.0)]);
        assert!((person.encoder_cores.unwrap() - 0.07).abs() < 1e-9);
    }

    #[test]
    fn rows_become_pictures_also_without_a_readable_number() {
        let row = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let read = picture(&row("7,101500000,640,360")).unwrap();
        assert_eq!((read.number, read.at, read.height), (Some(7), 101.5, 360));
        assert_eq!(picture(&row(",101500000,640,360")).unwrap().number, None);
        assert_eq!(picture(&row("7,101500000")), None);
    }
}
