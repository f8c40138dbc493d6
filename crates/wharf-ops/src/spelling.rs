//! Finds packages by names as people type them.

use wharf_core::summary::SharedSummary;
use wharf_core::{PackageName, SourceId, VersionReq};
use wharf_sources::{Freshness, Sources};

use crate::failure::Result;

/// All versions of a package that are not yanked and fit, oldest first. Where a registry does not know the name, those
/// of one that has `-` for `_`, or the other way round, or other cases of letters: the summaries have the right name.
///
/// # Errors
/// If the source cannot be asked.
pub fn usable_versions(
    sources: &Sources,
    source: &SourceId,
    name: &PackageName,
    requirement: Option<&VersionReq>,
) -> Result<Vec<SharedSummary>> {
    let fits = |name: &PackageName| -> Result<Vec<SharedSummary>> {
        let mut found = sources.matching(source, name, Freshness::Current, &|version| {
            requirement.is_none_or(|requirement| requirement.matches(version))
        })?;
        found.retain(|summary| !summary.yanked);
        Ok(found)
    };
    let found = fits(name)?;
    if !found.is_empty() || !source.is_registry() {
        return Ok(found);
    }
    let mut tried = vec![name.clone()];
    for spelling in [name.to_string(), name.replace('-', "_"), name.replace('_', "-")] {
        let spelling = PackageName::new(spelling)?;
        let Some(right) = sources.spelling(source, &spelling)? else { continue };
        if tried.contains(&right) {
            continue;
        }
        let found = fits(&right)?;
        if !found.is_empty() {
            return Ok(found);
        }
        tried.push(right);
    }
    Ok(Vec::new())
}
