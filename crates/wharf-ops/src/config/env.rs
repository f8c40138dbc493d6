//! The environment as a value, and the `[env]` table.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::paths;
use wharf_base::process::Environment;
use wharf_plan::ConfiguredVariable;

use super::{Config, ConfigError, Key, Kind, Result};

/// The environment that a command was started with. Only the binary asks the process for it.
#[derive(Clone, Debug, Default)]
pub struct Env(Arc<BTreeMap<OsString, OsString>>);

impl Env {
    /// All variables in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

impl FromIterator<(OsString, OsString)> for Env {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Env {
        Env(Arc::new(variables.into_iter().collect()))
    }
}

impl Env {
    /// The value of a variable, if it is set and is Unicode.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// The value of a variable, if it is set.
    pub fn get_os(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// The value of a variable, if it is set to something that is not empty.
    pub fn get_filled(&self, name: &str) -> Option<&OsStr> {
        self.get_os(name).filter(|value| !value.is_empty())
    }

    /// All variables, sorted by name.
    pub fn variables(&self) -> &Arc<BTreeMap<OsString, OsString>> {
        &self.0
    }

    /// The environment of a child that sees exactly this.
    pub fn for_child(&self) -> Environment {
        Environment::exactly(Arc::clone(&self.0))
    }

    /// `$CARGO_HOME`: the variable, relative to `cwd`, or `.cargo` in the home directory.
    ///
    /// # Errors
    /// If neither `CARGO_HOME` nor `HOME` is set.
    pub fn cargo_home(&self, cwd: &Path) -> Result<PathBuf> {
        if let Some(home) = self.get_filled("CARGO_HOME") {
            return Ok(cwd.join(home));
        }
        Ok(self.home()?.join(".cargo"))
    }

    /// `$WHARF_HOME`: the variable, relative to `cwd`, or `wharf` in the platform's cache directory.
    ///
    /// # Errors
    /// If none of `WHARF_HOME`, `XDG_CACHE_HOME` and `HOME` is set.
    pub fn wharf_home(&self, cwd: &Path) -> Result<PathBuf> {
        if let Some(home) = self.get_filled("WHARF_HOME") {
            // Paths below it become part of what is compiled.
            return Ok(paths::normalize(&cwd.join(home)));
        }
        if cfg!(target_os = "macos") {
            return Ok(self.home()?.join("Library/Caches/wharf"));
        }
        // The specification of base directories ignores relative values.
        match self.get_filled("XDG_CACHE_HOME").map(Path::new).filter(|path| path.is_absolute()) {
            Some(cache) => Ok(cache.join("wharf")),
            None => Ok(self.home()?.join(".cache/wharf")),
        }
    }

    /// Where rustup keeps its toolchains.
    pub fn rustup_home(&self, cwd: &Path) -> Option<PathBuf> {
        match self.get_filled("RUSTUP_HOME") {
            Some(home) => Some(cwd.join(home)),
            None => Some(self.home().ok()?.join(".rustup")),
        }
    }

    /// Looks a program up in `PATH`; one with a slash is taken relative to `cwd`.
    pub fn find_program(&self, program: &Path, cwd: &Path) -> Option<PathBuf> {
        let candidate = |path: PathBuf| is_executable(&path).then_some(path);
        if program.components().count() > 1 || program.is_absolute() {
            return candidate(cwd.join(program));
        }
        std::env::split_paths(self.get_os("PATH")?)
            .find_map(|directory| candidate(cwd.join(directory).join(program)))
    }

    /// The user's home directory.
    fn home(&self) -> Result<PathBuf> {
        self.get_filled("HOME").map(PathBuf::from).ok_or(ConfigError::NoHome)
    }

    /// Variables whose names would be those of keys but for case or `-`, by the right name.
    pub(super) fn misspelled(&self) -> BTreeMap<String, String> {
        let names = self.0.keys().filter_map(|name| name.to_str());
        names
            .filter_map(|name| {
                let right = name.to_uppercase().replace('-', "_");
                (right.starts_with("CARGO_") && right != name).then(|| (right, name.to_owned()))
            })
            .collect()
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    wharf_base::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

impl Config {
    /// `[env]`: variables for compilers, build scripts and programs that are run.
    ///
    /// # Errors
    /// If an entry is malformed, or sets one of the variables that choose toolchain or home: they were read already.
    pub fn env_table(&self) -> Result<Vec<ConfiguredVariable>> {
        let top = Key::from("env");
        let mut table = Vec::new();
        for name in self.names(&top)? {
            let key = top.child_exact(&name);
            let Some(entry) = self.get(&key)? else { continue };
            if ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&name.as_str()) {
                return Err(ConfigError::invalid(
                    &key,
                    &entry.definition,
                    "this variable cannot be set here",
                ));
            }
            let (value, force) = match &entry.kind {
                Kind::String(value) => (value.into(), false),
                Kind::Table(_) => {
                    let value = self
                        .get_string(key.child("value"))?
                        .ok_or_else(|| ConfigError::invalid(&key, &entry.definition, "`value` is missing"))?;
                    let flag = |name| -> Result<bool> {
                        Ok(self.get_bool(key.child(name))?.is_some_and(|flag| flag.value))
                    };
                    let value = if flag("relative")? {
                        value.path(self.cwd()).into_os_string()
                    } else {
                        value.value.into()
                    };
                    (value, flag("force")?)
                }
                _ => return Err(entry.mismatch(&key, "a string or a table with `value`")),
            };
            table.push(ConfiguredVariable { name, value, force });
        }
        Ok(table)
    }

    /// The variables of `[env]` that take effect: those that are forced or that the user has not set.
    ///
    /// # Errors
    /// As [`Config::env_table`].
    pub fn effective_env(&self) -> Result<BTreeMap<String, OsString>> {
        let table = self.env_table()?;
        let effective =
            table.into_iter().filter(|entry| entry.force || self.env.get_os(&entry.name).is_none());
        Ok(effective.map(|entry| (entry.name, entry.value)).collect())
    }
}
