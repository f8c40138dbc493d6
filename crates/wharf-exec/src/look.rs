//! Looking at what a command read: files, directories, variables.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::digest::{Digest, Hasher};
use wharf_base::fs;

use crate::sealed::os;
use crate::signatures::Signatures;
use crate::step::{Observed, Step, TreeWatch};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Seen {
    Missing,
    File(Digest),
    /// A directory, and a digest of all that is in it.
    Dir(Digest),
    /// A device, socket or the like, whose content is not a fixed thing.
    Other,
    /// A directory, and a digest of the names in it.
    Names(Digest),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenPath {
    #[serde(with = "os")]
    pub path: PathBuf,
    pub seen: Seen,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenTree {
    #[serde(with = "os")]
    pub root: PathBuf,
    pub skip: Vec<PlainPath>,
    pub skip_holding: Option<String>,
    pub skip_names: Vec<String>,
    pub skip_ending: Option<String>,
    pub once: bool,
    pub digest: Digest,
}

/// A path with a form in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlainPath(#[serde(with = "os")] pub PathBuf);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenEnv {
    #[serde(with = "os::string")]
    pub name: OsString,
    #[serde(with = "os::optional")]
    pub value: Option<OsString>,
}

/// All that a command was seen to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sight {
    pub paths: Vec<SeenPath>,
    pub trees: Vec<SeenTree>,
    pub env: Vec<SeenEnv>,
    /// The checkout's directories that the outputs name.
    pub held: Vec<PlainPath>,
    /// What could have been read besides: it counts in other checkouts. `None` if it is not known, so that the result
    /// serves in none.
    pub beyond: Option<Vec<SeenTree>>,
}

impl Sight {
    /// Whether everything is now as it was seen. What costs nothing to look at comes first. `anywhere` says that the
    /// result was found under a key that other checkouts have too.
    pub(crate) fn holds(&self, step: &Step, signatures: &Signatures, anywhere: bool) -> bool {
        let is_here = |held: &PlainPath| {
            step.checkout.as_ref().is_some_and(|checkout| checkout.roots.contains(&held.0))
        };
        let is_same = |seen: &SeenTree| seen.now(step, signatures) == Some(seen.digest);
        self.held.iter().all(is_here)
            && self.env.iter().all(|seen| step.env(&seen.name) == seen.value)
            && self.paths.iter().all(|seen| seen.now(step, signatures) == Some(seen.seen))
            && self.trees.iter().all(is_same)
            && (!anywhere || self.beyond.as_ref().is_some_and(|trees| trees.iter().all(is_same)))
    }
}

impl Sight {
    /// One that never holds again: a file was something else before.
    pub(crate) fn unlike(path: Option<&Path>) -> Sight {
        let seen = |path: &Path| SeenPath { path: path.to_owned(), seen: Seen::Other };
        Sight { paths: path.map(seen).into_iter().collect(), ..Sight::default() }
    }

    /// A digest of what is there now.
    pub(crate) fn now(&self, step: &Step, signatures: &Signatures) -> Digest {
        let mut hasher = Hasher::for_purpose("sight now");
        for seen in &self.env {
            hasher.value(seen.name.as_bytes()).value(step.env(&seen.name).unwrap_or_default().as_bytes());
        }
        for seen in &self.paths {
            hasher.value(seen.path.as_os_str().as_bytes());
            match seen.now(step, signatures) {
                Some(Seen::File(digest) | Seen::Dir(digest) | Seen::Names(digest)) => hasher.digest(&digest),
                Some(Seen::Missing) => hasher.value("missing"),
                Some(Seen::Other) | None => hasher.value("other"),
            };
        }
        for tree in &self.trees {
            hasher.digest(&tree.now(step, signatures).unwrap_or_else(|| Digest::of("none")));
        }
        hasher.finish()
    }
}

impl SeenPath {
    /// What is there now, looked at in the same way.
    pub(crate) fn now(&self, step: &Step, signatures: &Signatures) -> Option<Seen> {
        let path = step.place(&self.path);
        let is_directory = || fs::metadata(&path).is_ok_and(|found| found.is_dir());
        if is_names(self) && is_directory() {
            return names(&path).ok().map(Seen::Names);
        }
        Eye::new(signatures).path(&path).ok()
    }
}

