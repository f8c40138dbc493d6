//! Reads manifests from disk, each once, and finds the workspace that each belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use wharf_base::{fs, paths};
use wharf_core::manifest::{AnyManifest, Inheritable, Origin, TomlDocument, Unstable};
use wharf_core::{Package, SourceId};

use crate::disk::PackageDir;
use crate::failure::{Context, Failure, Result};

/// Names a registry by its configured name.
pub type RegistryNames = Arc<dyn Fn(&str) -> Option<SourceId> + Send + Sync>;

/// Reads manifests. Shared by everything that meets a `Cargo.toml` during one command.
pub struct Loader {
    cargo_home: PathBuf,
    registries: RegistryNames,
    documents: Mutex<BTreeMap<PathBuf, Arc<TomlDocument>>>,
    unstable: Unstable,
}

impl Loader {
    /// A loader that stops looking for workspaces at `cargo_home`.
    pub fn new(cargo_home: &Path, registries: RegistryNames) -> Self {
        Self {
            cargo_home: cargo_home.to_owned(),
            registries,
            documents: Mutex::default(),
            unstable: Unstable::none(),
        }
    }

    /// The same loader for manifests that may use unstable features.
    #[must_use]
    pub fn with_unstable(self, unstable: Unstable) -> Self {
        Self { unstable, ..self }
    }

    /// Which unstable features manifests may use.
    pub fn unstable(&self) -> &Unstable {
        &self.unstable
    }

    /// The registry with a configured name.
    pub fn registry(&self, name: &str) -> Option<SourceId> {
        (self.registries)(name)
    }

    /// The TOML of a manifest, syntax checked.
    pub fn document(&self, path: &Path) -> Result<Arc<TomlDocument>> {
        if let Some(document) = self.documents().get(path) {
            return Ok(document.clone());
        }
        let text = fs::read_to_string(path).map_err(|cause| {
            let failure =
                Failure::from(cause).context(format!("cannot read the manifest `{}`", path.display()));
            match fs::exists(path) {
                true => failure.help("a manifest is a text file in UTF-8"),
                false => failure.help("create it, or correct the path that leads there"),
            }
        })?;
        let document = Arc::new(TomlDocument::read(text, path, !path.starts_with(&self.cargo_home))?);
        self.documents().insert(path.to_owned(), document.clone());
        Ok(document)
    }

    fn documents(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Arc<TomlDocument>>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was read of a manifest that has been rewritten.
    pub fn forget(&self, path: &Path) {
        self.documents().remove(path);
    }

    /// The manifest of the workspace that `manifest` belongs to: itself if it has a `[workspace]` table, the one
    /// that `package.workspace` points to, or the nearest one above that does not exclude it.
    pub fn root_of(&self, manifest: &Path) -> Result<Option<PathBuf>> {
        let document = self.document(manifest)?;
        if document.is_workspace_root() {
            return Ok(Some(manifest.to_owned()));
        }
        if let Some(root) = pointer(&document, manifest) {
            return Ok(Some(root));
        }
        for above in self.manifests_above(manifest) {
            let document = self.document(&above).context(|| {
                format!("cannot look for the workspace of `{}` in `{}`", manifest.display(), above.display())
            })?;
            if document.is_workspace_root() {
                if !is_excluded(&document, &above, manifest) {
                    return Ok(Some(above));
                }
            } else if let Some(root) = pointer(&document, &above) {
                return Ok(Some(root));
            }
        }
        Ok(None)
    }

    /// Whether a manifest is the root of a workspace, whatever its members are like: `default-members` say something
    /// that only the members can confirm.
    ///
    /// # Errors
    /// If the manifest cannot be read.
    pub fn is_certain_root(&self, manifest: &Path) -> Result<bool> {
        let document = self.document(manifest)?;
        Ok(document.toml.workspace.as_ref().is_some_and(|workspace| workspace.default_members.is_none()))
    }

    /// The manifests in the directories above; the search does not leave `$CARGO_HOME`, and a directory in which
    /// a package is being verified stands alone.
    fn manifests_above(&self, manifest: &Path) -> Vec<PathBuf> {
        let Some(start) = manifest.parent() else { return Vec::new() };
        let mut found = Vec::new();
        let mut below = start;
        for dir in start.ancestors().skip(1) {
            if below == self.cargo_home || dir.ends_with("target/package") {
                break;
            }
            let candidate = dir.join("Cargo.toml");
            if fs::is_file(&candidate) {
                found.push(candidate);
            }
            below = dir;
        }
        found
    }

    /// A manifest, checked whole, as a package of `source` or as a workspace root.
    pub fn load(&self, path: &Path, source: &SourceId) -> Result<AnyManifest> {
        let document = self.document(path)?;
        let inheritable = if document.needs_workspace() { Some(self.inheritable_of(path)?) } else { None };
        let origin = Origin {
            path,
            source,
            inheritable: inheritable.as_deref(),
            registries: &*self.registries,
            is_local: source.is_path(),
            unstable: &self.unstable,
        };
        let dir = path.parent().unwrap_or(Path::new("/"));
        Ok((*document).clone().into_manifest(&origin, &PackageDir::new(dir))?)
    }

    fn inheritable_of(&self, path: &Path) -> Result<Arc<Inheritable>> {
        let root = self.root_of(path)?.ok_or_else(|| {
            Failure::new(format!("`{}` inherits from a workspace, but belongs to none", path.display()))
                .help("add a `[workspace]` table to this manifest or to one in a directory above")
        })?;
        self.document(&root)?.inheritable().ok_or_else(|| {
            Failure::new(format!(
                "`{}` is to be the workspace of `{}`, but has no `[workspace]` table",
                root.display(),
                path.display()
            ))
        })
    }

    /// The package whose manifest is at `path`.
    pub fn load_package(&self, path: &Path, source: &SourceId) -> Result<Arc<Package>> {
        match self.load(path, source)? {
            AnyManifest::Real(manifest) => {
                Ok(Arc::new(Package { manifest: Arc::new(*manifest), manifest_path: path.to_owned() }))
            }
            AnyManifest::Virtual(_) => Err(Failure::new(format!(
                "`{}` is the root of a workspace without a package of its own",
                path.display()
            ))
            .help("name the directory of the package that is wanted")),
        }
    }
}

fn pointer(document: &TomlDocument, manifest: &Path) -> Option<PathBuf> {
    let root = document.workspace_pointer()?;
    let dir = manifest.parent()?;
    Some(paths::normalize(&dir.join(root).join("Cargo.toml")))
}

/// Whether the workspace at `root` leaves `manifest` out: named in `exclude` and not in `members`.
pub(super) fn is_excluded(root: &TomlDocument, root_path: &Path, manifest: &Path) -> bool {
    let Some(workspace) = &root.toml.workspace else { return false };
    let dir = root_path.parent().unwrap_or(Path::new("/"));
    let below = |paths: &Option<Vec<String>>| {
        paths.iter().flatten().any(|path| manifest.starts_with(paths::normalize(&dir.join(path))))
    };
    below(&workspace.exclude) && !below(&workspace.members)
}
