//! What this process has looked at in the file system, for a caller who wants to know later whether a run would see
//! the same again.
//!
//! Off until [`begin`]. The functions of [`fs`](crate::fs) that read note what they are asked, so whoever reads by
//! them is covered without knowing of it. It is one record for the whole process, because what counts is what the
//! process saw and not on whose behalf.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was asked about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// Whether there is something, and of which kind.
    Kind,
    /// The content of a file, or its size and times.
    Content,
    /// The names in a directory.
    Entries,
    /// The path itself, a symbolic link not followed.
    Link,
    /// What the path is when all links on the way are followed.
    Resolved,
}

/// One look at one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Looked {
    /// Where.
    pub path: PathBuf,
    /// At what.
    pub look: Look,
    /// Whether there was something.
    pub found: bool,
}

static ON: AtomicBool = AtomicBool::new(false);
static TRAIL: Mutex<Trail> = Mutex::new(Trail { looks: Vec::new(), disregarded: Vec::new(), spoilt: false });

struct Trail {
    looks: Vec<Looked>,
    disregarded: Vec<Disregarded>,
    spoilt: bool,
}

/// A directory that only spares work, and what in it does more.
struct Disregarded {
    dir: PathBuf,
    but: PathBuf,
}

fn trail() -> MutexGuard<'static, Trail> {
    TRAIL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes everything from now on.
pub fn begin() {
    *trail() = Trail { looks: Vec::new(), disregarded: Vec::new(), spoilt: false };
    ON.store(true, Ordering::Release);
}

/// Notes a look that did not go through [`fs`](crate::fs).
pub fn note(path: &Path, look: Look, found: bool) {
    if ON.load(Ordering::Acquire) {
        trail().looks.push(Looked { path: path.to_owned(), look, found });
    }
}

/// Says that something was asked which no look at files can repeat: the network, another program.
pub fn spoil() {
    if ON.load(Ordering::Acquire) {
        trail().spoilt = true;
    }
}

/// Says that a directory, `but` excepted, holds state that only spares work: what is seen there decides nothing.
pub fn disregard(dir: &Path, but: &Path) {
    if ON.load(Ordering::Acquire) {
        trail().disregarded.push(Disregarded { dir: dir.to_owned(), but: but.to_owned() });
    }
}

/// Ends noting and gives what was noted, sorted and each look once; `None` if it was spoilt or never begun.
pub fn end() -> Option<Vec<Looked>> {
    if !ON.swap(false, Ordering::AcqRel) {
        return None;
    }
    let mut trail = trail();
    let mut looks = std::mem::take(&mut trail.looks);
    if trail.spoilt {
        return None;
    }
    let disregarded = std::mem::take(&mut trail.disregarded);
    looks.retain(|looked| {
        let path = &looked.path;
        !disregarded.iter().any(|it| path.starts_with(&it.dir) && !path.starts_with(&it.but))
    });
    looks.sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()).then_with(|| a.cmp(b)));
    looks.dedup();
    Some(looks)
}
