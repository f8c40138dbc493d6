//! When each action of a build began, could be built upon, and ended: a fold over the executor's events.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_exec::{ActionId, Event, Outcome};

use crate::story::Ending;

/// What is known of the actions that have ended.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    running: BTreeMap<ActionId, Running>,
    spans: BTreeMap<ActionId, Span>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    start: Duration,
    early: Option<Duration>,
}

/// The part of a build in which one action was done. Times count from the beginning of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When its command was started; for what did not run, when looking for its outputs was.
    pub start: Duration,
    /// When its early outputs were in place, if that was before the end.
    pub early: Option<Duration>,
    /// When it ended.
    pub end: Duration,
    /// How.
    pub ending: Ending,
    /// How long the command ran, be it now or when the outputs were made.
    pub command: Duration,
}

impl Timeline {
    /// Nothing has happened. Times count from `began`.
    pub fn new(began: Instant) -> Timeline {
        Timeline { began, running: BTreeMap::new(), spans: BTreeMap::new() }
    }

    /// Takes note of what has just happened.
    pub fn apply(&mut self, event: &Event) {
        self.apply_at(event, self.began.elapsed());
    }

    fn apply_at(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Started { action, .. } => {
                self.running.insert(*action, Running { start: now, early: None });
            }
            Event::Early { action } => {
                if let Some(running) = self.running.get_mut(action) {
                    running.early = Some(now);
                }
            }
            Event::Finished { action, outcome, made, took } => {
                let ending = match outcome {
                    Outcome::Fresh => Ending::Fresh,
                    Outcome::Restored => Ending::Restored,
                    Outcome::Ran => Ending::Built,
                };
                self.ended(*action, ending, (now, *took), made.took);
            }
            Event::Failed { action, took, .. } => self.ended(*action, Ending::Failed, (now, *took), *took),
            Event::Line { .. }
            | Event::NotKept { .. }
            | Event::NotConfined(_)
            | Event::Stopped { .. }
            | Event::Waiting { .. }
            | Event::StoreTrouble { .. }
            | Event::Tick => {}
        }
    }

    fn ended(
        &mut self,
        action: ActionId,
        ending: Ending,
        (end, took): (Duration, Duration),
        command: Duration,
    ) {
        let running = self.running.remove(&action);
        let Running { start, early } =
            running.unwrap_or(Running { start: end.saturating_sub(took), early: None });
        self.spans.insert(action, Span { start, early, end, ending, command });
    }

    /// The actions that have ended, in the order of the graph.
    pub fn spans(&self) -> impl Iterator<Item = (ActionId, &Span)> {
        self.spans.iter().map(|(action, span)| (*action, span))
    }
}
