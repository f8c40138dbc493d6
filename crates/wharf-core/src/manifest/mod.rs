//! `Cargo.toml` as the rest of Wharf sees it: checked, defaults filled in, targets discovered,
//! workspace inheritance resolved.
//!
//! Reading has two steps, because a member can be read only when its workspace root is known:
//! [`TomlDocument::read`] takes the text, [`TomlDocument::into_manifest`] does the rest.

mod dependencies;
mod discovery;
mod document;
mod error;
mod features;
mod inherit;
mod lints;
mod package;
mod patch;
mod reader;
mod targets;
#[cfg(test)]
mod tests;
mod unstable;

pub use document::{Origin, TomlDocument};
pub use error::{ManifestError, Place};
pub use unstable::Unstable;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::core::PackageIdSpec;
use cargo_util_schemas::manifest::{RustVersion, TomlManifest, TomlProfiles};
use serde::{Deserialize, Serialize};

use crate::dependency::Dependency;
use crate::features::FeatureMap;
use crate::source::SourceId;
use crate::summary::SharedSummary;
use crate::target::Target;

/// The language edition of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Edition {
    /// 2015, the default of manifests that name none.
    #[default]
    #[serde(rename = "2015")]
    E2015,
    /// 2018
    #[serde(rename = "2018")]
    E2018,
    /// 2021
    #[serde(rename = "2021")]
    E2021,
    /// 2024
    #[serde(rename = "2024")]
    E2024,
}

impl Edition {
    /// The newest edition that Rust 1.95 holds stable.
    pub const LATEST: Self = Self::E2024;

    /// The year, as `--edition` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::E2015 => "2015",
            Self::E2018 => "2018",
            Self::E2021 => "2021",
            Self::E2024 => "2024",
        }
    }

    /// Reads the year.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "2015" => Self::E2015,
            "2018" => Self::E2018,
            "2021" => Self::E2021,
            "2024" => Self::E2024,
            _ => return None,
        })
    }

    /// The edition after this one; `None` for the newest.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::E2015 => Some(Self::E2018),
            Self::E2018 => Some(Self::E2021),
            Self::E2021 => Some(Self::E2024),
            Self::E2024 => None,
        }
    }

    /// The resolver that a workspace of this edition uses when it names none.
    pub fn default_resolver(self) -> ResolverVersion {
        match self {
            Self::E2015 | Self::E2018 => ResolverVersion::V1,
            Self::E2021 => ResolverVersion::V2,
            Self::E2024 => ResolverVersion::V3,
        }
    }
}

/// `resolver = "…"` (reference, "Resolver versions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResolverVersion {
    /// Features unified over everything.
    V1,
    /// Features apart for host, build and dev dependencies and by platform.
    V2,
    /// V2, and versions chosen by `rust-version`.
    V3,
}

/// What a manifest may ask about the directory that holds it. Paths are relative to that directory.
pub trait Files {
    /// Whether a file is there.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether a directory is there.
    fn is_dir(&self, path: &Path) -> bool;
    /// The names of the entries of a directory, sorted; empty when it cannot be read.
    fn entries(&self, path: &Path) -> Vec<Entry>;
}

/// One name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// Whether it is a directory itself; a link to one is not, and no target is discovered behind it.
    pub is_dir: bool,
}

/// `[package]` fields that only describe (reference, "The Manifest Format").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// `authors`
    pub authors: Vec<String>,
    /// `keywords`
    pub keywords: Vec<String>,
    /// `categories`
    pub categories: Vec<String>,
    /// `license`
    pub license: Option<String>,
    /// `license-file`, relative to the package.
    pub license_file: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `readme`, the default found on disk included; relative to the package.
    pub readme: Option<String>,
    /// `homepage`
    pub homepage: Option<String>,
    /// `repository`
    pub repository: Option<String>,
    /// `documentation`
    pub documentation: Option<String>,
    /// `[badges]`
    pub badges: BTreeMap<String, BTreeMap<String, String>>,
}

/// How a manifest stands to a workspace.
#[derive(Clone, Debug)]
pub enum WorkspaceRole {
    /// It has a `[workspace]` table.
    Root(WorkspaceTable),
    /// It belongs to the workspace rooted at `package.workspace`, or to one found above it.
    Member {
        /// `package.workspace`, as written.
        root: Option<PathBuf>,
    },
}

/// `[workspace]`, less what members inherit.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceTable {
    /// `members`; `None` when not stated.
    pub members: Option<Vec<String>>,
    /// `default-members`; `None` when not stated.
    pub default_members: Option<Vec<String>>,
    /// `exclude`
    pub exclude: Vec<String>,
    /// `metadata`
    pub metadata: Option<toml::Value>,
    /// What members may inherit, already read.
    pub inheritable: Arc<Inheritable>,
}

