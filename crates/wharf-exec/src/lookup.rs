//! Finding the result of an action instead of running it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::digest::Digest;
use wharf_base::fs;
use wharf_base::lock::{self, Lock, Mode};

use crate::event::{Change, Failure, Outcome};
use crate::flight;
use crate::generation;
use crate::graph::{ActionId, Stage};
use crate::mirror;
use crate::record::{self, Record};
use crate::shop::{Shop, Ware};
use crate::signatures::Stamp;
use crate::step::{Dest, KeptLine, Made, MadeOutput, Output, Step, TreeOutput};
use crate::store::{Blob, Entry, base_keys, incremental_key, is_executable};
use crate::tree::Manifest;

/// What a lookup says.
pub(crate) enum Verdict {
    /// The outputs are in place.
    Hit(Outcome, Arc<Made>),
    /// The command must run.
    Miss(Box<Pending>),
}

/// A command that must run.
pub(crate) struct Pending {
    pub step: Step,
    pub why: Vec<Change>,
    /// Whether to run the incremental form.
    pub incremental: bool,
    /// Whether what it reads was ever changed in this target directory.
    pub edited: bool,
    /// What to lock while it runs.
    pub flight: Vec<Digest>,
    /// The state of the lists of results that were looked through.
    pub lists: Vec<Option<Stamp>>,
    /// Whether somebody else was running it, and left nothing that serves here: then this run waits for nobody.
    pub has_waited: bool,
}

impl Pending {
    /// The keys under which the result of the chosen form is kept.
    pub(crate) fn keys(&self) -> Vec<Digest> {
        let mut keys = base_keys(&self.step);
        if self.incremental {
            keys.iter_mut().for_each(|key| *key = incremental_key(key));
        }
        keys
    }
}

/// Makes the step of an action whose needs are met, and looks for its result.
pub(crate) fn look_up(shop: &Shop<'_>, action: ActionId) -> Result<Verdict, Failure> {
    let step = shop.director.step(action, &shop.done())?;
    if !step.cacheable {
        let (why, flight, lists) = (vec![Change::AlwaysRuns], Vec::new(), Vec::new());
        let (incremental, edited, has_waited) = (false, false, false);
        let pending = Pending { step, why, incremental, edited, flight, lists, has_waited };
        return Ok(Verdict::Miss(Box::new(pending)));
    }
    // Looked at first: what comes later is news.
    let lists = lists(shop, &step);
    if let Some((outcome, made)) = find(shop, action, &step)? {
        return Ok(Verdict::Hit(outcome, made));
    }
    let record = shop.records.read(shop.name(action));
    let (mut why, edited) = match record {
        None => (vec![Change::NeverBuilt], false),
        Some(record) => {
            let why = record.changes(&step, &shop.signatures);
            let edited = record.edited || record::is_edit(&why);
            (why, edited)
        }
    };
    if why.is_empty() {
        why.push(Change::ResultLost);
    }
    let incremental = step.incremental.as_ref().is_some_and(|form| form.force || edited);
    let (flight, has_waited) = (Vec::new(), false);
    let mut pending = Pending { step, why, incremental, edited, flight, lists, has_waited };
    pending.flight = flight::keys(shop, &pending);
    Ok(Verdict::Miss(Box::new(pending)))
}

/// Looks again after somebody else was running the action.
pub(crate) fn look_up_again(
    shop: &Shop<'_>,
    action: ActionId,
    mut pending: Pending,
) -> Result<Verdict, Failure> {
    if let Some((outcome, made)) = find(shop, action, &pending.step)? {
        return Ok(Verdict::Hit(outcome, made));
    }
    pending.has_waited = true;
    Ok(Verdict::Miss(Box::new(pending)))
}

/// What a lookup that missed may find now: another run may have ended between it and the start of the command.
pub(crate) fn find_news(
    shop: &Shop<'_>,
    action: ActionId,
    pending: &Pending,
) -> Result<Option<(Outcome, Arc<Made>)>, Failure> {
    if pending.lists.is_empty() || pending.lists == lists(shop, &pending.step) {
        return Ok(None);
    }
    find(shop, action, &pending.step)
}

fn lists(shop: &Shop<'_>, step: &Step) -> Vec<Option<Stamp>> {
    let plain = base_keys(step);
    let others: Vec<Digest> = match step.incremental {
        Some(_) => plain.iter().map(incremental_key).collect(),
        None => Vec::new(),
    };
    plain.iter().chain(&others).map(|key| shop.store.list_stamp(key)).collect()
}

