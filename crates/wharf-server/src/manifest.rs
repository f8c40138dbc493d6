//! The manifest inside an archive, as far as the index needs it. It is the truth about a package: what the
//! publish request says must agree with it.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::Deserialize;
use wharf_wire::{IndexDependency, NewCrate};

/// The URL by which everybody names crates.io.
const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

/// A manifest as packaging leaves it: nothing inherited, no paths.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackagedManifest {
    /// `[package]`
    pub package: PackageTable,
    /// `[features]`
    #[serde(default)]
    pub features: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    tables: DependencyTables,
    #[serde(default)]
    target: BTreeMap<String, DependencyTables>,
}

/// The keys of `[package]` that the registry reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageTable {
    /// `name`
    pub name: String,
    /// `version`
    pub version: Version,
    /// `links`
    pub links: Option<String>,
    /// `rust-version`
    pub rust_version: Option<String>,
    /// `description`
    pub description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DependencyTables {
    #[serde(default)]
    dependencies: BTreeMap<String, DependencyValue>,
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: BTreeMap<String, DependencyValue>,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: BTreeMap<String, DependencyValue>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DependencyValue {
    Version(String),
    Table(Box<DependencyTable>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct DependencyTable {
    version: Option<String>,
    registry_index: Option<String>,
    features: Vec<String>,
    optional: bool,
    default_features: Option<bool>,
    package: Option<String>,
}

/// Which registries are this one.
#[derive(Debug)]
pub struct Home<'a> {
    /// The index URL under which the request came, with `sparse+`.
    pub index_url: Option<&'a str>,
    /// Whether crates.io means this registry.
    pub is_crates_io: bool,
}

impl Home<'_> {
    /// What the index says for the registry at `url`: nothing for this one.
    fn shown(&self, url: &str) -> Option<String> {
        if Some(url) == self.index_url || (self.is_crates_io && is_crates_io(url)) {
            return None;
        }
        Some(url.to_owned())
    }
}

fn is_crates_io(url: &str) -> bool {
    matches!(url.trim_end_matches('/'), CRATES_IO | "sparse+https://index.crates.io")
}

/// Why a manifest cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the TOML of a manifest.
    #[error("cannot read the manifest in the archive: {0}")]
    Toml(#[from] toml::de::Error),
    /// A requirement that does not parse, or none.
    #[error("the manifest in the archive has no valid version requirement for `{0}`")]
    Requirement(String),
    /// The request tells another story.
    #[error("the publish request and the manifest in the archive differ in {0}")]
    Differs(&'static str),
}

impl PackagedManifest {
    /// Reads the text of a `Cargo.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        Ok(toml::from_str(text)?)
    }

    /// All dependencies as the index spells them, in a fixed order.
    pub fn dependencies(&self, home: &Home<'_>) -> Result<Vec<IndexDependency<'static>>, ManifestError> {
        let mut all = Vec::new();
        let platforms = self.target.iter().map(|(platform, tables)| (Some(platform), tables));
        for (platform, tables) in std::iter::once((None, &self.tables)).chain(platforms) {
            let kinds = [
                ("normal", &tables.dependencies),
                ("dev", &tables.dev_dependencies),
                ("build", &tables.build_dependencies),
            ];
            for (kind, table) in kinds {
                for (key, value) in table {
                    let mut dependency = value.to_index(key, home)?;
                    dependency.kind = Some(kind.to_owned().into());
                    dependency.target = platform.map(|platform| platform.clone().into());
                    all.push(dependency);
                }
            }
        }
        all.sort_by_cached_key(sort_key);
        Ok(all)
    }

    /// Holds the request's metadata against the manifest.
    pub fn check_against(&self, metadata: &NewCrate, home: &Home<'_>) -> Result<(), ManifestError> {
        let differs = |same: bool, what| if same { Ok(()) } else { Err(ManifestError::Differs(what)) };
        differs(metadata.name == self.package.name, "the name")?;
        differs(metadata.vers == self.package.version.to_string(), "the version")?;
        differs(metadata.features == self.features, "the features")?;
        let mut stated: Vec<_> = metadata
            .deps
            .iter()
            .map(|dependency| {
                let explicit = dependency.explicit_name_in_toml.clone();
                IndexDependency {
                    package: explicit.is_some().then(|| dependency.name.clone().into()),
                    name: explicit.unwrap_or_else(|| dependency.name.clone()).into(),
                    req: dependency.version_req.clone().into(),
                    features: dependency.features.iter().map(|feature| feature.clone().into()).collect(),
                    optional: dependency.optional,
                    default_features: dependency.default_features,
                    target: dependency.target.clone().map(Into::into),
                    kind: Some(dependency.kind.clone().into()),
                    registry: dependency.registry.as_deref().and_then(|url| home.shown(url)).map(Into::into),
                    public: None,
                    artifact: None,
                    bindep_target: None,
                    lib: false,
                }
            })
            .collect();
        stated.sort_by_cached_key(sort_key);
        let found = self.dependencies(home)?;
        let same = stated.len() == found.len()
            && stated.iter().zip(&found).all(|(a, b)| sort_key(a) == sort_key(b) && a.req == b.req);
        differs(same, "the dependencies")
    }
}

/// Everything in which the two halves must agree, the requirement aside; no two dependencies of a package share it.
fn sort_key(dependency: &IndexDependency<'_>) -> String {
    let IndexDependency {
        name, features, optional, default_features, target, kind, registry, package, ..
    } = dependency;
    format!(
        "{name}\n{kind:?}\n{target:?}\n{package:?}\n{features:?}\n{optional}{default_features}\n{registry:?}"
    )
}

impl DependencyValue {
    fn to_index(&self, key: &str, home: &Home<'_>) -> Result<IndexDependency<'static>, ManifestError> {
        let plain;
        let DependencyTable { version, registry_index, features, optional, default_features, package } =
            match self {
                Self::Table(table) => &**table,
                Self::Version(version) => {
                    plain = DependencyTable { version: Some(version.clone()), ..DependencyTable::default() };
                    &plain
                }
            };
        let requirement = version.as_deref().and_then(|text| VersionReq::parse(text).ok());
        let requirement = requirement.ok_or_else(|| ManifestError::Requirement(key.to_owned()))?;
        Ok(IndexDependency {
            name: key.to_owned().into(),
            req: requirement.to_string().into(),
            features: features.iter().map(|feature| feature.clone().into()).collect(),
            optional: *optional,
            default_features: default_features.unwrap_or(true),
            target: None,
            kind: None,
            registry: home.shown(registry_index.as_deref().unwrap_or(CRATES_IO)).map(Into::into),
            package: package.clone().map(Into::into),
            public: None,
            artifact: None,
            bindep_target: None,
            lib: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "sparse+http://127.0.0.1:8777/";

    /// What cargo 1.95 sent for one package: both halves must tell the same story.
    #[test]
    fn metadata_and_manifest_of_cargo_agree() {
        let archive = include_bytes!("../../wharf-wire/tests/golden/sample-0.1.0.crate");
        let limits = wharf_wire::archive::Limits::PUBLIC;
        let text = wharf_wire::archive::manifest_of(archive, "sample", "0.1.0", limits).unwrap();
        let manifest = PackagedManifest::parse(&text).unwrap();
        let metadata = include_str!("../../wharf-wire/tests/golden/publish-cargo-1.95.json");
        let mut metadata: NewCrate = serde_json::from_str(metadata).unwrap();
        let home = Home { index_url: Some(INDEX), is_crates_io: false };
        manifest.check_against(&metadata, &home).unwrap();
        assert!(manifest.dependencies(&home).unwrap().iter().all(|dependency| dependency.registry.is_none()));
        let elsewhere = Home { index_url: None, is_crates_io: false };
        assert!(manifest.check_against(&metadata, &elsewhere).is_err());
        metadata.deps.pop();
        assert!(matches!(manifest.check_against(&metadata, &home), Err(ManifestError::Differs(_))));
    }

    #[test]
    fn no_registry_means_crates_io() {
        let manifest = PackagedManifest::parse(
            "package = { name = 'a', version = '1.0.0' }\ndependencies = { b = '1' }",
        )
        .unwrap();
        let registry = |is_crates_io| {
            let found = manifest.dependencies(&Home { index_url: None, is_crates_io }).unwrap();
            found[0].registry.as_ref().map(ToString::to_string)
        };
        assert_eq!(registry(false).as_deref(), Some(CRATES_IO));
        assert_eq!(registry(true), None);
    }
}
