//! The second of two steps: a [`TomlDocument`] becomes an [`AnyManifest`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::manifest::{
    InheritableField, InheritableLints, TomlManifest, TomlPackage, TomlPackageBuild, TomlWorkspace,
};
use semver::Version;

use super::dependencies::{Dependencies, Settled};
use super::discovery::{BENCH, Discovery, EXAMPLE, Found, TEST};
use super::document::{Origin, TomlDocument};
use super::error::Problem;
use super::inherit::Inherit;
use super::targets::Targets;
use super::unstable::{self, Gates};
use super::{
    AnyManifest, Edition, Files, Inheritable, Manifest, ResolverVersion, VirtualManifest, Warning,
    WorkspaceRole, WorkspaceTable, features, lints, package,
};
use crate::name::PackageName;
use crate::package::PackageId;
use crate::profile;
use crate::suggest;
use crate::summary::Summary;
use crate::target::Target;

/// Keys of `.cargo/config.toml` that people put into manifests.
const CONFIG_KEYS: [&str; 20] = [
    "paths",
    "alias",
    "build",
    "credential-alias",
    "doc",
    "env",
    "future-incompat-report",
    "cache",
    "cargo-new",
    "http",
    "install",
    "net",
    "patch",
    "profile",
    "resolver",
    "registries",
    "registry",
    "source",
    "target",
    "term",
];

pub(super) fn read(
    document: TomlDocument,
    origin: &Origin<'_>,
    files: &dyn Files,
) -> Result<AnyManifest, Problem> {
    let own = document.inheritable();
    let reader = Reader {
        inherit: Inherit {
            source: own.as_deref().or(origin.inheritable),
            package_root: origin.path.parent().unwrap_or(Path::new("/")),
        },
        own: own.clone(),
        toml: &document.toml,
        document: &document,
        origin,
        files,
        warnings: Vec::new(),
    };
    match (document.toml.package(), &document.toml.workspace) {
        (Some(package), _) => reader.real(package).map(|manifest| AnyManifest::Real(Box::new(manifest))),
        (None, Some(workspace)) => {
            reader.virtual_root(workspace).map(|manifest| AnyManifest::Virtual(Box::new(manifest)))
        }
        (None, None) => Err(Problem::new("there is neither a `[package]` nor a `[workspace]`")
            .help("`wharf init` writes a manifest for an existing directory")),
    }
}

struct Reader<'a> {
    document: &'a TomlDocument,
    toml: &'a Arc<TomlManifest>,
    origin: &'a Origin<'a>,
    files: &'a dyn Files,
    inherit: Inherit<'a>,
    /// What members inherit from this manifest.
    own: Option<Arc<Inheritable>>,
    warnings: Vec<Warning>,
}

