//! `$WHARF_HOME/costs`: how long units took, so that the next build begins with what it will wait for longest.
//!
//! It serves all projects, since a package takes about as long in all of them. Only the order of a build depends on
//! it, so a file that is damaged or gone is no loss, and of two builds that end at once one may lose what it learnt.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::{fs, sealed};
use wharf_plan::{Costs, KnownCost, Plan};

use crate::story::Ending;
use crate::timeline::{Span, Timeline};

/// Changes when a reader of the old form would misunderstand the new one.
const MAGIC: &[u8] = b"wharf costs 1\n";

/// Beyond this, those that no build had for the longest time are forgotten: about 300 kB.
const MOST: usize = 4000;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// Counts builds, so that it is known what was used last.
    builds: u64,
    units: BTreeMap<String, Kept>,
}

/// Of one unit, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    early: Option<u64>,
    whole: u64,
    /// The last build that it was part of.
    build: u64,
}

/// What is known of units.
pub fn load(wharf_home: &Path) -> Costs {
    let Memory { units, .. } = read(wharf_home);
    let known = |kept: Kept| KnownCost { early: kept.early, whole: kept.whole };
    units.into_iter().map(|(name, kept)| (name, known(kept))).collect()
}

/// Remembers how long the units of a build took. A build that ran nothing has nothing to tell.
pub fn learn(wharf_home: &Path, plan: &Plan, timeline: &Timeline) {
    if !timeline.spans().any(|(_, span)| span.ending == Ending::Built) {
        return;
    }
    let mut memory = read(wharf_home);
    memory.builds += 1;
    for (action, span) in timeline.spans() {
        memory.learn(plan.unit(plan.unit_of(action)).cost_name(), span);
    }
    memory.forget(MOST);
    if let Some(bytes) = sealed::seal(MAGIC, &memory) {
        // It spares waiting, no more.
        fs::write_atomic(&file(wharf_home), bytes).ok();
    }
}

fn file(wharf_home: &Path) -> PathBuf {
    wharf_home.join("costs")
}

fn read(wharf_home: &Path) -> Memory {
    let bytes = fs::read_if_exists(&file(wharf_home)).ok().flatten();
    bytes.and_then(|bytes| sealed::open(MAGIC, &bytes)).unwrap_or_default()
}

impl Memory {
    fn learn(&mut self, name: String, span: &Span) {
        let build = self.builds;
        let known = self.units.get(&name).copied();
        let kept = match (span.ending, known) {
            (Ending::Failed, _) => return,
            (Ending::Built, known) => {
                let early = span.early.map(|early| milliseconds(early.saturating_sub(span.start)));
                // One build may have had the machine for itself and another not: half is what was known.
                let mean = |old: Option<u64>, new: u64| old.map_or(new, |old| old.midpoint(new));
                let whole = mean(known.map(|known| known.whole), milliseconds(span.command));
                let early = early.map(|early| mean(known.and_then(|known| known.early), early));
                Kept { early, whole, build }
            }
            (Ending::Restored | Ending::Fresh, Some(known)) => Kept { build, ..known },
            // Somebody ran it once; when its early outputs came is not kept with the result.
            (Ending::Restored | Ending::Fresh, None) => {
                Kept { early: None, whole: milliseconds(span.command), build }
            }
        };
        self.units.insert(name, kept);
    }

    /// When there are more than `most`, keeps three quarters of that.
    fn forget(&mut self, most: usize) {
        if self.units.len() <= most {
            return;
        }
        let mut units: Vec<(String, Kept)> = std::mem::take(&mut self.units).into_iter().collect();
        units.sort_by_key(|(_, kept)| Reverse(kept.build));
        units.truncate(most / 4 * 3);
        self.units = units.into_iter().collect();
    }
}

/// At least one: nothing is for nothing.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(ending: Ending, early: Option<u64>, command: u64) -> Span {
        let at = |time: u64| Duration::from_millis(100 + time);
        Span {
            start: at(0),
            early: early.map(at),
            end: at(command),
            ending,
            command: Duration::from_millis(command),
        }
    }

    fn known(memory: &Memory, name: &str) -> Option<(Option<u64>, u64)> {
        memory.units.get(name).map(|kept| (kept.early, kept.whole))
    }

    #[test]
    fn what_ran_is_learnt_and_what_was_restored_fills_gaps() {
        let mut memory = Memory::default();
        let mut learn = |name: &str, span: Span| {
            memory.learn(name.to_owned(), &span);
            known(&memory, name)
        };
        assert_eq!(learn("a", span(Ending::Built, Some(40), 100)), Some((Some(40), 100)));
        assert_eq!(learn("a", span(Ending::Built, Some(20), 200)), Some((Some(30), 150)));
        assert_eq!(
            learn("a", span(Ending::Restored, None, 9)),
            Some((Some(30), 150)),
            "it was measured here"
        );
        assert_eq!(learn("b", span(Ending::Fresh, None, 70)), Some((None, 70)));
        assert_eq!(learn("b", span(Ending::Built, Some(10), 50)), Some((Some(10), 60)));
        assert_eq!(learn("c", span(Ending::Failed, None, 50)), None);
        assert_eq!(learn("d", span(Ending::Built, None, 0)), Some((None, 1)));
    }

    #[test]
    fn what_no_build_has_is_forgotten() {
        let mut memory = Memory::default();
        for (build, names) in [(1, 0..4), (2, 4..6), (3, 6..9)] {
            memory.builds = build;
            names.for_each(|name: u32| memory.learn(name.to_string(), &span(Ending::Built, None, 5)));
        }
        memory.learn("0".to_owned(), &span(Ending::Fresh, None, 5));
        memory.forget(9);
        assert_eq!(memory.units.len(), 9);
        memory.forget(8);
        let names: Vec<&str> = memory.units.keys().map(String::as_str).collect();
        assert_eq!(names, ["0", "4", "5", "6", "7", "8"]);
    }

    #[test]
    fn a_damaged_file_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).is_empty());
        let mut memory = Memory::default();
        memory.learn("a".to_owned(), &span(Ending::Built, Some(40), 100));
        let bytes = sealed::seal(MAGIC, &memory).unwrap();
        std::fs::write(file(dir.path()), &bytes).unwrap();
        assert_eq!(load(dir.path())["a"], KnownCost { early: Some(40), whole: 100 });
        std::fs::write(file(dir.path()), &bytes[..bytes.len() - 1]).unwrap();
        assert!(load(dir.path()).is_empty());
    }
}
