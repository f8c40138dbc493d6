//! Archives: downloaded many at a time, verified, kept, and unpacked while others are still on their way.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Version};
use tokio::sync::Semaphore;
use wharf_base::digest::{Sha256, Sha256Hasher};
use wharf_base::fs;
use wharf_core::PackageId;

use crate::context::Context;
use crate::error::{AuthProblem, SourceError};
use crate::event::SourceEvent;
use crate::http::{Outcome, Retry};
use crate::registry::{Protocol, Registry};
use crate::sources::Wanted;
use crate::sparse::{read_token, write_with_dirs};
use crate::unpack;

/// Streams of one HTTP/2 connection, and connections where there is no HTTP/2.
const STREAMS: usize = 24;
const CONNECTIONS: usize = 6;

/// A package of a registry to be put on disk.
#[derive(Clone)]
pub(crate) struct Job {
    pub registry: Arc<Registry>,
    pub wanted: Wanted,
}

/// Puts packages on disk that are not there yet, and gives the directory of each.
pub(crate) async fn fetch(
    context: &Arc<Context>,
    jobs: Vec<Job>,
) -> Result<Vec<(PackageId, PathBuf)>, SourceError> {
    let mut places = Vec::with_capacity(jobs.len());
    let mut missing = Vec::new();
    for job in jobs {
        let dir = job.registry.unpacked(context, &job.wanted.id);
        if !unpack::is_unpacked(&dir) {
            missing.push(job.clone());
        }
        places.push((job.wanted.id, dir));
    }
    if missing.is_empty() {
        return Ok(places);
    }
    tag_cache_directory(&context.home.path().join("registry"));
    let batch = Arc::new(Batch::new(context.clone(), &missing));
    if batch.total > 0 {
        context.tell(SourceEvent::Downloading { count: batch.total });
    }
    let mut running: FuturesUnordered<_> =
        missing.into_iter().map(|job| tokio::spawn(batch.clone().install(job))).collect();
    let mut failed = None;
    while let Some(done) = running.next().await {
        if let Err(error) = done.expect("putting a package on disk does not panic") {
            // Those that are being unpacked come to their end, so that nothing is left half done.
            batch.downloads.close();
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => {
            batch.tell_end();
            Ok(places)
        }
    }
}

/// The downloads of one call.
struct Batch {
    context: Arc<Context>,
    started: Instant,
    total: usize,
    remaining: AtomicUsize,
    bytes: AtomicU64,
    largest: Mutex<Option<(PackageId, u64)>>,
    /// One at first: the others wait until its answer shows whether there is a connection to share.
    downloads: Semaphore,
    widened: std::sync::Once,
    /// Unpacking is work for processors and disk.
    unpacking: Semaphore,
}

impl Batch {
    fn new(context: Arc<Context>, missing: &[Job]) -> Self {
        let is_absent = |job: &&Job| !has_archive(&context, job);
        let total = missing.iter().filter(is_absent).count();
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            context,
            started: Instant::now(),
            total,
            remaining: AtomicUsize::new(total),
            bytes: AtomicU64::new(0),
            largest: Mutex::new(None),
            downloads: Semaphore::new(1),
            widened: std::sync::Once::new(),
            unpacking: Semaphore::new(processors + 1),
        }
    }

    async fn install(self: Arc<Self>, job: Job) -> Result<(), SourceError> {
        let kept = {
            let (batch, job) = (self.clone(), job.clone());
            let read = move || batch.kept_archive(&job);
            let _permit = self.unpacking.acquire().await.expect("it is never closed");
            tokio::task::spawn_blocking(read).await.expect("reading a file does not panic")?
        };
        if kept {
            return Ok(());
        }
        let bytes = self.download(&job).await?;
        let _permit = self.unpacking.acquire().await.expect("it is never closed");
        let context = self.context.clone();
        let keep = move || {
            write_with_dirs(&job.registry.archive(&context, &job.wanted.id), &bytes)?;
            unpack_one(&context, &job, &bytes)
        };
        tokio::task::spawn_blocking(keep).await.expect("unpacking does not panic")
    }

    /// Unpacks the archive if it is on disk and whole; tells whether it was.
    fn kept_archive(&self, job: &Job) -> Result<bool, SourceError> {
        let is_local = matches!(job.registry.protocol, Protocol::Local(_));
        let path = job.registry.archive(&self.context, &job.wanted.id);
        let Some(bytes) = fs::read_if_exists(&path)?.filter(|bytes| !bytes.is_empty()) else {
            if is_local {
                let origin = job.registry.served.clone();
                return Err(SourceError::NoPackage { package: job.wanted.id.clone(), origin });
            }
            return Ok(false);
        };
        match verify(&job.wanted, Sha256::of(&bytes)) {
            Ok(()) => {}
            Err(error) if is_local => return Err(error),
            // A kept archive that is not what it should be is fetched anew.
            Err(SourceError::Checksum { .. }) => {
                fs::remove_file_if_exists(&path)?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        if is_local {
            self.context.tell(SourceEvent::Unpacking { package: job.wanted.id.clone() });
        }
        unpack_one(&self.context, job, &bytes)?;
        Ok(true)
    }

    async fn download(&self, job: &Job) -> Result<Vec<u8>, SourceError> {
        let package = &job.wanted.id;
        self.context.need_network(|| format!("`{package}`"))?;
        let Some(checksum) = &job.wanted.checksum else {
            return Err(SourceError::NoChecksum { package: package.clone() });
        };
        // Closed when another package failed; what is returned then is never seen.
        let permit = self.downloads.acquire().await.map_err(|_| self.given_up())?;
        let config = job.registry.config(&self.context, false).await?;
        let config = config.expect("a local registry downloads nothing");
        let url = config.download_url(package.name(), &package.version().to_string(), checksum);
        let authorization = match &job.registry.protocol {
            Protocol::Sparse(sparse) => sparse.authorization(&self.context)?,
            Protocol::Git(_) if config.auth_required => {
                Some(read_token(&self.context, &job.registry.served)?)
            }
            _ => None,
        };
        let client = self.context.http.archives(&self.context.options.http)?;
        let mut retry = Retry::new(&self.context.options, self.context.events(), &url);
        let bytes = loop {
            let outcome = self.attempt(job, &client, &url, authorization.clone()).await;
            if let Some(result) = retry.settle(outcome).await {
                break result;
            }
        };
        drop(permit);
        // A first try that failed says nothing about the others.
        self.widen(Version::HTTP_11);
        let (bytes, digest) = bytes?;
        self.tell_downloaded(package, bytes.len() as u64);
        verify(&job.wanted, digest)?;
        Ok(bytes)
    }

    async fn attempt(
        &self,
        job: &Job,
        client: &Client,
        url: &str,
        authorization: Option<HeaderValue>,
    ) -> Outcome<(Vec<u8>, Sha256)> {
        if let Some(path) = url::Url::parse(url).ok().filter(|url| url.scheme() == "file") {
            return self.copy(&path).await;
        }
        let mut request = client.get(url);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Outcome::of_error(url, error),
        };
        self.widen(response.version());
        match response.status().as_u16() {
            200 => {}
            401 => return Outcome::Failed(unauthorized(&job.registry)),
            _ => return Outcome::of_status(url, response).await,
        }
        let expected = response.content_length().unwrap_or(0).min(64 << 20);
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        let mut hasher = Sha256Hasher::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    hasher.update(&chunk);
                    bytes.extend_from_slice(&chunk);
                    self.tell_progress(chunk.len() as u64);
                }
                Ok(None) => return Outcome::Done((bytes, hasher.finish())),
                Err(error) => return Outcome::of_error(url, error),
            }
        }
    }

    /// Takes an archive from where a registry on this machine keeps it.
    async fn copy(&self, url: &url::Url) -> Outcome<(Vec<u8>, Sha256)> {
        self.widen(Version::HTTP_11);
        let Ok(path) = url.to_file_path() else {
            return Outcome::Failed(SourceError::Http { reason: format!("`{url}` is not a path") });
        };
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        match read.expect("reading a file does not panic") {
            Ok(bytes) => {
                let digest = Sha256::of(&bytes);
                Outcome::Done((bytes, digest))
            }
            Err(error) => {
                Outcome::Failed(SourceError::Http { reason: format!("cannot read `{url}`: {error}") })
            }
        }
    }

    /// Lets the others go, as many as the connection bears.
    fn widen(&self, version: Version) {
        let permits = if version == Version::HTTP_2 { STREAMS } else { CONNECTIONS };
        self.widened.call_once(|| self.downloads.add_permits(permits - 1));
    }

    fn given_up(&self) -> SourceError {
        SourceError::Http { reason: "given up because another download failed".to_owned() }
    }

    fn tell_progress(&self, count: u64) {
        let bytes = self.bytes.fetch_add(count, Ordering::Relaxed) + count;
        let remaining = self.remaining.load(Ordering::Relaxed);
        self.context.tell(SourceEvent::Progress { bytes, remaining });
    }

    fn tell_downloaded(&self, package: &PackageId, bytes: u64) {
        self.remaining.fetch_sub(1, Ordering::Relaxed);
        {
            let mut largest = self.largest.lock().unwrap_or_else(PoisonError::into_inner);
            if largest.as_ref().is_none_or(|(_, known)| *known < bytes) {
                *largest = Some((package.clone(), bytes));
            }
        }
        self.context.tell(SourceEvent::Downloaded { package: package.clone(), bytes });
    }

    fn tell_end(&self) {
        if self.total > 0 {
            self.context.tell(SourceEvent::DownloadsFinished {
                count: self.total,
                bytes: self.bytes.load(Ordering::Relaxed),
                largest: self.largest.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                took: self.started.elapsed(),
            });
        }
    }
}

