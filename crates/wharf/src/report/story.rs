//! Writes down what a build does and why, for `why`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_exec::{ActionId, Change, Event, Outcome};
use wharf_ops::plan::{Plan, Unit};
use wharf_ops::story::{Ending, Story, UnitStory};

use super::human;

/// A value in a reason longer than this is left out, in characters.
const SHOWN: usize = 160;

/// The story of a build as it goes on.
pub struct Chronicle<'p> {
    plan: &'p Plan,
    reasons: BTreeMap<ActionId, Vec<Change>>,
    units: Vec<UnitStory>,
}

impl<'p> Chronicle<'p> {
    /// Nothing has happened.
    pub fn new(plan: &'p Plan) -> Chronicle<'p> {
        Chronicle { plan, reasons: BTreeMap::new(), units: Vec::new() }
    }

    /// Takes note of what happened.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Started { action, why, .. } => {
                self.reasons.insert(*action, why.clone());
            }
            Event::Finished { action, outcome, made, .. } => {
                let ending = match outcome {
                    Outcome::Fresh => Ending::Fresh,
                    Outcome::Restored => Ending::Restored,
                    Outcome::Ran => Ending::Built,
                };
                self.ended(*action, ending, made.took);
            }
            Event::Failed { action, took, .. } => self.ended(*action, Ending::Failed, *took),
            _ => {}
        }
    }

    fn ended(&mut self, action: ActionId, outcome: Ending, took: Duration) {
        let unit = self.plan.unit(self.plan.unit_of(action));
        let why = self.reasons.remove(&action).unwrap_or_default();
        self.units.push(UnitStory {
            package: unit.id().name().to_string(),
            id: unit.id().to_string(),
            unit: human::described(unit),
            outcome,
            why: why.iter().map(|change| sentence(change, unit)).collect(),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// The whole story.
    pub fn end(self, command: Vec<String>) -> Story {
        Story::new(command, self.units)
    }
}

/// A reason with what it was before and what it is now.
fn sentence(change: &Change, unit: &Unit) -> String {
    let reason = human::reason(std::slice::from_ref(change), unit);
    let shown = |text: Option<String>| match text {
        None => "none".to_owned(),
        Some(text) if text.chars().count() > SHOWN => "…".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    match change {
        Change::Recipe { old, new, .. } if old.is_some() || new.is_some() => {
            format!("{reason}: {} -> {}", shown(old.clone()), shown(new.clone()))
        }
        Change::Env { old, new, .. } => {
            let text = |value: &Option<std::ffi::OsString>| {
                shown(value.as_ref().map(|value| value.to_string_lossy().into_owned()))
            };
            format!("{reason}: {} -> {}", text(old), text(new))
        }
        _ => reason,
    }
}
