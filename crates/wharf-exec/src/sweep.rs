//! Keeps the intermediate files of a target directory from growing with history.
//!
//! The actions of the last run of each request are remembered, and which files each action laid. When the same request
//! leads to other actions, after an update of a dependency for instance, the files of those that no request leads to
//! any more are removed. They are in the store if they are wanted again. Finals are never removed, nor anything that is
//! not recorded here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::digest::Digest;
use wharf_base::lock::{self, Mode};
use wharf_base::{fs, sealed};

use crate::ledger::Ledger;
use crate::signatures::{Stamp, now};
use crate::step::{Place, Step, TreeOutput};
use crate::store::is_executable;

const MAGIC: &[u8] = b"wharf plans 1\n";

/// A request that was not made for so long leads nowhere any more.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);
/// How exactly it is known when a request was made last.
const STAMPED: Duration = Duration::from_hours(24);
/// Programs may still be waiting to be run, one after the other, by whoever built them.
const PROGRAMS_STAY: Duration = Duration::from_hours(1);

/// What the actions of a run laid, relative to the directory of intermediate files.
#[derive(Debug)]
pub(crate) struct Laid {
    root: PathBuf,
    by_action: Mutex<BTreeMap<String, Vec<Below>>>,
}

/// A path that is not absolute: a target directory may be moved or copied, and the original is not to be touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Below(#[serde(with = "sealed::os")] PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    requests: Vec<Request>,
    laid: BTreeMap<String, Vec<Below>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    name: Digest,
    /// In nanoseconds since 1970.
    used: i64,
    actions: BTreeSet<String>,
}

impl Laid {
    pub(crate) fn new(root: PathBuf) -> Laid {
        Laid { root, by_action: Mutex::default() }
    }

    /// Notes what an action has in place.
    pub(crate) fn note(&self, action: &str, step: &Step) {
        let dests = step.outputs.iter().flat_map(|output| &output.dests);
        let files = dests.filter(|dest| dest.how != Place::Copy).map(|dest| &dest.path);
        let tree = match &step.tree {
            Some(TreeOutput::At(path)) => Some(path),
            _ => None,
        };
        let state = step.incremental.as_ref().map(|form| &form.dir);
        let below = |path: &PathBuf| Some(Below(path.strip_prefix(&self.root).ok()?.to_owned()));
        let paths = files.chain(tree).chain(state).filter_map(below).collect();
        let mut by_action = self.by_action.lock().unwrap_or_else(PoisonError::into_inner);
        by_action.insert(action.to_owned(), paths);
    }

    /// After a run that succeeded: remembers what the request led to, and removes what none leads to any more, if no
    /// other run uses the target directory.
    pub(crate) fn settle(self, state: &Path, request: Digest, ledger: Ledger) -> fs::Result<()> {
        let Laid { root, by_action } = self;
        let laid = by_action.into_inner().unwrap_or_else(PoisonError::into_inner);
        let file = state.join("plans");
        let _lock = lock::acquire(&state.join("plans.lock"), Mode::Exclusive, || ())?;
        let mut memory: Memory =
            fs::read_if_exists(&file)?.and_then(|bytes| sealed::open(MAGIC, &bytes)).unwrap_or_default();
        let now = now();
        let known = memory.requests.iter().find(|known| known.name == request);
        if known
            .is_some_and(|known| known.used > before(now, STAMPED) && known.actions.iter().eq(laid.keys()))
        {
            return Ok(());
        }
        memory.requests.retain(|known| known.name != request && known.used > before(now, REMEMBERED));
        memory.requests.push(Request { name: request, used: now, actions: laid.keys().cloned().collect() });
        memory.laid.extend(laid);
        let mut is_swept = false;
        ledger.alone(|| {
            memory.sweep(&root, state, now);
            is_swept = true;
        });
        if let Some(last) = memory.requests.last_mut().filter(|_| !is_swept) {
            // The next run tries again.
            last.used = before(now, STAMPED);
        }
        match sealed::seal(MAGIC, &memory) {
            Some(bytes) => fs::write_atomic(&file, bytes),
            None => Ok(()),
        }
    }
}

impl Memory {
    fn sweep(&mut self, root: &Path, state: &Path, now: i64) {
        let is_wanted =
            |action: &String| self.requests.iter().any(|request| request.actions.contains(action));
        let (wanted, unwanted): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.laid).into_iter().partition(|(action, _)| is_wanted(action));
        // Names without a digest go from one action to the next.
        let kept: BTreeSet<&Below> = wanted.values().flatten().collect();
        let mut later = BTreeMap::new();
        for (action, paths) in unwanted {
            let mut left = Vec::new();
            for below in paths {
                let path = root.join(&below.0);
                if kept.contains(&below) {
                    continue;
                }
                if is_young_program(&path, now) || fs::remove_any(&path).is_err() {
                    left.push(below);
                } else if let Some(parent) = path.parent() {
                    // The directory of a build script; others are not empty.
                    remove_lock(&path);
                    std::fs::remove_dir(parent).ok();
                }
            }
            if left.is_empty() {
                std::fs::remove_file(state.join("units").join(&action)).ok();
            } else {
                later.insert(action, left);
            }
        }
        self.laid = wanted;
        self.laid.extend(later);
    }
}

/// The lock beside a directory that a command filled.
fn remove_lock(path: &Path) {
    if path.file_name().is_some_and(|name| name == "out") {
        std::fs::remove_file(path.with_file_name("out.lock")).ok();
    }
}

fn is_young_program(path: &Path, now: i64) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| {
        metadata.is_file()
            && is_executable(&metadata)
            && Stamp::of(&metadata).latest() > before(now, PROGRAMS_STAY)
    })
}

fn before(now: i64, age: Duration) -> i64 {
    now.saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX))
}
