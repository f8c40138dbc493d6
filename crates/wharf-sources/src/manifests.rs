//! Packages that are found by their manifests: in git repositories, vendored directories and paths.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cargo_util_schemas::manifest::{InheritableDependency, TomlDependency, TomlManifest};
use wharf_base::{fs, paths};
use wharf_core::{Package, PackageName, SourceId};

use crate::context::Context;
use crate::error::SourceError;

const MANIFEST: &str = "Cargo.toml";

/// Directories with manifests, read when somebody asks for a name that their text holds. Most manifests of a large
/// repository are never parsed.
#[derive(Debug)]
pub(crate) struct Manifests {
    source: SourceId,
    places: Vec<Place>,
    by_name: Mutex<HashMap<PackageName, Arc<[Package]>>>,
}

#[derive(Debug)]
struct Place {
    dir: PathBuf,
    text: Vec<u8>,
}

impl Manifests {
    /// Manifests in exactly these directories; those without one are left out.
    pub fn in_dirs(source: SourceId, dirs: impl IntoIterator<Item = PathBuf>) -> Result<Self, SourceError> {
        let mut places = Vec::new();
        for dir in dirs {
            if let Some(text) = fs::read_if_exists(&dir.join(MANIFEST))? {
                places.push(Place { dir, text });
            }
        }
        Ok(Self { source, places, by_name: Mutex::default() })
    }

    /// Manifests anywhere below `root`. Hidden directories, submodules and `target` beside a manifest are not
    /// looked into.
    pub fn below(source: SourceId, root: &Path) -> Result<Self, SourceError> {
        let mut dirs = Vec::new();
        walk(root, true, &mut dirs)?;
        Self::in_dirs(source, dirs)
    }

    /// The packages of one name, in the order of their directories; one for each version.
    pub fn named(&self, context: &Context, name: &PackageName) -> Result<Arc<[Package]>, SourceError> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_name.get(name) {
            return Ok(known.clone());
        }
        let has_name = |place: &&Place| contains(&place.text, name.as_bytes());
        let (mut found, error) = self.read(context, self.places.iter().filter(has_name));
        found.retain(|package| package.name() == name);
        if found.is_empty() {
            // It may lie where only a path dependency leads to.
            let (all, _) = self.read_with_nested(context);
            found = all.into_iter().filter(|package| package.name() == name).collect();
        }
        if let (true, Some(error)) = (found.is_empty(), error) {
            return Err(error);
        }
        let found: Arc<[Package]> = found.into();
        by_name.insert(name.clone(), found.clone());
        Ok(found)
    }

    /// All packages. Manifests that cannot be read are passed over: a repository may hold broken ones as test data.
    pub fn all(&self, context: &Context) -> Result<Vec<Package>, SourceError> {
        let (found, error) = self.read_with_nested(context);
        match error {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    fn read_with_nested(&self, context: &Context) -> (Vec<Package>, Option<SourceError>) {
        let (mut found, error) = self.read(context, self.places.iter());
        let mut known: HashSet<PathBuf> = self.places.iter().map(|place| place.dir.clone()).collect();
        let mut next = 0;
        while let Some(package) = found.get(next) {
            next += 1;
            let base = package.root();
            let dirs: Vec<PathBuf> = nested(&package.manifest.normalized)
                .into_iter()
                .map(|path| paths::absolute_from(base, Path::new(path)))
                .collect();
            for dir in dirs {
                if known.insert(dir.clone())
                    && let Ok(package) = (context.reader)(&dir, &self.source)
                {
                    found.push(package);
                }
            }
        }
        (unique(found), error)
    }

    fn read<'a>(
        &self,
        context: &Context,
        places: impl Iterator<Item = &'a Place>,
    ) -> (Vec<Package>, Option<SourceError>) {
        let mut found = Vec::new();
        let mut failed = None;
        // A virtual manifest holds no package.
        for place in
            places.filter(|place| contains(&place.text, b"package") || contains(&place.text, b"project"))
        {
            match read_package(context, &place.dir, &self.source) {
                Ok(package) => found.push(package),
                Err(error) => failed = Some(error),
            }
        }
        (unique(found), failed)
    }
}

/// Reads the package in one directory.
pub(crate) fn read_package(context: &Context, dir: &Path, source: &SourceId) -> Result<Package, SourceError> {
    (context.reader)(dir, source)
        .map_err(|cause| SourceError::Manifest { dir: dir.to_owned(), cause: cause.into() })
}

/// Of packages with the same id, the first.
fn unique(packages: Vec<Package>) -> Vec<Package> {
    let mut seen = HashSet::new();
    packages.into_iter().filter(|package| seen.insert(package.id().clone())).collect()
}

fn walk(dir: &Path, is_top: bool, found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !is_top && entries.iter().any(|entry| entry.name == ".git") {
        return Ok(());
    }
    let has_manifest = entries.iter().any(|entry| entry.name == MANIFEST);
    if has_manifest {
        found.push(dir.to_owned());
    }
    for entry in entries {
        let is_hidden = entry.name.as_encoded_bytes().starts_with(b".");
        let is_target = has_manifest && entry.name == "target";
        if entry.kind.is_dir() && !is_hidden && !is_target {
            walk(&entry.path, false, found)?;
        }
    }
    Ok(())
}

/// The paths of a manifest's path dependencies, as written.
fn nested(manifest: &TomlManifest) -> Vec<&str> {
    type Table = BTreeMap<cargo_util_schemas::manifest::PackageName, InheritableDependency>;
    let mut tables: Vec<&Option<Table>> =
        vec![&manifest.dependencies, &manifest.dev_dependencies, &manifest.build_dependencies];
    for platform in manifest.target.iter().flat_map(BTreeMap::values) {
        tables.extend([&platform.dependencies, &platform.dev_dependencies, &platform.build_dependencies]);
    }
    let dependencies = tables.into_iter().flatten().flat_map(BTreeMap::values);
    dependencies
        .filter_map(|dependency| match dependency {
            InheritableDependency::Value(TomlDependency::Detailed(detail)) => detail.path.as_deref(),
            _ => None,
        })
        .collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
