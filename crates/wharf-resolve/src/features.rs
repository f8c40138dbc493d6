//! The features that a build really uses.

use wharf_core::manifest::ResolverVersion;
use wharf_core::package::PackageId;
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor};
use wharf_core::{Platform, Resolution};

use crate::problem::RequestedFeatures;

/// A package that is built, and the features asked of it.
#[derive(Clone, Debug)]
pub struct MemberFeatures {
    /// The package.
    pub id: PackageId,
    /// What is asked of it.
    pub features: RequestedFeatures,
    /// Whether any of its targets is a procedural macro, examples included.
    pub has_proc_macro: bool,
}

/// What to activate.
pub struct FeatureRequest<'a> {
    /// The packages that are built.
    pub members: Vec<MemberFeatures>,
    /// The rules.
    pub resolver: ResolverVersion,
    /// Whether anything is built that sees dev-dependencies (tests, examples, benches).
    pub dev_dependencies: bool,
    /// Take dependencies for all platforms, whatever is built (`metadata`, `tree --target all`).
    pub all_platforms: bool,
    /// Whether the library of a package is a procedural macro.
    pub is_proc_macro: &'a dyn Fn(&PackageId) -> bool,
    /// Whether a platform is the host (for [`FeaturesFor::Host`]) or one of the requested targets.
    pub is_active: &'a dyn Fn(&Platform, FeaturesFor) -> bool,
}

/// Finds the features and optional dependencies of every package that the members reach.
pub fn activate_features(resolution: &Resolution, request: &FeatureRequest<'_>) -> ActivatedFeatures {
    let _ = (resolution, request);
    ActivatedFeatures::default()
}
