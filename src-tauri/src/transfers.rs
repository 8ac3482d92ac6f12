//! Files that were taken and have not all come: kept on disk, so that they go on after a restart as
//! soon as somebody offers them again. What of them is there is next to them, in their folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use quartet_proto::FileId;

/// Files that are remembered; the person has long forgotten more than that.
const MOST: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Transfers {
    file: PathBuf,
    folders: BTreeMap<FileId, PathBuf>,
}

impl Transfers {
    /// What `transfers.json` in `folder` says; nothing if it cannot be read.
    pub(crate) fn load(folder: &Path) -> Self {
        let file = folder.join("transfers.json");
        let folders = fs::read(&file).ok();
        let folders = folders.and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, folders: folders.unwrap_or_default() }
    }

    pub(crate) fn remember(&mut self, file: FileId, folder: &Path) {
        if self.folders.len() >= MOST && !self.folders.contains_key(&file) {
            self.folders.pop_first();
        }
        if self.folders.insert(file, folder.to_owned()).as_deref() != Some(folder) {
            self.save();
        }
    }

    pub(crate) fn forget(&mut self, file: FileId) {
        if self.folders.remove(&file).is_some() {
            self.save();
        }
    }

    /// Where a file that was taken goes.
    pub(crate) fn folder(&self, file: FileId) -> Option<PathBuf> {
        self.folders.get(&file).cloned()
    }

    /// What cannot be kept is asked about again after a restart.
    fn save(&self) {
        let save = || {
            if let Some(folder) = self.file.parent() {
                fs::create_dir_all(folder)?;
            }
            let new = self.file.with_extension("json.new");
            fs::write(&new, serde_json::to_vec(&self.folders)?)?;
            fs::rename(new, &self.file)
        };
        if let Err(error) = save() {
            tracing::warn!(kind = ?error.kind(), "the files that are coming were not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_known_after_a_restart_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("app");
        let id = |number| FileId::from_bytes([number; 32]);
        let mut transfers = Transfers::load(&place);
        transfers.remember(id(1), Path::new("/a"));
        transfers.remember(id(2), Path::new("/ข"));
        transfers.forget(id(1));
        let mut again = Transfers::load(&place);
        assert_eq!((again.folder(id(1)), again.folder(id(2))), (None, Some("/ข".into())));
        for number in 0..=255 {
            again.remember(FileId::from_bytes([number, 1].repeat(16).try_into().unwrap()), &place);
        }
        assert_eq!(again.folders.len(), MOST);
        fs::write(place.join("transfers.json"), "{").unwrap();
        assert!(Transfers::load(&place).folders.is_empty());
    }
}
