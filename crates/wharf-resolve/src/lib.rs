//! Chooses versions and features: from what the roots ask and what an index offers to a [`Resolution`], or to
//! a [`Conflict`] that tells who wanted what.
//!
//! The answer is the one that Cargo 1.95 would write to `Cargo.lock`, so the order in which dependencies and
//! candidates are tried is part of the contract (see [`resolve`]).
//!
//! Must not know the file system, the network, the clock, the syntax of lockfiles or the terminal.

mod answer;
mod catalog;
pub mod conflict;
mod explain;
mod features;
mod gather;
mod locks;
mod overrides;
mod past;
mod problem;
mod requirements;
mod search;
mod state;
mod story;

pub use conflict::{Conflict, ConflictKind};
pub use features::{FeatureRequest, MemberFeatures, activate_features};
pub use problem::{
    Index, IndexError, LockedGraph, LockedPackage, Patch, PreciseVersion, Problem, Replace,
    RequestedFeatures, Root, RustVersionPolicy, VersionOrder,
};

use wharf_core::Resolution;

/// Chooses a version for every package that the roots lead to, on all platforms.
///
/// Where several graphs satisfy the problem the answer is the first in this order: of all dependencies still
/// open, the one of the package that has the dependency with the fewest candidates is served first, packages
/// that came earlier first among equals; its candidates are tried with locked and patched ones first, then by
/// the toolchains that they support, then by version. A dependency held by a lock has one candidate, so a
/// lockfile that still holds is verified in one pass without a step back.
///
/// Edges name packages before `[replace]`; see [`Resolution::replacements`].
pub fn resolve(problem: &Problem, index: &dyn Index) -> Result<Resolution, Conflict> {
    let catalog = catalog::Catalog::prepare(problem, index)?;
    let mut search = search::Search::new(catalog);
    search.run()?;
    answer::answer(&search.catalog, &search.state)
}
