//! What came of a run: for people as tables, for programs as JSON.

use std::{fs, path::Path};

use anyhow::Context as _;
use quartet_testkit::network::{Direction, Scenario};
use serde::Serialize;

use crate::{
    figures::RunFigures,
    goals::{Judgement, judge},
    router::{PathTraffic, Traffic},
};

/// Everything that is known of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the scenario is about.
    pub about: String,
    /// Everybody was connected to everybody before it began.
    pub connected: bool,
    /// The machine's load before it, in programs that want to run.
    pub load_before: f64,
    /// What people saw, heard and took.
    pub figures: RunFigures,
    /// What the router saw.
    pub traffic: Traffic,
    /// The shaped paths second by second.
    pub paths: Vec<PathSeconds>,
    /// What was asked for.
    pub goals: Vec<Judgement>,
}

/// A path second by second.
#[derive(Debug, Clone, Serialize)]
pub struct PathSeconds {
    /// Whose.
    pub of: String,
    /// Which half.
    pub direction: Direction,
    /// Its seconds.
    pub seconds: Vec<PathSecond>,
}

/// One second of a path.
#[derive(Debug, Clone, Serialize)]
pub struct PathSecond {
    /// Its beginning, in seconds of the scenario.
    pub t: f64,
    /// The longest queue in it, in milliseconds of waiting.
    pub queue_ms: f64,
    /// Carried in it.
    pub kbit_s: f64,
    /// Packets lost or dropped in it.
    pub missing: u32,
}

impl Report {
    /// Puts it together.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        connected: bool,
        load_before: f64,
        figures: RunFigures,
        traffic: Traffic,
    ) -> Self {
        let zero = figures.window.zero;
        let duration = scenario.duration.as_secs_f64();
        let shaped = traffic.paths.iter().filter(|path| path.is_shaped());
        Self {
            about: scenario.about.clone(),
            connected,
            load_before,
            paths: shaped.map(|path| seconds(path, zero, duration)).collect(),
            goals: judge(&scenario.goals, &figures, &traffic),
            figures,
            traffic,
        }
    }

    /// It was connected, and every goal was reached.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.connected && self.goals.iter().all(|goal| goal.met)
    }

    /// Prints the tables.
    pub fn print(&self) {
        let figures = &self.figures;
        println!("\n{} ({}): {}", figures.scenario, figures.program, self.about);
        if !self.connected {
            println!("NOT everybody was connected to everybody when it began.");
        }
        println!(
            "\n| stream | fps | size | kbit/s | freezes | frozen | longest | p50 | p95 \
             | concealed | worst s | connected | first picture |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        for stream in &figures.streams {
            let pictures = &stream.pictures;
            println!(
                "| {} → {} | {:.1} | {}×{} | {:.0} | {} | {:.2} s | {:.0} ms | {} | {} | {:.2} % \
                 | {:.1} % | {} | {} |",
                stream.from,
                stream.to,
                pictures.fps,
                pictures.width,
                pictures.height,
                stream.video_kbps,
                pictures.freezes,
                pictures.frozen_s,
                pictures.longest_freeze_s * 1000.0,
                ms(pictures.latency_p50_ms),
                ms(pictures.latency_p95_ms),
                stream.voice.concealed * 100.0,
                stream.voice.concealed_worst_second * 100.0,
                ms(stream.connected_ms),
                ms(stream.first_picture_ms),
            );
        }
        println!("\n| participant | CPU | encoder | memory |");
        println!("|---|---|---|---|");
        for person in &figures.people {
            let encoder = person.encoder_cores.map_or_else(|| "?".into(), |it| format!("{it:.3}"));
            println!(
                "| {} | {:.3} | {encoder} | {:.0} MB |",
                person.name, person.cpu_cores, person.memory_mb
            );
        }
        self.print_paths();
        println!(
            "\nLoad before {:.1}; other programs took {:.2} cores, the router {:.3}; {} of its {} \
             packets were over 1 ms late, the worst {:.1} ms.",
            self.load_before,
            figures.others_cores,
            self.traffic.cpu_cores,
            self.traffic.late_packets,
            self.traffic.packets,
            self.traffic.worst_lateness_ms,
        );
        if !self.goals.is_empty() {
            println!();
        }
        for goal in &self.goals {
            let word = if goal.met { "met    " } else { "NOT met" };
            println!("{word}  {}: {}", goal.goal, goal.reached);
        }
    }

    fn print_paths(&self) {
        if self.paths.is_empty() {
            return;
        }
        println!("\n| shaped path | packets | dropped | lost | cut | longest queue | kbit/s |");
        println!("|---|---|---|---|---|---|---|");
        let window = self.figures.window;
        for path in self.traffic.paths.iter().filter(|path| path.is_shaped()) {
            let way = match path.direction {
                Direction::Up => "from",
                Direction::Down => "to",
            };
            println!(
                "| {way} {} | {} | {} | {} | {} | {:.0} ms | {:.0} |",
                path.of,
                path.pushed,
                path.dropped,
                path.lost,
                path.cut,
                path.longest_queue_ms(window.from, window.to),
                path.kbit_s(window.from, window.to),
            );
        }
    }

    /// Writes it as JSON.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        write_json(self, file)
    }
}

/// Writes anything as JSON, into a folder that need not be there.
pub(crate) fn write_json(what: &impl Serialize, file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = serde_json::to_string(what)?;
    fs::write(file, text).with_context(|| format!("{}", file.display()))
}

fn seconds(path: &PathTraffic, zero: f64, duration: f64) -> PathSeconds {
    let second = |number: u32| {
        let t = f64::from(number);
        let (from, to) = (zero + t, zero + t + 1.0);
        PathSecond {
            t,
            queue_ms: path.longest_queue_ms(from, to),
            kbit_s: path.kbit_s(from, to),
            missing: path.within(from, to).map(|sample| sample.missing).sum(),
        }
    };
    PathSeconds {
        of: path.of.clone(),
        direction: path.direction,
        seconds: (0..duration as u32).map(second).collect(),
    }
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0} ms"))
}
