//! One registry of any protocol, as the rest of the crate sees it: files by name, and where its things lie on disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;
use wharf_base::fs;
use wharf_core::{PackageId, SourceId, SourceKind};
use wharf_wire::RegistryConfig;
use wharf_wire::index::{Summaries, path_of};

use crate::context::Context;
use crate::error::SourceError;
use crate::git_index::GitIndex;
use crate::ident;
use crate::index_cache::Validator;
use crate::index_file::{Converter, IndexFile};
use crate::sources::Freshness;
use crate::sparse::{Answer, Sparse, write_with_dirs};

/// A registry.
pub(crate) struct Registry {
    /// The source that is asked: another one under source replacement, or another protocol for crates.io.
    pub served: SourceId,
    /// The name of its directories below the home.
    pub dir: String,
    pub protocol: Protocol,
    pub converter: Converter,
    cache: PathBuf,
    files: Mutex<HashMap<String, Arc<Slot>>>,
}

/// How a registry is asked.
pub(crate) enum Protocol {
    Sparse(Box<Sparse>),
    Git(GitIndex),
    Local(PathBuf),
}

/// One index file: as it is on disk, and as the registry has it.
#[derive(Default)]
struct Slot {
    cached: OnceLock<Option<Arc<IndexFile>>>,
    current: OnceCell<Result<Arc<IndexFile>, SourceError>>,
}

impl Registry {
    /// The registry that is asked for packages of `shown`. Nothing is opened yet.
    pub fn open(shown: SourceId, served: SourceId, context: &Context) -> Result<Self, SourceError> {
        let shallow = context.options.shallow.index && *served.kind() == SourceKind::Registry;
        let dir = ident::with_depth(ident::registry_dir(&served), shallow);
        let index = context.home.index(&dir);
        let protocol = match served.kind() {
            SourceKind::SparseRegistry => {
                Protocol::Sparse(Box::new(Sparse::new(served.clone(), index.clone())?))
            }
            SourceKind::Registry => Protocol::Git(GitIndex::new(served.clone(), index.clone())),
            SourceKind::LocalRegistry => Protocol::Local(served.local_path().ok_or_else(|| {
                SourceError::RegistryUrl { url: served.url().to_string(), reason: "it is not a path" }
            })?),
            SourceKind::Git(_) | SourceKind::Path | SourceKind::Directory => {
                return Err(SourceError::Unsupported { origin: served, reason: "is not a registry" });
            }
        };
        Ok(Self {
            converter: Mutex::new(Summaries::new(shown.without_precise())),
            cache: index.join(".cache"),
            served,
            dir,
            protocol,
            files: Mutex::default(),
        })
    }

    /// The index file of a name, if it is known without asking anybody who may be slow.
    pub fn at_hand(&self, name: &str, freshness: Freshness) -> Option<Result<Arc<IndexFile>, SourceError>> {
        let path = path_of(name);
        let slot = self.slot(&path);
        if let Some(known) = slot.current.get() {
            return Some(known.clone());
        }
        match (&self.protocol, freshness) {
            (Protocol::Sparse(_), Freshness::Cached) => self.cached(&slot, &path).map(Ok),
            _ => None,
        }
    }

    /// The index file of a name.
    pub async fn file(
        self: &Arc<Self>,
        context: &Arc<Context>,
        name: &str,
        freshness: Freshness,
    ) -> Result<Arc<IndexFile>, SourceError> {
        if let Some(known) = self.at_hand(name, freshness) {
            return known;
        }
        let path = path_of(name);
        let slot = self.slot(&path);
        match &self.protocol {
            Protocol::Sparse(sparse) => {
                slot.current.get_or_init(|| self.sparse_file(sparse, context, &path, &slot)).await.clone()
            }
            Protocol::Git(_) => {
                let (registry, context) = (self.clone(), context.clone());
                let read = tokio::task::spawn_blocking(move || registry.git_file(&context, &path, freshness));
                let file = read.await.expect("reading a git index does not panic")?;
                // Only what was read after an update is current.
                if freshness == Freshness::Current {
                    return slot.current.get_or_init(async || Ok(file)).await.clone();
                }
                Ok(file)
            }
            Protocol::Local(root) => slot.current.get_or_init(async || local_file(root, &path)).await.clone(),
        }
    }

