//! What all threads of a run share: read by many, each part guarded by itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_base::digest::Digest;
use wharf_base::fs;

use crate::coordinator::Message;
use crate::event::Failure;
use crate::flight::Flights;
use crate::graph::{ActionId, Graph};
use crate::ledger::Ledger;
use crate::record::Records;
use crate::scan;
use crate::scratch::Scratch;
use crate::signatures::Signatures;
use crate::step::{Checkout, Dest, Director, Done, Place, Slot, Step};
use crate::store::{Blob, Store};
use crate::sweep::Laid;
use crate::sys;

/// What has become of the inputs of an action.
pub(crate) enum InputsNow {
    Same,
    /// Another run has put something else in the place of one.
    Overtaken,
    /// Somebody else has changed this one.
    Changed(PathBuf),
}

/// What a run works with.
pub(crate) struct Shop<'a> {
    pub graph: &'a Graph,
    pub director: &'a dyn Director,
    pub store: &'a Store,
    pub signatures: Signatures,
    pub records: Records,
    pub scratch: Scratch,
    pub ledger: Ledger,
    pub laid: Laid,
    pub flights: Flights,
    /// Where directories are chosen when the store has no room for them.
    pub spare: PathBuf,
    /// What did not work out in the store goes here.
    pub trouble: Mutex<Sender<Message>>,
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
    pub(crate) fn lay(&self, ware: &Ware<'_>, source: &Path, dest: &Dest) -> Result<(), Failure> {
        let draft = match ware.draft(source, dest) {
            Err(error) if error.is_not_found() => {
                if let Some(parent) = dest.path.parent() {
                    fs::create_dir_all(parent)?;
                }
                ware.draft(source, dest)?
            }
            draft => draft?,
        };
        let content = ware.content_at(dest);
        self.ledger.put(&dest.path, &content, || draft.put().map(drop))?;
        Ok(self.note(&dest.path, content)?)
    }

    /// Looks whether everything that an action was told of still lies where it was when it was told, so that what a
    /// command read there is what its key says.
    pub(crate) fn inputs_now(&self, action: ActionId) -> InputsNow {
        let others = self.ledger.has_news();
        let needs = |action: ActionId| self.graph.actions[action.0].needs.iter().map(|need| need.action);
        let mut seen = vec![false; self.graph.actions.len()];
        let mut left: Vec<ActionId> = needs(action).collect();
        let mut now = InputsNow::Same;
        while let Some(next) = left.pop() {
            if std::mem::replace(&mut seen[next.0], true) {
                continue;
            }
            left.extend(needs(next));
            let Some(made) = self.done().get(next) else { continue };
            let tree = made.tree_path.as_ref().zip(made.tree);
            let files =
                made.outputs.values().filter_map(|output| Some((output.path.as_ref()?, output.digest)));
            for (path, content) in tree.into_iter().chain(files.clone()) {
                if others && self.ledger.was_replaced(path, &content) {
                    return InputsNow::Overtaken;
                }
            }
            for (path, content) in files {
                if !self.lies_at(path, &content) {
                    now = InputsNow::Changed(path.clone());
                }
            }
        }
        now
    }

    fn lies_at(&self, path: &Path, digest: &Digest) -> bool {
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        self.signatures.proves(path, &metadata, digest)
            || self.signatures.content(path, &metadata).is_ok_and(|content| content.digest == *digest)
    }

    /// Tells that the store is of no use just now. The build goes on without it.
    pub(crate) fn tell_trouble(&self, error: fs::Error) {
        let sender = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        sender.send(Message::StoreTrouble(Arc::new(error))).ok();
    }

    /// What a deed of the store gave; its failure is told and costs nothing else.
    pub(crate) fn tolerate<T>(&self, result: fs::Result<T>) -> Option<T> {
        result.map_err(|error| self.tell_trouble(error)).ok()
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

    fn draft(&self, source: &Path, dest: &Dest) -> fs::Result<fs::Draft> {
        let mode = if self.executable { 0o755 } else { 0o644 };
        if let Some(checkout) = self.rooted_at(dest) {
            let edit = |path: &Path| {
                let file = File::options().read(true).write(true).open(path)?;
                scan::write_root(&file, self.marks, checkout)
            };
            return fs::draft_edited(source, &dest.path, mode, edit);
        }
        match dest.how {
            Place::Link | Place::Own => fs::draft(source, &dest.path),
            Place::Copy => fs::draft_copy(source, &dest.path, mode),
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
