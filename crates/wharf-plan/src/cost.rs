//! How long a unit is expected to take: as it did before, or guessed.

use std::collections::BTreeMap;

use wharf_exec::Cost;

use crate::unit::{Mode, Unit};

/// What is known of earlier builds, by [`Unit::cost_name`]. Says which unit comes first, and nothing else: neither
/// keys nor results may depend on it.
pub type Costs = BTreeMap<String, KnownCost>;

/// How long a unit took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownCost {
    /// Until its metadata was there, if it was seen to come before the end.
    pub early: Option<u64>,
    /// Until its end.
    pub whole: u64,
}

impl Unit {
    /// The name under which the unit's duration is remembered: what makes a difference of more than a little.
    /// Packages of the same name and version in different places share it, as do platforms and sets of features.
    pub fn cost_name(&self) -> String {
        let target = &self.target;
        let test = if self.mode.is_any_test() { " with tests" } else { "" };
        format!(
            "{} {} {} {} {}{test} {}",
            self.id().name(),
            self.id().version(),
            target.kind.description(),
            target.name,
            self.mode.name(),
            self.profile.opt_level
        )
    }
}

/// What a unit will cost. Of what is known only to the end, the beginning is guessed.
pub(crate) fn cost(unit: &Unit, costs: &Costs) -> Cost {
    let guess = guess(unit);
    let Some(known) = costs.get(&unit.cost_name()) else { return guess };
    let early = known.early.unwrap_or_else(|| known.whole.saturating_mul(guess.early) / guess.whole);
    Cost { early: early.min(known.whole), whole: known.whole }
}

/// What links takes longer, running a script is the least, and code generation is half of a library.
fn guess(unit: &Unit) -> Cost {
    match unit.mode {
        Mode::RunScript => Cost::of(300),
        Mode::Check { .. } => Cost::of(700),
        _ if unit.is_for_host() => Cost::of(1500),
        _ if unit.needs_objects() => Cost::of(2000),
        Mode::Build => Cost { early: 500, whole: 1000 },
        _ => Cost::of(1000),
    }
}
