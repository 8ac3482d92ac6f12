//! The command line.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use quartet_core::Rung;
use quartet_engine::{EngineConfig, IceConfig, IcePolicy};
use quartet_proto::{IceServer, JoinLink, RoomPolicy, ServerUrl, chat_text};

/// A headless participant of Quartet calls, for automation and measuring.
///
/// Exit status: 0 left as asked, 1 could not join or was refused, 2 usage.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints the join link of a new room, alone, on stdout.
    New {
        /// The signalling server, such as http://127.0.0.1:8460.
        #[arg(long, value_name = "URL", value_parser = ServerUrl::parse)]
        server: ServerUrl,
    },
    /// Enters a room and prints what happens as JSON lines on stdout.
    Join(Box<Join>),
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The invitation.
    #[arg(value_parser = JoinLink::parse)]
    pub(crate) link: JoinLink,

    /// What the others see beside the picture.
    #[arg(long)]
    pub(crate) name: String,

    /// Pictures to send: none, pattern, camera[:ID] or FILE.y4m.
    #[arg(long, default_value = "none", value_name = "none|pattern|camera|FILE.y4m")]
    pub(crate) video: String,

    /// What to share beside the pictures: none, pattern, screen[:ID], window:ID or FILE.y4m. It is
    /// large, and written into PEER.screen.y4m by those who record.
    #[arg(long, default_value = "none", value_name = "none|pattern|screen|FILE.y4m")]
    pub(crate) share: String,

    /// Voice to send: none, tone[:HZ], mic[:ID] or FILE.wav. Only with `mic` are the others played
    /// on the default speaker: a test needs none, and a person who speaks wants to hear.
    #[arg(long, default_value = "none", value_name = "none|tone|tone:HZ|mic|FILE.wav")]
    pub(crate) audio: String,

    /// Leave this long after having joined; without it, stay until Ctrl-C or SIGTERM.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) stay: Option<Duration>,

    /// Print `stats` this often; without it, never.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) stats_every: Option<Duration>,

    /// Write PEER.y4m, PEER.csv and PEER.wav of everybody, PEER.screen.y4m and PEER.screen.csv of
    /// those who share something, and self.csv, into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Write only when each picture was ready to show, of everybody, into this folder: PEER.csv
    /// with the number in the picture of the test pattern, Unix microseconds, width and height; and
    /// self.csv. Costs next to nothing, so that a measurement does not measure itself.
    #[arg(long, value_name = "DIR", conflicts_with = "record")]
    pub(crate) times: Option<PathBuf>,

    /// Say this in the chat, once, to everybody who is connected, now or later.
    #[arg(long, value_name = "TEXT", value_parser = chat)]
    pub(crate) chat: Option<String>,

    /// Offer this file to everybody, or to whom `--to` names.
    #[arg(long, value_name = "FILE")]
    pub(crate) send: Vec<PathBuf>,

    /// Whom `--send` is for, by name: everybody who is called so.
    #[arg(long, value_name = "NAME", requires = "send")]
    pub(crate) to: Option<String>,

    /// Take every file that is offered, into this folder; what of it is there already is gone on
    /// with.
    #[arg(long, value_name = "DIR")]
    pub(crate) receive: Option<PathBuf>,

    /// How high the others' pictures are shown, in pixels: nobody sends more than is seen.
    #[arg(long, value_enum, default_value_t = View::P720)]
    pub(crate) view: View,

    /// The largest picture to encode, as its height in pixels.
    #[arg(long, value_enum, default_value_t = Largest::P720)]
    max: Largest,

    /// The most that the picture may take on one connection, in kilobits a second; without it, as
    /// much as is of use.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    max_kbps: Option<u32>,

    /// Who gets into the room, if nobody is in it.
    #[arg(long, value_enum, default_value_t = Door::Open)]
    policy: Door,

    /// Whom this participant lets in who knocks.
    #[arg(long, value_enum, default_value_t = Admit::None)]
    admit: Admit,

    /// STUN and TURN servers, beside those that the signalling server names. In USER and
    /// CREDENTIAL, %XX stands for the byte XX.
    #[arg(
        long = "ice-server",
        num_args = 1..,
        value_name = "stun:HOST[:PORT] | turn:USER:CREDENTIAL@HOST[:PORT][?transport=udp|tcp]"
    )]
    ice_servers: Vec<IceServer>,

    /// Which paths may be used; `relay`: through TURN servers only.
    #[arg(long, value_enum, default_value_t = Policy::All)]
    ice_policy: Policy,

    /// The addresses of this machine to use; without it, all of them.
    #[arg(long, value_name = "IP", num_args = 1..)]
    bind: Vec<IpAddr>,
}

