//! Two runs of one scenario side by side: ours and a mesh of Chromium pages.

use std::path::Path;

use serde::Serialize;

use crate::{
    figures::{PersonFigures, RunFigures, StreamFigures, percentile},
    goals::Judgement,
    report::{Report, write_json},
};

/// Where a scenario asks for a share of CPU: ours against Chromium's, at most.
const MOST_CPU: f64 = 0.35;

/// Both runs, one after the other.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Ours.
    pub quartet: Report,
    /// Chromium's.
    pub chromium: Report,
    /// Goals that say something about both.
    pub between: Vec<Judgement>,
}

/// One line of the table.
struct Row {
    what: &'static str,
    unit: &'static str,
    decimals: usize,
    quartet: Option<f64>,
    chromium: Option<f64>,
}

impl Comparison {
    /// Puts two runs of one scenario together. `asks_for_cpu` and `asks_for_latency` say whether
    /// the scenario is about those.
    #[must_use]
    pub fn new(
        quartet: Report,
        chromium: Report,
        asks_for_cpu: bool,
        asks_for_latency: bool,
    ) -> Self {
        let mut between = Vec::new();
        if asks_for_cpu {
            let ratio = cpu(&quartet.figures) / cpu(&chromium.figures);
            between.push(Judgement {
                goal: format!("CPU of a participant at most {MOST_CPU} × Chromium's"),
                reached: format!("{ratio:.2} ×"),
                met: ratio <= MOST_CPU,
            });
        }
        if asks_for_latency {
            let worst = |run: &RunFigures| most(run, |it| it.pictures.latency_p50_ms);
            let (ours, theirs) = (worst(&quartet.figures), worst(&chromium.figures));
            between.push(Judgement {
                goal: "latency p50 below Chromium's".to_owned(),
                reached: format!("{} against {}", number(ours, 0, "ms"), number(theirs, 0, "ms")),
                met: ours.zip(theirs).is_some_and(|(ours, theirs)| ours < theirs),
            });
        }
        Self { quartet, chromium, between }
    }

