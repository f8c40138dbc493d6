//! Which packages a check may take from builds: those that cannot change, nor anything below them.

use std::collections::{BTreeSet, HashMap};

use wharf_core::PackageId;
use wharf_exec::ActionId;

use crate::plan::Plan;
use crate::request::{Intent, Request};
use crate::unit::{Unit, UnitId};

/// The packages that cannot change under their ids, nor can anything that they depend on.
pub(crate) fn fixed(request: &Request<'_>) -> BTreeSet<PackageId> {
    let resolution = request.resolution;
    let may_change = |id: &PackageId| {
        let source = id.source();
        let is_fixed = resolution.get(id).is_some_and(|package| package.checksum.is_some())
            || (source.is_git() && source.git_object().is_some());
        !is_fixed
    };
    let mut users: HashMap<&PackageId, Vec<&PackageId>> = HashMap::new();
    for id in resolution.ids() {
        for edge in resolution.edges(id) {
            users.entry(resolution.used_for(&edge.to)).or_default().push(id);
        }
    }
    let mut fixed: BTreeSet<PackageId> = resolution.ids().cloned().collect();
    let mut open: Vec<&PackageId> = resolution.ids().filter(|id| may_change(id)).collect();
    while let Some(id) = open.pop() {
        if fixed.remove(id) {
            open.extend(users.get(id).into_iter().flatten());
        }
    }
    fixed
}

/// The libraries of packages that cannot change that something is checked against.
pub(crate) fn lendable(request: &Request<'_>, units: &[Unit]) -> Vec<UnitId> {
    if !matches!(request.intent, Intent::Check { .. }) {
        return Vec::new();
    }
    let fixed = fixed(request);
    let mut lendable = BTreeSet::new();
    let mut open: Vec<UnitId> =
        (0..units.len()).map(UnitId).filter(|id| units[id.0].mode.is_check()).collect();
    while let Some(id) = open.pop() {
        for edge in &units[id.0].dependencies {
            let below = &units[edge.unit.0];
            let is_library = below.target.is_linkable() && !below.is_for_host();
            if is_library && fixed.contains(below.id()) && lendable.insert(edge.unit) {
                open.push(edge.unit);
            }
        }
    }
    lendable.into_iter().collect()
}

impl Plan {
    /// The actions that make all that is checked against and cannot change, with everything that they need themselves.
    /// Empty for other intents.
    pub fn lendable_actions(&self) -> Vec<ActionId> {
        let mut seen: BTreeSet<UnitId> = self.lendable.iter().copied().collect();
        let mut open = self.lendable.clone();
        while let Some(id) = open.pop() {
            let below = self.units[id.0].dependencies.iter().map(|edge| edge.unit);
            open.extend(below.filter(|below| seen.insert(*below)));
        }
        seen.into_iter().filter_map(|id| self.action_of(id)).collect()
    }
}
