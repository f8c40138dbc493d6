//! Vendored packages (reference, "Directory Sources"): one directory each, with the checksums of all files beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use wharf_base::digest::Sha256;
use wharf_base::fs;
use wharf_core::summary::SharedSummary;
use wharf_core::{Package, PackageId, PackageName, SourceId, Summary};

use crate::context::Context;
use crate::error::SourceError;
use crate::manifests::Manifests;

const CHECKSUMS: &str = ".cargo-checksum.json";

/// A directory of vendored packages.
pub(crate) struct Directory {
    served: SourceId,
    manifests: Manifests,
}

/// The content of `.cargo-checksum.json`.
#[derive(Deserialize)]
struct Checksums {
    /// SHA-256 of the archive that the package was vendored from; none for a git package.
    package: Option<String>,
    files: BTreeMap<String, String>,
}

impl Directory {
    /// The packages in `served`, with ids of `shown`.
    pub fn open(shown: SourceId, served: SourceId) -> Result<Self, SourceError> {
        let root = served.local_path().unwrap_or_default();
        let dirs = fs::read_dir(&root)?
            .into_iter()
            .filter(|entry| !entry.name.as_encoded_bytes().starts_with(b"."))
            .map(|entry| entry.path);
        Ok(Self { manifests: Manifests::in_dirs(shown, dirs)?, served })
    }

    /// The summaries of one name, with the checksums that lockfiles hold.
    pub fn named(&self, context: &Context, name: &PackageName) -> Result<Vec<SharedSummary>, SourceError> {
        let with_checksum = |package: &Package| {
            let checksums = Checksums::read(package.root())?;
            let summary = Summary { checksum: checksums.package, ..(*package.manifest.summary).clone() };
            Ok(Arc::new(summary))
        };
        self.manifests.named(context, name)?.iter().map(with_checksum).collect()
    }

    /// The directory of a package.
    pub fn place(&self, context: &Context, package: &PackageId) -> Result<PathBuf, SourceError> {
        let named = self.manifests.named(context, package.name())?;
        let found = named.iter().find(|found| found.id().version() == package.version());
        found
            .map(|found| found.root().to_owned())
            .ok_or_else(|| SourceError::NoPackage { package: package.clone(), origin: self.served.clone() })
    }

    /// Compares every file of a package with its checksum.
    pub fn verify(&self, context: &Context, package: &PackageId) -> Result<(), SourceError> {
        let root = self.place(context, package)?;
        for (name, want) in Checksums::read(&root)?.files {
            let file = root.join(name);
            let got = Sha256::of(fs::read(&file)?);
            if want.parse() != Ok(got) {
                return Err(SourceError::VendoredFile { file, got, want });
            }
        }
        Ok(())
    }
}

impl Checksums {
    fn read(root: &Path) -> Result<Self, SourceError> {
        let path = root.join(CHECKSUMS);
        let bytes = fs::read(&path)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| SourceError::VendoredChecksums { path, reason: error.to_string() })
    }
}
