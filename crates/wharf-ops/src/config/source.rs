//! `[source]`: which source is asked in place of which.

use std::collections::BTreeMap;

use url::Url;
use wharf_core::source::{CRATES_IO, CRATES_IO_SPARSE};
use wharf_core::{GitReference, SourceId, SourceKind};

use super::{Config, ConfigError, Key, Result, Sourced};

/// Where Cargo's own tests say that crates.io is.
pub const TEST_CRATES_IO_VARIABLE: &str = "__CARGO_TEST_CRATES_IO_URL_DO_NOT_USE_THIS";

/// The `[source]` table: named sources, and the name that each is replaced with.
#[derive(Clone, Debug)]
pub struct SourceTable {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Where the source is, and the other ids that lead there: crates.io has two of its own.
    ids: Vec<SourceId>,
    replace_with: Option<Sourced<String>>,
}

impl Config {
    /// `[source]`.
    ///
    /// # Errors
    /// If a source says nothing or too much of where it is, or two names stand for one source.
    pub fn sources(&self) -> Result<SourceTable> {
        let top = Key::from("source");
        let mut entries = BTreeMap::new();
        let crates_io = Entry { ids: self.crates_io_ids(), replace_with: None };
        entries.insert(CRATES_IO.to_owned(), crates_io);
        for name in self.names(&top)? {
            let key = top.child(&name);
            let replace_with = self.get_string(key.child("replace-with"))?;
            let id = self.source_id(&name, &key)?;
            let taken = |id: &SourceId| {
                let mut others = entries.iter().filter(|(other, _)| **other != name);
                others
                    .find(|(_, entry): &(&String, &Entry)| entry.ids.contains(id))
                    .map(|(other, _)| other.clone())
            };
            if let Some(id) = &id
                && let Some(other) = taken(id)
            {
                let reason = format!("`source.{other}` is the same source, {id}");
                return Err(ConfigError::invalid(&key, &self.place(&key)?, reason));
            }
            let mut ids = Vec::from_iter(id);
            if name == CRATES_IO {
                ids.extend(self.crates_io_ids());
            }
            entries.insert(name, Entry { ids, replace_with });
        }
        self.add_registries(&mut entries)?;
        Ok(SourceTable { entries })
    }

    /// The sources that are there without any configuration.
    pub fn builtin_sources(&self) -> SourceTable {
        let crates_io = Entry { ids: self.crates_io_ids(), replace_with: None };
        SourceTable { entries: BTreeMap::from([(CRATES_IO.to_owned(), crates_io)]) }
    }

    /// Where crates.io is, and the ids under which it is met: as lockfiles spell it, and as the sparse index.
    fn crates_io_ids(&self) -> Vec<SourceId> {
        let sparse = Url::parse(CRATES_IO_SPARSE).expect("the constant is a URL");
        let moved = self.env().get(TEST_CRATES_IO_VARIABLE).and_then(|url| SourceId::for_registry(url).ok());
        let mut ids = Vec::from_iter(moved);
        ids.push(SourceId::crates_io());
        ids.push(SourceId::new(SourceKind::SparseRegistry, sparse));
        ids.into_iter().map(|id| id.with_registry_name(CRATES_IO)).collect()
    }

    fn place(&self, key: &Key) -> Result<super::Definition> {
        Ok(self.get(key)?.map_or(super::Definition::Default, |value| value.definition))
    }

