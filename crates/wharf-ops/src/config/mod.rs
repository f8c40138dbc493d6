//! The layered configuration: files from the current directory upwards, `$CARGO_HOME`, the environment and
//! `--config`, merged once, each value knowing where it was set (reference, "Configuration").
//!
//! [`Config`] answers questions about single keys; the modules below it turn whole tables into small structs, which
//! is what the rest of Wharf is given. What no table asks for is ignored, as Cargo does for most of it.

mod build;
mod env;
mod flags;
mod get;
mod key;
mod load;
mod misc;
mod network;
mod profile;
mod registry;
mod show;
mod source;
mod target;
mod term;
mod unstable;
mod value;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wharf_base::fs;
use wharf_core::manifest::Unstable;

pub use build::{BuildConfig, Jobs, TemplateRoots, Warnings};
pub use env::Env;
pub use flags::{CompilerFlags, FlagKind};
pub use get::ProgramAndArgs;
pub use key::Key;
pub use misc::{Alias, IncompatibleRustVersions, MiscConfig, PatchEntry, ResolverConfig};
pub use network::{HttpConfig, NetConfig, SslVersions};
pub use registry::{RegistriesConfig, RegistryConfig};
pub use source::{SourceTable, TEST_CRATES_IO_VARIABLE};
pub use target::TargetConfig;
pub use term::{ColorChoice, ProgressConfig, ProgressWhen, TermConfig};
pub use value::{Definition, Kind, Sourced, Value};

/// Why the configuration could not be read or used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("cannot read configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: fs::Error,
    },
    /// A file is no TOML.
    #[error("cannot parse configuration file `{}`", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// A value of the wrong kind.
    #[error("`{key}` in {definition} must be {expected}, but it is {found}")]
    Type {
        /// The key.
        key: String,
        /// What it should be, with an article.
        expected: &'static str,
        /// What it is, with an article.
        found: &'static str,
        /// Where it was set.
        definition: Definition,
    },
    /// A value of the right kind that makes no sense.
    #[error("invalid value for `{key}` in {definition}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// Where it was set.
        definition: Definition,
        /// What is wrong with it.
        reason: String,
    },
    /// Two definitions that cannot become one value.
    #[error("`{key}` is {first} in {first_definition}, but {second} in {second_definition}")]
    Merge {
        /// The key.
        key: String,
        /// What the first definition makes it.
        first: &'static str,
        /// Where that is.
        first_definition: Definition,
        /// What the second definition makes it.
        second: &'static str,
        /// Where that is.
        second_definition: Definition,
    },
    /// An included file could not be used.
    #[error("cannot include `{}`, wanted by {definition}", path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// Who includes it.
        definition: Definition,
        /// Why.
        #[source]
        cause: Box<ConfigError>,
    },
    /// A file includes itself.
    #[error("configuration file `{}` includes itself, directly or through others", path.display())]
    IncludeCycle {
        /// The file.
        path: PathBuf,
    },
    /// A `--config` argument that cannot be used.
    #[error("invalid `--config` argument `{argument}`: {reason}")]
    Argument {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither `CARGO_HOME` nor `HOME` tells where Cargo's files are.
    #[error("cannot find the home directory: set `CARGO_HOME` or `HOME`")]
    NoHome,
}

impl ConfigError {
    pub(super) fn invalid(key: &Key, definition: &Definition, reason: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { key: key.to_string(), definition: definition.clone(), reason: reason.into() }
    }
}

/// What the functions of this module return.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// All configuration that is in force for one directory.
#[derive(Debug)]
pub struct Config {
    cwd: PathBuf,
    cargo_home: PathBuf,
    env: Env,
    root: Value,
    /// Tokens and the like, which are read apart from the rest and win over it.
    credentials: Option<Value>,
    /// Variables that differ from the name of a key in case or by `-`, by that name.
    misspelled: BTreeMap<String, String>,
    files: Vec<PathBuf>,
    warnings: Mutex<NewWarnings>,
    unstable: Unstable,
}