impl SeenTree {
    pub(crate) fn now(&self, step: &Step, signatures: &Signatures) -> Option<Digest> {
        let watch = TreeWatch {
            root: self.root.clone(),
            skip: self.skip.iter().map(|skip| skip.0.clone()).collect(),
            skip_holding: self.skip_holding.clone(),
            skip_names: self.skip_names.clone(),
            skip_ending: self.skip_ending.clone(),
            once: self.once,
        };
        look_once(step, &watch, signatures)
    }

    fn new(watch: &TreeWatch, digest: Digest) -> SeenTree {
        let TreeWatch { root, skip, skip_holding, skip_names, skip_ending, once } = watch.clone();
        let skip = skip.into_iter().map(PlainPath).collect();
        SeenTree { root, skip, skip_holding, skip_names, skip_ending, once, digest }
    }
}

/// The digest of a directory now; where one look is enough for a run, that of the first.
fn look_once(step: &Step, watch: &TreeWatch, signatures: &Signatures) -> Option<Digest> {
    let placed = placed(step, watch);
    let patience = watch.once.then_some(PATIENCE);
    let look = || Eye { patience, ..Eye::new(signatures) }.tree(&placed).ok();
    if watch.once { signatures.once(&placed, look) } else { look() }
}

/// The same with absolute paths.
fn placed(step: &Step, watch: &TreeWatch) -> TreeWatch {
    TreeWatch {
        root: step.place(&watch.root),
        skip: watch.skip.iter().map(|skip| step.place(skip)).collect(),
        ..watch.clone()
    }
}

/// Looks after a command that started at `started` (a time of the same file system's clock, in nanoseconds) at what
/// it read. What was changed since then may not be what it read: then the path is the error.
pub(crate) fn look_after_run(
    step: &Step,
    observed: &Observed,
    signatures: &Signatures,
    started: i64,
) -> Result<Sight, PathBuf> {
    let look_since = |path: &PathBuf, started: Option<i64>| -> Result<SeenPath, PathBuf> {
        let mut eye = Eye { started, ..Eye::new(signatures) };
        let seen = eye.path(&step.place(path)).map_err(|error| error.path)?;
        match eye.changed {
            Some(changed) => Err(changed),
            None => Ok(SeenPath { path: path.clone(), seen }),
        }
    };
    let look = |path: &PathBuf| look_since(path, Some(started));
    let look_all = |watch: &TreeWatch| -> Result<SeenTree, PathBuf> {
        let mut eye = Eye { started: Some(started), ..Eye::new(signatures) };
        let digest = eye.tree(&placed(step, watch)).map_err(|error| error.path)?;
        match eye.changed {
            Some(changed) => Err(changed),
            None => Ok(SeenTree::new(watch, digest)),
        }
    };
    let mut paths = observed.paths.iter().map(look).collect::<Result<Vec<_>, _>>()?;
    for path in &observed.must_exist {
        let seen = look(path)?;
        if seen.seen == Seen::Missing {
            return Err(step.place(&seen.path));
        }
        paths.push(seen);
    }
    for path in &observed.made {
        paths.push(look_since(path, None)?);
    }
    for path in &observed.listed {
        let seen = names(&step.place(path)).map(Seen::Names).map_err(|error| error.path)?;
        paths.push(SeenPath { path: path.clone(), seen });
    }
    // The content of a directory says more than the names in it.
    paths.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| is_names(a).cmp(&is_names(b))));
    paths.dedup_by(|a, b| a.path == b.path);
    let mut env: Vec<SeenEnv> =
        observed.env.iter().map(|name| SeenEnv { name: name.clone(), value: step.env(name) }).collect();
    env.sort_by(|a, b| a.name.cmp(&b.name));
    env.dedup_by(|a, b| a.name == b.name);
    let trees = observed.trees.iter().map(look_all).collect::<Result<Vec<_>, _>>()?;
    // Nothing is lost here if one of these has changed: the result serves in this checkout all the same.
    let beyond = step.undeclared.iter().flat_map(|undeclared| &undeclared.beyond);
    let look = |watch: &TreeWatch| match watch.once {
        true => look_once(step, watch, signatures).map(|digest| SeenTree::new(watch, digest)),
        false => look_all(watch).ok(),
    };
    let beyond = beyond.map(look).collect::<Option<Vec<_>>>();
    Ok(Sight { paths, trees, env, held: Vec::new(), beyond })
}

/// One look at a path and all below it.
pub(crate) struct Eye<'a> {
    signatures: &'a Signatures,
    started: Option<i64>,
    /// A file that may have been changed since `started`.
    changed: Option<PathBuf>,
    /// How much more it will look at, if there is a limit: files, and pages of them.
    patience: Option<u64>,
}

