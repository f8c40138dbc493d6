//! What a removed dependency leaves behind in the root manifest: entries that nothing refers to any more.

use toml_edit::{Item, Table};
use wharf_core::{PackageId, PackageIdSpec, Resolution, VersionReq};

use super::entry::{Entry, Origin};
use super::manifest::ManifestFile;
use crate::failure::Result;
use crate::workspace::{Loader, Workspace, parse_spec};

/// Takes out of the root manifest what no member asks for any more: `workspace.dependencies`, profiles of packages
/// and `[replace]`.
///
/// # Errors
/// If a manifest is malformed or cannot be written.
pub fn prune_workspace(workspace: &Workspace) -> Result<()> {
    let mut entries = Vec::new();
    for member in workspace.members() {
        let manifest = ManifestFile::read(&member.manifest_path)?;
        for (_, table) in manifest.sections() {
            for (key, item) in table.iter() {
                entries.push(Entry::read(key, item, manifest.dir())?);
            }
        }
    }
    let mut root = ManifestFile::read(workspace.root_manifest())?;
    prune_shared(&mut root, &mut entries)?;
    let loader = workspace.loader();
    if let Some(profiles) = root.document.get_mut("profile").and_then(Item::as_table_mut) {
        for (_, profile) in profiles.iter_mut() {
            let packages = profile.as_table_mut().and_then(|profile| {
                let packages = profile.get_mut("package")?.as_table_mut();
                packages.map(|packages| prune_specs(packages, &entries, loader))
            });
            packages.transpose()?;
        }
        hide_empty(profiles);
    }
    if let Some(replaced) = root.document.get_mut("replace").and_then(Item::as_table_mut) {
        prune_specs(replaced, &entries, loader)?;
    }
    save(workspace, &root)
}

fn save(workspace: &Workspace, root: &ManifestFile) -> Result<()> {
    if root.write()? {
        workspace.loader().forget(root.path());
    }
    Ok(())
}

/// Takes out shared dependencies that nobody inherits, and puts those that are inherited in the place of the entries
/// that refer to them.
fn prune_shared(root: &mut ManifestFile, entries: &mut [Entry]) -> Result<()> {
    let dir = root.dir().to_owned();
    let workspace = root.document.get_mut("workspace");
    let shared = workspace.and_then(|workspace| workspace.get_mut("dependencies"));
    let Some(shared) = shared.and_then(Item::as_table_mut) else { return Ok(()) };
    shared.set_implicit(true);
    for (key, item) in shared.iter_mut() {
        let definition = Entry::read(key.get(), item, &dir)?;
        let mut is_used = false;
        for entry in entries.iter_mut() {
            if entry.key() == key.get() && entry.origin == Some(Origin::Workspace) {
                *entry = definition.clone();
                is_used = true;
            }
        }
        if !is_used {
            *item = Item::None;
        }
    }
    Ok(())
}

/// Headers of tables that hold nothing more are not written.
fn hide_empty(profiles: &mut Table) {
    profiles.set_implicit(true);
    for (_, profile) in profiles.iter_mut() {
        let Some(profile) = profile.as_table_mut() else { continue };
        profile.set_implicit(true);
        if let Some(packages) = profile.get_mut("package").and_then(Item::as_table_mut) {
            packages.set_implicit(true);
        }
    }
}

/// Takes out keys that name no dependency.
fn prune_specs(table: &mut Table, entries: &[Entry], loader: &Loader) -> Result<()> {
    table.set_implicit(true);
    for (key, item) in table.iter_mut() {
        if key.get().contains(['*', '?', '[', ']']) {
            continue;
        }
        let spec = parse_spec(key.get())?;
        if !names_any(&spec, entries, loader)? {
            *item = Item::None;
        }
    }
    Ok(())
}

fn names_any(spec: &PackageIdSpec, entries: &[Entry], loader: &Loader) -> Result<bool> {
    for entry in entries.iter().filter(|entry| entry.name == spec.name()) {
        let fits = match (spec.version(), entry.version()) {
            (Some(version), Some(requirement)) => VersionReq::parse(requirement)?.matches(&version),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if !fits {
            continue;
        }
        let Some(source) = entry.source(loader)? else { continue };
        if spec.url().is_none_or(|url| url == source.url()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes patches that the resolution did not use out of the root manifest; tells whether there were any.
///
/// # Errors
/// If the manifest is malformed or cannot be written.
pub fn prune_patches(workspace: &Workspace, resolution: &Resolution) -> Result<bool> {
    let mut root = ManifestFile::read(workspace.root_manifest())?;
    let dir = root.dir().to_owned();
    let Some(patches) = root.document.get_mut("patch").and_then(Item::as_table_mut) else {
        return Ok(false);
    };
    patches.set_implicit(true);
    let mut is_changed = false;
    for (_, patch) in patches.iter_mut() {
        let Some(table) = patch.as_table_mut() else { continue };
        table.set_implicit(true);
        for (key, item) in table.iter_mut() {
            let entry = Entry::read(key.get(), item, &dir)?;
            let Some(source) = entry.source(workspace.loader())? else { continue };
            let is_it = |id: &PackageId| id.name().as_str() == entry.name && id.source().same_place(&source);
            if resolution.unused_patches.iter().any(is_it) {
                *item = Item::None;
                is_changed = true;
            }
        }
    }
    if is_changed {
        save(workspace, &root)?;
    }
    Ok(is_changed)
}
