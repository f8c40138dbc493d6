//! The door.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Runtime;
use wharf_core::source::{CRATES_IO, CRATES_IO_SPARSE};
use wharf_core::suggest::closest;
use wharf_core::summary::SharedSummary;
use wharf_core::{Dependency, Package, PackageId, PackageName, SourceId, SourceKind, Version};
use wharf_wire::RegistryConfig;

use crate::chase::{Chased, Guess, chase};
use crate::context::Context;
use crate::directory::Directory;
use crate::download::{self, Job, has_archive};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::git_source::GitSource;
use crate::manifests::read_package;
use crate::options::{CratesIoProtocol, PackageReader, SourceOptions};
use crate::registry::Registry;

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
    /// Made when a socket is needed first. Dropped before the rest, so that what runs in it comes to its end.
    runtime: OnceLock<Runtime>,
    inner: Arc<Inner>,
}

/// What tasks share with the door.
pub(crate) struct Inner {
    pub context: Arc<Context>,
    pub chased: Chased,
    registries: Mutex<HashMap<SourceId, Arc<Registry>>>,
    repositories: Mutex<HashMap<SourceId, Arc<GitSource>>>,
    directories: Mutex<HashMap<SourceId, Arc<Directory>>>,
    /// Registries on this machine that lie over others.
    overlays: Mutex<HashMap<SourceId, Arc<Registry>>>,
}

impl Inner {
    /// The source that is asked in place of `source`.
    fn served(&self, source: &SourceId) -> SourceId {
        let options = &self.context.options;
        let place = source.without_precise();
        let served = options.replacements.get(&place).cloned().unwrap_or(place);
        if served.is_crates_io() && options.crates_io == CratesIoProtocol::Sparse {
            return SourceId::for_registry(&format!("sparse+{CRATES_IO_SPARSE}"))
                .expect("the constant is a URL")
                .with_registry_name(CRATES_IO);
        }
        served
    }

    /// The registry that is asked for packages of `source`.
    pub fn registry(&self, source: &SourceId) -> Result<Arc<Registry>, SourceError> {
        let key = source.without_precise();
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registries.get(&key) {
            return Ok(registry.clone());
        }
        let registry = Arc::new(Registry::open(key.clone(), self.served(&key), &self.context)?);
        registries.insert(key, registry.clone());
        Ok(registry)
    }

    /// The repository behind a git source, at its reference or commit.
    fn repository(&self, source: &SourceId) -> Arc<GitSource> {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let served = self.served(source).with_precise(source.precise().cloned());
            Arc::new(GitSource::new(source.clone(), served))
        };
        repositories.entry(source.clone()).or_insert_with(open).clone()
    }

    /// What lies over a registry.
    fn overlay(&self, source: &SourceId) -> Option<Arc<Registry>> {
        let overlays = self.overlays.lock().unwrap_or_else(PoisonError::into_inner);
        overlays.get(&source.without_precise()).cloned()
    }

    /// The vendored packages that stand for those of `source`.
    fn directory(&self, source: &SourceId) -> Result<Arc<Directory>, SourceError> {
        let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = directories.get(source) {
            return Ok(directory.clone());
        }
        let directory = Arc::new(Directory::open(source.clone(), self.served(source))?);
        directories.insert(source.clone(), directory.clone());
        Ok(directory)
    }
}

impl Sources {
    /// Nothing is opened, locked or asked yet.
    pub fn new(
        options: SourceOptions,
        reader: Box<PackageReader>,
        events: Box<dyn Fn(SourceEvent) + Send + Sync>,
    ) -> Self {
        let inner = Inner {
            context: Arc::new(Context::new(options, reader, events)),
            chased: Chased::default(),
            registries: Mutex::default(),
            repositories: Mutex::default(),
            directories: Mutex::default(),
            overlays: Mutex::default(),
        };
        Self { runtime: OnceLock::new(), inner: Arc::new(inner) }
    }

    fn context(&self) -> &Arc<Context> {
        &self.inner.context
    }

