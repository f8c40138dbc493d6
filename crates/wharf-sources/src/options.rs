//! What the caller decides: no defaults here, configuration is settled elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use wharf_core::{Package, SourceId};

use crate::error::ReadError;

/// Reads the manifest in a directory as a package of the given source. Workspace inheritance is the reader's
/// business.
pub type PackageReader = dyn Fn(&Path, &SourceId) -> Result<Package, ReadError> + Send + Sync;

/// Gives the token for a registry; `None` if there is none. Called only when a registry asks for one.
pub type TokenProvider = dyn Fn(&SourceId, &TokenRequest) -> Result<Option<Token>, ReadError> + Send + Sync;

/// Everything that decides how sources are reached.
pub struct SourceOptions {
    /// `$CARGO_HOME`, shared with Cargo.
    pub cargo_home: PathBuf,
    /// Whether the network may be used.
    pub network: Network,
    /// How HTTP is spoken.
    pub http: HttpOptions,
    /// How often a request that failed for a passing reason is tried again (`net.retry`).
    pub retries: u32,
    /// A fixed pause between tries in place of the growing one, for tests.
    pub retry_pause: Option<Duration>,
    /// Which protocol stands behind the crates.io that lockfiles name (`registries.crates-io.protocol`).
    pub crates_io: CratesIoProtocol,
    /// Which git repositories are fetched without their history.
    pub shallow: Shallow,
    /// Source replacement, already followed to its end: the second source is asked in place of the first. Ids keep
    /// the first.
    pub replacements: BTreeMap<SourceId, SourceId>,
    /// Where tokens come from.
    pub tokens: Box<TokenProvider>,
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cargo_home,
            network,
            http,
            retries,
            retry_pause,
            crates_io,
            shallow,
            replacements,
            tokens: _,
        } = self;
        f.debug_struct("SourceOptions")
            .field("cargo_home", cargo_home)
            .field("network", network)
            .field("http", http)
            .field("retries", retries)
            .field("retry_pause", retry_pause)
            .field("crates_io", crates_io)
            .field("shallow", shallow)
            .field("replacements", replacements)
            .finish_non_exhaustive()
    }
}

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// Only what is on disk (`--offline`, `--frozen`, `net.offline`).
    Offline {
        /// What forbade it, for messages: `--offline`.
        because: &'static str,
    },
}

/// Which git repositories are fetched without their history. They are kept apart from whole ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shallow {
    /// Indexes of registries.
    pub index: bool,
    /// Repositories with packages.
    pub packages: bool,
}

/// Which protocol stands behind crates.io.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CratesIoProtocol {
    /// The sparse index at `index.crates.io`.
    Sparse,
    /// The git repository.
    Git,
}

/// How HTTP is spoken (the `[http]` table).
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// `User-Agent`.
    pub user_agent: String,
    /// `http.proxy`; without it, the environment's variables are followed.
    pub proxy: Option<String>,
    /// `http.timeout`: how long to wait for a connection, and for bytes when `low_speed_limit` is not reached.
    pub timeout: Duration,
    /// `http.low-speed-limit`: bytes a second below which, for `timeout` on end, a transfer is given up; 0 for none.
    pub low_speed_limit: u32,
    /// `http.cainfo`: certificates to trust in place of the system's.
    pub cainfo: Option<PathBuf>,
    /// `http.multiplexing`: whether HTTP/2 may be used.
    pub multiplexing: bool,
}

/// A registry asks for a token.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// Where the registry says that tokens are made.
    pub login_url: Option<Url>,
    /// The `WWW-Authenticate` headers that came with the refusal.
    pub challenges: Vec<String>,
}

/// A token. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be sent and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}
