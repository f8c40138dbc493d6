//! What Wharf knows about packages: names, versions, sources, dependencies, manifests, profiles and
//! resolutions, and the formats on disk that carry them (`Cargo.toml`, `Cargo.lock`, JSON for tools).
//!
//! Must not know the file system, the environment, the clock, the network or async: everything here is a
//! function of its arguments. What a manifest needs to know of the directory around it comes in through
//! [`manifest::Files`].

pub mod dependency;
pub mod features;
pub mod lockfile;
pub mod manifest;
pub mod messages;
pub mod metadata;
pub mod name;
pub mod package;
pub mod path_text;
pub mod profile;
pub mod resolution;
pub mod source;
pub mod suggest;
pub mod summary;
pub mod target;

pub use cargo_platform::{Cfg, CfgExpr, Platform};
pub use cargo_util_schemas::core::{GitReference, PackageIdSpec, PartialVersion, SourceKind};
pub use semver::{Version, VersionReq};

pub use dependency::{DepKind, Dependency};
pub use features::FeatureValue;
pub use lockfile::Lockfile;
pub use manifest::{Edition, Manifest};
pub use name::{FeatureName, PackageName};
pub use package::{Package, PackageId};
pub use profile::Profile;
pub use resolution::Resolution;
pub use source::SourceId;
pub use summary::Summary;
pub use target::{CrateType, Target, TargetKind};
