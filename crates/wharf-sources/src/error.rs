//! What the door returns when something does not work out.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;
use wharf_base::digest::Sha256;
use wharf_base::{fs, process};
use wharf_core::{PackageId, SourceId};

/// What a function handed in by the caller may fail with.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// A deed on a source that did not work out. Cheap to clone: several callers may wait for one request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(Arc<fs::Error>),
    /// A child process could not be run, or failed.
    #[error(transparent)]
    Process(Arc<process::Error>),
    /// No answer, or a broken one, after all tries.
    #[error("cannot fetch `{url}`")]
    Network {
        /// What was asked for.
        url: String,
        /// Why it failed.
        #[source]
        cause: Arc<reqwest::Error>,
    },
    /// An answer that is neither success nor absence.
    #[error("cannot fetch `{url}`: the server answered with status {status}{}", shown(.body))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer, if it is text.
        body: String,
    },
    /// The web API of a registry refused a request.
    #[error("the registry refused it (status {status} at `{url}`): {reason}")]
    Api {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up http: {reason}")]
    Http {
        /// What is wrong with the settings.
        reason: String,
    },
    /// Needed from the network, which may not be used.
    #[error("cannot get {what}: the network is off ({because})")]
    Offline {
        /// What is not on disk.
        what: String,
        /// What forbade the network.
        because: &'static str,
    },
    /// A registry wants a token and got none, or a wrong one.
    #[error("{registry} {problem}")]
    Auth {
        /// The registry.
        registry: SourceId,
        /// What is wrong.
        problem: AuthProblem,
        /// Where tokens are made, if the registry told.
        login_url: Option<Url>,
    },
    /// The token provider failed.
    #[error("cannot get a token for {registry}")]
    Token {
        /// The registry.
        registry: SourceId,
        /// Why it failed.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A registry's `config.json` is missing or unreadable.
    #[error("cannot read `config.json` of {registry}: {reason}")]
    RegistryConfig {
        /// The registry.
        registry: SourceId,
        /// What is wrong with it.
        reason: String,
    },
    /// An index file that is none.
    #[error("cannot read the index of {registry}: {reason}")]
    Index {
        /// The registry.
        registry: SourceId,
        /// What is wrong with it.
        reason: String,
    },
    /// The URL of a registry cannot be used.
    #[error("cannot use `{url}` as a registry: {reason}")]
    RegistryUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The bytes are not those that index or lockfile promise.
    #[error("failed to verify the checksum of `{package}`: got {got}, expected {want}")]
    Checksum {
        /// The package.
        package: PackageId,
        /// The digest of what came.
        got: Sha256,
        /// What was promised.
        want: String,
    },
    /// No checksum is known, so nothing that comes can be trusted.
    #[error("no checksum is known for `{package}`")]
    NoChecksum {
        /// The package.
        package: PackageId,
    },
    /// An archive that breaks the rules, or that could not be unpacked.
    #[error("cannot unpack `{package}`")]
    Archive {
        /// The package.
        package: PackageId,
        /// Why.
        #[source]
        cause: Arc<ArchiveError>,
    },
    /// A git command failed.
    #[error("cannot fetch git repository `{url}`")]
    Git {
        /// The repository.
        url: String,
        /// What git said.
        #[source]
        cause: Arc<process::Error>,
    },
    /// A branch, tag or revision that the repository does not have.
    #[error("cannot find {reference} in git repository `{url}`")]
    GitReference {
        /// The repository.
        url: String,
        /// What was looked for: ``branch `x` ``.
        reference: String,
    },
    /// The manifest of a package could not be read.
    #[error("cannot read the package in `{}`", dir.display())]
    Manifest {
        /// The package's directory.
        dir: PathBuf,
        /// Why.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A source does not have the package.
    #[error("cannot find package `{package}` in {origin}")]
    NoPackage {
        /// The package.
        package: PackageId,
        /// Where it was looked for (after replacement).
        origin: SourceId,
    },
    /// A vendored file differs from its checksum.
    #[error("vendored file `{}` has checksum {got}, but `.cargo-checksum.json` says {want}", file.display())]
    VendoredFile {
        /// The file.
        file: PathBuf,
        /// The digest of what is there.
        got: Sha256,
        /// What was promised.
        want: String,
    },
    /// `.cargo-checksum.json` is missing or unreadable.
    #[error("cannot read `{}`: {reason}", path.display())]
    VendoredChecksums {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A kind of source cannot do what was asked.
    #[error("{origin} {reason}")]
    Unsupported {
        /// The source.
        origin: SourceId,
        /// Why it cannot.
        reason: &'static str,
    },
}

impl SourceError {
    /// Whether trying again later, or working offline, may help.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::Status { .. } | Self::Git { .. })
    }

    /// Whether the network was needed and may not be used.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Offline { .. })
    }
}

impl From<fs::Error> for SourceError {
    fn from(error: fs::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

impl From<process::Error> for SourceError {
    fn from(error: process::Error) -> Self {
        Self::Process(Arc::new(error))
    }
}

fn shown(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("\n{body}") }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthProblem {
    /// None is known.
    #[error("needs a token, and none is configured")]
    Missing,
    /// The registry does not take it.
    #[error("rejected the token")]
    Rejected,
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a gzipped tar.
    #[error("the archive is damaged")]
    Damaged(#[source] std::io::Error),
    /// An entry that would land outside of the package's directory.
    #[error("entry `{path}` lies outside of `{prefix}`")]
    Outside {
        /// The entry.
        path: String,
        /// Where it must be.
        prefix: String,
    },
    /// An entry that is neither a file nor a directory.
    #[error("entry `{path}` is {what}; only files and directories are allowed")]
    Kind {
        /// The entry.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// More bytes than any honest archive of its size.
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] fs::Error),
}
