//! Private directories in which commands leave their outputs, and the removal of those that a killed process left.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use wharf_base::lock::{self, Lock, Mode};
use wharf_base::{fs, paths};

/// The scratch directories of one run: below a directory of its own that holds a lock for as long as the process
/// lives. A process id would not do: builds in different containers may share a target directory.
pub(crate) struct Scratch {
    root: PathBuf,
    own: OnceLock<(PathBuf, Lock)>,
    count: AtomicU64,
}

/// A scratch directory, removed when dropped.
pub(crate) struct ScratchDir {
    path: PathBuf,
    /// Held by who has one whose name does not change.
    _held: Option<Lock>,
}

impl Scratch {
    pub(crate) fn new(root: PathBuf) -> Scratch {
        let root = std::path::absolute(&root).map(|root| paths::normalize(&root)).unwrap_or(root);
        Scratch { root, own: OnceLock::new(), count: AtomicU64::new(0) }
    }

    /// Makes the directory of this run, having removed those of dead ones. Called before any command runs, and not
    /// at all if none does.
    pub(crate) fn prepare(&self) -> fs::Result<()> {
        if self.own.get().is_some() {
            return Ok(());
        }
        self.remove_dead();
        loop {
            let own = self.root.join(format!("{}-{}", std::process::id(), crate::signatures::now()));
            fs::create_dir_all(&own)?;
            let lock_path = own.join("lock");
            let held = lock::acquire(&lock_path, Mode::Exclusive, || ())?;
            // Somebody may have taken it for a dead one before it was locked.
            if lock_path.exists() {
                self.own.set((own, held)).ok();
                return Ok(());
            }
        }
    }

    fn remove_dead(&self) {
        for dir in fs::read_dir(&self.root).unwrap_or_default() {
            // Held until it is gone: whoever waits for it meanwhile sees that it is gone, and makes another.
            if let Ok(Some(_held)) = lock::try_acquire(&dir.path.join("lock"), Mode::Exclusive) {
                // Another process may be at it too.
                fs::remove_dir_all(&dir.path).ok();
            }
        }
    }

    /// A new empty directory.
    pub(crate) fn make(&self) -> fs::Result<ScratchDir> {
        let (own, _) = self.own.get().expect("the coordinator prepares before it runs anything");
        let dir = own.join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&dir)?;
        Ok(ScratchDir { path: dir, _held: None })
    }

    /// The scratch directory that belongs to an incremental state: rustc makes all objects anew when the directory of
    /// its outputs is another. If another run has it, one of its own does.
    pub(crate) fn make_beside(&self, state: &Path) -> fs::Result<ScratchDir> {
        match lock::try_acquire(&state.join("out.lock"), Mode::Exclusive)? {
            Some(held) if held.is_real() => {
                let path = state.join("out");
                // What a killed run left.
                fs::remove_any(&path)?;
                fs::create_dir(&path)?;
                Ok(ScratchDir { path, _held: Some(held) })
            }
            _ => self.make(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some((own, held)) = self.own.take() {
            fs::remove_dir_all(&own).ok();
            drop(held);
        }
    }
}

impl ScratchDir {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}