/// Looks for a result that serves, and puts its outputs in place. The plain form first: it is the one that others
/// share.
pub(crate) fn find(
    shop: &Shop<'_>,
    action: ActionId,
    step: &Step,
) -> Result<Option<(Outcome, Arc<Made>)>, Failure> {
    let plain = base_keys(step);
    let others: Vec<Digest> = match step.incremental {
        Some(_) => plain.iter().map(incremental_key).collect(),
        None => Vec::new(),
    };
    for (key, local) in [&plain, &others].into_iter().flat_map(|keys| tries(step, keys)) {
        let anywhere = local.is_some();
        let entries = shop.store.entries(&key);
        let is_stale = entries.is_stale();
        for (position, entry) in entries.enumerate() {
            if !entry.sight.holds(step, &shop.signatures, anywhere) {
                continue;
            }
            let placed = match put_in_place(shop, step, &key, &entry) {
                // No room for it, or it was removed just now: making it may work all the same.
                Err(Failure::File(error)) => {
                    shop.tell_trouble(error);
                    None
                }
                placed => placed?,
            };
            let Some(outcome) = placed else {
                shop.tolerate(shop.store.remove(&key, &entry.sight));
                continue;
            };
            if outcome == Outcome::Restored {
                write_record(shop, action, step, &entry);
                // What served once in a checkout goes on to serve there.
                if let Some(local) = local {
                    shop.tolerate(shop.store.insert(&local, &entry));
                }
            }
            // What is used goes to the front, so that those that nobody brings back any more are the last.
            match position {
                0 if is_stale => shop.store.stamp(&key),
                0 => {}
                _ if outcome == Outcome::Restored || entry.is_stale() => {
                    shop.tolerate(shop.store.insert(&key, &entry));
                }
                _ => {}
            }
            shop.laid.note(shop.name(action), step);
            let tree_copy = shop.tolerate(second_place(shop, step, &entry)).flatten();
            let made = Arc::new(Made { tree_copy, ..made(step, entry) });
            shop.slots[action.0].whole.set(Arc::clone(&made)).ok();
            return Ok(Some((outcome, made)));
        }
    }
    Ok(None)
}

/// The keys of one form in the order in which they are tried. One that every checkout has comes with the one of this
/// checkout. Where looking at what could have been read in the checkout takes time, what was made in it comes first.
fn tries(step: &Step, keys: &[Digest]) -> Vec<(Digest, Option<Digest>)> {
    match keys {
        [shared, local] if step.checkout.is_some() => vec![(*local, None), (*shared, Some(*local))],
        [shared, local] => vec![(*shared, Some(*local)), (*local, None)],
        _ => keys.iter().map(|key| (*key, None)).collect(),
    }
}

/// The record only says why something is built again, so one that cannot be written is no failure.
fn write_record(shop: &Shop<'_>, action: ActionId, step: &Step, entry: &Entry) {
    let name = shop.name(action);
    let edited = shop.records.read(name).is_some_and(|record| record.edited);
    let (recipe, inputs, sight) = (step.recipe.clone(), step.inputs.clone(), entry.sight.clone());
    shop.records.write(name, &Record { recipe, inputs, sight, edited }).ok();
}

/// Puts in place what is not there yet. `None` if a content is missing or damaged.
fn put_in_place(
    shop: &Shop<'_>,
    step: &Step,
    key: &Digest,
    entry: &Entry,
) -> Result<Option<Outcome>, Failure> {
    let fresh = shop.store.is_of_this_boot(entry);
    let mut missing = Vec::new();
    for output in &step.outputs {
        let Some(blob) = find_blob(entry, output) else {
            if !output.optional {
                return Ok(None);
            }
            for dest in &output.dests {
                fs::remove_file_if_exists(&dest.path)?;
            }
            continue;
        };
        for dest in &output.dests {
            if !is_in_place(shop, &Ware::new(step, blob), dest, (blob, fresh)) {
                missing.push((dest, blob));
            }
        }
    }
    let tree = match (&step.tree, &entry.tree) {
        (Some(tree), Some(kept)) => {
            let Some(path) = generation::path_of(tree, entry.generation) else { return Ok(None) };
            (!is_tree_there(shop, tree, &path, &kept.0)?).then_some((tree, path, kept))
        }
        (Some(_), None) => return Ok(None),
        _ => None,
    };
    if missing.is_empty() && tree.is_none() {
        return Ok(Some(Outcome::Fresh));
    }
    // All or nothing: a result that cannot be had whole is not begun.
    let whole = |(dest, blob)| Some((dest, blob, shop.store.whole(blob, fresh)?));
    let Some(sources) = missing.into_iter().map(whole).collect::<Option<Vec<(_, &Blob, PathBuf)>>>() else {
        return Ok(None);
    };
    if let Some((tree, path, kept)) = tree {
        let (_lock, _) = lock_tree(&path)?;
        if !restore_tree(shop, (tree, entry.generation), &path, kept, fresh)? {
            return Ok(None);
        }
    }
    for (dest, blob, source) in sources {
        shop.lay(&Ware::new(step, blob), &source, dest)?;
    }
    if !fresh {
        shop.tolerate(confirm(shop, key, entry));
    }
    Ok(Some(Outcome::Restored))
}

/// Whether a tree is there. One whose place is given may be being filled by another run, which is waited for.
fn is_tree_there(shop: &Shop<'_>, tree: &TreeOutput, path: &Path, manifest: &Manifest) -> fs::Result<bool> {
    let is_given = matches!(tree, TreeOutput::At(_));
    if is_given && !path.exists() {
        return Ok(false);
    }
    let _lock = if is_given { Some(lock_tree(path)?) } else { None };
    if is_given {
        shop.ledger.forget(path);
    }
    Ok(manifest.is_at(path, &shop.signatures))
}

