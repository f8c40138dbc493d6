//! Index files: where they are and the lines in them (reference, "Index files" and "JSON schema").

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wharf_core::dependency::{Artifact, DependencyFields, Requirement};
use wharf_core::features::{FeatureMap, with_implicit};
use wharf_core::name::NameError;
use wharf_core::{
    DepKind, Dependency, FeatureName, FeatureValue, PackageId, PackageName, Platform, SourceId, Summary,
    Version, VersionReq,
};

use crate::text::Text;

/// The newest entry schema (`v`) that is understood; entries above it are skipped, not refused.
pub const MAX_SCHEMA: u32 = 2;

/// The directory part of an index path, in the case of `name`: `1`, `2`, `3/a` or `ab/cd`.
pub fn prefix(name: &str) -> String {
    let part = |from: usize, to: usize| name.chars().skip(from).take(to - from).collect::<String>();
    match name.chars().count() {
        0 => String::new(),
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", part(0, 1)),
        _ => format!("{}/{}", part(0, 2), part(2, 4)),
    }
}

/// The path of a package's index file below the index root; file names are lower case.
pub fn path_of(name: &str) -> String {
    let lower = name.to_lowercase();
    format!("{}/{lower}", prefix(&lower))
}

/// One line of an index file: one version of one package. Text borrows from the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexEntry<'a> {
    /// The package's name in its own case.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The version.
    pub vers: Version,
    /// Dependencies of every kind, development included.
    #[serde(borrow)]
    pub deps: Vec<IndexDependency<'a>>,
    /// SHA-256 of the archive, hex.
    #[serde(borrow)]
    pub cksum: Text<'a>,
    /// Features whose values are plain.
    #[serde(borrow, default)]
    pub features: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    /// Features with `dep:` or `?/` in their values, kept apart from old clients.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub features2: Option<BTreeMap<Text<'a>, Vec<Text<'a>>>>,
    /// Whether new resolutions should leave it out.
    pub yanked: Option<bool>,
    /// The native library that the package claims.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Text<'a>>,
    /// The lowest supported toolchain, without an operator.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub rust_version: Option<Text<'a>>,
    /// When it was first published, `yyyy-mm-ddThh:mm:ssZ`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub pubtime: Option<Text<'a>>,
    /// The schema of the entry; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<u32>,
}

/// One dependency in an index entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexDependency<'a> {
    /// The key in the manifest: the alias of a renamed dependency.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The version requirement.
    #[serde(borrow)]
    pub req: Text<'a>,
    /// Features asked for.
    #[serde(borrow, default)]
    pub features: Vec<Text<'a>>,
    /// Whether it is off unless a feature asks for it.
    #[serde(default)]
    pub optional: bool,
    /// Whether its default features are asked for.
    #[serde(default = "yes")]
    pub default_features: bool,
    /// The platform: a target triple or `cfg(…)`.
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    /// `normal`, `dev` or `build`; absent means normal.
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    /// The index URL of the registry that it comes from; absent means this one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Text<'a>>,
    /// The real name of a renamed dependency.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Text<'a>>,
    /// Whether it is a public dependency (unstable).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// What to build of an artifact dependency (unstable).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Vec<Text<'a>>>,
    /// The target of an artifact dependency (unstable).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub bindep_target: Option<Text<'a>>,
    /// Whether an artifact dependency is a library too (unstable).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lib: bool,
}

fn yes() -> bool {
    true
}

