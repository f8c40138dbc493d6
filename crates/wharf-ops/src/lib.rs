//! Wharf's operations, one file each: what a command does, without the command line and the terminal.
//!
//! Knows workspaces, configuration and how the other crates are put together. Must not know clap or the
//! terminal: operations take settled requests, return data, and tell what happens through events.

pub mod config;
mod disk;
mod failure;
mod suggest;
pub mod toolchain;
pub mod workspace;

pub use config::Config;
pub use failure::{Context, Exit, Failure, Result};
pub use suggest::nearest;
pub use workspace::Workspace;
