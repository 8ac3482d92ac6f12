//! `quartet-lab`: runs scenarios. `cargo xtask lab` builds what it needs and calls it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("quartet-lab: the laboratory needs Linux, with its network namespaces");
    std::process::ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, path::PathBuf, process::ExitCode};

    use anyhow::{Context as _, bail};
    use clap::{Parser, ValueEnum};
    use quartet_harness::Programs;
    use quartet_lab::{
        chromium::{ChromiumCall, Tiles},
        compare::Comparison,
        namespace,
        quartet::QuartetCall,
        run, scenarios, stop,
    };
    use tracing_subscriber::EnvFilter;

    /// Runs calls on bad networks and says what came of them.
    ///
    /// Exit status: 0 all goals were reached, 1 not all were, 2 a run failed.
    #[derive(Debug, Parser)]
    struct Args {
        /// The scenarios; all when none is named (but those that only run by name).
        scenarios: Vec<String>,

        /// Only say which there are.
        #[arg(long)]
        list: bool,

        /// What takes part.
        #[arg(long, value_enum, default_value_t = Peer::Quartet)]
        peer: Peer,

        /// Where quartet-cli and quartet-server are; without it, beside this program.
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,

        /// Where the scenarios are; without it, those of the source.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,

        /// Where SCENARIO.json goes, and beside it a folder with what our participants wrote.
        #[arg(long, value_name = "DIR", default_value = "target/lab")]
        out: PathBuf,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
    enum Peer {
        /// Ours.
        Quartet,
        /// Ours, then Chromium pages in a mesh, side by side.
        Chromium,
        /// The same with pages that only decode the pictures, as our headless participants do.
        ChromiumDecoding,
    }

    pub(super) fn main() -> ExitCode {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
        match run_all(&Args::parse()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("\nquartet-lab: {error:#}");
                ExitCode::from(2)
            }
        }
    }

    /// True when all goals were reached.
    fn run_all(args: &Args) -> anyhow::Result<bool> {
        let from = args.from.clone().unwrap_or_else(scenarios::folder);
        if args.list {
            for scenario in scenarios::all(&from)? {
                println!("{:<16} {}", scenario.name, scenario.about);
            }
            return Ok(true);
        }
        let chosen = scenarios::chosen(&from, &args.scenarios)?;
        if let Some(missing) = namespace::missing() {
            bail!(missing);
        }
        stop::listen()?;
        namespace::remove_leftovers();
        let programs = match &args.programs {
            Some(folder) => Programs::in_folder(folder),
            None => Programs::beside(&std::env::current_exe()?.to_string_lossy())?,
        };
        let mut good = true;
        for scenario in &chosen {
            let folder = args.out.join(&scenario.name);
            // Of a run before.
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| folder.display().to_string());
                }
                _ => {}
            }
            eprintln!("▸ {} ({} s)", scenario.name, scenario.duration.as_secs());
            let report = run::run(scenario, |network| {
                Ok(Box::new(QuartetCall::start(network, scenario, &programs, &folder)?))
            });
            let report = report.with_context(|| scenario.name.clone())?;
            let tiles = match args.peer {
                Peer::Quartet => {
                    report.print();
                    report.write(&args.out.join(format!("{}.json", scenario.name)))?;
                    good &= report.is_good();
                    continue;
                }
                Peer::Chromium => Tiles::Shown,
                Peer::ChromiumDecoding => Tiles::Decoded,
            };
            eprintln!("▸ {} with Chromium", scenario.name);
            let chromium = run::run(scenario, |network| {
                Ok(Box::new(ChromiumCall::start(network, scenario, tiles, &args.out)?))
            });
            let chromium = chromium.with_context(|| format!("{} with Chromium", scenario.name))?;
            let goals = &scenario.goals;
            let both =
                Comparison::new(report, chromium, goals.cpu.is_some(), goals.p50_ms.is_some());
            both.print();
            both.write(&args.out.join(format!("{}-chromium.json", scenario.name)))?;
            good &= both.is_good();
        }
        Ok(good)
    }
}