    fn runtime(&self) -> Result<&Runtime, SourceError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sources")
            .enable_all()
            .build()
            .map_err(|error| SourceError::Http { reason: format!("cannot start threads: {error}") })?;
        Ok(self.runtime.get_or_init(|| made))
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
        name: &PackageName,
        freshness: Freshness,
        wanted: &dyn Fn(&Version) -> bool,
    ) -> Result<Vec<SharedSummary>, SourceError> {
        let context = self.context();
        let packages = match self.inner.served(source).kind() {
            SourceKind::Registry | SourceKind::SparseRegistry | SourceKind::LocalRegistry => {
                context.hold_lock()?;
                let registry = self.inner.registry(source)?;
                let mut found = self.of_registry(&registry, name, freshness, wanted)?;
                if let Some(overlay) = self.inner.overlay(source) {
                    let above = self.of_registry(&overlay, name, Freshness::Current, wanted)?;
                    found.retain(|below| !above.iter().any(|above| above.id.version() == below.id.version()));
                    found.extend(above);
                    found.sort_by(|a, b| a.id.version().cmp(b.id.version()));
                }
                return Ok(found);
            }
            SourceKind::Directory => {
                let mut found = self.inner.directory(source)?.named(context, name)?;
                found.retain(|summary| wanted(summary.id.version()));
                found.sort_by(|a, b| a.id.version().cmp(b.id.version()));
                return Ok(found);
            }
            SourceKind::Git(_) => {
                context.hold_lock()?;
                self.inner.repository(source).named(context, name)?
            }
            SourceKind::Path => {
                let package = self.path_package(source)?;
                if package.name() == name { [package].into() } else { [].into() }
            }
        };
        let mut found: Vec<SharedSummary> = packages
            .iter()
            .map(|package| package.manifest.summary.clone())
            .filter(|summary| wanted(summary.id.version()))
            .collect();
        found.sort_by(|a, b| a.id.version().cmp(b.id.version()));
        Ok(found)
    }

    /// Names that the source has and that are easily taken for `name`: hyphens for underscores in registries, what
    /// is nearest in repositories and directories. For messages: what cannot be asked has no names.
    pub fn similar_names(&self, source: &SourceId, name: &PackageName) -> Vec<PackageName> {
        let served = self.inner.served(source);
        if served.is_registry() {
            let mut others = vec![name.replace('-', "_"), name.replace('_', "-")];
            others.retain(|other| **other != **name);
            others.dedup();
            let names = others.into_iter().filter_map(|other| PackageName::new(&other).ok());
            return names
                .filter(|other| {
                    let found = self.summaries(source, other, Freshness::Current);
                    found.is_ok_and(|found| !found.is_empty())
                })
                .collect();
        }
        let context = self.context();
        let packages = match served.kind() {
            SourceKind::Git(_) => self.inner.repository(source).packages(context).unwrap_or_default(),
            SourceKind::Path => self.path_package(source).into_iter().collect(),
            _ => Vec::new(),
        };
        let names: Vec<&str> = packages.iter().map(|package| package.name().as_str()).collect();
        match names.as_slice() {
            [only] => PackageName::new(only).into_iter().collect(),
            several => closest(name, several.iter().copied())
                .and_then(|found| PackageName::new(found).ok())
                .into_iter()
                .collect(),
        }
    }

    fn of_registry(
        &self,
        registry: &Arc<Registry>,
        name: &PackageName,
        freshness: Freshness,
        wanted: &dyn Fn(&Version) -> bool,
    ) -> Result<Vec<SharedSummary>, SourceError> {
        let file = match registry.at_hand(name, freshness) {
            Some(file) => file?,
            None => self.runtime()?.block_on(registry.file(self.context(), name, freshness))?,
        };
        Ok(file.matching(name, &registry.converter, wanted))
    }

    /// Lays the local registry in `dir` over a registry: its packages are found there first, and downloaded from
    /// here. Laid again, it is read anew.
    pub fn lay_over(&self, source: &SourceId, dir: &Path) -> Result<(), SourceError> {
        let context = self.context();
        let local = SourceId::for_local_registry(dir).map_err(|_| SourceError::RegistryUrl {
            url: dir.display().to_string(),
            reason: "it is not an absolute path",
        })?;
        let overlay = Registry::open(source.clone(), local, context)?;
        // Another package of this name and version may have been unpacked before.
        wharf_base::fs::remove_any(&context.home.unpacked(&overlay.dir))?;
        let mut overlays = self.inner.overlays.lock().unwrap_or_else(PoisonError::into_inner);
        overlays.insert(source.without_precise(), Arc::new(overlay));
        Ok(())
    }

    /// The registry that a package comes from: one that lies over its own, if it is there.
    fn registry_with(&self, package: &PackageId) -> Result<Arc<Registry>, SourceError> {
        if let Some(overlay) = self.inner.overlay(package.source()) {
            let is_it = |version: &Version| version == package.version();
            if !self.of_registry(&overlay, package.name(), Freshness::Current, &is_it)?.is_empty() {
                return Ok(overlay);
            }
        }
        self.inner.registry(package.source())
    }

    pub(crate) fn options(&self) -> &SourceOptions {
        &self.context().options
    }

    pub(crate) fn need_network(&self, what: impl FnOnce() -> String) -> Result<(), SourceError> {
        self.context().need_network(what)
    }

    pub(crate) fn api_client(&self) -> Result<reqwest::Client, SourceError> {
        self.context().http.texts(&self.context().options.http)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, SourceError> {
        Ok(self.runtime()?.block_on(future))
    }

    fn path_package(&self, source: &SourceId) -> Result<Package, SourceError> {
        let dir = source.local_path().ok_or_else(|| SourceError::Unsupported {
            origin: source.clone(),
            reason: "is not a path on this machine",
        })?;
        read_package(self.context(), &dir, source)
    }

    /// How a registry spells a name, which its index finds in any case of letters; `None` if it has no such name
    /// that is not yanked, or if the source is no registry.
    pub fn spelling(
        &self,
        source: &SourceId,
        name: &PackageName,
    ) -> Result<Option<PackageName>, SourceError> {
        let context = self.context();
        if !self.inner.served(source).is_registry() {
            return Ok(None);
        }
        context.hold_lock()?;
        let registry = self.inner.registry(source)?;
        let file = match registry.at_hand(name, Freshness::Current) {
            Some(file) => file?,
            None => self.runtime()?.block_on(registry.file(context, name, Freshness::Current))?,
        };
        Ok(file.newest(&registry.converter, &|_| true).map(|found| found.id.name().clone()))
    }

    /// Starts to fetch the index files of these names, and those of the dependencies of what arrives. Returns at
    /// once; an error is told to whoever asks for the file.
    pub fn prefetch(&self, wanted: &[(SourceId, PackageName)]) {
        self.start_chase(
            wanted.iter().map(|(source, name)| Guess::any_version(source.clone(), name.clone())),
        );
    }

    /// As [`Sources::prefetch`], with requirements and features to guess better by.
    pub fn prefetch_dependencies<'a>(&self, wanted: impl IntoIterator<Item = &'a Dependency>) {
        self.start_chase(wanted.into_iter().map(Guess::of));
    }

    fn start_chase(&self, guesses: impl Iterator<Item = Guess>) {
        if !self.context().is_online() || self.context().hold_lock().is_err() {
            return;
        }
        let Ok(runtime) = self.runtime() else { return };
        let _entered = runtime.enter();
        for guess in guesses {
            chase(&self.inner, guess);
        }
    }

    /// What a registry says about itself, as it is now; `None` for a local one.
    pub fn registry_config(&self, source: &SourceId) -> Result<Option<Arc<RegistryConfig>>, SourceError> {
        self.context().hold_lock()?;
        let registry = self.inner.registry(source)?;
        self.runtime()?.block_on(registry.config(self.context(), true))
    }

    /// The commit that a git source stands at now, as the same source with a precise object. A source that has one
    /// already is only fetched if its object is not on disk.
    pub fn update_git(&self, source: &SourceId) -> Result<SourceId, SourceError> {
        self.context().hold_lock()?;
        self.inner.repository(source).precise(self.context())
    }

    /// All packages in a git repository, or the one at a path.
    pub fn packages(&self, source: &SourceId) -> Result<Vec<Package>, SourceError> {
        match self.inner.served(source).kind() {
            SourceKind::Git(_) => {
                self.context().hold_lock()?;
                self.inner.repository(source).packages(self.context())
            }
            SourceKind::Path => Ok(vec![self.path_package(source)?]),
            _ => Err(SourceError::Unsupported { origin: source.clone(), reason: "cannot list its packages" }),
        }
    }

    /// Compares a vendored package with its checksums; packages of other sources were verified when they came.
    pub fn verify(&self, package: &PackageId) -> Result<(), SourceError> {
        match self.inner.served(package.source()).kind() {
            SourceKind::Directory => self.inner.directory(package.source())?.verify(self.context(), package),
            _ => Ok(()),
        }
    }

    /// Whether the network may not be used.
    pub fn is_offline(&self) -> bool {
        !self.context().is_online()
    }

    /// Whether the archive of a registry package is on disk (anything else is always there).
    pub fn is_downloaded(&self, package: &PackageId) -> bool {
        if !self.inner.served(package.source()).is_registry() {
            return true;
        }
        let wanted = Wanted { id: package.clone(), checksum: None };
        let registry = self.inner.registry(package.source());
        registry.is_ok_and(|registry| has_archive(self.context(), &Job { registry, wanted }))
    }

    /// Puts packages on disk, downloading and unpacking what is missing, many at a time. Gives the directory that
    /// holds each package's `Cargo.toml`.
    pub fn fetch(&self, wanted: &[Wanted]) -> Result<BTreeMap<PackageId, PathBuf>, SourceError> {
        let context = self.context();
        let mut places = BTreeMap::new();
        let mut jobs = Vec::new();
        for wanted in wanted {
            let source = wanted.id.source();
            let served = self.inner.served(source);
            if served.is_registry() {
                jobs.push(Job { registry: self.registry_with(&wanted.id)?, wanted: wanted.clone() });
                continue;
            }
            let place = match served.kind() {
                SourceKind::Directory => self.inner.directory(source)?.place(context, &wanted.id)?,
                SourceKind::Git(_) => {
                    context.hold_lock()?;
                    let named = self.inner.repository(source).named(context, wanted.id.name())?;
                    let found = named.iter().find(|found| found.id().version() == wanted.id.version());
                    let missing = || SourceError::NoPackage { package: wanted.id.clone(), origin: served };
                    found.ok_or_else(missing)?.root().to_owned()
                }
                _ => served.local_path().unwrap_or_default(),
            };
            places.insert(wanted.id.clone(), place);
        }
        if !jobs.is_empty() {
            context.hold_lock()?;
            places.extend(self.runtime()?.block_on(download::fetch(context, jobs))?);
        }
        Ok(places)
    }

    /// Unpacks the archive of a registry package, which must have been fetched, into `dir`; tells whether there is
    /// one. The last part of `dir` must be `<name>-<version>`. Nothing marks the directory as whole.
    pub fn unpack_into(&self, wanted: &Wanted, dir: &Path) -> Result<bool, SourceError> {
        let source = wanted.id.source();
        if !self.inner.served(source).is_registry() {
            return Ok(false);
        }
        let registry = self.inner.registry(source)?;
        download::unpack_kept(self.context(), &Job { registry, wanted: wanted.clone() }, dir)?;
        Ok(true)
    }

    /// Lets go of the download lock, which the first deed takes. The next deed takes it again.
    pub fn release(&self) {
        self.context().release_lock();
    }
}
