//! A registry on this machine that is laid over the real one, with packages that are not published yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_base::{fs, lock};
use wharf_core::{PackageId, SourceId};
use wharf_sources::Sources;
use wharf_wire::index::path_of;

use super::describe::{describe, index_line};
use super::{Packaged, Upstream};
use crate::failure::Result;
use crate::workspace::Workspace;

/// The registry.
pub(super) struct Overlay {
    upstream: Upstream,
    root: PathBuf,
    checksums: BTreeMap<(String, String), String>,
    _lock: lock::Lock,
}

impl Overlay {
    /// An empty one over `upstream`; what another run left is removed.
    pub(super) fn new(workspace: &Workspace, sources: &Sources, upstream: SourceId) -> Result<Self> {
        let root = workspace.target_dir().join("package/tmp-registry");
        fs::create_dir_all(&root)?;
        let held = lock::acquire(&root.join(".cargo-lock"), lock::Mode::Exclusive, || {})?;
        let index = root.join("index");
        fs::remove_any(&index)?;
        fs::create_dir_all(&index)?;
        sources.lay_over(&upstream, &root)?;
        Ok(Self { upstream, root, checksums: BTreeMap::new(), _lock: held })
    }

    /// Adds a package.
    pub(super) fn add(
        &mut self,
        workspace: &Workspace,
        sources: &Sources,
        packaged: &Packaged,
    ) -> Result<()> {
        let described = describe(&packaged.package, workspace, &self.upstream)?;
        let checksum = packaged.checksum.to_hex();
        fs::write_atomic(&self.root.join(packaged.file_name()), fs::read(&packaged.archive)?)?;
        let file = self.root.join("index").join(path_of(&described.name));
        fs::create_dir_all(file.parent().unwrap_or(&self.root))?;
        fs::write_atomic(&file, index_line(&described, &checksum)?)?;
        self.checksums.insert((described.name, described.vers), checksum);
        // What was asked before must not be remembered.
        sources.lay_over(&self.upstream, &self.root)?;
        Ok(())
    }

    /// The checksum of a package in here.
    pub(super) fn checksum(&self, id: &PackageId) -> Option<String> {
        if !id.source().same_place(&self.upstream) {
            return None;
        }
        self.checksums.get(&(id.name().to_string(), id.version().to_string())).cloned()
    }
}
