//! The files of a call as the page shows them.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use quartet_engine::{FilePhase, FileState};
use quartet_proto::{FileId, PeerId, safe_file_name};

use crate::view::{FilePhaseView, FileView};

/// Files that are kept for a page that is loaded again; then one that is over goes.
const MOST: usize = 300;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Files {
    views: BTreeMap<(FileId, PeerId, bool), FileView>,
    saved: HashMap<FileId, PathBuf>,
}

impl Files {
    /// Another call has begun.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is new of one.
    pub(super) fn take(&mut self, state: FileState) -> FileView {
        let (phase, error) = match state.phase {
            FilePhase::Offered => (FilePhaseView::Offered, None),
            FilePhase::Accepted => (FilePhaseView::Accepted, None),
            FilePhase::Sending => (FilePhaseView::Sending, None),
            FilePhase::Paused => (FilePhaseView::Paused, None),
            FilePhase::Done => (FilePhaseView::Done, None),
            FilePhase::Failed(fault) => (FilePhaseView::Failed, Some(fault.as_str().to_owned())),
        };
        let file = state.offer.file;
        let view = FileView {
            file: file.to_string(),
            peer: state.peer.to_string(),
            outgoing: state.outgoing,
            name: safe_file_name(&state.offer.name),
            size: state.offer.size,
            kind: state.offer.kind,
            bytes: state.bytes,
            rate: state.rate,
            phase,
            error,
            held: state.held,
        };
        if self.views.len() >= MOST {
            let over =
                |view: &FileView| matches!(view.phase, FilePhaseView::Done | FilePhaseView::Failed);
            if let Some(key) = self.views.iter().find(|(_, it)| over(it)).map(|(key, _)| *key) {
                self.views.remove(&key);
            }
        }
        // What came from one person may go on from another.
        if !state.outgoing {
            self.views.retain(|(it, peer, out), _| *it != file || *out || *peer == state.peer);
        }
        self.views.insert((file, state.peer, state.outgoing), view.clone());
        view
    }

    pub(super) fn saved(&mut self, file: FileId, path: PathBuf) {
        self.saved.insert(file, path);
    }

    /// Where a file that has come is.
    pub(crate) fn path(&self, file: FileId) -> Option<&Path> {
        self.saved.get(&file).map(PathBuf::as_path)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<FileView> {
        self.views.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use quartet_engine::FileFault;
    use quartet_proto::FileOffer;

    use super::*;

    fn state(number: u8, peer: u64, phase: FilePhase) -> FileState {
        let file = FileId::from_bytes([number; 32]);
        let name = "../a\u{202e}b".to_owned();
        let offer = FileOffer { file, name, size: 9, kind: String::new() };
        let peer = PeerId::from_u64(peer);
        FileState { peer, outgoing: false, offer, phase, bytes: 3, rate: 0, held: false }
    }

    #[test]
    fn one_file_is_one_card_whoever_it_comes_from() {
        let mut files = Files::default();
        let view = files.take(state(1, 1, FilePhase::Sending));
        assert_eq!((view.name.as_str(), view.phase), ("ab", FilePhaseView::Sending));
        files.take(state(1, 2, FilePhase::Failed(FileFault::Gone)));
        let all = files.all();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].error.as_deref(), Some("gone"));
    }

    #[test]
    fn what_is_over_makes_room() {
        let mut files = Files::default();
        for peer in 0..=MOST as u64 {
            let mut state = state(1, peer, FilePhase::Done);
            state.outgoing = true;
            files.take(state);
        }
        assert_eq!(files.all().len(), MOST);
    }
}
