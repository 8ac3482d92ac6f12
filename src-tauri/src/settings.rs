//! The settings on disk: one JSON file in the system's folder for this app.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
};

use crate::view::Settings;

/// Where the settings are kept.
#[derive(Debug, Clone)]
pub(crate) struct SettingsFile(PathBuf);

impl SettingsFile {
    /// `settings.json` in `folder`, which is made when something is saved.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder.join("settings.json"))
    }

    /// What was kept; what is missing or cannot be read is as at the first start.
    pub(crate) fn load(&self) -> Settings {
        match fs::read(&self.0).map(|text| serde_json::from_slice(&text)) {
            Ok(Ok(settings)) => settings,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the settings cannot be read; starting afresh");
                Settings::default()
            }
            Err(_) => Settings::default(),
        }
    }

    /// Replaces what was kept, whole or not at all. Only this person may read it: it can hold the
    /// password of a TURN server.
    pub(crate) fn save(&self, settings: &Settings) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.0.with_extension("json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&new)?.write_all(&serde_json::to_vec_pretty(settings)?)?;
        fs::rename(new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_damage_is_survived() {
        let folder = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(folder.path().join("app"));
        assert_eq!(file.load(), Settings::default());
        let settings = Settings { name: "นภา".to_owned(), ..Settings::default() };
        file.save(&settings).unwrap();
        assert_eq!(file.load(), settings);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;

            let kept = fs::metadata(folder.path().join("app/settings.json")).unwrap();
            assert_eq!(kept.permissions().mode() & 0o077, 0, "nobody else reads passwords");
        }
        fs::write(folder.path().join("app/settings.json"), "{\"name\": 7").unwrap();
        assert_eq!(file.load(), Settings::default());
        fs::write(folder.path().join("app/settings.json"), "{\"name\": \"x\", \"new\": 1}")
            .unwrap();
        assert_eq!(file.load().name, "x", "a newer version's file is understood");
    }
}