/// Warnings that nobody has taken yet; each is given out once.
#[derive(Debug, Default)]
struct NewWarnings {
    seen: BTreeSet<String>,
    waiting: Vec<String>,
}

impl Config {
    /// The same configuration for somebody who stands in `cwd`.
    #[must_use]
    pub fn seen_from(mut self, cwd: &Path) -> Config {
        self.cwd = cwd.to_owned();
        self
    }

    /// Reads and merges everything that applies in `cwd`. `arguments` are the values of `--config`: `KEY=VALUE` or
    /// the path of a file. All paths are absolute.
    ///
    /// # Errors
    /// If a file cannot be read or parsed, definitions contradict each other, or an argument is neither a file nor a
    /// key with a value.
    pub fn load(cwd: &Path, cargo_home: &Path, env: &Env, arguments: &[String]) -> Result<Config> {
        let mut loader = load::Loader::new(cwd, cargo_home, env);
        let mut root = loader.discover()?;
        root.merge(loader.arguments(arguments)?, true, &Key::root())?;
        let load::Loader { files, warnings, .. } = loader;
        let config = Config {
            cwd: cwd.to_owned(),
            cargo_home: cargo_home.to_owned(),
            env: env.clone(),
            root,
            credentials: None,
            misspelled: env.misspelled(),
            files,
            warnings: Mutex::default(),
            unstable: Unstable::default(),
        };
        warnings.into_iter().for_each(|warning| config.warn(warning));
        Ok(config)
    }

    /// A configuration without files, for commands that work when the files are broken.
    pub fn empty(cwd: &Path, cargo_home: &Path, env: &Env) -> Config {
        Config {
            cwd: cwd.to_owned(),
            cargo_home: cargo_home.to_owned(),
            env: env.clone(),
            root: Value::table(Definition::Default),
            credentials: None,
            misspelled: BTreeMap::new(),
            files: Vec::new(),
            warnings: Mutex::default(),
            unstable: Unstable::default(),
        }
    }

    /// The same configuration with what `credentials.toml` holds.
    ///
    /// # Errors
    /// As [`Config::load_credentials`].
    pub fn with_credentials(&self) -> Result<Config> {
        let mut config = self.copy();
        config.load_credentials()?;
        Ok(config)
    }

    /// The same configuration without `[source]`, for deeds that want packages from where they are published.
    pub fn without_sources(&self) -> Config {
        let mut config = self.copy();
        if let Kind::Table(table) = &mut config.root.kind {
            table.remove("source");
        }
        config
    }

    /// The same without credentials; each copy tells its own warnings.
    fn copy(&self) -> Config {
        Config {
            cwd: self.cwd.clone(),
            cargo_home: self.cargo_home.clone(),
            env: self.env.clone(),
            root: self.root.clone(),
            credentials: None,
            misspelled: self.misspelled.clone(),
            files: self.files.clone(),
            warnings: Mutex::default(),
            unstable: self.unstable.clone(),
        }
    }

    /// Adds what `credentials.toml` in `$CARGO_HOME` holds.
    ///
    /// # Errors
    /// If the file is there and cannot be read or parsed.
    pub fn load_credentials(&mut self) -> Result<()> {
        if self.credentials.is_none() {
            let mut loader = load::Loader::new(&self.cwd, &self.cargo_home, &self.env);
            self.credentials = Some(loader.credentials()?);
            let load::Loader { files, warnings, .. } = loader;
            self.files.extend(files);
            warnings.into_iter().for_each(|warning| self.warn(warning));
        }
        Ok(())
    }

    /// The directory that the configuration was loaded for.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// `$CARGO_HOME`.
    pub fn cargo_home(&self) -> &Path {
        &self.cargo_home
    }

    /// The environment that the configuration was loaded with.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The files that were read, in the order of reading: what a remembered answer depends on.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The warnings that have come up since this was last asked, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    pub(super) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.seen.insert(warning.clone()) {
            warnings.waiting.push(warning);
        }
    }
}
