//! Where the built programs are.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The programs of one build.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// Those in a folder such as `target/debug`.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Those beside a program that Cargo built for a test (`CARGO_BIN_EXE_…`).
    pub fn beside(program: &str) -> anyhow::Result<Self> {
        let folder = Path::new(program).parent().map(Path::to_owned);
        folder.map(Self).ok_or_else(|| anyhow::anyhow!("{program} is in no folder"))
    }

    /// A program that `cargo xtask setup` installed beside the build, by its path in
    /// `target/tools`.
    pub fn tool(&self, path: &str) -> anyhow::Result<PathBuf> {
        let target = self.0.parent().unwrap_or(&self.0);
        let path = target.join("tools").join(path);
        ensure!(path.is_file(), "{} is missing: run `cargo xtask setup`", path.display());
        Ok(path)
    }

    /// The path of one of them, which must have been built.
    pub fn path(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        ensure!(path.is_file(), "{} is not built: run `cargo xtask build`", path.display());
        Ok(path)
    }
}