/// Why an entry cannot be used. A client skips such a version and keeps the rest of the file.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not the JSON of an entry.
    #[error("cannot read an index entry: {0}")]
    Json(#[from] serde_json::Error),
    /// A schema from the future.
    #[error("the index entry of `{name}` {version} has schema {schema}, newer than {MAX_SCHEMA}")]
    Schema {
        /// The package.
        name: String,
        /// The version.
        version: Version,
        /// The schema that the entry states.
        schema: u32,
    },
    /// A name that no package or feature can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A field that does not parse.
    #[error("invalid {field} `{value}` in the index entry of `{name}`: {reason}")]
    Field {
        /// The package.
        name: String,
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What can be had from a line without reading its dependencies into memory.
#[derive(Debug, Deserialize)]
pub struct LineHead<'a> {
    /// The version as text.
    #[serde(borrow)]
    pub vers: Text<'a>,
    /// Whether the version is yanked.
    #[serde(default)]
    pub yanked: Option<bool>,
    /// The schema of the entry.
    #[serde(default)]
    pub v: Option<u32>,
}

impl<'a> LineHead<'a> {
    /// Scans a whole line; dependencies and features are passed over.
    pub fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// The version of a line, read from its first bytes where registries put it (`{"name":"a","vers":"1.0.0",…`).
/// `None` means only that the line does not begin so: ask [`LineHead::parse`].
pub fn quick_version(line: &[u8]) -> Option<&str> {
    fn token<'b>(rest: &'b [u8], wanted: &[u8]) -> Option<&'b [u8]> {
        rest.trim_ascii_start().strip_prefix(wanted)
    }
    fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
        let rest = token(rest, b"\"")?;
        let end = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\')?;
        (rest[end] == b'"').then(|| (&rest[..end], &rest[end + 1..]))
    }
    let (_, rest) = string(token(token(token(line, b"{")?, b"\"name\"")?, b":")?)?;
    let (version, _) = string(token(token(token(rest, b",")?, b"\"vers\"")?, b":")?)?;
    std::str::from_utf8(version).ok()
}

impl<'a> IndexEntry<'a> {
    /// Reads one line. Fields that nobody knows yet are ignored.
    pub fn parse(line: &'a [u8]) -> Result<Self, EntryError> {
        Ok(serde_json::from_slice(line)?)
    }

    /// Writes one line, without the line break.
    pub fn render(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, flags and lists always become JSON")
    }

    /// The schema of the entry.
    pub fn schema(&self) -> u32 {
        self.v.unwrap_or(1)
    }

    /// Whether this version of Wharf understands the entry's schema.
    pub fn is_supported(&self) -> bool {
        self.schema() <= MAX_SCHEMA
    }

    /// What the resolver needs; `source` is the registry that the line was read from. For the lines of one
    /// registry, [`Summaries`] does the same with less work.
    pub fn to_summary(&self, source: &SourceId) -> Result<Summary, EntryError> {
        Summaries::new(source.clone()).convert(self)
    }

