//! `Cargo.lock`: reading every version that Cargo ever wrote, and writing it byte for byte as Cargo 1.95
//! does (reference, "Cargo.toml vs Cargo.lock"; formats as in Cargo's `resolver::encode`).

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cargo_util_schemas::manifest::RustVersion;
use semver::Version;

use crate::manifest::Place;
use crate::name::PackageName;
use crate::source::SourceId;

pub use write::are_equal;

/// The encoding of a lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockVersion {
    /// No version key, checksums in `[metadata]`, full package ids as dependencies.
    V1,
    /// No version key, checksums beside their packages, shortest dependency ids.
    V2,
    /// `version = 3`: git branches are always named.
    V3,
    /// `version = 4`: git references are percent-encoded.
    V4,
}

/// A lockfile as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockfile {
    /// The encoding.
    pub version: LockVersion,
    /// The packages, in the order of the file.
    pub packages: Vec<LockedPackage>,
    /// `[[patch.unused]]`
    pub unused_patches: Vec<LockedPackage>,
    /// `[metadata]`, less the checksums of version 1.
    pub metadata: BTreeMap<String, String>,
}

/// One `[[package]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// `name`
    pub name: PackageName,
    /// `version`
    pub version: Version,
    /// `source`, with the precise git object; `None` for path packages, which the caller knows by name
    /// and version.
    pub source: Option<SourceId>,
    /// `checksum`, lower-case hex.
    pub checksum: Option<String>,
    /// `dependencies`, in the order of the file.
    pub dependencies: Vec<LockedDependency>,
    /// `replace`: the package used instead of this one.
    pub replace: Option<LockedDependency>,
}

/// A package named by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedDependency {
    /// The name.
    pub name: PackageName,
    /// The version, if it was needed to tell packages apart.
    pub version: Option<Version>,
    /// The source, if it was needed to tell packages apart.
    pub source: Option<SourceId>,
    /// Which of [`Lockfile::packages`] is meant; `None` if there is none or no way to tell.
    pub package: Option<usize>,
}

/// Why a lockfile was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read lockfile `{}`: {message}", .path.display())]
pub struct LockfileError {
    /// The lockfile.
    pub path: PathBuf,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is, when known.
    pub place: Option<Place>,
}

impl LockVersion {
    /// The version that Cargo 1.95 gives a file which it writes anew or changes: the newest that the
    /// lowest `rust-version` among the members can read. An older file is raised to it; a newer one stays.
    pub fn for_rust_version(lowest: Option<&RustVersion>) -> Self {
        let Some(lowest) = lowest else { return Self::V4 };
        let partial = lowest.to_partial();
        match (partial.major, partial.minor.unwrap_or(0)) {
            (major, _) if major > 1 => Self::V4,
            (1, 83..) => Self::V4,
            (1, 53..) => Self::V3,
            (1, 41..) => Self::V2,
            _ => Self::V1,
        }
    }
}
