//! `[alias]`, `[patch]`, `[resolver]`, `paths` and the small tables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cargo_util_schemas::manifest::TomlDependency;

use super::{Config, ConfigError, Definition, Key, Kind, Result, Sourced};

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The words that take its place; may be empty.
    pub words: Vec<String>,
    /// Where it was set.
    pub definition: Definition,
}

/// `[resolver]`; what is `None` was not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolverConfig {
    /// `resolver.incompatible-rust-versions`
    pub incompatible_rust_versions: Option<IncompatibleRustVersions>,
    /// `resolver.lockfile-path`, absolute (unstable).
    pub lockfile_path: Option<PathBuf>,
    /// `resolver.feature-unification` (unstable).
    pub feature_unification: Option<String>,
}

/// What the resolver does with versions that need a newer compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncompatibleRustVersions {
    /// Takes them like any other.
    Allow,
    /// Takes them only when there is no other.
    Fallback,
}

/// Small tables, one struct for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MiscConfig {
    /// `cache.auto-clean-frequency`
    pub cache_auto_clean_frequency: Option<String>,
    /// `future-incompat-report.frequency`: whether the report is announced (true).
    pub future_incompat_report: bool,
    /// `cargo-new.vcs`
    pub new_vcs: Option<Sourced<String>>,
    /// `install.root`, absolute.
    pub install_root: Option<PathBuf>,
    /// `doc.browser`: a program and its arguments.
    pub doc_browser: Option<(PathBuf, Vec<String>)>,
    /// `paths`: directories whose packages go before those of the lockfile.
    pub path_overrides: Vec<Sourced<PathBuf>>,
}

/// One entry of `[patch]`.
#[derive(Clone, Debug)]
pub struct PatchEntry {
    /// The replacement; a relative `path` was made absolute.
    pub dependency: TomlDependency,
    /// Where it was set.
    pub definition: Definition,
}

impl Config {
    /// What an alias stands for; `None` if there is none of this name.
    ///
    /// # Errors
    /// If it is neither a string nor an array of strings.
    pub fn alias(&self, name: &str) -> Result<Option<Alias>> {
        // A name with a dot or blank can be no key that a user wrote.
        if name.is_empty() {
            return Ok(None);
        }
        let list = self.get_list(Key::from("alias").child(name))?;
        Ok(list.map(|Sourced { value: words, definition }| Alias { words, definition }))
    }

    /// All aliases that files and arguments hold, by name.
    ///
    /// # Errors
    /// As [`Config::alias`].
    pub fn aliases(&self) -> Result<BTreeMap<String, Alias>> {
        let mut aliases = BTreeMap::new();
        for name in self.names("alias")? {
            if let Some(alias) = self.alias(&name)? {
                aliases.insert(name, alias);
            }
        }
        Ok(aliases)
    }

    /// `[resolver]`.
    ///
    /// # Errors
    /// If a value has the wrong kind or is an unknown word.
    pub fn resolver(&self) -> Result<ResolverConfig> {
        let table = Key::from("resolver");
        self.warn_unused(&table, &["incompatible-rust-versions", "lockfile-path", "feature-unification"])?;
        let choices =
            [("allow", IncompatibleRustVersions::Allow), ("fallback", IncompatibleRustVersions::Fallback)];
        let incompatible = self.get_choice(&table.child("incompatible-rust-versions"), &choices)?;
        let unification = self.get_string(table.child("feature-unification"))?;
        Ok(ResolverConfig {
            incompatible_rust_versions: incompatible.map(|found| found.value),
            lockfile_path: self.get_path(table.child("lockfile-path"))?.map(|found| found.value),
            feature_unification: unification.map(|found| found.value),
        })
    }

    /// The small tables.
    ///
    /// # Errors
    /// If a value has the wrong kind or is an unknown word.
    pub fn misc(&self) -> Result<MiscConfig> {
        let frequency = Key::from("future-incompat-report.frequency");
        let report = self.get_choice(&frequency, &[("always", true), ("never", false)])?;
        Ok(MiscConfig {
            cache_auto_clean_frequency: self
                .get_string("cache.auto-clean-frequency")?
                .map(|found| found.value),
            future_incompat_report: report.is_none_or(|found| found.value),
            new_vcs: self.get_string("cargo-new.vcs")?,
            install_root: self.get_path("install.root")?.map(|found| found.value),
            doc_browser: self.get_command("doc.browser")?.map(|found| found.value),
            path_overrides: self.path_overrides()?,
        })
    }

    fn path_overrides(&self) -> Result<Vec<Sourced<PathBuf>>> {
        let key = Key::from("paths");
        let Some(value) = self.stored(&key)? else { return Ok(Vec::new()) };
        let Kind::List(items) = &value.kind else { return Err(value.mismatch(&key, "an array of paths")) };
        let path = |item: &super::Value| {
            let text = item.as_str().ok_or_else(|| item.mismatch(&key, "a path"))?;
            let value = item.definition.root(self.cwd()).join(text);
            Ok(Sourced { value, definition: item.definition.clone() })
        };
        items.iter().map(path).collect()
    }

    /// `[patch]`: by the source that is patched (a URL or the name of a registry), then by dependency name.
    ///
    /// # Errors
    /// If an entry is no dependency.
    pub fn patches(&self) -> Result<BTreeMap<String, BTreeMap<String, PatchEntry>>> {
        let top = Key::from("patch");
        let mut patches = BTreeMap::new();
        for source in self.names(&top)? {
            let table = top.child(&source);
            let mut entries = BTreeMap::new();
            for name in self.names(&table)? {
                let key = table.child(&name);
                let Some(value) = self.stored(&key)? else { continue };
                let mut toml = value.to_toml();
                if let Some(path) = toml.get_mut("path")
                    && let Some(text) = path.as_str()
                {
                    // The path may come from another file than the rest of the table.
                    let definition = value
                        .as_table()
                        .and_then(|table| table.get("path"))
                        .map_or(&value.definition, |path| &path.definition);
                    let absolute = definition.root(self.cwd()).join(text);
                    *path = toml::Value::String(absolute.to_string_lossy().into_owned());
                }
                let dependency = toml.try_into().map_err(|cause: toml::de::Error| {
                    ConfigError::invalid(&key, &value.definition, cause.to_string().trim_end())
                })?;
                entries.insert(name, PatchEntry { dependency, definition: value.definition.clone() });
            }
            patches.insert(source, entries);
        }
        Ok(patches)
    }

    /// `[wharf]`: settings of Wharf's own, which Cargo does not know. Not interpreted here.
    pub fn wharf(&self, name: &str) -> Result<Option<super::Value>> {
        self.get(Key::from("wharf").child(name))
    }
}