/// Whether an archive of this package is kept, as far as one look can tell.
pub(crate) fn has_archive(context: &Context, job: &Job) -> bool {
    let path = job.registry.archive(context, &job.wanted.id);
    fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0)
}

fn verify(wanted: &Wanted, got: Sha256) -> Result<(), SourceError> {
    let Some(want) = &wanted.checksum else {
        return Err(SourceError::NoChecksum { package: wanted.id.clone() });
    };
    if want.parse() == Ok(got) {
        return Ok(());
    }
    Err(SourceError::Checksum { package: wanted.id.clone(), got, want: want.clone() })
}

fn unauthorized(registry: &Registry) -> SourceError {
    match &registry.protocol {
        Protocol::Sparse(sparse) => sparse.rejected(),
        _ => SourceError::Auth {
            registry: registry.served.clone(),
            problem: AuthProblem::Missing,
            login_url: None,
        },
    }
}

fn unpack_one(context: &Context, job: &Job, bytes: &[u8]) -> Result<(), SourceError> {
    let dir = job.registry.unpacked(context, &job.wanted.id);
    unpack::unpack(bytes, &dir)
        .map_err(|cause| SourceError::Archive { package: job.wanted.id.clone(), cause: Arc::new(cause) })
}

/// Unpacks an archive that is on disk into another place than its own.
pub(crate) fn unpack_kept(context: &Context, job: &Job, dir: &Path) -> Result<(), SourceError> {
    let bytes = fs::read(&job.registry.archive(context, &job.wanted.id))?;
    verify(&job.wanted, Sha256::of(&bytes))?;
    unpack::unpack(&bytes, dir)
        .map_err(|cause| SourceError::Archive { package: job.wanted.id.clone(), cause: Arc::new(cause) })?;
    fs::remove_file_if_exists(&dir.join(unpack::MARKER))?;
    Ok(())
}

/// Tells backup programs that a directory of the home is a cache (bford.info/cachedir). That it cannot be told is no reason to
/// stop.
pub(crate) fn tag_cache_directory(dir: &Path) {
    const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
        # This directory holds what can be downloaded again, for cargo and wharf.\n\
        # See https://bford.info/cachedir/\n";
    let path = dir.join("CACHEDIR.TAG");
    if !fs::exists(&path) {
        drop(write_with_dirs(&path, TAG.as_bytes()));
    }
}
