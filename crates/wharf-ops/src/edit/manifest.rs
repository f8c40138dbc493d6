//! A manifest as text that can be edited.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};
use wharf_base::fs;
use wharf_core::{DepKind, FeatureValue};

use super::entry::Entry;
use crate::failure::{Context, Failure, Result};

/// One table of dependencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Normal, development or build dependencies.
    pub kind: DepKind,
    /// The platform that they are for, as written: a triple or `cfg(…)`.
    pub platform: Option<String>,
}

const KINDS: [DepKind; 3] = [DepKind::Normal, DepKind::Development, DepKind::Build];

impl Section {
    /// The keys that lead to the table.
    pub fn keys(&self) -> Vec<&str> {
        match &self.platform {
            Some(platform) => vec!["target", platform, self.kind.table()],
            None => vec![self.kind.table()],
        }
    }

    /// The table as people are told of it.
    pub fn title(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{} for target `{platform}`", self.kind.table()),
            None => self.kind.table().to_owned(),
        }
    }
}

/// How the manifest lists a dependency, all sections together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Nowhere,
    Optional,
    Required,
}

/// A manifest as text that can be edited.
#[derive(Clone, Debug)]
pub struct ManifestFile {
    path: PathBuf,
    original: String,
    pub(crate) document: DocumentMut,
}

impl ManifestFile {
    /// Reads the manifest at an absolute path.
    ///
    /// # Errors
    /// If it cannot be read, or is no TOML.
    pub fn read(path: &Path) -> Result<Self> {
        let original = fs::read_to_string(path)?;
        let document = original
            .parse::<DocumentMut>()
            .context(|| format!("cannot parse the manifest `{}`", path.display()))?;
        Ok(Self { path: path.to_owned(), original, document })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that its paths start from.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Whether it says something else than the file.
    pub fn is_changed(&self) -> bool {
        self.document.to_string() != self.original
    }

    /// Writes the file if something changed; a link stays a link.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self) -> Result<bool> {
        let text = self.document.to_string();
        if text == self.original {
            return Ok(false);
        }
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        fs::write_atomic(&path, text)?;
        Ok(true)
    }

    /// Sections whose names went out of use, which are left to people to mend.
    pub fn legacy_sections(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["dev_dependencies", "build_dependencies"] {
            if self.document.contains_key(name) {
                found.push(name.to_owned());
            }
            for (platform, table) in self.platforms() {
                if table.contains_key(name) {
                    found.push(format!("target.{platform}.{name}"));
                }
            }
        }
        found
    }

    fn platforms(&self) -> impl Iterator<Item = (&str, &dyn TableLike)> {
        let targets = self.document.get("target").and_then(Item::as_table_like);
        targets
            .into_iter()
            .flat_map(|targets| targets.iter())
            .filter_map(|(name, item)| Some((name, item.as_table_like()?)))
    }

    /// All sections that the manifest has.
    pub fn sections(&self) -> Vec<(Section, &dyn TableLike)> {
        let mut found = Vec::new();
        for kind in KINDS {
            if let Some(table) = self.document.get(kind.table()).and_then(Item::as_table_like) {
                found.push((Section { kind, platform: None }, table));
            }
            for (platform, tables) in self.platforms() {
                if let Some(table) = tables.get(kind.table()).and_then(Item::as_table_like) {
                    found.push((Section { kind, platform: Some(platform.to_owned()) }, table));
                }
            }
        }
        found
    }

    /// One section.
    pub fn section(&self, section: &Section) -> Option<&dyn TableLike> {
        let mut item = self.document.as_item();
        for key in section.keys() {
            item = item.as_table_like()?.get(key)?;
        }
        item.as_table_like()
    }

    /// One section, made if it is not there; its header shows only where it has entries of its own.
    fn section_mut(&mut self, section: &Section) -> Result<&mut Item> {
        let keys = section.keys();
        let mut item = self.document.as_item_mut();
        for key in &keys {
            let table = item.as_table_like_mut().ok_or_else(|| not_a_table(&keys))?;
            let mut empty = Table::new();
            empty.set_implicit(true);
            item = table.entry(key).or_insert(Item::Table(empty));
        }
        if item.is_table_like() { Ok(item) } else { Err(not_a_table(&keys)) }
    }

    /// Whether the entries of a section stand in the order of their names; so do those of a section that is not
    /// there.
    pub fn is_sorted(&self, section: &Section) -> bool {
        self.section(section).is_none_or(|table| {
            let values = table.get_values();
            values.iter().map(|(keys, _)| keys[0].get()).is_sorted()
        })
    }

    /// Brings the entries of a section into the order of their names.
    ///
    /// # Errors
    /// If the section is no table.
    pub fn sort(&mut self, section: &Section) -> Result<()> {
        if let Some(table) = self.section_mut(section)?.as_table_like_mut() {
            table.sort_values();
        }
        Ok(())
    }

    /// Writes an entry over the one of the same key, or adds it.
    ///
    /// # Errors
    /// If the section is no table, or a path cannot be written as text.
    pub fn put(&mut self, section: &Section, entry: &Entry) -> Result<()> {
        let dir = self.dir().to_owned();
        let item = self.section_mut(section)?;
        let table = item.as_table_like_mut().expect("a section is a table");
        if let Some((key, existing)) = table.get_key_value_mut(entry.key()) {
            entry.update(&dir, key, existing)?;
            if let Some(inline) = existing.as_inline_table_mut() {
                // One line holds no comments, so there is nothing in its spacing worth keeping.
                inline.fmt();
            }
        } else {
            table.insert(entry.key(), entry.to_item(&dir)?);
        }
        Ok(())
    }