    fn bad(&self, field: &'static str, value: &str, reason: impl ToString) -> EntryError {
        EntryError::Field {
            name: self.name.to_string(),
            field,
            value: value.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// Turns the entries of one registry into summaries. Names, requirements and platforms recur in nearly every
/// line of a file and across files, so each is checked once and shared after that.
#[derive(Debug)]
pub struct Summaries {
    source: SourceId,
    names: HashMap<String, PackageName>,
    features: HashMap<String, FeatureName>,
    requirements: HashMap<String, Requirement>,
    platforms: HashMap<String, Platform>,
    registries: HashMap<String, SourceId>,
}

impl Summaries {
    /// A converter for lines of the registry `source`.
    pub fn new(source: SourceId) -> Self {
        Self {
            source,
            names: HashMap::new(),
            features: HashMap::new(),
            requirements: HashMap::new(),
            platforms: HashMap::new(),
            registries: HashMap::new(),
        }
    }

    /// Reads a line and converts it.
    pub fn parse(&mut self, line: &[u8]) -> Result<Summary, EntryError> {
        self.convert(&IndexEntry::parse(line)?)
    }

    /// Converts an entry.
    pub fn convert(&mut self, entry: &IndexEntry<'_>) -> Result<Summary, EntryError> {
        if !entry.is_supported() {
            return Err(EntryError::Schema {
                name: entry.name.to_string(),
                version: entry.vers.clone(),
                schema: entry.schema(),
            });
        }
        let name = self.name(&entry.name)?;
        let mut dependencies = Vec::with_capacity(entry.deps.len());
        for dependency in &entry.deps {
            dependencies.push(self.dependency(entry, dependency)?);
        }
        let mut declared = FeatureMap::new();
        for (feature, values) in entry.features.iter().chain(entry.features2.iter().flatten()) {
            let feature = self.feature(feature)?;
            declared
                .entry(feature)
                .or_default()
                .extend(values.iter().map(|value| FeatureValue::parse(value)));
        }
        let rust_version = match &entry.rust_version {
            None => None,
            Some(text) => Some(text.parse().map_err(|error| entry.bad("rust_version", text, error))?),
        };
        Ok(Summary {
            id: PackageId::new(name, entry.vers.clone(), self.source.clone()),
            features: with_implicit(declared, &dependencies),
            dependencies,
            checksum: Some(entry.cksum.to_string()),
            links: entry.links.as_ref().map(|links| Arc::from(links.as_str())),
            rust_version,
            yanked: entry.yanked.unwrap_or(false),
            published: entry.pubtime.as_ref().map(|time| Arc::from(time.as_str())),
        })
    }

    fn dependency(
        &mut self,
        entry: &IndexEntry<'_>,
        dependency: &IndexDependency<'_>,
    ) -> Result<Dependency, EntryError> {
        let key = self.name(&dependency.name)?;
        let (name, rename) = match &dependency.package {
            Some(package) => {
                let name = self.name(package)?;
                (name.clone(), (name != key).then_some(key))
            }
            None => (key, None),
        };
        let mut features = Vec::with_capacity(dependency.features.len());
        // Entries from before 2018 hold empty feature names; they never meant anything.
        for feature in dependency.features.iter().filter(|feature| !feature.is_empty()) {
            features.push(self.feature(feature)?);
        }
        let (source, registry) = match dependency.registry.as_deref() {
            None => (self.source.clone(), None),
            Some(url) => {
                let source = self.registry(entry, url)?;
                (source.clone(), (source != self.source).then_some(source))
            }
        };
        let artifact = dependency.artifact.as_ref().map(|kinds| Artifact {
            kinds: kinds.iter().map(ToString::to_string).collect(),
            lib: dependency.lib,
            target: dependency.bindep_target.as_ref().map(ToString::to_string),
        });
        Ok(Dependency::new(DependencyFields {
            name,
            rename,
            source,
            registry,
            req: self.requirement(entry, &dependency.req)?,
            has_version: true,
            kind: kind_of(dependency.kind.as_deref()),
            optional: dependency.optional,
            default_features: dependency.default_features,
            features,
            platform: dependency.target.as_deref().map(|text| self.platform(entry, text)).transpose()?,
            public: dependency.public.unwrap_or(false),
            artifact,
        }))
    }

    fn name(&mut self, text: &str) -> Result<PackageName, EntryError> {
        remembered(&mut self.names, text, |text| Ok(PackageName::new(text)?))
    }

    fn feature(&mut self, text: &str) -> Result<FeatureName, EntryError> {
        remembered(&mut self.features, text, |text| Ok(FeatureName::new(text)?))
    }

    fn requirement(&mut self, entry: &IndexEntry<'_>, text: &str) -> Result<Requirement, EntryError> {
        remembered(&mut self.requirements, text, |text| {
            let req = VersionReq::parse(text).map_err(|error| entry.bad("req", text, error))?;
            Ok(Requirement::new(req))
        })
    }

    fn platform(&mut self, entry: &IndexEntry<'_>, text: &str) -> Result<Platform, EntryError> {
        remembered(&mut self.platforms, text, |text| {
            Platform::from_str(text).map_err(|error| entry.bad("target", text, error))
        })
    }

    fn registry(&mut self, entry: &IndexEntry<'_>, text: &str) -> Result<SourceId, EntryError> {
        remembered(&mut self.registries, text, |text| {
            let source = SourceId::for_registry(text).map_err(|error| entry.bad("registry", text, error))?;
            let crates_io = SourceId::crates_io();
            Ok(if source == crates_io { crates_io } else { source })
        })
    }
}

/// A kind that nobody knows counts as normal, as in Cargo: the version stays usable.
fn kind_of(text: Option<&str>) -> DepKind {
    match text {
        Some("dev") => DepKind::Development,
        Some("build") => DepKind::Build,
        _ => DepKind::Normal,
    }
}

fn remembered<V: Clone>(
    known: &mut HashMap<String, V>,
    text: &str,
    make: impl FnOnce(&str) -> Result<V, EntryError>,
) -> Result<V, EntryError> {
    if let Some(value) = known.get(text) {
        return Ok(value.clone());
    }
    let value = make(text)?;
    known.insert(text.to_owned(), value.clone());
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../tests/golden/index-crates-io.jsonl");

    #[test]
    fn paths() {
        assert_eq!(path_of("a"), "1/a");
        assert_eq!(path_of("AB"), "2/ab");
        assert_eq!(path_of("abc"), "3/a/abc");
        assert_eq!(path_of("Cargo"), "ca/rg/cargo");
        assert_eq!(prefix("Cargo"), "Ca/rg");
    }

    #[test]
    fn bytes_of_crates_io_survive() {
        for line in GOLDEN.lines() {
            let entry = IndexEntry::parse(line.as_bytes()).unwrap();
            let again: serde_json::Value = serde_json::from_slice(&entry.render()).unwrap();
            let before: serde_json::Value = serde_json::from_str(line).unwrap();
            for (key, value) in before.as_object().unwrap() {
                assert!(value.is_null() || again[key] == *value, "{key} of {line}");
            }
            let version = quick_version(line.as_bytes()).unwrap();
            assert_eq!(version, entry.vers.to_string());
            let head = LineHead::parse(line.as_bytes()).unwrap();
            assert_eq!((head.vers.as_str(), head.yanked, head.v), (version, entry.yanked, entry.v));
            entry.to_summary(&SourceId::crates_io()).unwrap();
        }
    }

    #[test]
    fn features_of_both_kinds_are_one_map() {
        let line = GOLDEN.lines().find(|line| line.contains("\"serde_json\", \"vers\"")).unwrap();
        let summary = IndexEntry::parse(line.as_bytes()).unwrap().to_summary(&SourceId::crates_io()).unwrap();
        let text =
            |name: &str| -> Vec<String> { summary.features[name].iter().map(ToString::to_string).collect() };
        assert_eq!(text("preserve_order"), ["indexmap", "alloc", "dep:foldhash"]);
        assert_eq!(text("indexmap"), ["dep:indexmap"]);
        assert!(!summary.features.contains_key("foldhash"));
    }

    #[test]
    fn renamed_dependency_of_another_registry() {
        let line = br#"{"name":"a","vers":"1.0.0","deps":[{"name":"alias","req":"^1","features":["x"],"optional":true,
            "default_features":false,"target":"cfg(unix)","kind":"build","package":"real",
            "registry":"https://github.com/rust-lang/crates.io-index"}],"cksum":"00","features":{},"yanked":true,
            "unknown":[1]}"#;
        let home = SourceId::for_registry("sparse+https://e.com/").unwrap();
        let summary = IndexEntry::parse(line).unwrap().to_summary(&home).unwrap();
        let dependency = &summary.dependencies[0];
        assert_eq!(dependency.name(), &"real");
        assert_eq!(dependency.name_in_toml(), &"alias");
        assert_eq!(dependency.source(), &SourceId::crates_io());
        assert_eq!(dependency.kind(), DepKind::Build);
        assert!(dependency.is_optional() && summary.yanked);
        assert_eq!(summary.id.source(), &home);
        assert!(summary.features.contains_key("alias"));
    }

    #[test]
    fn future_schema_is_readable_but_not_usable() {
        let line =
            br#"{"name":"a","vers":"1.0.0","deps":[],"cksum":"00","features":{},"yanked":false,"v":9}"#;
        let entry = IndexEntry::parse(line).unwrap();
        assert!(!entry.is_supported());
        assert!(matches!(
            entry.to_summary(&SourceId::crates_io()),
            Err(EntryError::Schema { schema: 9, .. })
        ));
    }

    #[test]
    fn quick_version_gives_up_on_the_unusual() {
        assert_eq!(quick_version(br#"{"vers":"1.0.0","name":"a"}"#), None);
        assert_eq!(quick_version(b"{\"name\":\"a"), None);
        assert_eq!(quick_version(br#"{ "name" : "a" , "vers" : "1.0.0" }"#), Some("1.0.0"));
    }
}
