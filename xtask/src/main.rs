//! The project's own commands. Start with `cargo xtask`.

mod bench;
mod camera_check;
mod demo;
mod fuzz;
mod lab;
mod package;
mod run;
mod setup;
mod shell;
mod test;
mod tidy;
mod ui;

use std::process::ExitCode;

use anyhow::bail;

const USAGE: &str = "\
cargo xtask COMMAND

  run [LINK]     build and open the app; with a link, open it in front of that room
  demo           a whole call on this machine: three test participants and the app window
  test           everything: formatting, lints, types, unit, page and whole-product tests
  bench [server] measure calls of 2, 3 and 4 people, or the server beside socket.io (builds with
                 optimisation)
  package        a Debian package of the app, in target/release/bundle/deb

  lab [SCENARIO…] [--peer chromium]
                 calls on bad networks, in namespaces of this machine (Linux, as root); all
                 scenarios when none is named; --list says which there are
  fuzz [TARGET…] [--for SECONDS]
                 what hostile peers may send, invented by libFuzzer; a minute for each target

  camera-check   the camera against a real driver, in an emulated machine (Linux, some minutes)

  setup          only install what building and testing need
  build          only build the page and the programs
  bindings       write the page's types again from the Rust types
  tidy           check the rules that no compiler checks
  screenshots    take the pictures of the README again";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", link @ ..] if link.len() <= 1 => run::run(link.first().copied()),
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["bench"] => bench::run(),
        ["bench", "server"] => bench::server::run(),
        ["package"] => package::run(),
        ["camera-check"] => camera_check::run(),
        ["fuzz", targets @ .., "--for", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(targets, seconds),
            Err(_) => usage_error(),
        },
        ["fuzz", targets @ ..] => fuzz::run(targets, fuzz::USUAL_SECONDS),
        ["lab", arguments @ ..] => lab::run(arguments),
        ["setup"] => setup::everything(),
        ["build"] => setup::to_build().and_then(|tools| run::build(&tools)),
        ["bindings"] => test::write_bindings(),
        ["tidy"] => tidy::run(),
        ["screenshots"] => demo::screenshots(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => usage_error(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage_error() -> anyhow::Result<()> {
    bail!("no such command\n\n{USAGE}")
}
