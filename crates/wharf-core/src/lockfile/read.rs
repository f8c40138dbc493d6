//! From text to [`Lockfile`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use semver::Version;
use serde::Deserialize;

use super::{LockVersion, LockedDependency, LockedPackage, Lockfile, LockfileError};
use crate::manifest::Place;
use crate::name::PackageName;
use crate::source::SourceId;

#[derive(Deserialize)]
struct RawLockfile<'a> {
    version: Option<u32>,
    #[serde(borrow)]
    package: Option<Vec<RawPackage<'a>>>,
    #[serde(borrow)]
    root: Option<RawPackage<'a>>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(borrow, default)]
    patch: RawPatch<'a>,
}

#[derive(Default, Deserialize)]
struct RawPatch<'a> {
    #[serde(borrow, default)]
    unused: Vec<RawPackage<'a>>,
}

#[derive(Deserialize)]
struct RawPackage<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    checksum: Option<&'a str>,
    #[serde(borrow)]
    dependencies: Option<Vec<&'a str>>,
    replace: Option<&'a str>,
}

impl Lockfile {
    /// Reads a lockfile of any version from 1 to 4; `path` is for messages.
    ///
    /// # Errors
    /// Syntax errors, merge conflicts, unknown versions, packages listed twice, malformed names,
    /// versions and sources.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockfileError> {
        let raw: RawLockfile<'_> = toml::from_str(text).map_err(|error| syntax(text, path, &error))?;
        let mut reader = Reader { sources: HashMap::new() };
        reader.read(raw, text).map_err(|message| LockfileError {
            path: path.to_owned(),
            message,
            help: None,
            place: None,
        })
    }
}

fn syntax(text: &str, path: &Path, error: &toml::de::Error) -> LockfileError {
    let shared: Arc<str> = text.into();
    let conflict = ["<<<<<<<", "=======", ">>>>>>>"]
        .into_iter()
        .filter_map(|marker| {
            text.match_indices(marker).find(|(at, _)| *at == 0 || text[..*at].ends_with('\n'))
        })
        .map(|(at, marker)| at..at + marker.len())
        .next();
    match conflict {
        Some(span) => LockfileError {
            path: path.to_owned(),
            message: "it holds the markers of a merge conflict".to_owned(),
            help: Some("take one side whole (`git checkout --theirs Cargo.lock`) and build: what is missing is added".to_owned()),
            place: Some(Place::new(shared, span)),
        },
        None => LockfileError {
            path: path.to_owned(),
            message: error.message().to_owned(),
            help: None,
            place: error.span().map(|span| Place::new(shared, span)),
        },
    }
}

