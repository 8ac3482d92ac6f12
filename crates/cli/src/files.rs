//! Files: what `--send`, `--to` and `--receive` ask for.

use std::path::PathBuf;

use quartet_engine::{Command, Engine, FilePath, FilePhase, FileState};
use quartet_proto::PeerId;

use crate::{args::Join, report::Report};

/// What a participant does with files by itself.
#[derive(Debug)]
pub(crate) struct Files {
    send: Vec<PathBuf>,
    to: Option<String>,
    receive: Option<PathBuf>,
}

impl Files {
    pub(crate) fn new(join: &Join) -> Self {
        let (send, to) = (join.send.clone(), join.to.clone());
        Self { send, to, receive: join.receive.clone() }
    }

    /// In the room: what is for everybody is offered to all who are there or come.
    pub(crate) fn joined(&self, engine: &Engine) {
        if self.to.is_none() {
            self.offer(engine, None);
        }
    }

    /// Somebody is there, who may be the one whom it is for.
    pub(crate) fn met(&self, engine: &Engine, peer: PeerId, name: &str) {
        if self.to.as_deref() == Some(name) {
            self.offer(engine, Some(peer));
        }
    }

    fn offer(&self, engine: &Engine, to: Option<PeerId>) {
        for path in &self.send {
            engine.send(Command::OfferFile(FilePath(path.clone()), to));
        }
    }

    /// A file is offered, or goes on; what comes is taken.
    pub(crate) fn goes_on(&self, engine: &Engine, state: FileState) -> Report {
        if let (FilePhase::Offered, false, Some(folder)) =
            (state.phase, state.outgoing, &self.receive)
        {
            let folder = FilePath(folder.clone());
            engine.send(Command::AcceptFile(state.offer.file, folder));
        }
        let (word, error) = match state.phase {
            FilePhase::Offered => ("offered", None),
            FilePhase::Accepted => ("accepted", None),
            FilePhase::Sending => ("sending", None),
            FilePhase::Paused => ("paused", None),
            FilePhase::Done => ("done", None),
            FilePhase::Failed(fault) => ("failed", Some(fault.as_str())),
        };
        Report::File {
            peer: Some(state.peer),
            name: state.offer.name,
            bytes: state.bytes,
            of: state.offer.size,
            state: word,
            error,
        }
    }
}

/// A file that cannot be offered.
pub(crate) fn not_offered(name: String) -> Report {
    let error = Some("unreadable");
    Report::File { peer: None, name, bytes: 0, of: 0, state: "failed", error }
}
