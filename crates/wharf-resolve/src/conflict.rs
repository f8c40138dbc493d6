//! Why there is no answer.

use semver::Version;
use wharf_core::package::PackageId;
use wharf_core::{Dependency, FeatureName, PackageName, SourceId};

use crate::problem::IndexError;

/// Why there is no answer: a story for [`std::fmt::Display`] (several lines, the first one the summary) and what
/// to do about it in [`Conflict::help`].
#[derive(Debug)]
pub struct Conflict {
    /// What happened.
    pub kind: Box<ConflictKind>,
    /// From the package whose dependency failed up to a root; each but the last with the dependency by which
    /// the next one asks for it. Empty where no single package is to blame.
    pub path: Vec<PathStep>,
}

/// One package on the way to a root.
#[derive(Clone, Debug)]
pub struct PathStep {
    /// The package.
    pub package: PackageId,
    /// The dependency by which the next package of the path asks for this one.
    pub wanted_as: Option<Dependency>,
}

/// A version that does not do, and why.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The version.
    pub version: Version,
    /// Whether it is yanked.
    pub yanked: bool,
}

/// A package that is in the way of a dependency.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// The package, already chosen.
    pub package: PackageId,
    /// Who asked for it.
    pub path: Vec<PathStep>,
    /// Why it is in the way.
    pub reason: Reason,
}

/// Why a candidate could not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Another version of the same compatible range is there.
    Version,
    /// Another package claims the same native library.
    Links,
    /// The package asks for a feature that the candidate does not have.
    Feature,
}

/// [`Why`], with the particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another version of the same compatible range is there.
    Version,
    /// Another package claims the same native library.
    Links(std::sync::Arc<str>),
    /// The package asks for a feature that no candidate has.
    MissingFeature(FeatureName),
    /// The feature asked for is the name of a dependency that is not optional.
    RequiredDependency(FeatureName),
    /// The feature asked for is the name of an optional dependency that is hidden by `dep:`.
    HiddenDependency(FeatureName),
}

impl Reason {
    /// The reason without its particulars.
    pub fn why(&self) -> Why {
        match self {
            Self::Version => Why::Version,
            Self::Links(_) => Why::Links,
            Self::MissingFeature(_) | Self::RequiredDependency(_) | Self::HiddenDependency(_) => Why::Feature,
        }
    }
}

/// The kinds of [`Conflict`].
#[derive(Debug)]
pub enum ConflictKind {
    /// The source has no package of that name.
    NoMatchingPackage {
        /// What was looked for.
        dependency: Dependency,
        /// The version that the lockfile holds it at.
        locked: Option<Version>,
        /// Names in that source that resemble it.
        similar: Vec<PackageName>,
    },
    /// The source has the package, but no version that will do.
    NoMatchingVersion {
        /// What was looked for.
        dependency: Dependency,
        /// The version that the lockfile holds it at.
        locked: Option<Version>,
        /// What there is, newest first.
        versions: Vec<Rejected>,
    },
    /// Every version that would do is kept out by a package that was chosen for somebody else.
    VersionConflict {
        /// What was looked for.
        dependency: Dependency,
        /// The versions that would do, in the order tried.
        candidates: Vec<Version>,
        /// What is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// Two packages claim one native library.
    LinksConflict {
        /// What was looked for.
        dependency: Dependency,
        /// The versions that would do, in the order tried.
        candidates: Vec<Version>,
        /// The library.
        links: std::sync::Arc<str>,
        /// What is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// A dependency asks for a feature that no candidate has.
    MissingFeature {
        /// What was looked for.
        dependency: Dependency,
        /// The versions that would do, in the order tried.
        candidates: Vec<Version>,
        /// What is missing, as a [`Reason`] about a feature.
        reason: Reason,
        /// The features of the first candidate.
        available: Vec<FeatureName>,
    },
    /// A root was asked for a feature that it does not have.
    MissingRootFeature {
        /// The root.
        package: PackageId,
        /// What is missing, as a [`Reason`] about a feature.
        reason: Reason,
        /// The features that it has.
        available: Vec<FeatureName>,
        /// For a hidden optional dependency: the features that switch it on.
        enabling: Vec<FeatureName>,
    },
    /// A root was asked for a feature of a dependency that it does not have.
    MissingRootDependency {
        /// The root.
        package: PackageId,
        /// The name in `name/feature`.
        name: FeatureName,
    },
    /// A feature switches itself on.
    FeatureCycle {
        /// The package.
        package: PackageId,
        /// The feature.
        feature: FeatureName,
    },
    /// A package depends on itself through normal and build dependencies.
    Cycle {
        /// The packages around the circle; the last depends on the first.
        packages: Vec<PackageId>,
    },
    /// Two packages would be written to the lockfile under one name.
    Collision {
        /// One.
        first: PackageId,
        /// The other.
        second: PackageId,
    },
    /// A `[patch]` entry that cannot stand.
    Patch {
        /// The patched source.
        target: SourceId,
        /// The entry.
        dependency: Dependency,
        /// What is wrong with it.
        problem: PatchProblem,
    },
    /// A `[replace]` entry that cannot stand.
    Replace {
        /// The entry's key.
        spec: Box<wharf_core::PackageIdSpec>,
        /// The entry's value.
        dependency: Dependency,
        /// What is wrong with it.
        problem: ReplaceProblem,
    },
    /// The lockfile and the index differ about the content of a package.
    Checksum {
        /// The package.
        package: PackageId,
        /// What the lockfile holds.
        locked: Option<String>,
        /// What the index says.
        found: Option<String>,
    },
    /// The search was given up.
    Exhausted {
        /// What it last failed to satisfy.
        dependency: Option<Dependency>,
        /// How many candidates were tried.
        tried: u64,
    },
    /// The index could not answer.
    Index {
        /// What was looked for.
        name: PackageName,
        /// Where.
        source: SourceId,
        /// The cause.
        error: IndexError,
    },
}

/// What is wrong with a `[patch]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchProblem {
    /// The source has no package of that name.
    NotFound,
    /// The source has other versions only.
    NoVersion(Vec<Version>),
    /// Several versions fit.
    Several(Vec<Version>),
    /// The replacement lies in the source that is patched.
    SameSource,
    /// Another entry stands for the same version.
    Duplicate(Version),
}

/// What is wrong with a `[replace]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplaceProblem {
    /// The source has no such package.
    NotFound,
    /// Several versions fit.
    Several(Vec<PackageId>),
    /// The replacement has another version than the package.
    OtherVersion {
        /// The package to replace.
        original: Version,
        /// The replacement.
        replacement: Version,
    },
    /// Another entry fits the same package.
    Overlap(Box<wharf_core::PackageIdSpec>, PackageId),
}

impl Conflict {
    pub(crate) fn new(kind: ConflictKind) -> Self {
        Self { kind: Box::new(kind), path: Vec::new() }
    }
}

impl std::error::Error for Conflict {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.kind {
            ConflictKind::Index { error, .. } => Some(error),
            _ => None,
        }
    }
}
