//! Workspace inheritance: `key.workspace = true`.

use cargo_util_schemas::manifest::{InheritableDependency, TomlManifest};

/// Whether anything is inherited.
pub(super) fn inherits(toml: &TomlManifest) -> bool {
    let package = toml.package().is_some_and(|package| {
        let inherited = [
            package.edition.as_ref().map(|field| field.is_inherited()),
            package.rust_version.as_ref().map(|field| field.is_inherited()),
            package.version.as_ref().map(|field| field.is_inherited()),
            package.authors.as_ref().map(|field| field.is_inherited()),
            package.exclude.as_ref().map(|field| field.is_inherited()),
            package.include.as_ref().map(|field| field.is_inherited()),
            package.publish.as_ref().map(|field| field.is_inherited()),
            package.description.as_ref().map(|field| field.is_inherited()),
            package.homepage.as_ref().map(|field| field.is_inherited()),
            package.documentation.as_ref().map(|field| field.is_inherited()),
            package.readme.as_ref().map(|field| field.is_inherited()),
            package.keywords.as_ref().map(|field| field.is_inherited()),
            package.categories.as_ref().map(|field| field.is_inherited()),
            package.license.as_ref().map(|field| field.is_inherited()),
            package.license_file.as_ref().map(|field| field.is_inherited()),
            package.repository.as_ref().map(|field| field.is_inherited()),
        ];
        inherited.into_iter().flatten().any(|inherited| inherited)
    });
    let tables = [&toml.dependencies, &toml.dev_dependencies, &toml.dev_dependencies2];
    let more = [&toml.build_dependencies, &toml.build_dependencies2];
    let platforms = toml.target.iter().flatten().flat_map(|(_, platform)| {
        [
            &platform.dependencies,
            &platform.dev_dependencies,
            &platform.dev_dependencies2,
            &platform.build_dependencies,
            &platform.build_dependencies2,
        ]
    });
    package
        || toml.lints.as_ref().is_some_and(|lints| lints.workspace)
        || tables
            .into_iter()
            .chain(more)
            .chain(platforms)
            .flatten()
            .any(|table| table.values().any(InheritableDependency::is_inherited))
}