/// The size of a window that this program does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum View {
    /// Nothing is seen.
    None,
    #[value(name = "180")]
    P180,
    #[value(name = "360")]
    P360,
    #[value(name = "720")]
    P720,
}

impl View {
    /// Pixels.
    pub(crate) fn height(self) -> u16 {
        match self {
            Self::None => 0,
            Self::P180 => 180,
            Self::P360 => 360,
            Self::P720 => 720,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Largest {
    #[value(name = "180")]
    P180,
    #[value(name = "360")]
    P360,
    #[value(name = "720")]
    P720,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Door {
    /// Everybody.
    Open,
    /// Whom somebody inside lets in.
    Knock,
    /// Nobody.
    Locked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Admit {
    All,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Policy {
    All,
    Relay,
}

impl Join {
    pub(crate) fn engine(&self) -> EngineConfig {
        EngineConfig {
            max_rung: match self.max {
                Largest::P180 => Rung::P180,
                Largest::P360 => Rung::P360,
                Largest::P720 => Rung::P720,
            },
            max_video_bps: self.max_kbps.map(|kbps| kbps * 1000),
            ..EngineConfig::default()
        }
    }

    /// For the room that this makes.
    pub(crate) fn policy(&self) -> RoomPolicy {
        match self.policy {
            Door::Open => RoomPolicy::Open,
            Door::Knock => RoomPolicy::Knock,
            Door::Locked => RoomPolicy::Locked,
        }
    }

    /// Whoever knocks is let in.
    pub(crate) fn admits(&self) -> bool {
        self.admit == Admit::All
    }

    pub(crate) fn ice(&self) -> IceConfig {
        IceConfig {
            servers: self.ice_servers.clone(),
            policy: match self.ice_policy {
                Policy::All => IcePolicy::All,
                Policy::Relay => IcePolicy::Relay,
            },
            bind: self.bind.clone(),
            certificates: Vec::new(),
        }
    }
}

fn chat(text: &str) -> Result<String, String> {
    chat_text(text).map(str::to_owned).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| *time >= Duration::from_millis(10) && *time <= Duration::from_secs(604_800))
        .ok_or_else(|| "between 0.01 seconds and a week".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "http://127.0.0.1:1/j#AAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn the_whole_command_line_is_understood() {
        let line = format!(
            "quartet-cli join {LINK} --name Ann --video pattern --audio tone:440 --for 1.5 \
             --stats-every 1 --record out --ice-server stun:stun.example.org \
             turn:u:c@turn.example.org --ice-policy relay --bind 127.0.0.1 ::1 --view 180 --max 360 \
             --max-kbps 500 --share pattern --chat hello --policy knock --admit all --send a \
             --send b --to Bo --receive in"
        );
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Join(join) = cli.command else { panic!("not a join") };
        assert_eq!(join.name, "Ann");
        assert_eq!(join.stay, Some(Duration::from_millis(1500)));
        assert_eq!(join.view.height(), 180);
        assert_eq!(join.chat.as_deref(), Some("hello"));
        assert_eq!((join.send.len(), join.to.as_deref()), (2, Some("Bo")));
        assert_eq!(join.receive, Some(PathBuf::from("in")));
        let engine = join.engine();
        assert_eq!((engine.max_rung, engine.max_video_bps), (Rung::P360, Some(500_000)));
        assert_eq!((join.policy(), join.admits()), (RoomPolicy::Knock, true));
        let ice = join.ice();
        assert_eq!((ice.servers.len(), ice.bind.len()), (2, 2));
        assert_eq!(ice.policy, IcePolicy::Relay);
    }

    #[test]
    fn a_repeated_option_adds_to_the_list() {
        let line = format!("quartet-cli join {LINK} --name A --bind 127.0.0.1 --bind ::1");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Join(join) = cli.command else { panic!("not a join") };
        assert_eq!(join.ice().bind.len(), 2);
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            "quartet-cli",
            "quartet-cli join",
            "quartet-cli join nonsense --name A",
            "quartet-cli new --server ftp://example.org",
            "quartet-cli new",
            &format!("quartet-cli join {LINK} --name A --view 100"),
            &format!("quartet-cli join {LINK} --name A --record a --times b"),
            &format!("quartet-cli join {LINK} --name A --max-kbps 0"),
            &format!("quartet-cli join {LINK} --name A --to Bo"),
            &format!("quartet-cli join {LINK} --name A --chat {}", "x".repeat(4097)),
        ] {
            let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let line = format!("quartet-cli join {LINK} --name A --for -1");
        assert_eq!(Cli::try_parse_from(line.split_whitespace()).unwrap_err().exit_code(), 2);
    }
}
