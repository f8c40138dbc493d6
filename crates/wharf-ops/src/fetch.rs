//! `fetch`: puts on disk whatever a build may need.

use wharf_core::resolution::FeaturesFor;
use wharf_plan::{CompileKind, Toolchain};
use wharf_sources::Sources;

use crate::failure::Result;
use crate::narrow::is_active;
use crate::packages::{self, Reach};
use crate::resolve::{ResolveOptions, Resolved, Unlock, resolve_workspace};
use crate::workspace::Workspace;

/// The platforms to fetch for, and what is known of them.
pub struct FetchPlatforms<'a> {
    /// As asked for.
    pub kinds: &'a [CompileKind],
    /// What is known of them.
    pub toolchain: &'a Toolchain,
}

/// Downloads every package of the graph, or those that `platforms` need.
///
/// # Errors
/// If the workspace cannot be resolved or a package cannot be fetched.
pub fn fetch(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    platforms: Option<&FetchPlatforms<'_>>,
) -> Result<Resolved> {
    let resolved = resolve_workspace(workspace, sources, options, &Unlock::Nothing)?;
    let reach = Reach {
        dev_dependencies: true,
        is_active: &|platform| {
            platforms.is_none_or(|platforms| {
                is_active(platforms.toolchain, platforms.kinds, platform, FeaturesFor::Target)
            })
        },
    };
    let needed = packages::reachable(&resolved.whole, workspace.member_ids(), &reach);
    packages::load(workspace, sources, &resolved.whole, &needed)?;
    Ok(resolved)
}