/// The limit for a directory that only might be read: more than this takes longer than it can save.
const PATIENCE: u64 = 50_000;
/// How many bytes of a file count as much as the file itself.
const PAGE: u64 = 16 << 10;

impl<'a> Eye<'a> {
    pub(crate) fn new(signatures: &'a Signatures) -> Eye<'a> {
        Eye { signatures, started: None, changed: None, patience: None }
    }

    pub(crate) fn path(&mut self, path: &Path) -> fs::Result<Seen> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.is_not_found() => return Ok(Seen::Missing),
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            let watch = TreeWatch { root: path.to_owned(), ..TreeWatch::default() };
            return self.tree(&watch).map(Seen::Dir);
        }
        if !metadata.is_file() {
            return Ok(Seen::Other);
        }
        if let Some(patience) = &mut self.patience {
            let too_much =
                || fs::Error::new("look at", path, std::io::Error::other("there is too much of it"));
            *patience = patience.checked_sub(1 + metadata.len() / PAGE).ok_or_else(too_much)?;
        }
        let content = self.signatures.content(path, &metadata)?;
        if let Some(started) = self.started
            && !is_older(content.stamp.latest(), started)
            && !content.before.is_some_and(|(digest, at)| digest == content.digest && at < started)
        {
            self.changed = Some(path.to_owned());
        }
        Ok(Seen::File(content.digest))
    }

    /// The digest of the names and contents below a directory. Links count by what they say, and by the content of
    /// the file that they lead to; one that leads to a directory is not followed.
    pub(crate) fn tree(&mut self, watch: &TreeWatch) -> fs::Result<Digest> {
        let mut hasher = Hasher::for_purpose("tree seen");
        self.directory(&watch.root, watch, &mut hasher)?;
        Ok(hasher.finish())
    }

    fn directory(&mut self, dir: &Path, watch: &TreeWatch, hasher: &mut Hasher) -> fs::Result<()> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        let marker = watch.skip_holding.as_deref();
        if dir != watch.root && entries.iter().any(|entry| marker.is_some_and(|marker| entry.name == marker))
        {
            return Ok(());
        }
        for entry in entries {
            if watch.skip.contains(&entry.path) || skips(watch, &entry.name) {
                continue;
            }
            hasher.value(entry.name.as_bytes());
            if entry.kind.is_symlink() {
                hasher.value("link").value(fs::read_link(&entry.path)?.as_os_str().as_bytes());
                if !entry.path.is_dir() {
                    self.content(&entry.path, hasher)?;
                }
            } else if entry.kind.is_dir() {
                hasher.value("directory");
                self.directory(&entry.path, watch, hasher)?;
                hasher.value("end");
            } else {
                self.content(&entry.path, hasher)?;
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &Path, hasher: &mut Hasher) -> fs::Result<()> {
        match self.path(path)? {
            Seen::File(digest) => hasher.value("file").digest(&digest),
            Seen::Missing | Seen::Dir(_) | Seen::Other | Seen::Names(_) => hasher.value("other"),
        };
        Ok(())
    }
}

/// A digest of the names in a directory, and of what kind each is. That version control is there means nothing.
pub(crate) fn names(dir: &Path) -> fs::Result<Digest> {
    let mut hasher = Hasher::for_purpose("names seen");
    for entry in fs::read_dir(dir)?.iter().filter(|entry| entry.name != ".git") {
        let kind = match entry.kind {
            kind if kind.is_dir() => "directory",
            kind if kind.is_symlink() => "link",
            kind if kind.is_file() => "file",
            _ => "other",
        };
        hasher.value(entry.name.as_bytes()).value(kind);
    }
    Ok(hasher.finish())
}

fn is_names(seen: &SeenPath) -> bool {
    matches!(seen.seen, Seen::Names(_))
}

fn skips(watch: &TreeWatch, name: &OsStr) -> bool {
    let ending = watch.skip_ending.as_ref();
    watch.skip_names.iter().any(|skip| name == skip.as_str())
        || ending.is_some_and(|ending| name.as_bytes().ends_with(ending.as_bytes()))
}

/// Whether a file of this time was written before the command could read it. In one tick of the clock, it was: a
/// command takes longer than that to start. Not so on file systems that keep whole seconds.
fn is_older(time: i64, started: i64) -> bool {
    if started % 1_000_000_000 == 0 { time < started } else { time <= started }
}
