//! What the resolver is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use semver::Version;
use wharf_core::package::PackageId;
use wharf_core::summary::SharedSummary;
use wharf_core::{Dependency, FeatureValue, PackageIdSpec, PackageName, PartialVersion, SourceId};

/// What exists. Answers must not change during one resolution.
pub trait Index {
    /// Every version of `name` in `source`, yanked ones included, in any order; none when the source has no
    /// package of that name. A path source has one version at most. A git source that is pinned to an object
    /// answers for that object, one that is not for the current head of its reference; the ids in the
    /// answer name the object.
    fn summaries(&self, source: &SourceId, name: &PackageName) -> Result<Arc<[SharedSummary]>, IndexError>;

    /// The versions that `takes` accepts, of those that [`Index::summaries`] gives. Most of an index is never asked
    /// for, and need not be read.
    fn matching(
        &self,
        source: &SourceId,
        name: &PackageName,
        takes: &dyn Fn(&Version) -> bool,
    ) -> Result<Vec<SharedSummary>, IndexError> {
        let all = self.summaries(source, name)?;
        Ok(all.iter().filter(|summary| takes(summary.id.version())).cloned().collect())
    }

    /// The one version of `name` that a lockfile holds, so that a locked graph needs no whole entries.
    /// Build metadata counts. `None` when it does not exist.
    fn exact(
        &self,
        source: &SourceId,
        name: &PackageName,
        version: &Version,
    ) -> Result<Option<SharedSummary>, IndexError> {
        Ok(self.summaries(source, name)?.iter().find(|summary| summary.id.version() == version).cloned())
    }

    /// Names that [`Index::summaries`] will be asked for next; a hint, to be fetched together. Called only
    /// when [`Index::gathers`] says so.
    fn prefetch(&self, wanted: &[(SourceId, PackageName)]) {
        let _ = wanted;
    }

    /// Packages that [`Index::exact`] will be asked for: what a lockfile holds, in one batch before anything
    /// else is announced. What is on disk already needs no look at the network.
    fn prefetch_exact(&self, wanted: &[PackageId]) {
        let _ = wanted;
    }

    /// Whether it pays to gather names before asking for them one by one.
    fn gathers(&self) -> bool {
        false
    }

    /// Whether a version can be had without a network, where there is none. Of the versions that meet a requirement,
    /// those at hand are taken alone; where none is, all are offered: it may turn out that none is needed.
    fn is_at_hand(&self, package: &PackageId) -> bool {
        let _ = package;
        true
    }

    /// Names in `source` that resemble `name`, nearest first, for messages.
    fn similar_names(&self, source: &SourceId, name: &PackageName) -> Vec<PackageName> {
        let _ = (source, name);
        Vec::new()
    }
}

/// Why an index could not answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct IndexError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// The features asked of a root (`--features`, `--all-features`, `--no-default-features`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestedFeatures {
    /// All declared features.
    pub all: bool,
    /// The `default` feature, where there is one.
    pub default: bool,
    /// Named ones: features of the root, or `dependency/feature`.
    pub named: BTreeSet<FeatureValue>,
}

impl RequestedFeatures {
    /// Everything: what is resolved for a lockfile.
    pub fn everything() -> Self {
        Self { all: true, default: true, named: BTreeSet::new() }
    }

    /// The default features alone.
    pub fn defaults() -> Self {
        Self { all: false, default: true, named: BTreeSet::new() }
    }
}

/// A package that the resolution starts from.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its manifest, for the resolver.
    pub summary: SharedSummary,
    /// The features asked of it.
    pub features: RequestedFeatures,
    /// Whether its dev-dependencies count.
    pub dev_dependencies: bool,
}

/// A package of the previous resolution.
#[derive(Clone, Debug)]
pub struct LockedPackage {
    /// Name, version and source, a git object included.
    pub id: PackageId,
    /// What it depends on (before `[replace]`).
    pub dependencies: Vec<PackageId>,
    /// The checksum that the lockfile holds; one that is there must still be true.
    pub checksum: Option<String>,
    /// Whether it should stay; `update` clears this for what it was asked to move.
    pub keep: bool,
}

/// The previous resolution, as read from a lockfile; empty when there is none.
#[derive(Clone, Debug, Default)]
pub struct LockedGraph {
    /// The packages.
    pub packages: Vec<LockedPackage>,
    /// `[[patch.unused]]` entries that may be kept.
    pub unused_patches: Vec<PackageId>,
    /// `[replace]`: original to replacement.
    pub replacements: BTreeMap<PackageId, PackageId>,
    /// The lockfile is of version 1 or 2, where a git source without a reference could also mean
    /// `branch = "master"`.
    pub default_branch_may_be_master: bool,
}

/// One entry of `[patch]`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The source that is patched.
    pub target: SourceId,
    /// Where the replacement is.
    pub dependency: Dependency,
}

/// One entry of `[replace]`.
#[derive(Clone, Debug)]
pub struct Replace {
    /// The package to replace.
    pub spec: PackageIdSpec,
    /// Where the replacement is.
    pub dependency: Dependency,
}

/// `update --precise` for a registry package.
#[derive(Clone, Debug)]
pub struct PreciseVersion {
    /// The registry.
    pub source: SourceId,
    /// The package.
    pub name: PackageName,
    /// The version in the lockfile: dependencies that accept it are moved.
    pub from: Version,
    /// The version asked for. Yanked ones are allowed.
    pub to: Version,
}

/// Which version is tried first among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionOrder {
    /// The newest.
    Highest,
    /// The oldest (`-Z minimal-versions`).
    Lowest,
}

/// How `package.rust-version` of candidates matters (`resolver.incompatible-rust-versions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RustVersionPolicy {
    /// Not at all.
    Ignore,
    /// Candidates are sorted by how many of these toolchains they support before they are sorted by version:
    /// the `rust-version`s of the members, or the toolchain in use when no member states one.
    Prefer(Vec<PartialVersion>),
}

/// A question for [`crate::resolve`].
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where to start, in the order of the workspace's members.
    pub roots: Vec<Root>,
    /// All members of the workspace, roots or not: a change in one of their manifests loosens locks.
    pub members: Vec<SharedSummary>,
    /// The previous resolution.
    pub locked: LockedGraph,
    /// `[patch]`, in the order of the manifest.
    pub patches: Vec<Patch>,
    /// `[replace]`
    pub replaces: Vec<Replace>,
    /// `update --precise`
    pub precise: Vec<PreciseVersion>,
    /// Newest or oldest first.
    pub order: VersionOrder,
    /// What `rust-version` counts for.
    pub rust_version: RustVersionPolicy,
    /// Registry packages published later than this RFC 3339 instant (UTC, whole seconds, `Z`) do not exist.
    pub published_until: Option<Arc<str>>,
    /// How many candidates may be tried before the search gives up; [`Problem::EFFORT`] is generous.
    pub effort: u64,
}

impl Problem {
    /// A limit that real graphs stay far below (they need a few thousand), reached in some seconds.
    pub const EFFORT: u64 = 1_000_000;

    /// A problem with nothing locked, patched or preferred.
    pub fn new(roots: Vec<Root>) -> Self {
        Self {
            members: roots.iter().map(|root| Arc::clone(&root.summary)).collect(),
            roots,
            locked: LockedGraph::default(),
            patches: Vec::new(),
            replaces: Vec::new(),
            precise: Vec::new(),
            order: VersionOrder::Highest,
            rust_version: RustVersionPolicy::Ignore,
            published_until: None,
            effort: Self::EFFORT,
        }
    }
}
