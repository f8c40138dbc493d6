//! `remove`: takes dependencies out of a manifest.

use std::sync::Arc;

use wharf_core::{DepKind, Package};

use super::manifest::{ManifestFile, Section};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// What to remove, and from where.
#[derive(Clone, Debug)]
pub struct RemoveRequest {
    /// The member to edit.
    pub package: Arc<Package>,
    /// The keys of the dependencies.
    pub dependencies: Vec<String>,
    /// The table that they are in.
    pub section: Section,
    /// Do everything but write.
    pub dry_run: bool,
}

/// Takes dependencies out, and what features say of them. `tell` hears what goes, before it does.
///
/// # Errors
/// If one of them is not there.
pub fn remove(workspace: &Workspace, request: &RemoveRequest, tell: &mut dyn FnMut(String)) -> Result<()> {
    let section = &request.section;
    let mut manifest = ManifestFile::read(&request.package.manifest_path)?;
    for name in &request.dependencies {
        tell(format!("{name} from {}", section.title()));
        if !manifest.take(section, name) {
            return Err(missing(&manifest, section, name));
        }
        manifest.prune_features(name);
    }
    if !request.dry_run {
        manifest.write()?;
        workspace.loader().forget(manifest.path());
    }
    Ok(())
}

fn missing(manifest: &ManifestFile, section: &Section, name: &str) -> Failure {
    let failure = Failure::new(format!("there is no dependency `{name}` in `{}`", section.keys().join(".")));
    let elsewhere = manifest.sections().into_iter().find(|(_, table)| table.contains_key(name));
    if let Some((other, _)) = elsewhere {
        let place = other.keys().join(".");
        let flags = flags_to(section, &other);
        return if flags.is_empty() {
            failure.help(format!("it is in `{place}`"))
        } else {
            failure.help(format!("`{}` removes it from `{place}`", flags.join(" ")))
        };
    }
    let names = manifest.section(section).into_iter().flat_map(|table| table.iter());
    match crate::nearest(name, names.map(|(key, _)| key)) {
        Some(near) => failure.help(format!("there is `{near}`")),
        None => failure,
    }
}

/// The flags that lead from one section to another.
fn flags_to(from: &Section, to: &Section) -> Vec<String> {
    let mut flags = Vec::new();
    match to.kind {
        kind if kind == from.kind => {}
        DepKind::Build => flags.push("--build".to_owned()),
        DepKind::Development => flags.push("--dev".to_owned()),
        DepKind::Normal => {}
    }
    if let (None, Some(platform)) = (&from.platform, &to.platform) {
        flags.push(format!("--target {platform}"));
    }
    flags
}
