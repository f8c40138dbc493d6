//! What happens, as data.

use url::Url;
use wharf_core::{PackageId, SourceId};

/// Something that happened while sources were at work.
#[derive(Clone, Debug)]
pub enum SourceEvent {
    /// The index of a registry is asked over the network, for the first time.
    UpdatingIndex {
        /// The registry that is really asked (after replacement).
        source: SourceId,
    },
    /// Index files were asked for and came; told as often as it changes.
    IndexProgress {
        /// How many came.
        done: usize,
        /// How many are on their way.
        pending: usize,
    },
    /// A git repository or submodule is fetched.
    UpdatingGit {
        /// The repository.
        url: Url,
        /// Whether it is a submodule of another.
        submodule: bool,
    },
    /// A submodule is left out because its `.gitmodules` says so.
    SkippedSubmodule {
        /// The submodule's URL.
        url: String,
    },
    /// Archives are about to be downloaded.
    Downloading {
        /// How many.
        count: usize,
    },
    /// Bytes of an archive came.
    Progress {
        /// Bytes of all archives so far.
        bytes: u64,
        /// Archives still on their way.
        remaining: usize,
    },
    /// An archive is downloaded; its checksum is verified next.
    Downloaded {
        /// The package.
        package: PackageId,
        /// The size of the archive.
        bytes: u64,
    },
    /// All downloads of one call are done.
    DownloadsFinished {
        /// How many archives.
        count: usize,
        /// Bytes of all archives.
        bytes: u64,
        /// The largest archive and its size.
        largest: Option<(PackageId, u64)>,
        /// How long it took.
        took: std::time::Duration,
    },
    /// An archive is unpacked that came from a local registry.
    Unpacking {
        /// The package.
        package: PackageId,
    },
    /// A request failed for a passing reason and is tried again.
    Retrying {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
        /// How many tries are left.
        remaining: u32,
    },
    /// A credential provider is asked.
    AskingProvider {
        /// The provider with its arguments.
        provider: String,
        /// `get`, `login` or `logout`.
        action: &'static str,
        /// The registry's name.
        registry: String,
    },
    /// Something that the user should know.
    Warning {
        /// The sentence.
        text: String,
    },
    /// Another process holds a lock.
    WaitingForLock {
        /// What it protects, as Cargo calls it: `package cache`.
        what: &'static str,
    },
}
