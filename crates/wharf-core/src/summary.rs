//! What the resolver needs to know of one version of a package.

use std::sync::Arc;

use cargo_util_schemas::manifest::RustVersion;

use crate::dependency::Dependency;
use crate::features::FeatureMap;
use crate::package::PackageId;

/// One version of a package as resolution sees it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Name, version and source.
    pub id: PackageId,
    /// All dependencies, of every kind and platform, in the order of the manifest or index.
    pub dependencies: Vec<Dependency>,
    /// Declared features, with the implicit ones of optional dependencies spelled out as `name = ["dep:name"]`.
    pub features: FeatureMap,
    /// SHA-256 of the `.crate` file, lower-case hex; `None` outside registries.
    pub checksum: Option<String>,
    /// The native library that the package claims (`links`).
    pub links: Option<Arc<str>>,
    /// The lowest supported toolchain.
    pub rust_version: Option<RustVersion>,
    /// Whether new resolutions should leave it out.
    pub yanked: bool,
    /// When the registry took it, as it says.
    pub published: Option<Arc<str>>,
}

/// Summaries are shared between index, resolver and planner.
pub type SharedSummary = Arc<Summary>;
