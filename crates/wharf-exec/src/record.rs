//! What was done last time in this target directory, so that "why was this built again" is a difference and not a
//! guess.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::digest::Digest;
use wharf_base::fs;

use crate::event::{Change, FileChange};
use crate::look::{Seen, Sight};
use crate::sealed;
use crate::signatures::Signatures;
use crate::step::{Input, Recipe, Step};

const MAGIC: &[u8] = b"wharf unit 3\n";

/// The inputs of an action as they were when its outputs were last put in place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub recipe: Recipe,
    pub inputs: Vec<Input>,
    pub sight: Sight,
    /// Whether what it reads was ever changed in this target directory.
    pub edited: bool,
}

/// The records of one target directory, a file each.
pub(crate) struct Records {
    dir: PathBuf,
}

impl Records {
    pub(crate) fn new(dir: PathBuf) -> Records {
        Records { dir }
    }

    /// The record of an action; a damaged one is none.
    pub(crate) fn read(&self, action: &str) -> Option<Record> {
        sealed::open(MAGIC, &std::fs::read(self.dir.join(action)).ok()?)
    }

    pub(crate) fn write(&self, action: &str, record: &Record) -> fs::Result<()> {
        let Some(bytes) = sealed::seal(MAGIC, record) else { return Ok(()) };
        let path = self.dir.join(action);
        match fs::write_atomic(&path, &bytes) {
            Err(error) if error.is_not_found() => {
                fs::create_dir_all(&self.dir)?;
                fs::write_atomic(&path, &bytes)
            }
            written => written,
        }
    }
}

impl Record {
    /// What is different now. Empty if nothing is.
    pub(crate) fn changes(&self, step: &Step, signatures: &Signatures) -> Vec<Change> {
        let mut changes = recipe_changes(&self.recipe, &step.recipe);
        changes.extend(input_changes(&self.inputs, &step.inputs));
        changes.extend(self.sight_changes(step, signatures));
        changes
    }

    fn sight_changes(&self, step: &Step, signatures: &Signatures) -> Vec<Change> {
        let mut changes = Vec::new();
        for seen in &self.sight.env {
            let now = step.env(&seen.name);
            if now != seen.value {
                changes.push(Change::Env { name: seen.name.clone(), old: seen.value.clone(), new: now });
            }
        }
        for seen in &self.sight.paths {
            let path = step.place(&seen.path);
            let now = seen.now(step, signatures).unwrap_or(Seen::Missing);
            if now != seen.seen {
                changes.push(file_change(&path, seen.seen, now));
            }
        }
        for tree in &self.sight.trees {
            if tree.now(step, signatures) != Some(tree.digest) {
                let path = step.place(&tree.root);
                changes.push(Change::File { path, change: FileChange::Content });
            }
        }
        changes
    }
}

/// Whether one of the changes is in what the command reads, and not in what it is told.
pub(crate) fn is_edit(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change, Change::File { .. }))
}

fn file_change(path: &Path, old: Seen, new: Seen) -> Change {
    let change = match (old, new) {
        (Seen::Missing, _) => FileChange::Appeared,
        (_, Seen::Missing) => FileChange::Vanished,
        _ => FileChange::Content,
    };
    Change::File { path: path.to_owned(), change }
}

/// Pairs the values that a name had and no longer has with those that it has now and had not.
fn recipe_changes(old: &Recipe, new: &Recipe) -> Vec<Change> {
    let mut names: Vec<&str> = Vec::new();
    let mut values: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (name, value) in old.values() {
        let lists = values.entry(name).or_default();
        lists.0.push(value);
        names.push(name);
    }
    for (name, value) in new.values() {
        let (gone, come) = values.entry(name).or_default();
        match gone.iter().position(|old| old == value) {
            Some(position) => {
                gone.remove(position);
            }
            None => come.push(value),
        }
        names.push(name);
    }
    let mut changes = Vec::new();
    for name in names {
        let Some((gone, come)) = values.remove(name) else { continue };
        for position in 0..gone.len().max(come.len()) {
            let text = |list: &[&str]| list.get(position).map(|text| (*text).to_owned());
            changes.push(Change::Recipe { name: name.to_owned(), old: text(&gone), new: text(&come) });
        }
    }
    if changes.is_empty() && old != new {
        let name = "order".to_owned();
        changes.push(Change::Recipe { name, old: None, new: None });
    }
    changes
}

fn input_changes(old: &[Input], new: &[Input]) -> Vec<Change> {
    let table = |inputs: &[Input]| -> BTreeMap<String, Digest> {
        inputs.iter().map(|input| (input.name.clone(), input.digest)).collect()
    };
    let (old, new) = (table(old), table(new));
    let mut changes = Vec::new();
    for (name, digest) in &new {
        let before = old.get(name).copied();
        if before != Some(*digest) {
            changes.push(Change::Input { name: name.clone(), old: before, new: Some(*digest) });
        }
    }
    for (name, digest) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        changes.push(Change::Input { name: name.clone(), old: Some(*digest), new: None });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(values: &[(&str, &str)]) -> Recipe {
        let mut recipe = Recipe::new();
        for (name, value) in values {
            recipe.push(*name, *value);
        }
        recipe
    }

    #[test]
    fn recipe_differences_are_paired_by_name() {
        let old = recipe(&[("flag", "-O"), ("flag", "-g"), ("tool", "1"), ("gone", "x")]);
        let new = recipe(&[("flag", "-O"), ("flag", "-h"), ("tool", "1")]);
        let change = |name: &str, old: &str, new: Option<&str>| Change::Recipe {
            name: name.into(),
            old: Some(old.into()),
            new: new.map(Into::into),
        };
        let want = vec![change("flag", "-g", Some("-h")), change("gone", "x", None)];
        assert_eq!(recipe_changes(&old, &new), want);
    }
}
