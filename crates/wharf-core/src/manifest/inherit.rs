//! Workspace inheritance: `key.workspace = true`.

use std::path::Path;

use cargo_util_schemas::manifest::{
    InheritableDependency, InheritableField, InheritableLints, InheritablePackage, StringOrBool,
    TomlDependency, TomlDetailedDependency, TomlInheritedDependency, TomlLints, TomlManifest, TomlWorkspace,
};

use super::error::Problem;
use super::{Edition, Files, Inheritable, Warning};
use crate::path_text;

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

/// What a member takes its inherited keys from.
#[derive(Clone, Copy)]
pub(super) struct Inherit<'a> {
    /// The workspace root's tables, if a root is known.
    pub(super) source: Option<&'a Inheritable>,
    /// The directory of the member, absolute.
    pub(super) package_root: &'a Path,
}

impl<'a> Inherit<'a> {
    fn root(&self) -> Result<(&'a TomlWorkspace, &'a Path), Problem> {
        let found = self.source.and_then(|source| {
            let workspace = source.manifest.as_deref()?.workspace.as_ref()?;
            Some((workspace, source.root.as_path()))
        });
        found.ok_or_else(|| {
            Problem::new("a key is inherited, but no workspace root was found")
                .help("name the root with `package.workspace`, or put `[workspace]` into a manifest above")
        })
    }

    /// The value of `package.<key>`, taken from `workspace.package.<key>` if it says so.
    pub(super) fn field<T: Clone>(
        &self,
        field: Option<&InheritableField<T>>,
        key: &str,
        get: impl FnOnce(&InheritablePackage) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match field {
            None => Ok(None),
            Some(InheritableField::Value(value)) => Ok(Some(value.clone())),
            Some(InheritableField::Inherit(_)) => {
                let (workspace, _) = self.root().map_err(|problem| problem.at(["package", key]))?;
                workspace.package.as_ref().and_then(get).map(Some).ok_or_else(|| missing(key))
            }
        }
    }

    /// As [`Inherit::field`] for a path, which is relative to the root when it is inherited.
    pub(super) fn license_file(
        &self,
        field: Option<&InheritableField<String>>,
    ) -> Result<Option<String>, Problem> {
        let inherited = field.is_some_and(InheritableField::is_inherited);
        let value = self.field(field, "license-file", |package| package.license_file.clone())?;
        match value {
            Some(path) if inherited => self.moved(&path).map(Some),
            value => Ok(value),
        }
    }

    /// `package.readme`, where the root may leave it to be discovered.
    pub(super) fn readme(
        &self,
        field: Option<&InheritableField<StringOrBool>>,
        files: &dyn Files,
    ) -> Result<Option<StringOrBool>, Problem> {
        let Some(field) = field else { return Ok(None) };
        if let InheritableField::Value(value) = field {
            return Ok(Some(value.clone()));
        }
        let (workspace, root) = self.root().map_err(|problem| problem.at(["package", "readme"]))?;
        let stated = workspace.package.as_ref().and_then(|package| package.readme.as_ref());
        let up = path_text::relative(root, self.package_root);
        let readme = readme_file(stated, |name| files.is_file(&up.join(name)));
        let readme = readme.ok_or_else(|| missing("readme"))?;
        Ok(Some(StringOrBool::String(self.moved(&readme)?)))
    }

    /// `[lints]`
    pub(super) fn lints<'b>(
        &self,
        lints: Option<&'b InheritableLints>,
    ) -> Result<Option<&'b TomlLints>, Problem>
    where
        'a: 'b,
    {
        let Some(lints) = lints else { return Ok(None) };
        if !lints.workspace {
            return Ok(Some(&lints.lints));
        }
        if !lints.lints.is_empty() {
            return Err(Problem::new("`[lints]` both inherits and sets levels")
                .at(["lints"])
                .help("remove `workspace = true` or the levels"));
        }
        let (workspace, _) = self.root().map_err(|problem| problem.at(["lints", "workspace"]))?;
        let found = workspace.lints.as_ref();
        found.map(Some).ok_or_else(|| {
            Problem::new("`lints` is inherited, but the workspace root has no `[workspace.lints]`")
                .at(["lints", "workspace"])
        })
    }

    /// A dependency with what `workspace.dependencies` says of it.
    pub(super) fn dependency(
        &self,
        name: &str,
        member: &TomlInheritedDependency,
        edition: Edition,
        warnings: &mut Vec<Warning>,
    ) -> Result<TomlDependency, Problem> {
        let (workspace, root) = self.root()?;
        let found = workspace.dependencies.as_ref().and_then(|table| table.get(name)).ok_or_else(|| {
            Problem::new(format!(
                "dependency `{name}` is inherited, but `workspace.dependencies.{name}` is not there"
            ))
            .help("add it to `[workspace.dependencies]` of the workspace root, or give a version here")
        })?;
        let mut merged = match found {
            TomlDependency::Simple(version) => {
                TomlDetailedDependency { version: Some(version.clone()), ..Default::default() }
            }
            TomlDependency::Detailed(detailed) => detailed.clone(),
        };
        if let (None, Some(path)) = (&merged.base, &merged.path) {
            let absolute = path_text::normalize(&root.join(path));
            merged.path = Some(text(&path_text::relative(&absolute, self.package_root))?);
        }
        match (member.default_features(), merged.default_features()) {
            (Some(true), Some(false)) => merged.default_features = Some(true),
            (Some(false), Some(true) | None) => {
                let message = format!(
                    "`default-features = false` of `{name}` has no effect, because \
                     `workspace.dependencies.{name}` does not switch them off"
                );
                if edition >= Edition::E2024 {
                    return Err(Problem::new(message)
                        .help("set `default-features = false` in `workspace.dependencies`"));
                }
                warnings.push(Warning::plain(message));
            }
            _ => {}
        }
        if let Some(more) = &member.features {
            merged.features.get_or_insert_with(Vec::new).extend(more.iter().cloned());
        }
        merged.optional = member.optional;
        merged.public = member.public;
        Ok(TomlDependency::Detailed(merged))
    }

    /// A path relative to the root, as seen from the member.
    fn moved(&self, path: &str) -> Result<String, Problem> {
        let (_, root) = self.root()?;
        let absolute = path_text::normalize(&root.join(path));
        text(&path_text::relative(&absolute, self.package_root))
    }
}

/// The file that `readme` means, if any; with nothing stated, the first usual name that `exists`.
pub(super) fn readme_file(stated: Option<&StringOrBool>, exists: impl Fn(&str) -> bool) -> Option<String> {
    match stated {
        Some(StringOrBool::Bool(false)) => None,
        Some(StringOrBool::Bool(true)) => Some("README.md".to_owned()),
        Some(StringOrBool::String(name)) => Some(name.clone()),
        None => {
            ["README.md", "README.txt", "README"].into_iter().find(|name| exists(name)).map(str::to_owned)
        }
    }
}

fn missing(key: &str) -> Problem {
    Problem::new(format!("`{key}` is inherited, but the workspace root has no `workspace.package.{key}`"))
        .at(["package", key])
        .help(format!("add `{key}` to `[workspace.package]`, or give the value here"))
}

fn text(path: &Path) -> Result<String, Problem> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Problem::new(format!("path `{}` is not UTF-8", path.display()))),
    }
}
