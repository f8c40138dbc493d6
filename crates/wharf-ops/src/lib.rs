//! Wharf's operations, one file each: what a command does, without the command line and the terminal.
//!
//! Knows workspaces, configuration and how the other crates are put together. Must not know clap or the
//! terminal: operations take settled requests, return data, and tell what happens through events.

pub mod cache;
pub mod clean;
pub mod compile;
pub mod config;
pub mod connect;
mod costs;
pub mod credentials;
mod diagnostic;
mod disk;
pub mod edit;
mod failure;
pub mod fetch;
pub mod fix;
pub mod future;
pub mod info;
pub mod install;
mod lending;
pub mod lock_changes;
pub mod login;
pub mod metadata;
pub mod narrate;
pub mod narrow;
pub mod new;
pub mod package;
pub mod packages;
pub mod pkgid;
pub mod programs;
pub mod publish;
pub mod resolve;
pub mod sandbox;
pub mod settings;
pub mod snapshot;
mod spelling;
pub mod story;
mod suggest;
mod tell;
pub mod timeline;
pub mod toolchain;
pub mod tree;
pub mod unit_graph;
pub mod update;
pub mod vendor;
pub mod workspace;

pub use config::Config;
pub use failure::{Context, Exit, Failure, Refusal, Result};
pub use suggest::nearest;
pub use tell::{Note, Tell};
pub use wharf_base::fs::exists;
pub use wharf_base::paths::{normalize, relative_to};
pub use wharf_base::process::{Command, describe as describe_status};
pub use wharf_plan::DoctestOptions;
pub use workspace::Workspace;

/// What is built: the vocabulary of plans.
pub mod plan {
    pub use wharf_plan::{
        CompileKind, Diagnostics, Flavor, Intent, LibRule, Mode, NamedTargets, Names, Notice, Plan,
        ScriptMessage, ScriptOutput, TargetFilter, Toolchain, Unit, UnitId,
    };
}

/// The version of Cargo whose behaviour is implemented, as `version` tells it to tools.
pub const CARGO_VERSION: &str = "1.95.0";
