//! The door.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::summary::SharedSummary;
use wharf_core::{Package, PackageId, PackageName, SourceId, Version};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::options::{PackageReader, SourceOptions};

/// How new an answer about versions must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Freshness {
    /// What is on disk will do; the network is asked only where nothing is. For what a lockfile pins: when the
    /// version is missing, ask again for [`Freshness::Current`].
    Cached,
    /// As the source has it now (or as it was on disk, when the network is off).
    Current,
}

/// A package to be put on disk.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The package.
    pub id: PackageId,
    /// SHA-256 of its archive, as lockfile or index have it; needed for registries.
    pub checksum: Option<String>,
}

/// All sources of packages, opened as they are asked for.
pub struct Sources {
    options: SourceOptions,
    reader: Box<PackageReader>,
    events: Box<dyn Fn(SourceEvent) + Send + Sync>,
}

impl Sources {
    /// Nothing is opened, locked or asked yet.
    pub fn new(
        options: SourceOptions,
        reader: Box<PackageReader>,
        events: Box<dyn Fn(SourceEvent) + Send + Sync>,
    ) -> Self {
        Self { options, reader, events }
    }

    /// All usable versions of a package, yanked ones included, oldest first; empty if the source has none. The ids
    /// carry `source` even where another source is asked in its place (and the commit, for git).
    pub fn summaries(
        &self,
        source: &SourceId,
        name: &PackageName,
        freshness: Freshness,
    ) -> Result<Arc<[SharedSummary]>, SourceError> {
        self.matching(source, name, freshness, &|_| true).map(Into::into)
    }

    /// As [`Sources::summaries`], but only versions that `wanted` accepts: the others are not even parsed.
    pub fn matching(
        &self,
        source: &SourceId,
        _name: &PackageName,
        _freshness: Freshness,
        _wanted: &dyn Fn(&Version) -> bool,
    ) -> Result<Vec<SharedSummary>, SourceError> {
        Err(self.not_yet(source))
    }

    /// Starts to fetch index files, and those of the dependencies of what arrives. Returns at once.
    pub fn prefetch(&self, _wanted: &[(SourceId, PackageName)]) {}

    /// The commit that a git source stands at now, as the same source with a precise object. A source that has one
    /// already is only fetched if its object is not on disk.
    pub fn update_git(&self, source: &SourceId) -> Result<SourceId, SourceError> {
        Err(self.not_yet(source))
    }

    /// All packages in a git repository or path.
    pub fn packages(&self, source: &SourceId) -> Result<Vec<Package>, SourceError> {
        Err(self.not_yet(source))
    }

    /// Whether the archive of a registry package is on disk (anything else is always there).
    pub fn is_downloaded(&self, _package: &PackageId) -> bool {
        false
    }

    /// Puts packages on disk, downloading and unpacking what is missing, many at a time. Gives the directory that
    /// holds each package's `Cargo.toml`.
    pub fn fetch(&self, wanted: &[Wanted]) -> Result<BTreeMap<PackageId, PathBuf>, SourceError> {
        match wanted.first() {
            Some(first) => Err(self.not_yet(first.id.source())),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Lets go of the download lock, which the first deed takes. The next deed takes it again.
    pub fn release(&self) {}

    fn not_yet(&self, source: &SourceId) -> SourceError {
        let _ = (&self.options, &self.reader, &self.events);
        SourceError::Unsupported { origin: source.clone(), reason: "cannot be asked yet" }
    }
}
