//! Lookups waiting to be made, by the threads of the pool and by the coordinator when it has nothing else to do.

use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::graph::ActionId;

/// Actions by remaining cost, the dearest first; of equals, the first in the graph.
pub(crate) type Ranked = (u64, std::cmp::Reverse<usize>);

/// The waiting lookups.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: BinaryHeap<Ranked>,
    idle: usize,
    closed: bool,
}

impl Queue {
    /// Adds a lookup; tells whether more wait than there are idle threads.
    pub(crate) fn push(&self, ranked: Ranked) -> bool {
        let mut state = self.state();
        state.waiting.push(ranked);
        if state.idle > 0 {
            self.wake.notify_one();
        }
        state.waiting.len() > state.idle
    }

    /// The next lookup, if one waits.
    pub(crate) fn try_pop(&self) -> Option<ActionId> {
        self.state().waiting.pop().map(|(_, index)| ActionId(index.0))
    }

    /// Waits for the next lookup; `None` if there will be none.
    pub(crate) fn pop(&self) -> Option<ActionId> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some((_, index)) = state.waiting.pop() {
                return Some(ActionId(index.0));
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Forgets what waits; tells how many that were.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut self.state().waiting).len()
    }

    /// Sends all threads home.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue however the coordinator ends, or its scope would wait for the pool for ever.
pub(crate) struct CloseOnDrop<'a>(pub &'a Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
