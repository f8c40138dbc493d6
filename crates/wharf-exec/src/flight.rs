//! The same action runs once, whoever wants it: a run takes the locks of its keys, and whoever wants one of them waits
//! until the result is in the store.
//!
//! Nobody who waits holds anything that others wait for: the locks are taken only when the command may start at once,
//! and never waited for. The kernel lets go of them when a process dies.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_base::digest::{Digest, Hasher};
use wharf_base::lock::{self, Lock, Mode};

use crate::graph::ActionId;
use crate::lookup::Pending;
use crate::shop::Shop;

/// The locks of running actions.
#[derive(Debug)]
pub(crate) struct Flights {
    dir: PathBuf,
}

/// The locks of one running action. They go with it.
#[derive(Debug)]
pub(crate) struct Flight(Vec<Lock>);

impl Drop for Flight {
    fn drop(&mut self) {
        for lock in &self.0 {
            if lock.is_real() {
                // While it is held: whoever opened it meanwhile sees that it is gone, and takes the next one.
                std::fs::remove_file(lock.path()).ok();
            }
        }
    }
}

impl Flights {
    pub(crate) fn new(dir: PathBuf) -> Flights {
        Flights { dir }
    }

    /// Takes the locks if nobody has one of them. Where there can be no locks, everybody gets them.
    pub(crate) fn try_take(&self, keys: &[Digest]) -> Option<Flight> {
        let mut flight = Flight(Vec::new());
        for key in keys {
            flight.0.extend(take(&self.path(key))?);
        }
        Some(flight)
    }

    /// Whether the locks could be taken now.
    fn are_free(&self, keys: &[Digest]) -> bool {
        self.try_take(keys).is_some()
    }

    /// Whether somebody who has one of the locks was stopped (`^Z`, a debugger): that may last for ever.
    fn is_stopped(&self, keys: &[Digest]) -> bool {
        keys.iter().any(|key| {
            let holder = std::fs::read_to_string(self.path(key)).unwrap_or_default();
            let holder = holder.trim();
            let stat = match holder.parse::<u32>() {
                Ok(process) => std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default(),
                Err(_) => return false,
            };
            // The name of the program, in brackets, may hold anything.
            let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            state.starts_with(['T', 't'])
        })
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.dir.join(&key.to_hex()[..32])
    }
}

/// `None` if somebody has it, nothing in it if there are no locks here.
fn take(path: &Path) -> Option<Option<Lock>> {
    for _ in 0..100 {
        let Ok(lock) = lock::try_acquire(path, Mode::Exclusive) else { return Some(None) };
        let lock = lock?;
        if lock.is_current() {
            if let Some(mut file) = lock.file() {
                // A hint for those who wait, not more.
                file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).ok();
                writeln!(file, "{}", std::process::id()).ok();
            }
            return Some(Some(lock));
        }
    }
    None
}

/// What to lock for an action. Beside its keys these are the contents that it would find where the newest result
/// under them was seen to read: builds of different sources need not wait for each other.
pub(crate) fn keys(shop: &Shop<'_>, pending: &Pending) -> Vec<Digest> {
    let keys = pending.keys().into_iter();
    keys.map(|key| {
        let mut hasher = Hasher::for_purpose("wharf running action 1");
        hasher.digest(&key);
        if let Some(newest) = shop.store.entries(&key).next() {
            hasher.digest(&newest.sight.now(&pending.step, &shop.signatures));
        }
        hasher.finish()
    })
    .collect()
}

/// Actions that others are running.
#[derive(Default)]
pub(crate) struct Waiting {
    state: Mutex<WaitingState>,
    wake: Condvar,
}

#[derive(Default)]
struct WaitingState {
    actions: Vec<(ActionId, Pending)>,
    closed: bool,
}

/// How often the locks are tried.
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(20);

impl Waiting {
    /// Adds an action.
    pub(crate) fn push(&self, action: ActionId, pending: Pending) {
        self.state().actions.push((action, pending));
        self.wake.notify_one();
    }

    /// Waits for an action that nobody is running any more; `None` if there will be none.
    pub(crate) fn pop(&self, flights: &Flights) -> Option<(ActionId, Pending)> {
        let mut pause = SHORTEST;
        let mut rounds = 0_u32;
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if state.actions.is_empty() {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            rounds += 1;
            let free = state.actions.iter().position(|(_, pending)| {
                flights.are_free(&pending.flight)
                    || (rounds.is_multiple_of(50) && flights.is_stopped(&pending.flight))
            });
            if let Some(free) = free {
                return Some(state.actions.remove(free));
            }
            state = self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
            pause = (pause * 3 / 2).min(LONGEST);
        }
    }

    /// Forgets what waits; tells how many that were.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut self.state().actions).len()
    }

    fn state(&self) -> MutexGuard<'_, WaitingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the waiting thread home however the coordinator ends.
pub(crate) struct CloseOnDrop<'a>(pub &'a Waiting);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let flights = Flights::new(dir.path().join("run"));
        let (one, two) = (Digest::of("one"), Digest::of("two"));
        let held = flights.try_take(&[one]).unwrap();
        assert!(flights.try_take(&[two, one]).is_none());
        assert!(flights.are_free(&[two]), "the first lock was given back");
        assert!(!flights.is_stopped(&[one]));
        drop(held);
        assert!(flights.are_free(&[one]));
        assert_eq!(std::fs::read_dir(dir.path().join("run")).unwrap().count(), 0);
    }
}
