//! What a registry is told of a package beside its archive.

use std::path::Path;

use wharf_base::fs;
use wharf_core::{DepKind, Dependency, Package, SourceId};
use wharf_wire::index::{IndexDependency, IndexEntry};
use wharf_wire::{NewCrate, NewDependency};

use super::manifest::publishable;
use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;

/// Describes a package for `registry`.
pub(crate) fn describe(package: &Package, workspace: &Workspace, registry: &SourceId) -> Result<NewCrate> {
    // What is left out of the archive was told of when it was made.
    let published = publishable(package, workspace, None, &mut |_| {})?.package;
    let manifest = &published.manifest;
    let own = &package.manifest.description;
    let readme = match &own.readme {
        Some(path) => Some(
            fs::read_to_string(&package.root().join(path))
                .context(|| format!("failed to read `readme` file for package `{}`", package.id()))?,
        ),
        None => None,
    };
    if let Some(license) = own.license_file.as_ref().filter(|file| !exists(package, file)) {
        return Err(Failure::new(format!("the license file `{license}` does not exist")));
    }
    let described = &manifest.description;
    let features = manifest.normalized.features.iter().flatten();
    Ok(NewCrate {
        name: published.name().to_string(),
        vers: published.id().version().to_string(),
        deps: manifest
            .summary
            .dependencies
            .iter()
            .map(|dependency| new_dependency(dependency, registry))
            .collect(),
        features: features.map(|(name, values)| (name.to_string(), values.clone())).collect(),
        authors: described.authors.clone(),
        description: described.description.clone(),
        documentation: described.documentation.clone(),
        homepage: described.homepage.clone(),
        readme,
        readme_file: described.readme.clone(),
        keywords: described.keywords.clone(),
        categories: described.categories.clone(),
        license: described.license.clone(),
        license_file: described.license_file.clone(),
        repository: described.repository.clone(),
        badges: described.badges.clone(),
        links: manifest.summary.links.as_ref().map(ToString::to_string),
        rust_version: manifest.rust_version.as_ref().map(ToString::to_string),
    })
}

fn exists(package: &Package, file: &str) -> bool {
    package.root().join(Path::new(file)).exists()
}

fn new_dependency(dependency: &Dependency, registry: &SourceId) -> NewDependency {
    let fields = dependency.fields();
    // In a manifest nothing means crates.io, here it means the registry that is published to.
    let named = fields.registry.clone().unwrap_or_else(SourceId::crates_io);
    let other = (!named.same_place(registry)).then(|| named.spec_url().to_string());
    NewDependency {
        optional: fields.optional,
        default_features: fields.default_features,
        name: fields.name.to_string(),
        features: fields.features.iter().map(ToString::to_string).collect(),
        version_req: fields.req.written().map_or_else(|| "*".to_owned(), ToString::to_string),
        target: fields.platform.as_ref().map(ToString::to_string),
        kind: match fields.kind {
            DepKind::Normal => "normal",
            DepKind::Build => "build",
            DepKind::Development => "dev",
        }
        .to_owned(),
        registry: other,
        explicit_name_in_toml: fields.rename.as_ref().map(ToString::to_string),
        artifact: fields.artifact.as_ref().map(|artifact| artifact.kinds.clone()),
        bindep_target: fields.artifact.as_ref().and_then(|artifact| artifact.target.clone()),
        lib: fields.artifact.as_ref().is_some_and(|artifact| artifact.lib),
    }
}

/// The line that the registry's index will have of it.
pub(super) fn index_line(described: &NewCrate, checksum: &str) -> Result<Vec<u8>> {
    let dependency = |dependency: &NewDependency| IndexDependency {
        name: dependency.explicit_name_in_toml.clone().unwrap_or(dependency.name.clone()).into(),
        req: dependency.version_req.clone().into(),
        features: dependency.features.iter().map(|feature| feature.clone().into()).collect(),
        optional: dependency.optional,
        default_features: dependency.default_features,
        target: dependency.target.clone().map(Into::into),
        kind: Some(dependency.kind.clone().into()),
        registry: dependency.registry.clone().map(Into::into),
        package: dependency.explicit_name_in_toml.as_ref().map(|_| dependency.name.clone().into()),
        public: None,
        artifact: None,
        bindep_target: None,
        lib: false,
    };
    let features = described.features.iter().map(|(name, values)| {
        (name.clone().into(), values.iter().map(|value| value.clone().into()).collect())
    });
    let entry = IndexEntry {
        name: described.name.clone().into(),
        vers: described.vers.parse()?,
        deps: described.deps.iter().map(dependency).collect(),
        cksum: checksum.to_owned().into(),
        features: features.collect(),
        features2: None,
        yanked: None,
        links: described.links.clone().map(Into::into),
        rust_version: None,
        pubtime: None,
        v: Some(2),
    };
    Ok(entry.render())
}
