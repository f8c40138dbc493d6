//! The proof that an archive is whole: it is unpacked, and the caller builds what came out.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::digest::Digest;
use wharf_base::fs;
use wharf_core::{Package, SourceId};

use super::Packaged;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Places, Workspace};

/// An unpacked archive.
pub struct Unpacked {
    /// The package that came out, as a workspace of its own that shares the target directory of the one around it.
    pub workspace: Workspace,
    dir: PathBuf,
    before: BTreeMap<PathBuf, Digest>,
}

/// Unpacks an archive below the target directory.
///
/// # Errors
/// If it cannot be unpacked, or is no package.
pub fn unpack(workspace: &Workspace, packaged: &Packaged) -> Result<Unpacked> {
    let parent = workspace.target_dir().join("package");
    let id = packaged.package.id();
    let dir = parent.join(format!("{}-{}", id.name(), id.version()));
    fs::remove_any(&dir)?;
    fs::create_dir_all(&parent)?;
    let file = fs::open(&packaged.archive)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    archive.set_preserve_mtime(false);
    archive.unpack(&parent).context(|| format!("cannot unpack `{}`", packaged.archive.display()))?;
    let source = SourceId::for_path(&dir)?;
    let loader = workspace.loader().clone();
    let manifest = dir.join("Cargo.toml");
    loader.forget(&manifest);
    let package: Arc<Package> = loader.load_package(&manifest, &source)?;
    let places = Places { target_dir: Some(workspace.target_dir().to_owned()), lockfile: None };
    let before = digests(&dir)?;
    Ok(Unpacked { workspace: Workspace::ephemeral(loader, package, &places), dir, before })
}

impl Unpacked {
    /// Whether the build left the sources alone: what a build script writes there would not be in the archive.
    ///
    /// # Errors
    /// If anything was changed, added or removed.
    pub fn check(&self) -> Result<()> {
        let after = digests(&self.dir)?;
        if after == self.before {
            return Ok(());
        }
        let list = |title: &str, paths: Vec<&PathBuf>| {
            let shown: Vec<String> = paths.into_iter().map(|path| path.display().to_string()).collect();
            (!shown.is_empty()).then(|| format!("{title}: {}", shown.join("\n\t")))
        };
        let kept = |path: &&PathBuf| after.contains_key(*path);
        let changed = self.before.keys().filter(kept).filter(|path| self.before[*path] != after[*path]);
        let parts = [
            list("Changed", changed.collect()),
            list("Added", after.keys().filter(|path| !self.before.contains_key(*path)).collect()),
            list("Removed", self.before.keys().filter(|path| !after.contains_key(*path)).collect()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Err(Failure::new(format!(
            "the build changed the package's own files, but only `OUT_DIR` may be written to\n{}",
            parts.join("\n")
        ))
        .help("to proceed despite this, pass the `--no-verify` flag"))
    }
}

/// Digests of everything below a directory, `target` left out.
fn digests(root: &Path) -> Result<BTreeMap<PathBuf, Digest>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry.path;
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                if dir != root || !path.ends_with("target") {
                    found.insert(path.clone(), Digest::of(b"directory"));
                    pending.push(path);
                }
            } else if kind.is_symlink() {
                found.insert(path.clone(), Digest::of(fs::read_link(&path)?.as_os_str().as_encoded_bytes()));
            } else {
                let mut bytes = Vec::new();
                fs::open(&path)?.read_to_end(&mut bytes)?;
                found.insert(path, Digest::of(bytes));
            }
        }
    }
    Ok(found)
}