struct Reader<'a> {
    /// Source texts repeat for nearly every package.
    sources: HashMap<&'a str, SourceId>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, raw: RawLockfile<'a>, text: &str) -> Result<Lockfile, String> {
        let mut version = match raw.version {
            Some(4) => LockVersion::V4,
            Some(3) => LockVersion::V3,
            None => LockVersion::V1,
            Some(other) => {
                return Err(format!(
                    "its version is {other}, which a newer program wrote (3 and 4 are known)"
                ));
            }
        };
        let raw_packages: Vec<RawPackage<'_>> =
            raw.root.into_iter().chain(raw.package.unwrap_or_default()).collect();
        let mut packages = Vec::with_capacity(raw_packages.len());
        let mut seen = BTreeSet::new();
        for raw in &raw_packages {
            if !seen.insert((raw.name, raw.version, raw.source)) {
                return Err(format!("package `{} {}` is listed twice", raw.name, raw.version));
            }
            let package = self.package(raw)?;
            if package.checksum.is_some() {
                version = version.max(LockVersion::V2);
            }
            packages.push(package);
        }
        let index = Index::new(&packages);
        let mut references = Vec::with_capacity(packages.len());
        for raw in &raw_packages {
            let mut dependencies = Vec::new();
            for text in raw.dependencies.iter().flatten() {
                dependencies.push(self.reference(text, &index, &mut version)?);
            }
            let replace = raw.replace.map(|text| self.reference(text, &index, &mut version)).transpose()?;
            references.push((dependencies, replace));
        }
        let mut metadata = raw.metadata.unwrap_or_default();
        let checksums = self.old_checksums(&mut metadata, &index, &mut version)?;
        for (package, (dependencies, replace)) in packages.iter_mut().zip(references) {
            package.dependencies = dependencies;
            package.replace = replace;
        }
        // Checksums in both places are the leftovers of a bad merge: they are all fetched anew.
        if !checksums.is_empty() && version >= LockVersion::V2 {
            packages.iter_mut().for_each(|package| package.checksum = None);
        } else {
            for (at, checksum) in checksums {
                packages[at].checksum = checksum;
            }
        }
        // A lockfile of one package without dependencies shows its version by its last line only.
        if version == LockVersion::V1
            && packages.len() == 1
            && text.ends_with('\n')
            && !text.ends_with("\n\n")
        {
            version = LockVersion::V2;
        }
        let unused_patches =
            raw.patch.unused.iter().map(|raw| self.package(raw)).collect::<Result<_, _>>()?;
        Ok(Lockfile { version, packages, unused_patches, metadata })
    }

    fn package(&mut self, raw: &RawPackage<'a>) -> Result<LockedPackage, String> {
        Ok(LockedPackage {
            name: PackageName::new(raw.name).map_err(|error| error.to_string())?,
            version: version_of(raw.version, raw.name)?,
            source: raw.source.map(|source| self.source(source)).transpose()?,
            checksum: raw.checksum.map(str::to_owned),
            dependencies: Vec::new(),
            replace: None,
        })
    }

    fn source(&mut self, text: &'a str) -> Result<SourceId, String> {
        if let Some(known) = self.sources.get(text) {
            return Ok(known.clone());
        }
        let source = SourceId::from_encoded(text).map_err(|error| error.to_string())?;
        self.sources.insert(text, source.clone());
        Ok(source)
    }

    /// `name`, `name version` or `name version (source)`.
    fn reference(
        &mut self,
        text: &'a str,
        index: &Index,
        file_version: &mut LockVersion,
    ) -> Result<LockedDependency, String> {
        let mut parts = text.splitn(3, ' ');
        let name = PackageName::new(parts.next().unwrap_or_default()).map_err(|error| error.to_string())?;
        let version = parts.next().map(|version| version_of(version, &name)).transpose()?;
        let source = match parts.next() {
            None => None,
            Some(part) => match part.strip_prefix('(').and_then(|part| part.strip_suffix(')')) {
                Some(source) => Some(self.source(source)?),
                None => return Err(format!("`{text}` does not name a package")),
            },
        };
        let (package, is_short) = index.find(&name, version.as_ref(), source.as_ref());
        if is_short {
            *file_version = (*file_version).max(LockVersion::V2);
        }
        Ok(LockedDependency { name, version, source, package })
    }

    /// Version 1 keeps checksums as `metadata."checksum name version (source)"`.
    fn old_checksums(
        &mut self,
        metadata: &mut BTreeMap<String, String>,
        index: &Index,
        version: &mut LockVersion,
    ) -> Result<Vec<(usize, Option<String>)>, String> {
        let mut checksums = Vec::new();
        let mut others = BTreeMap::new();
        for (key, value) in std::mem::take(metadata) {
            let Some(text) = key.strip_prefix("checksum ") else {
                others.insert(key, value);
                continue;
            };
            let mut reader = Reader { sources: HashMap::new() };
            let reference = reader.reference(text, index, version)?;
            if let Some(at) = reference.package {
                checksums.push((at, (value != "<none>").then_some(value)));
            }
        }
        *metadata = others;
        Ok(checksums)
    }
}

fn version_of(text: &str, name: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|error| format!("`{text}` is not a version of package `{name}`: {error}"))
}

/// Packages by name, to find what an abbreviated reference means.
struct Index {
    by_name: HashMap<PackageName, Vec<(Version, Option<SourceId>, usize)>>,
}

impl Index {
    fn new(packages: &[LockedPackage]) -> Self {
        let mut by_name: HashMap<PackageName, Vec<_>> = HashMap::new();
        for (at, package) in packages.iter().enumerate() {
            let entry = (package.version.clone(), package.source.clone(), at);
            by_name.entry(package.name.clone()).or_default().push(entry);
        }
        Self { by_name }
    }

    /// The package meant, and whether the reference is shorter than version 1 would have written it.
    fn find(
        &self,
        name: &PackageName,
        version: Option<&Version>,
        source: Option<&SourceId>,
    ) -> (Option<usize>, bool) {
        let all = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let Some(version) = version else {
            let one_version = all.windows(2).all(|pair| pair[0].0 == pair[1].0);
            let (found, _) = if one_version { Self::by_source(all.iter(), source) } else { (None, false) };
            return (found, true);
        };
        Self::by_source(all.iter().filter(|entry| entry.0 == *version), source)
    }

    fn by_source<'b>(
        candidates: impl Iterator<Item = &'b (Version, Option<SourceId>, usize)> + Clone,
        source: Option<&SourceId>,
    ) -> (Option<usize>, bool) {
        let Some(source) = source else {
            // A path package is named without a source in every version.
            if candidates.clone().any(|entry| entry.1.is_none()) {
                return (candidates.clone().find(|entry| entry.1.is_none()).map(|entry| entry.2), false);
            }
            let mut rest = candidates.map(|entry| entry.2);
            return match (rest.next(), rest.next()) {
                (Some(at), None) => (Some(at), true),
                _ => (None, false),
            };
        };
        let mut rest =
            candidates.filter(|entry| entry.1.as_ref().is_some_and(|other| other.same_place(source)));
        (rest.next().map(|entry| entry.2), false)
    }
}
