//! What a package asks of another.

use std::fmt;
use std::sync::Arc;

use cargo_platform::Platform;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::name::{FeatureName, PackageName};
use crate::package::PackageId;
use crate::source::SourceId;

/// Which table of the manifest a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DepKind {
    /// `[dependencies]`
    #[default]
    Normal,
    /// `[dev-dependencies]`
    #[serde(rename = "dev")]
    Development,
    /// `[build-dependencies]`
    Build,
}

impl DepKind {
    /// The name of the manifest table.
    pub fn table(self) -> &'static str {
        match self {
            Self::Normal => "dependencies",
            Self::Development => "dev-dependencies",
            Self::Build => "build-dependencies",
        }
    }
}

/// One entry of a dependency table. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dependency(Arc<DependencyFields>);

/// The parts of a [`Dependency`], open while one is being made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DependencyFields {
    /// The package's real name.
    pub name: PackageName,
    /// The key in the manifest when it differs from `name` (`package = "…"`).
    pub rename: Option<PackageName>,
    /// Where to look for it.
    pub source: SourceId,
    /// The registry that the manifest named, when it is not the one the manifest itself comes from.
    pub registry: Option<SourceId>,
    /// Which versions fit.
    pub req: Requirement,
    /// Whether the manifest stated a version at all (`path` and `git` need none).
    pub has_version: bool,
    /// Which table it stands in.
    pub kind: DepKind,
    /// `optional = true`
    pub optional: bool,
    /// `default-features`, true unless switched off.
    pub default_features: bool,
    /// `features = […]`
    pub features: Vec<FeatureName>,
    /// `[target.'…'.dependencies]`
    pub platform: Option<Platform>,
    /// `public = true`
    pub public: bool,
    /// `artifact = […]` (unstable); kept so that the index line can carry it.
    pub artifact: Option<Artifact>,
}

/// `artifact`, `lib` and `target` of an artifact dependency (unstable `bindeps`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Artifact {
    /// `bin`, `bin:name`, `cdylib`, `staticlib`.
    pub kinds: Vec<String>,
    /// `lib = true`
    pub lib: bool,
    /// `target = "…"`
    pub target: Option<String>,
}

/// Which versions a dependency accepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Requirement {
    /// Any version, pre-releases included: path and git dependencies without a version.
    Any,
    /// A requirement as written.
    Req(ReqText),
    /// Held at one version by a lockfile; the requirement as written is kept for messages.
    Locked(Version, ReqText),
    /// `update --precise`: one version, even where the requirement alone would skip it.
    Precise(Version, ReqText),
}

/// A [`VersionReq`] that is ordered and hashed by its text.
#[derive(Clone, Debug)]
pub struct ReqText(pub VersionReq);

impl PartialEq for ReqText {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for ReqText {}
impl std::hash::Hash for ReqText {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl PartialOrd for ReqText {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ReqText {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.0 == other.0 {
            return std::cmp::Ordering::Equal;
        }
        self.0.to_string().cmp(&other.0.to_string())
    }
}

impl Requirement {
    /// A requirement from its parsed text.
    pub fn new(req: VersionReq) -> Self {
        Self::Req(ReqText(req))
    }

    /// Whether `version` is accepted.
    pub fn matches(&self, version: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::Req(req) => req.0.matches(version),
            // A lockfile names one build, and a registry may hold several of one version.
            Self::Locked(locked, _) => locked == version,
            Self::Precise(precise, _) => {
                precise.major == version.major
                    && precise.minor == version.minor
                    && precise.patch == version.patch
                    && precise.pre == version.pre
                    && (precise.build == version.build || precise.build.is_empty())
            }
        }
    }

    /// The requirement as written, without what a lockfile pinned.
    pub fn written(&self) -> Option<&VersionReq> {
        match self {
            Self::Any => None,
            Self::Req(req) | Self::Locked(_, req) | Self::Precise(_, req) => Some(&req.0),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Req(req) => write!(f, "{}", req.0),
            Self::Locked(version, _) | Self::Precise(version, _) => write!(f, "={version}"),
        }
    }
}

impl Dependency {
    /// Closes the fields.
    pub fn new(fields: DependencyFields) -> Self {
        Self(Arc::new(fields))
    }

    /// A plain dependency on `name` from `source`, to be refined with [`Dependency::with`].
    pub fn plain(name: PackageName, source: SourceId, req: Requirement) -> Self {
        Self::new(DependencyFields {
            name,
            rename: None,
            source,
            registry: None,
            has_version: !matches!(req, Requirement::Any),
            req,
            kind: DepKind::Normal,
            optional: false,
            default_features: true,
            features: Vec::new(),
            platform: None,
            public: false,
            artifact: None,
        })
    }

    /// A copy with some fields changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut DependencyFields)) -> Self {
        let mut fields = (*self.0).clone();
        change(&mut fields);
        Self::new(fields)
    }

    /// All the parts.
    pub fn fields(&self) -> &DependencyFields {
        &self.0
    }

    /// The package's real name.
    pub fn name(&self) -> &PackageName {
        &self.0.name
    }

    /// The key in the manifest: the new name of a renamed dependency, else the package's name. Features
    /// and `extern` names go by it.
    pub fn name_in_toml(&self) -> &PackageName {
        self.0.rename.as_ref().unwrap_or(&self.0.name)
    }

    /// Where to look for it.
    pub fn source(&self) -> &SourceId {
        &self.0.source
    }

    /// Which versions fit.
    pub fn req(&self) -> &Requirement {
        &self.0.req
    }

    /// Which table it stands in.
    pub fn kind(&self) -> DepKind {
        self.0.kind
    }

    /// Whether it is off unless a feature asks for it.
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }

    /// Whether its `default` feature is asked for.
    pub fn uses_default_features(&self) -> bool {
        self.0.default_features
    }

    /// The features asked of it.
    pub fn features(&self) -> &[FeatureName] {
        &self.0.features
    }

    /// The platforms that it is for, if not all.
    pub fn platform(&self) -> Option<&Platform> {
        self.0.platform.as_ref()
    }

    /// Whether it counts for dependents too (a `dev` dependency does not).
    pub fn is_transitive(&self) -> bool {
        self.0.kind != DepKind::Development
    }

    /// Whether a package with this id would do, its features aside.
    pub fn matches_id(&self, id: &PackageId) -> bool {
        self.0.name == *id.name()
            && self.0.source.same_place(id.source())
            && (self.0.source.git_object().is_none()
                || id.source().git_object().is_none()
                || self.0.source.git_object() == id.source().git_object())
            && self.0.req.matches(id.version())
    }

    /// As [`Dependency::matches_id`], the source left aside: what `[patch]` compares.
    pub fn matches_ignoring_source(&self, id: &PackageId) -> bool {
        self.0.name == *id.name() && self.0.req.matches(id.version())
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dependency({} {} {:?} {:?})", self.0.name, self.0.req, self.0.kind, self.0.source)
    }
}
