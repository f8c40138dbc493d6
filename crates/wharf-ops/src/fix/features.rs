//! Which features packages lose when a workspace gets the resolver of edition 2021.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_core::manifest::{Edition, ResolverVersion};
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor};
use wharf_core::{FeatureName, PackageId};
use wharf_plan::Toolchain;
use wharf_sources::Sources;

use crate::failure::Result;
use crate::narrow::{Narrowed, Scope, activated, narrow};
use crate::resolve::{ResolveOptions, Unlock, resolve_workspace};
use crate::workspace::Workspace;

/// A package that does without some features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLoss {
    /// The package.
    pub package: PackageId,
    /// Whether it loses them where it is used by build scripts or procedural macros.
    pub for_host: bool,
    /// The features.
    pub features: Vec<FeatureName>,
}

/// What is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLosses {
    /// In what is built without dev-dependencies.
    pub always: Vec<FeatureLoss>,
    /// Only where dev-dependencies are built too.
    pub with_dev: Vec<FeatureLoss>,
}

/// What the workspace's packages lose with the next edition of its root; `None` if that makes no difference. Only the
/// step from 2018 to 2021 does, and only if the root is selected and names no resolver.
///
/// # Errors
/// If the workspace cannot be resolved.
pub fn feature_losses(
    workspace: &Workspace,
    sources: &Sources,
    toolchain: &Arc<Toolchain>,
    options: &ResolveOptions,
    scope: &Scope,
) -> Result<Option<FeatureLosses>> {
    let chosen = workspace.select(&scope.packages)?.packages;
    let is_root = |path: &std::path::Path| path == workspace.root_manifest();
    let Some(root) = chosen.iter().find(|package| is_root(&package.manifest_path)) else { return Ok(None) };
    if root.manifest.resolver.is_some() || root.manifest.edition != Edition::E2018 {
        return Ok(None);
    }
    let resolved = resolve_workspace(workspace, sources, options, &Unlock::Nothing)?;
    let lost = |dev_dependencies: bool| -> Result<Losses> {
        let scope = Scope { dev_dependencies, ..scope.clone() };
        let narrowed = narrow(workspace, sources, toolchain, options, (&resolved, &scope))?;
        Ok(compare(&narrowed, toolchain, &scope))
    };
    let always = lost(false)?;
    let mut with_dev = lost(true)?;
    with_dev.retain(|seat, features| always.get(seat) != Some(features));
    let losses = FeatureLosses { always: listed(always), with_dev: listed(with_dev) };
    let is_none = losses.always.is_empty() && losses.with_dev.is_empty();
    Ok((!is_none).then_some(losses))
}

/// By package and view, in the order in which they are told.
type Losses = BTreeMap<(PackageId, FeaturesFor), BTreeSet<FeatureName>>;

fn compare(narrowed: &Narrowed, toolchain: &Toolchain, scope: &Scope) -> Losses {
    let with = |resolver| activated(narrowed, toolchain, scope, resolver);
    difference(&with(ResolverVersion::V1), &with(ResolverVersion::V2))
}

/// What is on in `before` and not in `after`, optional dependencies included.
fn difference(before: &ActivatedFeatures, after: &ActivatedFeatures) -> Losses {
    let mut losses = Losses::new();
    for ((id, whom), still) in &after.features {
        let had = before.features.get(&(id.clone(), before.view(*whom)));
        let lost: BTreeSet<FeatureName> =
            had.into_iter().flatten().filter(|name| !still.contains(*name)).cloned().collect();
        if !lost.is_empty() {
            losses.insert((id.clone(), *whom), lost);
        }
    }
    losses
}

fn listed(losses: Losses) -> Vec<FeatureLoss> {
    let loss = |((package, whom), features): ((PackageId, FeaturesFor), BTreeSet<FeatureName>)| FeatureLoss {
        package,
        for_host: whom == FeaturesFor::Host,
        features: features.into_iter().collect(),
    };
    losses.into_iter().map(loss).collect()
}
