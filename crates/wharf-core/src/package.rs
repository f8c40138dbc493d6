//! Ids of packages, and a package with its manifest.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::core::PackageIdSpec;
use semver::Version;

use crate::manifest::Manifest;
use crate::name::PackageName;
use crate::source::SourceId;

/// One version of one package from one source. Cheap to clone and to compare.
#[derive(Clone)]
pub struct PackageId(Arc<Inner>);

struct Inner {
    name: PackageName,
    version: Version,
    source: SourceId,
}

impl PackageId {
    /// Puts the three parts together.
    pub fn new(name: PackageName, version: Version, source: SourceId) -> Self {
        Self(Arc::new(Inner { name, version, source }))
    }

    /// The package's name.
    pub fn name(&self) -> &PackageName {
        &self.0.name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.0.version
    }

    /// Where it comes from.
    pub fn source(&self) -> &SourceId {
        &self.0.source
    }

    /// The same package from another source.
    #[must_use]
    pub fn with_source(&self, source: SourceId) -> Self {
        Self::new(self.0.name.clone(), self.0.version.clone(), source)
    }

    /// The fully qualified specification (reference, "Package ID Specifications"), as `pkgid` prints it
    /// and JSON messages carry it.
    pub fn to_spec(&self) -> PackageIdSpec {
        PackageIdSpec::new(self.0.name.to_string())
            .with_version(self.0.version.clone().into())
            .with_url(self.0.source.spec_url())
            .with_kind(self.0.source.kind().clone())
    }

    /// Whether a specification means this package: every part that it states is the same.
    pub fn matches_spec(&self, spec: &PackageIdSpec) -> bool {
        self.0.name == *spec.name()
            && spec.partial_version().is_none_or(|version| version.matches(&self.0.version))
            && spec.url().is_none_or(|url| *url == self.0.source.spec_url())
            && spec.kind().is_none_or(|kind| kind == self.0.source.kind())
    }

    /// `name` and the version as `v1.2.3`.
    pub fn tool_tips(&self) -> String {
        format!("{} v{}", self.0.name, self.0.version)
    }
}

impl PartialEq for PackageId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.name == other.0.name
                && self.0.version == other.0.version
                && self.0.source == other.0.source)
    }
}

impl Eq for PackageId {}

impl Hash for PackageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
        self.0.version.major.hash(state);
        self.0.version.minor.hash(state);
        self.0.version.patch.hash(state);
        self.0.version.pre.hash(state);
        self.0.version.build.hash(state);
    }
}

impl PartialOrd for PackageId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PackageId {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        (&self.0.name, &self.0.version, &self.0.source).cmp(&(
            &other.0.name,
            &other.0.version,
            &other.0.source,
        ))
    }
}

impl fmt::Display for PackageId {
    /// As status lines show it: `name v1.2.3`, with the source in parentheses unless it is crates.io.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.0.name, self.0.version)?;
        if let Some(source) = self.0.source.display_for_status() {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?})", self.0.name, self.0.version, self.0.source)
    }
}

/// A manifest and where it lies.
#[derive(Clone, Debug)]
pub struct Package {
    /// What the manifest says.
    pub manifest: Arc<Manifest>,
    /// The absolute path of `Cargo.toml`.
    pub manifest_path: PathBuf,
}

impl Package {
    /// Name, version and source.
    pub fn id(&self) -> &PackageId {
        &self.manifest.summary.id
    }

    /// The package's name.
    pub fn name(&self) -> &PackageName {
        self.id().name()
    }

    /// The directory that holds the manifest.
    pub fn root(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications() {
        for (source, want) in [
            (
                "registry+https://github.com/rust-lang/crates.io-index",
                "registry+https://github.com/rust-lang/crates.io-index#a@1.0.0",
            ),
            ("sparse+https://ours.example/", "sparse+https://ours.example/#a@1.0.0"),
            ("git+https://e.com/b?branch=x#0123", "git+https://e.com/b?branch=x#a@1.0.0"),
            ("path+file:///w/a", "path+file:///w/a#1.0.0"),
            ("path+file:///w/b", "path+file:///w/b#a@1.0.0"),
        ] {
            let source = SourceId::from_encoded(source).unwrap();
            let id = PackageId::new("a".parse().unwrap(), "1.0.0".parse().unwrap(), source);
            assert_eq!(id.to_spec().to_string(), want);
            assert!(id.matches_spec(&PackageIdSpec::parse(want).unwrap()), "{want}");
            assert!(id.matches_spec(&PackageIdSpec::parse("a@1").unwrap()));
            assert!(!id.matches_spec(&PackageIdSpec::parse("a@2").unwrap()));
        }
    }
}