    fn slot(&self, path: &str) -> Arc<Slot> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match files.get(path) {
            Some(slot) => slot.clone(),
            None => files.entry(path.to_owned()).or_default().clone(),
        }
    }

    fn cached(&self, slot: &Slot, path: &str) -> Option<Arc<IndexFile>> {
        let read = || IndexFile::from_cache(fs::read_if_exists(&self.cache.join(path)).ok()??).map(Arc::new);
        slot.cached.get_or_init(read).clone()
    }

    async fn sparse_file(
        &self,
        sparse: &Sparse,
        context: &Context,
        path: &str,
        slot: &Slot,
    ) -> Result<Arc<IndexFile>, SourceError> {
        let cached = self.cached(slot, path);
        if !context.is_online() {
            return Ok(cached.unwrap_or_else(|| Arc::new(IndexFile::empty())));
        }
        let validator = cached.as_ref().map_or(&Validator::Unknown, |file| file.validator());
        let place = self.cache.join(path);
        match sparse.file(context, path, validator).await? {
            Answer::File { bytes, validator } => {
                let Some(file) = IndexFile::from_registry(bytes, validator) else {
                    let reason = format!("`{}{path}` is not an index file", self.served.url());
                    return Err(SourceError::Index { registry: self.served.clone(), reason });
                };
                context.write_while_locked(|| drop(write_with_dirs(&place, &file.to_cache())));
                Ok(Arc::new(file))
            }
            Answer::NotFound => {
                context.write_while_locked(|| drop(fs::remove_file_if_exists(&place)));
                Ok(Arc::new(IndexFile::empty()))
            }
            Answer::NotModified => cached.ok_or_else(|| {
                let reason = format!("the server says that `{path}` did not change, but it was never sent");
                SourceError::Index { registry: self.served.clone(), reason }
            }),
            Answer::Unauthorized { .. } => Err(sparse.rejected()),
        }
    }

    fn git_file(
        &self,
        context: &Context,
        path: &str,
        freshness: Freshness,
    ) -> Result<Arc<IndexFile>, SourceError> {
        let Protocol::Git(index) = &self.protocol else { return Ok(Arc::new(IndexFile::empty())) };
        let Some((object, bytes)) = index.read(context, path, freshness)? else {
            return Ok(Arc::new(IndexFile::empty()));
        };
        match IndexFile::from_registry(bytes, Validator::Object(object)) {
            Some(file) => Ok(Arc::new(file)),
            None => {
                let reason = format!("`{path}` is not an index file");
                Err(SourceError::Index { registry: self.served.clone(), reason })
            }
        }
    }

    /// What the registry says about itself; `None` for a local one. `fresh`: as it is now, not as it was last time.
    pub async fn config(
        self: &Arc<Self>,
        context: &Arc<Context>,
        fresh: bool,
    ) -> Result<Option<Arc<RegistryConfig>>, SourceError> {
        match &self.protocol {
            Protocol::Sparse(sparse) if fresh => sparse.config(context).await.map(Some),
            Protocol::Sparse(sparse) => sparse.known_config(context).await.map(Some),
            Protocol::Git(_) => {
                let (registry, context) = (self.clone(), context.clone());
                let read = tokio::task::spawn_blocking(move || match &registry.protocol {
                    Protocol::Git(index) => index.config(&context).map(|config| Some(Arc::new(config))),
                    _ => Ok(None),
                });
                read.await.expect("reading a git index does not panic")
            }
            Protocol::Local(_) => Ok(None),
        }
    }

    /// Where the archive of a package lies, or would.
    pub fn archive(&self, context: &Context, package: &PackageId) -> PathBuf {
        let file = format!("{}-{}.crate", package.name(), package.version());
        match &self.protocol {
            Protocol::Local(root) => root.join(file),
            _ => context.home.archives(&self.dir).join(file),
        }
    }

    /// Where a package is unpacked, or would be.
    pub fn unpacked(&self, context: &Context, package: &PackageId) -> PathBuf {
        context.home.unpacked(&self.dir).join(format!("{}-{}", package.name(), package.version()))
    }
}

fn local_file(root: &std::path::Path, path: &str) -> Result<Arc<IndexFile>, SourceError> {
    let index = root.join("index");
    let place = index.join(path);
    match fs::read_if_exists(&place)? {
        Some(bytes) => {
            Ok(Arc::new(IndexFile::from_registry(bytes, Validator::Unknown).unwrap_or_else(IndexFile::empty)))
        }
        None => {
            // A missing file says that there is no such package; a missing directory says something else.
            fs::metadata(&index)?;
            Ok(Arc::new(IndexFile::empty()))
        }
    }
}
