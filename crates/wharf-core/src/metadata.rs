//! What `metadata --format-version 1` and `read-manifest` print, field for field in Cargo's order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_util_schemas::core::PackageIdSpec;
use cargo_util_schemas::manifest::Hints;
use serde::Serialize;

use crate::dependency::{DepKind, Dependency};
use crate::package::Package;
use crate::target::{CrateType, Target, TargetKind};

/// The answer of `metadata`.
#[derive(Debug, Serialize)]
pub struct Metadata<'a> {
    /// Every package of the graph, sorted by id; with `--no-deps` the members alone.
    pub packages: Vec<PackageJson<'a>>,
    /// The members in the order of the workspace.
    pub workspace_members: Vec<PackageIdSpec>,
    /// The members that commands work on when none is named.
    pub workspace_default_members: Vec<PackageIdSpec>,
    /// The graph; `None` with `--no-deps`.
    pub resolve: Option<&'a ResolveJson>,
    /// Where finals go.
    pub target_directory: PathBuf,
    /// Where intermediates go.
    pub build_directory: PathBuf,
    /// Always 1.
    pub version: u32,
    /// The directory of the root manifest.
    pub workspace_root: PathBuf,
    /// `workspace.metadata`
    pub metadata: Option<toml::Value>,
}

/// The resolved graph.
#[derive(Debug, Serialize)]
pub struct ResolveJson {
    /// The packages, sorted by id.
    pub nodes: Vec<NodeJson>,
    /// The package of the root manifest.
    pub root: Option<PackageIdSpec>,
}

/// One package of the resolved graph.
#[derive(Debug, Serialize)]
pub struct NodeJson {
    /// The package.
    pub id: PackageIdSpec,
    /// The packages depended on, sorted.
    pub dependencies: Vec<PackageIdSpec>,
    /// The same with how they are depended on.
    pub deps: Vec<EdgeJson>,
    /// The features switched on.
    pub features: Vec<String>,
}

/// One dependency in the resolved graph.
#[derive(Debug, Serialize)]
pub struct EdgeJson {
    /// The name under which code refers to the library.
    pub name: String,
    /// The package.
    pub pkg: PackageIdSpec,
    /// The manifest entries behind it, sorted.
    pub dep_kinds: Vec<EdgeKindJson>,
}

/// One manifest entry behind a dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EdgeKindJson {
    /// Which table.
    #[serde(serialize_with = "kind_or_null")]
    pub kind: DepKind,
    /// The platform.
    #[serde(serialize_with = "platform_text")]
    pub target: Option<cargo_platform::Platform>,
}

/// A package, as `metadata` and `read-manifest` print it.
#[derive(Debug, Serialize)]
pub struct PackageJson<'a> {
    name: &'a str,
    version: String,
    id: String,
    license: Option<&'a str>,
    license_file: Option<&'a str>,
    description: Option<&'a str>,
    source: Option<String>,
    dependencies: Vec<DependencyJson<'a>>,
    targets: Vec<TargetJson<'a>>,
    features: BTreeMap<&'a str, Vec<String>>,
    manifest_path: &'a Path,
    metadata: Option<&'a toml::Value>,
    publish: Option<&'a [String]>,
    authors: &'a [String],
    categories: &'a [String],
    keywords: &'a [String],
    readme: Option<&'a str>,
    repository: Option<&'a str>,
    homepage: Option<&'a str>,
    documentation: Option<&'a str>,
    edition: &'static str,
    links: Option<&'a str>,
    default_run: Option<&'a str>,
    rust_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hints: Option<&'a Hints>,
}

/// A dependency, as `metadata` prints it.
#[derive(Debug, Serialize)]
pub struct DependencyJson<'a> {
    name: &'a str,
    source: Option<String>,
    req: String,
    #[serde(serialize_with = "kind_or_null")]
    kind: DepKind,
    rename: Option<&'a str>,
    optional: bool,
    uses_default_features: bool,
    features: Vec<&'a str>,
    target: Option<String>,
    registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
}

