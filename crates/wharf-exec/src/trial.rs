//! Trying whether a run would have to make what it rather finds.
//!
//! The caller may know two graphs that lead to its end, and prefer the one of which more is there already. While
//! something is on trial, actions are looked up, but no command starts and nothing is told. When all of it was found,
//! the run goes on as any other; when it was not, the run ends.

use crate::event::Event;
use crate::graph::{ActionId, Graph};

/// What is still on trial, and what was not told meanwhile.
pub(crate) struct Trial {
    /// Which actions were not found yet.
    open: Vec<bool>,
    left: usize,
    found: usize,
    held: Vec<Event>,
}

impl Trial {
    /// None if nothing is on trial.
    pub(crate) fn new(graph: &Graph, actions: &[ActionId]) -> Option<Trial> {
        let mut open = vec![false; graph.actions.len()];
        actions.iter().for_each(|action| open[action.0] = true);
        let left = open.iter().filter(|is_open| **is_open).count();
        (left > 0).then(|| Trial { open, left, found: 0, held: Vec::new() })
    }

    /// Notes that the result of an action was found; tells whether that was the last one on trial.
    pub(crate) fn passes(&mut self, action: ActionId) -> bool {
        if std::mem::take(&mut self.open[action.0]) {
            self.left -= 1;
            self.found += 1;
        }
        self.left == 0
    }

    /// Keeps an event for later.
    pub(crate) fn hold(&mut self, event: Event) {
        self.held.push(event);
    }

    /// How many of the actions on trial were found.
    pub(crate) fn found(&self) -> usize {
        self.found
    }

    /// What is to be told after all.
    pub(crate) fn into_held(self) -> Vec<Event> {
        self.held
    }
}
