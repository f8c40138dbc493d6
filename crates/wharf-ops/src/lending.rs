//! Checks take what builds made of packages that cannot change, where that is there already.
//!
//! The compiler refuses to mix metadata of checks with that of builds, so it is one or the other for all such packages
//! together. Both are tried: first what served the last time in this target directory. If not all of it is in the
//! store, the other; and if that is not whole either, the one of which less is missing.

use std::path::{Path, PathBuf};

use wharf_base::fs;
use wharf_exec::ActionId;
use wharf_plan::Plan;

use crate::compile::CompileRequest;

/// Building a package takes about this many times as long as checking it.
const COST_OF_BUILDING: usize = 2;

/// Which of the two is planned, and how far it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lending {
    /// Whether builds lend to checks.
    pub lends: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    First,
    Second {
        /// How much the other one lacks.
        other_lacks: usize,
    },
    Decided,
}

impl Lending {
    pub(crate) fn new(plan: &Plan, lends: bool, may_change: bool) -> Lending {
        let is_open = may_change && !plan.lendable_actions().is_empty();
        let stage = if is_open { Stage::First } else { Stage::Decided };
        Lending { lends, stage }
    }

    /// What comes after one that lacks so many results.
    pub(crate) fn after(self, lacks: usize) -> Lending {
        match self.stage {
            Stage::First => Lending { lends: !self.lends, stage: Stage::Second { other_lacks: lacks } },
            Stage::Second { other_lacks } => {
                let (built, checked) = if self.lends { (lacks, other_lacks) } else { (other_lacks, lacks) };
                Lending { lends: built * COST_OF_BUILDING < checked, stage: Stage::Decided }
            }
            Stage::Decided => self,
        }
    }

    /// What must be there for this to be taken.
    pub(crate) fn trial(self, plan: &Plan) -> Vec<ActionId> {
        if self.stage == Stage::Decided { Vec::new() } else { plan.lendable_actions() }
    }

    /// Notes what served, so that it is tried first the next time. What is forgotten costs a trial.
    pub(crate) fn remember(self, request: &CompileRequest) {
        let marker = lends_marker(&request.settings.build_dir);
        if !request.may_lend || self.lends == fs::exists(&marker) {
            return;
        }
        if self.lends {
            fs::write(&marker, "").ok();
        } else {
            fs::remove_file_if_exists(&marker).ok();
        }
    }
}

/// The file that is there while checks use what builds made.
pub(crate) fn lends_marker(build_dir: &Path) -> PathBuf {
    build_dir.join(".wharf/lends")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(lends: bool) -> Lending {
        Lending { lends, stage: Stage::First }
    }

    #[test]
    fn both_are_tried_and_the_cheaper_one_is_taken() {
        for (built, checked, lends) in
            [(0, 0, false), (10, 10, false), (1, 10, true), (5, 10, false), (4, 10, true)]
        {
            let second = first(false).after(checked);
            assert!(second.lends);
            assert_eq!(second.after(built), Lending { lends, stage: Stage::Decided }, "{built} {checked}");
            let second = first(true).after(built);
            assert!(!second.lends);
            assert_eq!(second.after(checked), Lending { lends, stage: Stage::Decided }, "{built} {checked}");
        }
    }
}