    /// Ours was connected and reached every goal; Chromium's run is there to compare.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.quartet.is_good() && self.between.iter().all(|goal| goal.met)
    }

    /// Prints the table and the goals.
    pub fn print(&self) {
        let figures = &self.quartet.figures;
        println!("\n{}: {}", figures.scenario, self.quartet.about);
        for report in [&self.quartet, &self.chromium] {
            if !report.connected {
                let program = &report.figures.program;
                println!("NOT everybody was connected to everybody when {program} began.");
            }
        }
        println!("\n| of all streams | Quartet | Chromium | ratio |");
        println!("|---|---|---|---|");
        for row in self.rows() {
            let ratio = row.quartet.zip(row.chromium).filter(|(_, theirs)| *theirs != 0.0);
            println!(
                "| {} | {} | {} | {} |",
                row.what,
                number(row.quartet, row.decimals, row.unit),
                number(row.chromium, row.decimals, row.unit),
                number(ratio.map(|(ours, theirs)| ours / theirs), 2, "×"),
            );
        }
        println!("\n| goal | Quartet | Chromium |");
        println!("|---|---|---|");
        for (ours, theirs) in self.quartet.goals.iter().zip(&self.chromium.goals) {
            println!("| {} | {} | {} |", ours.goal, judged(ours), judged(theirs));
        }
        for goal in &self.between {
            println!("| {} | {} | |", goal.goal, judged(goal));
        }
    }

    /// Writes both as JSON.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        write_json(self, file)
    }

    fn rows(&self) -> Vec<Row> {
        let both = |what, unit, decimals, value: &dyn Fn(&RunFigures) -> Option<f64>| Row {
            what,
            unit,
            decimals,
            quartet: value(&self.quartet.figures),
            chromium: value(&self.chromium.figures),
        };
        vec![
            both("frame rate, slowest", "fps", 1, &|run| least(run, |it| Some(it.pictures.fps))),
            both("frame rate, mean", "fps", 1, &|run| mean(run, |it| it.pictures.fps)),
            both("height, smallest", "px", 0, &|run| {
                least(run, |it| Some(it.pictures.height.into()))
            }),
            both("video of a stream, mean", "kbit/s", 0, &|run| mean(run, |it| it.video_kbps)),
            both("freezes, all together", "", 0, &|run| {
                Some(run.streams.iter().map(|it| it.pictures.freezes as f64).sum())
            }),
            both("frozen, worst", "%", 1, &|run| {
                most(run, |it| Some(it.pictures.frozen_s / run.window.seconds() * 100.0))
            }),
            both("longest freeze", "ms", 0, &|run| {
                most(run, |it| Some(it.pictures.longest_freeze_s * 1000.0))
            }),
            both("capture → decoded, p50, worst", "ms", 1, &|run| {
                most(run, |it| it.pictures.latency_p50_ms)
            }),
            both("capture → decoded, p95, worst", "ms", 1, &|run| {
                most(run, |it| it.pictures.latency_p95_ms)
            }),
            both("capture → screen, p50, worst", "ms", 1, &|run| most(run, |it| it.shown_p50_ms)),
            both("capture → screen, p95, worst", "ms", 1, &|run| most(run, |it| it.shown_p95_ms)),
            both("concealed audio, worst", "%", 2, &|run| {
                most(run, |it| Some(it.voice.concealed * 100.0))
            }),
            both("concealed audio, worst second", "%", 1, &|run| {
                most(run, |it| Some(it.voice.concealed_worst_second * 100.0))
            }),
            both("joined → connected, middle", "ms", 0, &|run| middle(run, |it| it.connected_ms)),
            both("joined → first picture, middle", "ms", 0, &|run| {
                middle(run, |it| it.first_picture_ms)
            }),
            both("CPU of a participant", "cores", 3, &|run| Some(cpu(run))),
            both("encoding of a participant", "cores", 3, &|run| {
                let all: Option<Vec<f64>> = run.people.iter().map(|it| it.encoder_cores).collect();
                all.map(|all| all.iter().sum::<f64>() / run.people.len() as f64)
            }),
            both("memory of a participant", "MB", 0, &|run| {
                Some(of_people(run, |it| it.memory_mb))
            }),
            both("other programs, with the router", "cores", 2, &|run| Some(run.others_cores)),
        ]
    }
}

fn judged(goal: &Judgement) -> String {
    format!("{}: {}", if goal.met { "met" } else { "NOT met" }, goal.reached)
}

fn cpu(run: &RunFigures) -> f64 {
    of_people(run, |it| it.cpu_cores)
}

fn of_people(run: &RunFigures, value: impl Fn(&PersonFigures) -> f64) -> f64 {
    run.people.iter().map(value).sum::<f64>() / run.people.len().max(1) as f64
}

fn mean(run: &RunFigures, value: impl Fn(&StreamFigures) -> f64) -> Option<f64> {
    let sum: f64 = run.streams.iter().map(value).sum();
    (!run.streams.is_empty()).then(|| sum / run.streams.len() as f64)
}

/// Of all streams, in rising order; `None` when one of them has none.
fn sorted(run: &RunFigures, value: impl Fn(&StreamFigures) -> Option<f64>) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = run.streams.iter().map(value).collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    Some(values)
}

fn least(run: &RunFigures, value: impl Fn(&StreamFigures) -> Option<f64>) -> Option<f64> {
    sorted(run, value)?.first().copied()
}

fn most(run: &RunFigures, value: impl Fn(&StreamFigures) -> Option<f64>) -> Option<f64> {
    sorted(run, value)?.last().copied()
}

fn middle(run: &RunFigures, value: impl Fn(&StreamFigures) -> Option<f64>) -> Option<f64> {
    percentile(&sorted(run, value)?, 50)
}

fn number(value: Option<f64>, decimals: usize, unit: &str) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return "–".to_owned() };
    let text = format!("{value:.decimals$} {unit}");
    text.trim_end().to_owned()
}
