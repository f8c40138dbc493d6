//! What all threads of a run share: read by many, each part guarded by itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wharf_base::digest::Digest;
use wharf_base::fs;

use crate::graph::{ActionId, Graph};
use crate::record::Records;
use crate::scan;
use crate::scratch::Scratch;
use crate::signatures::Signatures;
use crate::step::{Checkout, Dest, Director, Done, Place, Slot, Step};
use crate::store::{Blob, Store};
use crate::sys;

/// What a run works with.
pub(crate) struct Shop<'a> {
    pub graph: &'a Graph,
    pub director: &'a dyn Director,
    pub store: &'a Store,
    pub signatures: Signatures,
    pub records: Records,
    pub scratch: Scratch,
    pub slots: Vec<Slot>,
    pub children: Children,
    pub jobserver: jobserver::Client,
    /// Whether it was told what the sandbox lacks.
    pub told_lacking: AtomicBool,
}

impl Shop<'_> {
    pub(crate) fn done(&self) -> Done<'_> {
        Done { slots: &self.slots }
    }

    pub(crate) fn name(&self, action: ActionId) -> &str {
        &self.graph.actions[action.0].name
    }

    /// Lays a file at a place, whose directory is made if need be, and notes its content.
    pub(crate) fn lay(&self, ware: &Ware<'_>, source: &Path, dest: &Dest) -> fs::Result<()> {
        match ware.lay(source, dest) {
            Err(error) if error.is_not_found() => {
                if let Some(parent) = dest.path.parent() {
                    fs::create_dir_all(parent)?;
                }
                ware.lay(source, dest)?;
            }
            laid => laid?,
        }
        self.note(&dest.path, ware.content_at(dest))
    }

    /// Notes the content of a file that was just laid.
    pub(crate) fn note(&self, path: &Path, digest: Digest) -> fs::Result<()> {
        self.signatures.note(path, &fs::metadata(path)?, digest);
        Ok(())
    }
}

/// A content that is laid at places.
pub(crate) struct Ware<'a> {
    pub digest: Digest,
    pub executable: bool,
    /// Where the mark is in it.
    pub marks: &'a [u64],
    pub checkout: Option<&'a Checkout>,
}

impl<'a> Ware<'a> {
    pub(crate) fn new(step: &'a Step, blob: &'a Blob) -> Ware<'a> {
        let Blob { digest, executable, marks, .. } = blob;
        Ware { digest: *digest, executable: *executable, marks, checkout: step.checkout.as_ref() }
    }

    /// The checkout whose root is written over the marks at this place, if it is.
    pub(crate) fn rooted_at(&self, dest: &Dest) -> Option<&'a Checkout> {
        self.checkout.filter(|_| !self.marks.is_empty() && dest.how != Place::Link)
    }

    /// What stands for the content at this place.
    pub(crate) fn content_at(&self, dest: &Dest) -> Digest {
        self.rooted_at(dest).map_or(self.digest, |checkout| scan::rooted(&self.digest, checkout))
    }

    fn lay(&self, source: &Path, dest: &Dest) -> fs::Result<()> {
        let mode = if self.executable { 0o755 } else { 0o644 };
        if let Some(checkout) = self.rooted_at(dest) {
            let edit = |path: &Path| {
                let file = File::options().read(true).write(true).open(path)?;
                scan::write_root(&file, self.marks, checkout)
            };
            return fs::copy_edited(source, &dest.path, mode, edit).map(drop);
        }
        match dest.how {
            Place::Link | Place::Own => fs::place(source, &dest.path).map(drop),
            Place::Copy => fs::copy_with_mode(source, &dest.path, mode).map(drop),
        }
    }
}

/// The processes that are running, so that they can be stopped.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<ChildrenState>);

#[derive(Debug, Default)]
struct ChildrenState {
    ids: BTreeSet<u32>,
    stopping: Option<i32>,
}

impl Children {
    pub(crate) fn add(&self, id: u32) {
        let mut state = self.state();
        state.ids.insert(id);
        if let Some(signal) = state.stopping {
            sys::kill(id, signal);
        }
    }

    /// To be called when the child has ended and before it is reaped.
    pub(crate) fn remove(&self, id: u32) {
        self.state().ids.remove(&id);
    }

    /// Sends a signal to all children, and to those that are started from now on.
    pub(crate) fn stop(&self, signal: i32) {
        let mut state = self.state();
        state.stopping = Some(signal);
        for id in &state.ids {
            sys::kill(*id, signal);
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping.is_some()
    }

    fn state(&self) -> MutexGuard<'_, ChildrenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
