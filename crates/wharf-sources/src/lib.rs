//! Where packages come from: registries with sparse and git indexes, local registries, vendored directories, git
//! repositories and paths. Finds out which versions exist and puts packages on disk, checked and unpacked, into the
//! places that Cargo uses, so that both share them.
//!
//! The door is blocking; sockets are served by an async runtime inside. What happens is told through
//! [`SourceEvent`]s. Must not know workspaces, rustc, the terminal, and how configuration is written: manifests of
//! git and path packages are read by a function that the caller hands in ([`PackageReader`]).

mod chase;
mod client;
mod context;
mod directory;
mod download;
mod error;
mod event;
mod git;
mod git_index;
mod git_source;
mod home;
mod http;
mod ident;
mod index_cache;
mod index_file;
mod manifests;
mod options;
mod registry;
mod sources;
mod sparse;
mod unpack;

pub use client::{Api, ApiToken};
pub use error::{ArchiveError, AuthProblem, ReadError, SourceError};
pub use event::SourceEvent;
pub use home::{CacheLock, CargoHome, LockScope};
pub use options::{
    CratesIoProtocol, HttpOptions, Network, PackageReader, Shallow, SourceOptions, Token, TokenProvider,
    TokenRequest,
};
pub use sources::{Freshness, Sources, Wanted};
pub use wharf_wire::api::Found;
