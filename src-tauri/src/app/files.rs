//! What the page does with files: which ones it picks, takes, stops; and where they go.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use quartet_engine::{Command, Event, FileFault, FilePath, FilePhase};
use quartet_proto::{FileId, PeerId, safe_file_name};

use super::{App, State, failure};
use crate::view::{FailureView, UiEvent};

/// Files that can be picked or dropped at once; more is a slip of the hand.
const MAX_AT_ONCE: usize = 64;

impl App {
    /// Offers files of this machine, to somebody or to everybody.
    pub(crate) fn offer_files(
        &self,
        paths: Vec<PathBuf>,
        to: Option<PeerId>,
    ) -> Result<(), FailureView> {
        if !self.state.lock().model.is_in_call() {
            return Err(failure("files_not_in_call", &"there is no call"));
        }
        if paths.len() > MAX_AT_ONCE {
            return Err(failure("files_too_many", &"pick fewer files"));
        }
        for path in paths {
            self.engine.send(Command::OfferFile(FilePath(path), to));
        }
        Ok(())
    }

    /// Files were dropped on the window: the page is told how many, and says whom they are for. What
    /// they are called, and where they lie, it need not know.
    pub(crate) fn files_dropped(&self, paths: Vec<PathBuf>) {
        let mut state = self.state.lock();
        if !state.model.is_in_call() || paths.is_empty() {
            return;
        }
        let count = u32::try_from(paths.len()).unwrap_or(u32::MAX);
        state.dropped = paths;
        state.tell(UiEvent::FilesDropped(count));
    }

    /// Offers what was dropped last.
    pub(crate) fn offer_dropped(&self, to: Option<PeerId>) -> Result<(), FailureView> {
        let paths = std::mem::take(&mut self.state.lock().dropped);
        self.offer_files(paths, to)
    }

    /// Offers what the person has pasted, which is no file yet: it becomes one.
    pub(crate) fn offer_pasted(
        &self,
        name: &str,
        content: &[u8],
        to: Option<PeerId>,
    ) -> Result<(), FailureView> {
        let keep = || -> io::Result<PathBuf> {
            let mut number = 0;
            // Of several of one name each is a file of its own.
            let folder = loop {
                number += 1;
                let folder = self.pasted.join(number.to_string());
                match fs::create_dir_all(&self.pasted).and_then(|()| fs::create_dir(&folder)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    done => break done.map(|()| folder)?,
                }
            };
            let path = folder.join(safe_file_name(name));
            fs::write(&path, content)?;
            Ok(path)
        };
        let path = keep().map_err(|error| failure("file_not_kept", &error))?;
        self.offer_files(vec![path], to)
    }

    /// What was pasted is needed no more.
    pub(super) fn forget_pasted(&self) {
        if let Err(error) = fs::remove_dir_all(&self.pasted)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(kind = ?error.kind(), "what was pasted stays");
        }
    }

    /// Takes a file that is offered, into this folder.
    pub(crate) fn accept_file(&self, file: FileId, folder: PathBuf) {
        let mut state = self.state.lock();
        state.transfers.remember(file, &folder);
        self.engine.send(Command::AcceptFile(file, FilePath(folder)));
    }

    pub(crate) fn cancel_file(&self, file: FileId) {
        self.engine.send(Command::CancelFile(file));
    }

    pub(crate) fn pause_file(&self, file: FileId, paused: bool) {
        self.engine.send(Command::PauseFile(file, paused));
    }

    pub(crate) fn withdraw_file(&self, file: FileId, peer: PeerId) {
        self.engine.send(Command::WithdrawFile(file, peer));
    }

    pub(crate) fn hold_file(&self, file: FileId, held: bool) {
        self.engine.send(Command::HoldFile(file, held));
    }

    /// Where a file that has come lies.
    pub(crate) fn folder_of(&self, file: FileId) -> Option<PathBuf> {
        let state = self.state.lock();
        state.model.saved(file).and_then(Path::parent).map(Path::to_owned)
    }

    /// What the app does by itself when a file goes on: it goes on with one that was taken before a
    /// restart, and forgets one that is over.
    pub(super) fn follow_file(&self, state: &mut State, event: &Event) {
        let Event::File(file) = event else { return };
        if file.outgoing {
            return;
        }
        let id = file.offer.file;
        match file.phase {
            FilePhase::Offered => {
                if let Some(folder) = state.transfers.folder(id) {
                    self.engine.send(Command::AcceptFile(id, FilePath(folder)));
                }
            }
            FilePhase::Done | FilePhase::Failed(FileFault::Cancelled | FileFault::Refused) => {
                state.transfers.forget(id);
            }
            _ => {}
        }
    }
}
