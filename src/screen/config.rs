//! The key file: what the user always wants, from `kofn/screen.ron` in the XDG configuration folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keys::Keymap;
use super::look::Theme;
use crate::plan::{Problems, Source, To};

/// What the file says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename = "Screen", deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    theme: Theme,
    #[serde(default)]
    ascii: bool,
    #[serde(default = "yes")]
    mouse: bool,
    /// Actions by name, and all their keys.
    #[serde(default)]
    keys: BTreeMap<String, Vec<String>>,
}

fn yes() -> bool {
    true
}

/// What the user always wants.
#[derive(Clone, Debug)]
pub struct Config {
    pub theme: Theme,
    pub ascii: bool,
    pub mouse: bool,
    pub keymap: Keymap,
}

impl Default for Config {
    fn default() -> Self {
        Self { theme: Theme::Dark, ascii: false, mouse: true, keymap: Keymap::default() }
    }
}

impl Config {
    /// The user's, if there is a file; else what is usual.
    ///
    /// # Errors
    /// Everything wrong with the file.
    pub fn load() -> Result<Self, Problems> {
        match path().filter(|path| path.exists()) {
            Some(path) => Self::read(&path),
            None => Ok(Self::default()),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Everything wrong with it.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let (source, file) = Source::read::<ConfigFile>(path)?;
        let ConfigFile { theme, ascii, mouse, keys } = file;
        match Keymap::default().with(&keys) {
            Ok(keymap) => Ok(Self { theme, ascii, mouse, keymap }),
            Err(wrong) => {
                let problem = |(name, why): (String, String)| {
                    let at = [To::Field("keys"), To::Field(&name)];
                    source.problem(&at, why, "the keys are listed in the README and under ?")
                };
                source.verdict(None, wrong.into_iter().map(problem).collect())
            }
        }
    }
}

/// `$XDG_CONFIG_HOME/kofn/screen.ron`, or under `~/.config`.
fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("kofn/screen.ron"))
}