/// Puts a tree back. A chosen directory may have been given to another content since: that one stays.
fn restore_tree(
    shop: &Shop<'_>,
    (tree, number): (&TreeOutput, Option<u32>),
    path: &Path,
    kept: &(Manifest, Vec<Blob>),
    fresh: bool,
) -> Result<bool, Failure> {
    let content = kept.0.digest();
    if let (TreeOutput::Chosen { root, .. }, Some(number)) = (tree, number) {
        if generation::marked(root, number)?.is_some_and(|marked| marked != content.to_hex()) {
            return Ok(false);
        }
        let whole =
            kept.0.is_at(path, &shop.signatures) || shop.store.restore_tree(kept, path, fresh)?.is_some();
        if whole {
            generation::mark(root, number, content)?;
        }
        return Ok(whole);
    }
    if kept.0.is_at(path, &shop.signatures) {
        return Ok(true);
    }
    shop.ledger.begin(path)?;
    let is_whole = shop.store.restore_tree(kept, path, fresh)?.is_some();
    shop.ledger.put(path, &content, || Ok(()))?;
    Ok(is_whole)
}

/// Notes that the contents of an entry, all of them, are whole in this boot.
fn confirm(shop: &Shop<'_>, key: &Digest, entry: &Entry) -> fs::Result<()> {
    let blobs = entry.outputs.iter().map(|(_, blob)| blob);
    let mut blobs = blobs.chain(entry.tree.iter().flat_map(|(_, blobs)| blobs));
    if blobs.all(|blob| shop.store.whole(blob, false).is_some()) {
        let boot = shop.store.boot();
        shop.store.insert(key, &Entry { boot, ..entry.clone() })?;
    }
    Ok(())
}

fn find_blob<'a>(entry: &'a Entry, output: &Output) -> Option<&'a Blob> {
    entry.outputs.iter().find(|(name, _)| *name == output.name).map(|(_, blob)| blob)
}

fn is_in_place(shop: &Shop<'_>, ware: &Ware<'_>, dest: &Dest, (blob, fresh): (&Blob, bool)) -> bool {
    let path = &dest.path;
    let Ok(metadata) = fs::metadata(path) else { return false };
    if !metadata.is_file() || metadata.len() != blob.size || (blob.executable && !is_executable(&metadata)) {
        return false;
    }
    if shop.signatures.proves(path, &metadata, &ware.content_at(dest)) {
        return true;
    }
    if ware.rooted_at(dest).is_some() {
        return false;
    }
    // Another target directory that links to the same blob changes the time at which it was last changed.
    if shop.store.is_blob(&metadata, blob, fresh) {
        shop.signatures.note(path, &metadata, blob.digest);
        return true;
    }
    shop.signatures.content(path, &metadata).is_ok_and(|content| content.digest == blob.digest)
}

/// Takes hold of a tree that is to be filled; the flag says whether somebody else had it.
pub(crate) fn lock_tree(path: &Path) -> fs::Result<(Lock, bool)> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let mut waited = false;
    let lock = lock::acquire(&path.with_file_name(name), Mode::Exclusive, || waited = true)?;
    Ok((lock, waited))
}

fn second_place(shop: &Shop<'_>, step: &Step, entry: &Entry) -> fs::Result<Option<PathBuf>> {
    let (Some(copy), Some((manifest, _))) = (&step.tree_copy, &entry.tree) else { return Ok(None) };
    match step.tree.as_ref().and_then(|tree| generation::path_of(tree, entry.generation)) {
        Some(source) => mirror::fill(copy, manifest, &source, &shop.signatures),
        None => Ok(None),
    }
}

fn made(step: &Step, entry: Entry) -> Made {
    let mut outputs = BTreeMap::new();
    for output in &step.outputs {
        if let Some(blob) = find_blob(&entry, output) {
            outputs.insert(output.name.clone(), made_output(output, blob.digest, blob.size));
        }
    }
    Made {
        stage: Stage::Whole,
        outputs,
        tree: entry.tree.as_ref().map(|(manifest, _)| manifest.digest()),
        tree_path: step.tree.as_ref().and_then(|tree| generation::path_of(tree, entry.generation)),
        tree_copy: None,
        stdout: entry.stdout.map(Arc::from),
        lines: shown(step, entry.lines),
        took: entry.took,
    }
}

/// The lines as people are to see them here.
pub(crate) fn shown(step: &Step, lines: Vec<KeptLine>) -> Arc<[KeptLine]> {
    lines.into_iter().map(|line| KeptLine { text: step.shown(&line.text), ..line }).collect()
}

pub(crate) fn made_output(output: &Output, digest: Digest, size: u64) -> MadeOutput {
    MadeOutput { digest, size, path: output.dests.first().map(|dest| dest.path.clone()) }
}
