//! A registry for cargo and wharf: index, downloads, publishing, yanking, owners and search over one directory.
//!
//! A publish is on disk and visible in the index before it is answered. Must not know `wharf-sources` or
//! `wharf-ops`: what it learns about clients, it learns from the protocol in `wharf-wire`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

pub mod auth;
mod http;
pub mod index;
mod manifest;
pub mod releases;
mod storage;

pub use http::router;

/// How a registry is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory that holds everything. It is made when it is missing.
    pub data: PathBuf,
    /// The URL that clients see, without a trailing slash; `None` takes it from each request's `Host` header.
    pub public_url: Option<String>,
    /// Who may write. With no tokens at all everybody may, as `anonymous`.
    pub tokens: Vec<auth::Token>,
    /// Whether reading needs a token too.
    pub auth_required: bool,
    /// Whether this registry takes the place of crates.io (by source replacement): a dependency that names
    /// no registry is then one on a package of this registry.
    pub stands_in_for_crates_io: bool,
    /// Tells the time of a publish.
    pub clock: fn() -> SystemTime,
}

impl Config {
    /// Everybody may do everything in `data`, under the system's clock.
    pub fn open_to_all(data: PathBuf) -> Self {
        Self {
            data,
            public_url: None,
            tokens: Vec::new(),
            auth_required: false,
            stands_in_for_crates_io: false,
            clock: SystemTime::now,
        }
    }
}

/// Why a registry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// An open registry. Cheap to clone; the clones are one registry.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    releases: releases::Releases,
}

impl App {
    /// Opens the directory and reads what it holds.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let storage = storage::Storage::open(&config.data)?;
        let rules =
            releases::Rules { stands_in_for_crates_io: config.stands_in_for_crates_io, clock: config.clock };
        let releases = releases::Releases::load(storage, rules)?;
        Ok(Self(Arc::new(Inner { config, releases })))
    }

    /// The packages, for callers inside this process.
    pub fn releases(&self) -> &releases::Releases {
        &self.0.releases
    }

    fn config(&self) -> &Config {
        &self.0.config
    }
}
