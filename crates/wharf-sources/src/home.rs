//! `$CARGO_HOME`: where things lie in it, and the locks that Wharf and Cargo keep each other out with.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wharf_base::fs;
use wharf_base::lock::{self, Lock, Mode};

use crate::event::SourceEvent;

const DOWNLOADS: &str = ".package-cache";
const MUTATIONS: &str = ".package-cache-mutate";
/// What Cargo calls both locks when it waits for them.
const WHAT: &str = "package cache";

/// `$CARGO_HOME`.
#[derive(Clone, Debug)]
pub struct CargoHome(PathBuf);

impl CargoHome {
    /// The home at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the index of a registry is kept.
    pub(crate) fn index(&self, registry: &str) -> PathBuf {
        self.0.join("registry/index").join(registry)
    }

    /// Where the archives of a registry are kept.
    pub(crate) fn archives(&self, registry: &str) -> PathBuf {
        self.0.join("registry/cache").join(registry)
    }

    /// Where the packages of a registry are unpacked.
    pub(crate) fn unpacked(&self, registry: &str) -> PathBuf {
        self.0.join("registry/src").join(registry)
    }

    /// The bare clone of a git repository.
    pub(crate) fn git_database(&self, repository: &str) -> PathBuf {
        self.0.join("git/db").join(repository)
    }

    /// The checkouts of a git repository.
    pub(crate) fn git_checkouts(&self, repository: &str) -> PathBuf {
        self.0.join("git/checkouts").join(repository)
    }

    /// Takes Cargo's lock on the home; `waiting` hears of it when somebody else holds it in the way.
    ///
    /// # Errors
    /// If the lock file cannot be made. A read-only home gives a lock that holds nothing.
    pub fn lock(&self, scope: LockScope, waiting: &dyn Fn(SourceEvent)) -> fs::Result<CacheLock> {
        let take = |name: &str, mode: Mode| {
            lock::acquire(&self.0.join(name), mode, || waiting(SourceEvent::WaitingForLock { what: WHAT }))
        };
        let locks = match scope {
            LockScope::Build => vec![take(MUTATIONS, Mode::Shared)?],
            LockScope::Download => vec![take(DOWNLOADS, Mode::Exclusive)?],
            // In this order in Cargo too, or two processes wait for each other.
            LockScope::Mutate => {
                vec![take(DOWNLOADS, Mode::Exclusive)?, take(MUTATIONS, Mode::Exclusive)?]
            }
        };
        Ok(CacheLock { _locks: locks })
    }
}

/// Against what others are kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockScope {
    /// While unpacked sources are read: others may read and download, but not delete.
    Build,
    /// While indexes, archives and checkouts are added or looked up: others may build.
    Download,
    /// While anything is removed: nobody else does anything.
    Mutate,
}

/// A held lock on the home; dropping it lets go.
#[derive(Debug)]
#[must_use = "dropping the lock lets go of it"]
pub struct CacheLock {
    _locks: Vec<Lock>,
}

/// The download lock of one [`crate::Sources`]: taken at the first need, kept until it is released.
#[derive(Debug, Default)]
pub(crate) struct LazyLock(Mutex<Option<CacheLock>>);

impl LazyLock {
    /// Takes the lock if it is not held yet.
    pub fn hold(&self, home: &CargoHome, events: &dyn Fn(SourceEvent)) -> fs::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(home.lock(LockScope::Download, events)?);
        }
        Ok(())
    }

    /// Lets go.
    pub fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Runs `deed` while the lock is held, so that it cannot be released meanwhile; does nothing if it is not held.
    pub fn while_held(&self, deed: impl FnOnce()) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            deed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_do_not_hinder_downloads() {
        let dir = tempfile::tempdir().unwrap();
        let home = CargoHome::new(dir.path());
        let never = |_| panic!("nobody is in the way");
        let build = home.lock(LockScope::Build, &never).unwrap();
        let download = home.lock(LockScope::Download, &never).unwrap();
        drop((build, download));
        drop(home.lock(LockScope::Mutate, &never).unwrap());
    }
}