    /// The source that a table describes; `None` if it is crates.io left as it is.
    fn source_id(&self, name: &str, key: &Key) -> Result<Option<SourceId>> {
        let get = |name: &str| self.get_string(key.child(name));
        let invalid = |name: &str, found: &Sourced<String>, reason: String| {
            ConfigError::invalid(&key.child(name), &found.definition, reason)
        };
        let mut ids = Vec::new();
        if let Some(registry) = get("registry")? {
            let id = SourceId::for_registry(&registry.value)
                .map_err(|cause| invalid("registry", &registry, cause.to_string()))?;
            ids.push(id.with_registry_name(name));
        }
        if let Some(path) = get("local-registry")? {
            let id = SourceId::for_local_registry(&path.path(self.cwd()))
                .map_err(|cause| invalid("local-registry", &path, cause.to_string()))?;
            ids.push(id);
        }
        if let Some(path) = get("directory")? {
            let id = SourceId::for_directory(&path.path(self.cwd()))
                .map_err(|cause| invalid("directory", &path, cause.to_string()))?;
            ids.push(id);
        }
        let (branch, tag, rev) = (get("branch")?, get("tag")?, get("rev")?);
        if let Some(git) = get("git")? {
            let url = Url::parse(&git.value)
                .map_err(|cause| invalid("git", &git, format!("`{}` is no URL: {cause}", git.value)))?;
            let reference = match (branch, tag, rev) {
                (Some(branch), _, _) => GitReference::Branch(branch.value),
                (None, Some(tag), _) => GitReference::Tag(tag.value),
                (None, None, Some(rev)) => GitReference::Rev(rev.value),
                (None, None, None) => GitReference::DefaultBranch,
            };
            ids.push(SourceId::for_git(url, reference));
        } else {
            for (name, found) in [("branch", branch), ("tag", tag), ("rev", rev)] {
                if let Some(found) = found {
                    return Err(invalid(name, &found, "it needs a `git` beside it".to_owned()));
                }
            }
        }
        if ids.len() > 1 {
            let reason = "only one of `registry`, `local-registry`, `directory` and `git` may be there";
            return Err(ConfigError::invalid(key, &self.place(key)?, reason));
        }
        match ids.pop() {
            Some(id) => Ok(Some(id)),
            None if name == CRATES_IO => Ok(None),
            None => {
                let reason = "it needs one of `registry`, `local-registry`, `directory` and `git`";
                Err(ConfigError::invalid(key, &self.place(key)?, reason))
            }
        }
    }

    /// Registries can be replacements by their names.
    fn add_registries(&self, entries: &mut BTreeMap<String, Entry>) -> Result<()> {
        let wanted: Vec<String> =
            entries.values().filter_map(|entry| Some(entry.replace_with.as_ref()?.value.clone())).collect();
        for name in wanted {
            if entries.contains_key(&name) {
                continue;
            }
            if let Some(index) = self.registry(&name)?.index
                && let Ok(id) = SourceId::for_registry(&index.value)
            {
                let ids = vec![id.with_registry_name(&name)];
                entries.insert(name, Entry { ids, replace_with: None });
            }
        }
        Ok(())
    }
}

impl SourceTable {
    /// Every source that is replaced, and the one that is asked in its place at the end of the chain.
    ///
    /// # Errors
    /// If a chain leads to a name that nothing stands for, or back to its start.
    pub fn replacements(&self) -> Result<BTreeMap<SourceId, SourceId>> {
        let mut map = BTreeMap::new();
        for (name, entry) in &self.entries {
            let target = self.follow(name)?.first();
            // The two ids of crates.io are one place already, unless that place was moved.
            if entry.replace_with.is_none() && target.is_crates_io() {
                continue;
            }
            for id in entry.ids.iter().filter(|id| *id != target) {
                map.insert(id.clone(), target.clone());
            }
        }
        Ok(map)
    }

    /// The source that stands under a name.
    pub fn get(&self, name: &str) -> Option<&SourceId> {
        Some(self.entries.get(name)?.first())
    }

    fn follow(&self, start: &str) -> Result<&Entry> {
        let (mut name, mut entry) = (start, &self.entries[start]);
        let mut seen = vec![start];
        while let Some(next) = &entry.replace_with {
            let key = Key::from("source").child(name).child("replace-with");
            let refuse = |reason: String| Err(ConfigError::invalid(&key, &next.definition, reason));
            if seen.contains(&next.value.as_str()) {
                return refuse(format!("source `{}` is in the end replaced with itself", next.value));
            }
            let Some((found, target)) = self.entries.get_key_value(&next.value) else {
                return refuse(format!("there is no source or registry named `{}`", next.value));
            };
            (name, entry) = (found, target);
            seen.push(name);
        }
        Ok(entry)
    }
}

impl Entry {
    /// Where the source is.
    fn first(&self) -> &SourceId {
        self.ids.first().expect("every entry is made with an id")
    }
}
