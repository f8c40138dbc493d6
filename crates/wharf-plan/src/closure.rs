//! What reaches further than one edge: build scripts to link with, and everything that a linker sees.

use std::collections::BTreeSet;

use crate::error::PlanError;
use crate::unit::{Mode, Unit, UnitId};

/// What a unit gets from below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// The build-script runs whose libraries are passed on, the package's own first.
    pub to_link: Vec<UnitId>,
    /// The runs whose libraries procedural macros may load.
    pub plugins: BTreeSet<UnitId>,
    /// All crates that the compiler may load: direct dependencies, and theirs, down to procedural macros, whose own
    /// dependencies are inside of them.
    pub crates: BTreeSet<UnitId>,
}

/// All units, dependencies before dependents.
pub(crate) fn order(units: &[Unit]) -> Result<Vec<UnitId>, PlanError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; units.len()];
    let mut order = Vec::with_capacity(units.len());
    for start in 0..units.len() {
        let mut open = vec![(start, 0)];
        while let Some((index, next)) = open.pop() {
            if states[index] == State::Done {
                continue;
            }
            states[index] = State::Open;
            match units[index].dependencies.get(next) {
                Some(edge) => {
                    open.push((index, next + 1));
                    match states[edge.unit.0] {
                        State::New => open.push((edge.unit.0, 0)),
                        State::Open => return Err(PlanError::Circle(units[index].id().clone())),
                        State::Done => {}
                    }
                }
                None => {
                    states[index] = State::Done;
                    order.push(UnitId(index));
                }
            }
        }
    }
    Ok(order)
}

/// What each unit gets from below; `order` holds dependencies before dependents.
pub(crate) fn reach(units: &[Unit], order: &[UnitId]) -> Vec<Reach> {
    let mut all: Vec<Reach> = vec![Reach::default(); units.len()];
    for id in order {
        let unit = &units[id.0];
        let mut own = Reach::default();
        let link = |to_link: &mut Vec<UnitId>, run: UnitId| {
            if !to_link.contains(&run) {
                to_link.push(run);
            }
        };
        if !unit.target.is_custom_build() {
            for edge in &unit.dependencies {
                let run = &units[edge.unit.0];
                if run.mode == Mode::RunScript && run.id() == unit.id() {
                    link(&mut own.to_link, edge.unit);
                }
            }
        }
        for edge in &unit.dependencies {
            let (below, reach) = (&units[edge.unit.0], &all[edge.unit.0]);
            if below.is_for_host() {
                own.plugins.extend(reach.to_link.iter().copied());
            } else if below.target.is_linkable() {
                for run in &reach.to_link {
                    link(&mut own.to_link, *run);
                }
            }
            if below.target.is_linkable() && matches!(below.mode, Mode::Build | Mode::Check { .. }) {
                own.crates.insert(edge.unit);
                if !below.target.is_proc_macro() {
                    own.crates.extend(reach.crates.iter().copied());
                }
            }
        }
        all[id.0] = own;
    }
    all
}