/// A target, as `metadata` and build messages print it.
#[derive(Debug, Serialize)]
pub struct TargetJson<'a> {
    kind: Vec<&'a str>,
    crate_types: Vec<String>,
    name: &'a str,
    src_path: &'a Path,
    edition: &'static str,
    #[serde(rename = "required-features", skip_serializing_if = "Option::is_none")]
    required_features: Option<&'a [String]>,
    doc: bool,
    doctest: bool,
    test: bool,
}

impl<'a> PackageJson<'a> {
    /// Takes everything from the package.
    pub fn new(package: &'a Package) -> Self {
        let manifest = &*package.manifest;
        let summary = &*manifest.summary;
        let description = &manifest.description;
        let features = summary
            .features
            .iter()
            .map(|(name, values)| (name.as_str(), values.iter().map(ToString::to_string).collect()))
            .collect();
        Self {
            name: summary.id.name(),
            version: summary.id.version().to_string(),
            id: summary.id.to_spec().to_string(),
            license: description.license.as_deref(),
            license_file: description.license_file.as_deref(),
            description: description.description.as_deref(),
            source: source_text(summary.id.source()),
            dependencies: summary.dependencies.iter().map(DependencyJson::new).collect(),
            targets: manifest.targets.iter().map(TargetJson::new).collect(),
            features,
            manifest_path: &package.manifest_path,
            metadata: manifest.metadata.as_ref(),
            publish: manifest.publish.as_deref(),
            authors: &description.authors,
            categories: &description.categories,
            keywords: &description.keywords,
            readme: description.readme.as_deref(),
            repository: description.repository.as_deref(),
            homepage: description.homepage.as_deref(),
            documentation: description.documentation.as_deref(),
            edition: manifest.edition.as_str(),
            links: summary.links.as_deref(),
            default_run: manifest.default_run.as_deref(),
            rust_version: manifest.rust_version.as_ref().map(ToString::to_string),
            hints: manifest.normalized.hints.as_ref(),
        }
    }
}

impl<'a> DependencyJson<'a> {
    /// Takes everything from the dependency.
    pub fn new(dependency: &'a Dependency) -> Self {
        let fields = dependency.fields();
        Self {
            name: &fields.name,
            source: source_text(&fields.source),
            req: fields.req.to_string(),
            kind: fields.kind,
            rename: fields.rename.as_deref(),
            optional: fields.optional,
            uses_default_features: fields.default_features,
            features: fields.features.iter().map(|feature| feature.as_str()).collect(),
            target: fields.platform.as_ref().map(ToString::to_string),
            registry: fields.registry.as_ref().map(|registry| registry.spec_url().to_string()),
            path: fields.source.local_path(),
        }
    }
}

impl<'a> TargetJson<'a> {
    /// Takes everything from the target.
    pub fn new(target: &'a Target) -> Self {
        Self {
            kind: target.kind.names(),
            crate_types: target.crate_types().iter().map(ToString::to_string).collect(),
            name: &target.name,
            src_path: &target.src_path,
            edition: target.edition.as_str(),
            required_features: target.required_features_stated.then_some(&target.required_features),
            doc: target.documented,
            doctest: target.doctest && can_be_doctested(&target.kind),
            test: target.tested,
        }
    }
}

/// rustdoc tests only what it can link against without unstable flags.
fn can_be_doctested(kind: &TargetKind) -> bool {
    matches!(kind, TargetKind::Lib(types)
        if types.iter().any(|kind| matches!(kind, CrateType::Lib | CrateType::Rlib | CrateType::ProcMacro)))
}

/// `null` for paths: tools tell them by it.
fn source_text(source: &crate::source::SourceId) -> Option<String> {
    (!source.is_path()).then(|| source.encoded())
}

fn kind_or_null<S: serde::Serializer>(kind: &DepKind, serializer: S) -> Result<S::Ok, S::Error> {
    match kind {
        DepKind::Normal => serializer.serialize_none(),
        DepKind::Development => serializer.serialize_some("dev"),
        DepKind::Build => serializer.serialize_some("build"),
    }
}

fn platform_text<S: serde::Serializer>(
    platform: &Option<cargo_platform::Platform>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    platform.as_ref().map(ToString::to_string).serialize(serializer)
}
