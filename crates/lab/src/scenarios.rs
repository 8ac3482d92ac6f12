//! The scenarios that come with the laboratory: files of this crate.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use quartet_testkit::network::Scenario;

const EXTENSION: &str = "toml";

/// Where they are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// All of a folder, by name.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Scenario>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == EXTENSION));
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

/// Those of these names, or with no names all that are not kept for being named.
pub fn chosen(folder: &Path, names: &[String]) -> anyhow::Result<Vec<Scenario>> {
    let all = all(folder)?;
    if names.is_empty() {
        return Ok(all.into_iter().filter(|scenario| !scenario.only_by_name).collect());
    }
    let find = |name: &String| match all.iter().find(|scenario| scenario.name == *name) {
        Some(scenario) => Ok(scenario.clone()),
        None => {
            let known: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
            bail!("no scenario is called {name}; there are {}", known.join(", "))
        }
    };
    names.iter().map(find).collect()
}

fn read(file: &Path) -> anyhow::Result<Scenario> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    Scenario::parse(&name, &text).with_context(|| format!("{}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_sound_and_can_be_chosen() {
        let folder = folder();
        let all = all(&folder).unwrap();
        assert!(all.len() >= 16);
        let usual = chosen(&folder, &[]).unwrap();
        assert!(usual.len() < all.len() && usual.iter().all(|it| it.name != "hour"));
        let names = ["loss-10".to_owned(), "hour".to_owned()];
        assert_eq!(chosen(&folder, &names).unwrap().len(), 2);
        assert!(chosen(&folder, &["nonsense".to_owned()]).is_err());
    }
}