    /// Takes an entry out, and its section with the last one; tells whether it was there.
    pub fn take(&mut self, section: &Section, key: &str) -> bool {
        if self.section(section).is_none_or(|table| !table.contains_key(key)) {
            return false;
        }
        let Ok(item) = self.section_mut(section) else { return false };
        let Some(table) = item.as_table_like_mut() else { return false };
        // Emptied in place: what stands around it keeps its spacing.
        if let Some(entry) = table.get_mut(key) {
            *entry = Item::None;
        }
        if table.is_empty() {
            *item = Item::None;
        }
        true
    }

    /// Adds the feature that switches an optional dependency on; tells whether it was missing.
    pub fn add_feature_for(&mut self, entry: &Entry) -> bool {
        if self.names_dependency(entry.key()) {
            return false;
        }
        let mut empty = Table::new();
        empty.set_implicit(true);
        let features = self.document.entry("features").or_insert(Item::Table(empty));
        let Some(features) = features.as_table_like_mut() else { return false };
        let switch = Value::from(Array::from_iter([format!("dep:{}", entry.key())]));
        match features.get_mut(entry.key()) {
            Some(item) => *item = Item::Value(switch),
            None => {
                features.insert(entry.key(), Item::Value(switch));
            }
        }
        true
    }

    /// Whether some feature names the dependency with `dep:`, which takes its implied feature away.
    fn names_dependency(&self, key: &str) -> bool {
        let Some(features) = self.document.get("features").and_then(Item::as_table) else { return false };
        let values = features.iter().filter_map(|(_, item)| item.as_array()).flatten();
        values
            .filter_map(Value::as_str)
            .any(|text| matches!(FeatureValue::parse(text), FeatureValue::Dep { dep } if dep.as_str() == key))
    }

    fn listed(&self, key: &str) -> Listed {
        let mut listed = Listed::Nowhere;
        for (_, table) in self.sections() {
            let Some(item) = table.get(key) else { continue };
            if item.get("optional").and_then(Item::as_bool) == Some(true) {
                return Listed::Optional;
            }
            listed = Listed::Required;
        }
        listed
    }

    /// Takes out of features what a dependency that is gone, or is no longer optional, cannot answer to.
    pub fn prune_features(&mut self, key: &str) {
        let listed = self.listed(key);
        let has_no_feature = self.names_dependency(key);
        let Some(features) = self.document.get_mut("features").and_then(Item::as_table_mut) else { return };
        for (_, item) in features.iter_mut() {
            let Some(values) = item.as_array_mut() else { continue };
            let is_stale = |text: &str| match (FeatureValue::parse(text), listed) {
                (_, Listed::Optional) => false,
                (FeatureValue::Feature(name), _) => !has_no_feature && name.as_str() == key,
                (FeatureValue::Dep { dep }, _) => dep.as_str() == key,
                (FeatureValue::DepFeature { dep, .. }, Listed::Nowhere) => dep.as_str() == key,
                (FeatureValue::DepFeature { .. }, Listed::Required) => false,
            };
            let stale: Vec<usize> = values
                .iter()
                .enumerate()
                .filter(|(_, value)| value.as_str().is_some_and(is_stale))
                .map(|(index, _)| index)
                .collect();
            for index in stale.into_iter().rev() {
                remove_value(values, index);
            }
            if listed == Listed::Required {
                strengthen(values, key);
            }
        }
    }
}

fn not_a_table(keys: &[&str]) -> Failure {
    Failure::new(format!("`{}` of the manifest is not a table", keys.join(".")))
}

/// `name?/feature` asks for nothing that `name/feature` does not when the dependency is always there.
fn strengthen(values: &mut Array, key: &str) {
    for value in values.iter_mut() {
        let parsed = value.as_str().map(FeatureValue::parse);
        let Some(FeatureValue::DepFeature { dep, feature, weak: true }) = parsed else { continue };
        if dep.as_str() == key {
            let mut strong = Value::from(format!("{dep}/{feature}"));
            *strong.decor_mut() = value.decor().clone();
            *value = strong;
        }
    }
}

/// Takes a value out of a list. Comments on lines of their own stay, in front of what follows.
fn remove_value(values: &mut Array, index: usize) {
    let removed = values.remove(index);
    let text =
        |raw: Option<&toml_edit::RawString>| raw.and_then(|raw| raw.as_str()).unwrap_or_default().to_owned();
    let (prefix, suffix) = (text(removed.decor().prefix()), text(removed.decor().suffix()));
    let mut kept = String::new();
    if let Some((before, _)) = prefix.rsplit_once('\n') {
        kept.push_str(before);
        kept.push('\n');
    }
    if let Some((_, after)) = suffix.split_once('\n') {
        kept.push_str(after);
        kept.push('\n');
    }
    match values.get_mut(index) {
        Some(next) => {
            kept.push_str(&text(next.decor().prefix()));
            next.decor_mut().set_prefix(kept);
        }
        None => {
            kept.push_str(values.trailing().as_str().unwrap_or_default());
            values.set_trailing(kept);
        }
    }
}