impl Reader<'_> {
    fn real(mut self, original: &TomlPackage) -> Result<Manifest, Problem> {
        let toml = self.toml;
        let cargo_features = toml.cargo_features.clone().unwrap_or_default();
        let gates = Gates { unstable: self.origin.unstable, features: &cargo_features };
        unstable::cargo_features(gates, &mut self.warnings)?;
        let workspace = self.role(original, gates)?;
        let settled = package::settle(original, &self.inherit, self.files)?;
        let edition = package::edition(&settled, &mut self.warnings)?;
        if toml.project.is_some() {
            if edition >= Edition::E2024 {
                return Err(Problem::new("`[project]` is not supported since edition 2024")
                    .at(["project"])
                    .help("write `[package]`"));
            }
            self.warn("`[project]` is deprecated: write `[package]`");
        }
        package::refuse_unstable(&settled, gates)?;
        let resolver = self.resolver(settled.resolver.as_deref())?;
        let name = settled.name.as_ref().map(|name| name.as_str()).unwrap_or_default().to_owned();
        let found = self.discover(original, edition, &name)?;
        let targets = self.targets(&found, &settled, edition, gates)?;

        // Nobody packages a registry package again: its manifest is normal already.
        let keep = !self.origin.source.is_registry();
        let mut reader = self.dependencies(edition, keep);
        let (dependencies, tables) = reader.all(toml, &name)?;
        let replaces = reader.replaces(toml)?;
        let patches = reader.patches(toml)?;

        let lint_table = self.inherit.lints(toml.lints.as_ref())?;
        if let Some(lint_table) = lint_table {
            lints::check(lint_table, &["lints"], gates, &mut self.warnings)?;
        }
        let lint_flags = lint_table.map(lints::flags).transpose()?.unwrap_or_default();
        self.profiles(gates)?;
        let publish = package::publish(&settled)?;
        let declared_features = features::declared(toml.features.as_ref())?;
        let features = features::complete(&declared_features, &dependencies)?;
        self.check_parts(&settled, &targets, features.contains_key("default-features"))?;

        let rust_version = settled.rust_version.as_ref().and_then(InheritableField::as_value).cloned();
        let version = settled.version.as_ref().and_then(InheritableField::as_value).cloned();
        let package_name = PackageName::new(&name)
            .map_err(|error| Problem::new(error.to_string()).at(["package", "name"]))?;
        let version = version.unwrap_or(Version::new(0, 0, 0));
        let summary = Summary {
            id: PackageId::new(package_name, version, self.origin.source.clone()),
            dependencies,
            features,
            checksum: None,
            links: settled.links.as_deref().map(Into::into),
            rust_version,
            yanked: false,
            published: None,
        };
        let mut description = package::description(&settled);
        description.badges = toml.badges.clone().unwrap_or_default();
        let list = |field: &Option<InheritableField<Vec<String>>>| {
            field.as_ref().and_then(InheritableField::as_value).cloned().unwrap_or_default()
        };
        Ok(Manifest {
            summary: Arc::new(summary),
            targets,
            edition,
            rust_version,
            description,
            metadata: settled.metadata.clone(),
            include: list(&settled.include),
            exclude: list(&settled.exclude),
            publish,
            default_run: settled.default_run.clone(),
            declared_features,
            lint_flags,
            workspace,
            resolver,
            profiles: toml.profile.clone(),
            patches,
            replaces,
            im_a_teapot: settled.im_a_teapot,
            normalized: match keep {
                true => Arc::new(normalized(toml, settled, found, tables, lint_table)),
                false => toml.clone(),
            },
            original_text: self.document.text.clone(),
            cargo_features,
            warnings: self.finish(),
        })
    }

    fn virtual_root(mut self, workspace: &TomlWorkspace) -> Result<VirtualManifest, Problem> {
        if let Some(key) = self.toml.requires_package().next() {
            return Err(Problem::new(format!(
                "`[{key}]` needs a `[package]`, but this is a virtual manifest"
            ))
            .at([key])
            .help(format!("move `[{key}]` to a member, or add a `[package]`")));
        }
        let cargo_features = self.toml.cargo_features.clone().unwrap_or_default();
        let gates = Gates { unstable: self.origin.unstable, features: &cargo_features };
        unstable::cargo_features(gates, &mut self.warnings)?;
        let table = self.workspace_table(workspace, gates)?;
        let toml = self.toml;
        let mut reader = self.dependencies(Edition::LATEST, false);
        let replaces = reader.replaces(toml)?;
        let patches = reader.patches(toml)?;
        self.profiles(gates)?;
        let resolver = self.resolver(None)?;
        Ok(VirtualManifest {
            workspace: table,
            resolver,
            profiles: self.toml.profile.clone(),
            patches,
            replaces,
            cargo_features,
            warnings: self.finish(),
        })
    }

    fn role(&mut self, package: &TomlPackage, gates: Gates<'_>) -> Result<WorkspaceRole, Problem> {
        match (&self.toml.workspace, &package.workspace) {
            (Some(_), Some(_)) => Err(Problem::new(
                "a manifest with `[workspace]` cannot point to another with `package.workspace`",
            )
            .at(["package", "workspace"])
            .help("remove one of them")),
            (Some(workspace), None) => self.workspace_table(workspace, gates).map(WorkspaceRole::Root),
            (None, root) => Ok(WorkspaceRole::Member { root: root.as_ref().map(PathBuf::from) }),
        }
    }

    fn workspace_table(
        &mut self,
        workspace: &TomlWorkspace,
        gates: Gates<'_>,
    ) -> Result<WorkspaceTable, Problem> {
        if let Some(table) = &workspace.lints {
            lints::check(table, &["workspace", "lints"], gates, &mut self.warnings)?;
        }
        for (name, dependency) in workspace.dependencies.iter().flatten() {
            for (is_set, key) in [(dependency.is_optional(), "optional"), (dependency.is_public(), "public")]
            {
                if is_set {
                    return Err(Problem::new(format!("`workspace.dependencies.{name}` cannot be {key}"))
                        .at(["workspace", "dependencies", name.as_str()])
                        .help(format!("set `{key}` where the dependency is inherited")));
                }
            }
            for key in dependency.unused_keys() {
                self.warn(format!("unused manifest key: workspace.dependencies.{name}.{key}"));
            }
        }
        Ok(WorkspaceTable {
            members: workspace.members.clone(),
            default_members: workspace.default_members.clone(),
            exclude: workspace.exclude.clone().unwrap_or_default(),
            metadata: workspace.metadata.clone(),
            inheritable: self.own.clone().unwrap_or_default(),
        })
    }

    fn resolver(&self, of_package: Option<&str>) -> Result<Option<ResolverVersion>, Problem> {
        let of_workspace = self.toml.workspace.as_ref().and_then(|workspace| workspace.resolver.as_deref());
        let (text, table) = match (of_package, of_workspace) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(Problem::new("`resolver` is set in `[package]` and in `[workspace]`")
                    .at(["package", "resolver"])
                    .help("keep the one in `[workspace]`"));
            }
            (Some(text), None) => (text, "package"),
            (None, Some(text)) => (text, "workspace"),
        };
        match text {
            "1" => Ok(Some(ResolverVersion::V1)),
            "2" => Ok(Some(ResolverVersion::V2)),
            "3" => Ok(Some(ResolverVersion::V3)),
            _ => Err(Problem::new(format!("unknown resolver `{text}`"))
                .at([table, "resolver"])
                .help("resolvers are \"1\", \"2\" and \"3\"")),
        }
    }

    fn discover(&mut self, package: &TomlPackage, edition: Edition, name: &str) -> Result<Found, Problem> {
        let toml = self.toml;
        let mut discovery =
            Discovery { files: self.files, package_name: name, edition, warnings: &mut self.warnings };
        let lib = discovery.lib(toml.lib.as_ref(), package.autolib)?;
        Ok(Found {
            bin: discovery.bins(toml.bin.as_ref(), package.autobins, lib.is_some())?,
            lib,
            example: discovery.others(EXAMPLE, toml.example.as_ref(), package.autoexamples)?,
            test: discovery.others(TEST, toml.test.as_ref(), package.autotests)?,
            bench: discovery.others(BENCH, toml.bench.as_ref(), package.autobenches)?,
        })
    }

    fn targets(
        &mut self,
        found: &Found,
        package: &TomlPackage,
        edition: Edition,
        gates: Gates<'_>,
    ) -> Result<Vec<Target>, Problem> {
        let build = package.build.as_ref().unwrap_or(&TomlPackageBuild::Auto(false));
        let root = self.inherit.package_root;
        let targets = Targets { root, edition, gates, warnings: &mut self.warnings }.make(found, build)?;
        if targets.iter().all(Target::is_custom_build) {
            return Err(Problem::new("the package has no targets").at(["package"]).help(
                "create `src/lib.rs` or `src/main.rs`, or list a `[lib]` or `[[bin]]` with its `path`",
            ));
        }
        Ok(targets)
    }

    fn dependencies(&mut self, edition: Edition, keep: bool) -> Dependencies<'_> {
        Dependencies {
            origin: self.origin,
            inherit: self.inherit,
            edition,
            warnings: &mut self.warnings,
            keep,
        }
    }

    fn profiles(&mut self, gates: Gates<'_>) -> Result<(), Problem> {
        for (name, table) in self.toml.profile.iter().flat_map(|profiles| &profiles.0) {
            let warnings = profile::check(name, table, &|feature| gates.is_open(feature))
                .map_err(|error| Problem::new(error.to_string()).at(["profile", name.as_str()]))?;
            self.warnings.extend(warnings.into_iter().map(Warning::plain));
        }
        Ok(())
    }

    /// Keys that must fit one another.
    fn check_parts(
        &mut self,
        package: &TomlPackage,
        targets: &[Target],
        has_default_features: bool,
    ) -> Result<(), Problem> {
        if let (Some(links), false) = (&package.links, package::has_build_script(package)) {
            return Err(Problem::new(format!("the package links to `{links}`, but has no build script"))
                .at(["package", "links"])
                .help("add a `build.rs`"));
        }
        if has_default_features {
            self.warn("a feature is named `default-features`; only `default` is on by default");
        }
        if let Some(wanted) = &package.default_run {
            let bins = || targets.iter().filter(|target| target.is_bin()).map(|target| target.name.as_str());
            if !bins().any(|name| name == wanted) {
                let problem = Problem::new(format!("`default-run` names `{wanted}`, which is not a binary"))
                    .at(["package", "default-run"]);
                return Err(match suggest::closest(wanted, bins()) {
                    Some(near) => problem.help(format!("a binary with a similar name exists: `{near}`")),
                    None => problem.help("name one of the package's programs"),
                });
            }
        }
        if package.license.is_some() && package.license_file.is_some() {
            self.warn("`license` and `license-file` are both set: `license-file` is for licenses without an SPDX name");
        }
        Ok(())
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push(Warning::plain(message));
    }

    fn finish(&mut self) -> Vec<Warning> {
        for key in &self.document.unused_keys {
            let mut message = format!("unused manifest key: {key}");
            if CONFIG_KEYS.contains(&key.as_str()) {
                message.push_str(&format!(" (`{key}` is a key of `.cargo/config.toml`)"));
            }
            self.warnings.push(Warning::plain(message));
        }
        let is_local = self.origin.is_local;
        std::mem::take(&mut self.warnings)
            .into_iter()
            .filter(|warning| is_local || warning.critical)
            .collect()
    }
}

fn normalized(
    toml: &TomlManifest,
    package: TomlPackage,
    found: Found,
    tables: Settled,
    lints: Option<&cargo_util_schemas::manifest::TomlLints>,
) -> TomlManifest {
    TomlManifest {
        cargo_features: toml.cargo_features.clone(),
        package: Some(Box::new(package)),
        project: None,
        badges: toml.badges.clone(),
        features: toml.features.clone(),
        lib: found.lib,
        bin: Some(found.bin),
        example: Some(found.example),
        test: Some(found.test),
        bench: Some(found.bench),
        dependencies: tables.normal,
        dev_dependencies: tables.development,
        dev_dependencies2: None,
        build_dependencies: tables.build,
        build_dependencies2: None,
        target: tables.target,
        lints: lints.map(|lints| InheritableLints { workspace: false, lints: lints.clone() }),
        hints: toml.hints.clone(),
        workspace: toml.workspace.clone(),
        profile: toml.profile.clone(),
        patch: toml.patch.clone(),
        replace: toml.replace.clone(),
        _unused_keys: Default::default(),
    }
}