/// `[workspace.package]`, `[workspace.dependencies]` and `[workspace.lints]`, for members to inherit.
#[derive(Clone, Debug, Default)]
pub struct Inheritable {
    /// The root manifest as deserialised; the members' readers take the tables from it.
    pub manifest: Option<Arc<TomlManifest>>,
    /// The directory of the root manifest: inherited paths are relative to it.
    pub root: PathBuf,
}

/// One entry of `[patch]`: what it replaces, and with what.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The source whose packages are replaced.
    pub target: PatchTarget,
    /// The replacement, as a dependency.
    pub dependency: Dependency,
}

/// The key of a `[patch.…]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchTarget {
    /// `[patch.crates-io]` or another registry by its configured name.
    Registry(String),
    /// `[patch."https://…"]`
    Url(String),
}

/// A warning found while reading, to be shown for members and path packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The sentence, lower case, no full stop.
    pub message: String,
    /// An error wherever the package is built as a member; other packages live with it.
    pub critical: bool,
}

impl Warning {
    /// A warning that stays one.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { message: message.into(), critical: false }
    }

    /// A warning that is an error for members.
    pub fn critical(message: impl Into<String>) -> Self {
        Self { message: message.into(), critical: true }
    }
}

/// The manifest of one package.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What the resolver needs: id, dependencies, features, `links`, `rust-version`.
    pub summary: SharedSummary,
    /// Everything that can be built, in the order that `metadata` prints.
    pub targets: Vec<Target>,
    /// `package.edition`
    pub edition: Edition,
    /// `package.rust-version`
    pub rust_version: Option<RustVersion>,
    /// Descriptive fields.
    pub description: Description,
    /// `package.metadata`
    pub metadata: Option<toml::Value>,
    /// `package.include`
    pub include: Vec<String>,
    /// `package.exclude`
    pub exclude: Vec<String>,
    /// `package.publish`: `None` anywhere, `Some([])` nowhere, else the registries by name.
    pub publish: Option<Vec<String>>,
    /// `package.default-run`
    pub default_run: Option<String>,
    /// The features as declared, without implicit ones.
    pub declared_features: FeatureMap,
    /// `[lints]` as flags for rustc (`--warn=…`, `--check-cfg…`), in the order to pass them.
    pub lint_flags: Vec<LintFlag>,
    /// How it stands to a workspace.
    pub workspace: WorkspaceRole,
    /// `package.resolver` or `workspace.resolver`.
    pub resolver: Option<ResolverVersion>,
    /// `[profile.*]`, used only from a workspace root.
    pub profiles: Option<TomlProfiles>,
    /// `[patch.*]`, used only from a workspace root.
    pub patches: Vec<Patch>,
    /// `[replace]`, used only from a workspace root.
    pub replaces: Vec<(PackageIdSpec, Dependency)>,
    /// What to warn of.
    pub warnings: Vec<Warning>,
    /// The manifest with inheritance resolved and paths normalised, as packaging needs it.
    pub normalized: Arc<TomlManifest>,
    /// The text as it was read.
    pub original_text: Arc<str>,
    /// `cargo-features` keys in use.
    pub cargo_features: Vec<String>,
    /// `im-a-teapot`, which Cargo's own tests use.
    pub im_a_teapot: Option<bool>,
}

/// One lint level as a compiler flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFlag {
    /// `rust`, `clippy`, `rustdoc`, …
    pub tool: String,
    /// `--warn=clippy::all` and the like.
    pub flag: String,
}

impl Manifest {
    /// The library, if there is one.
    pub fn library(&self) -> Option<&Target> {
        self.targets.iter().find(|target| target.is_lib())
    }

    /// The build script, if there is one; the first of several.
    pub fn build_script(&self) -> Option<&Target> {
        self.build_scripts().next()
    }

    /// The build scripts in the manifest's order: more than one only with an unstable feature.
    pub fn build_scripts(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.is_custom_build())
    }

    /// Whether the library is a procedural macro.
    pub fn is_proc_macro(&self) -> bool {
        self.library().is_some_and(Target::is_proc_macro)
    }

    /// The source of the package.
    pub fn source(&self) -> &SourceId {
        self.summary.id.source()
    }
}

/// A workspace root without a package.
#[derive(Clone, Debug)]
pub struct VirtualManifest {
    /// `[workspace]`
    pub workspace: WorkspaceTable,
    /// `workspace.resolver`
    pub resolver: Option<ResolverVersion>,
    /// `[profile.*]`
    pub profiles: Option<TomlProfiles>,
    /// `[patch.*]`
    pub patches: Vec<Patch>,
    /// `[replace]`
    pub replaces: Vec<(PackageIdSpec, Dependency)>,
    /// What to warn of.
    pub warnings: Vec<Warning>,
    /// `cargo-features` keys in use.
    pub cargo_features: Vec<String>,
}

/// Either kind of `Cargo.toml`.
#[derive(Clone, Debug)]
pub enum AnyManifest {
    /// One with a `[package]`.
    Real(Box<Manifest>),
    /// A workspace root without one.
    Virtual(Box<VirtualManifest>),
}
