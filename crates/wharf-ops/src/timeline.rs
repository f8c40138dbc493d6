//! When each action of a build began, could be built upon, and ended: a fold over the executor's events. Which of them
//! the length of the build was made of, and what was saved.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_exec::{ActionId, Event, Graph, Outcome, Stage};

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

impl Span {
    /// How long the action was being done.
    pub fn took(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }

    /// How long its command would have run, less how long it took to do without; nothing unless it was a hit.
    pub fn saved(&self) -> Duration {
        if self.ending.is_hit() { self.command.saturating_sub(self.took()) } else { Duration::ZERO }
    }

    /// When somebody who needs this much of it could begin.
    fn met(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Early => self.early.unwrap_or(self.end),
            Stage::Whole => self.end,
        }
    }
}

/// A part of the critical path: an action that the next one waited for. The last part is what ended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which.
    pub action: ActionId,
    /// When it began. Between this and the end of the part before, nothing but other work was in the way.
    pub start: Duration,
    /// When the next could begin: at its early outputs, if they were enough, else at its end.
    pub until: Duration,
    /// Whether the command ran.
    pub ran: bool,
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

    /// How many actions ended in this way.
    pub fn count(&self, ending: Ending) -> usize {
        self.spans.values().filter(|span| span.ending == ending).count()
    }

    /// How long commands did not have to run. The build was not made shorter by this much: they would have run side by
    /// side.
    pub fn saved(&self) -> Duration {
        self.spans.values().map(Span::saved).sum()
    }

    /// How long commands ran, added up.
    pub fn work(&self) -> Duration {
        self.ran().map(Span::took).sum()
    }

    /// How many commands ran at once at most.
    pub fn most_at_once(&self) -> usize {
        // Of what begins when something else ends, the end comes first.
        let mut moments: Vec<(Duration, bool)> =
            self.ran().flat_map(|span| [(span.start, true), (span.end, false)]).collect();
        moments.sort_unstable();
        let (mut running, mut most) = (0_usize, 0);
        for (_, begins) in moments {
            running = if begins { running + 1 } else { running.saturating_sub(1) };
            most = most.max(running);
        }
        most
    }

    fn ran(&self) -> impl Iterator<Item = &Span> {
        self.spans.values().filter(|span| !span.ending.is_hit())
    }

    /// What the length of the build was made of: from what ended last, always to the need that was met last. Where
    /// processors were scarce, parts of it waited for other work than that of the path.
    pub fn critical_path(&self, graph: &Graph) -> Vec<Link> {
        let mut path = Vec::new();
        let last = self.spans.iter().max_by_key(|(action, span)| (span.end, Reverse(**action)));
        let mut next = last.map(|(action, span)| (*action, span.end));
        while let Some((action, until)) = next {
            let Some(span) = self.spans.get(&action) else { break };
            path.push(Link { action, start: span.start, until, ran: !span.ending.is_hit() });
            let needs = graph.actions[action.0].needs.iter();
            let met =
                needs.filter_map(|need| Some((need.action, self.spans.get(&need.action)?.met(need.stage))));
            next = met.max_by_key(|(action, met)| (*met, Reverse(*action)));
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wharf_exec::{Action, Cost, Made, Need};

    use super::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn started(action: usize) -> Event {
        let (action, why, command) = (ActionId(action), Vec::new(), Arc::default());
        Event::Started { action, why, command, incremental: false }
    }

    fn finished(action: usize, outcome: Outcome, took: u64, command: u64) -> Event {
        let made = Made {
            stage: Stage::Whole,
            outputs: BTreeMap::new(),
            tree: None,
            tree_path: None,
            tree_copy: None,
            stdout: None,
            lines: Arc::from([]),
            took: ms(command),
        };
        Event::Finished { action: ActionId(action), outcome, made: Arc::new(made), took: ms(took) }
    }

    /// Actions by what they need; an early need is given as a negative number less one.
    fn graph(needs: &[&[isize]]) -> Graph {
        let need = |code: &isize| match usize::try_from(*code) {
            Ok(index) => Need { action: ActionId(index), stage: Stage::Whole },
            Err(_) => Need { action: ActionId(code.unsigned_abs() - 1), stage: Stage::Early },
        };
        let action = |needs: &&[isize]| Action {
            name: String::new(),
            needs: needs.iter().map(need).collect(),
            cost: Cost::of(1),
        };
        Graph { actions: needs.iter().map(action).collect() }
    }

    fn timeline(events: Vec<(u64, Event)>) -> Timeline {
        let mut timeline = Timeline::new(Instant::now());
        for (now, event) in events {
            timeline.apply_at(&event, ms(now));
        }
        timeline
    }

    fn path(timeline: &Timeline, graph: &Graph) -> Vec<(usize, u128, u128)> {
        let links = timeline.critical_path(graph).into_iter();
        links.map(|link| (link.action.0, link.start.as_millis(), link.until.as_millis())).collect()
    }

    #[test]
    fn the_path_leads_over_early_outputs() {
        let early = |action| Event::Early { action: ActionId(action) };
        let events = vec![
            (10, started(0)),
            (10, started(1)),
            (40, early(0)),
            (45, finished(1, Outcome::Ran, 35, 35)),
            (50, started(2)),
            (90, finished(0, Outcome::Ran, 80, 80)),
            (120, finished(2, Outcome::Ran, 70, 70)),
        ];
        let timeline = timeline(events);
        // 2 needs 1 and the early outputs of 0.
        assert_eq!(path(&timeline, &graph(&[&[], &[], &[-1]])), [(0, 10, 40), (2, 50, 120)]);
        assert_eq!(path(&timeline, &graph(&[&[], &[], &[-1, 1]])), [(1, 10, 45), (2, 50, 120)]);
        assert_eq!(path(&timeline, &graph(&[&[], &[], &[]])), [(2, 50, 120)]);
        assert_eq!(timeline.most_at_once(), 2);
        assert_eq!(timeline.work(), ms(80 + 35 + 70));
    }

    #[test]
    fn hits_are_counted_and_what_they_save() {
        let events = vec![
            (5, finished(0, Outcome::Fresh, 1, 100)),
            (8, finished(1, Outcome::Restored, 3, 50)),
            (9, finished(2, Outcome::Restored, 4, 2)),
            (10, started(3)),
            (30, finished(3, Outcome::Ran, 20, 20)),
        ];
        let timeline = timeline(events);
        assert_eq!(timeline.saved(), ms(99 + 47), "what is restored slower than it is made saves nothing");
        let counts = [Ending::Built, Ending::Failed, Ending::Restored, Ending::Fresh];
        assert_eq!(counts.map(|ending| timeline.count(ending)), [1, 0, 2, 1]);
        assert_eq!(path(&timeline, &graph(&[&[], &[0], &[], &[0, 1]])), [(0, 4, 5), (1, 5, 8), (3, 10, 30)]);
        let ran: Vec<bool> =
            timeline.critical_path(&graph(&[&[], &[], &[], &[0]])).iter().map(|link| link.ran).collect();
        assert_eq!(ran, [false, true]);
    }

    #[test]
    fn nothing_has_no_path() {
        assert!(timeline(Vec::new()).critical_path(&Graph::default()).is_empty());
    }
}
