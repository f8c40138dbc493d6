//! The registry protocol, one type per message: index entries and their paths, `config.json`, the publish
//! body, API requests, responses and errors, and the rules of a `.crate` archive.
//!
//! Must not know an HTTP library, a database or the file system: everything here turns bytes into values and back.

pub mod api;
pub mod archive;
pub mod config;
pub mod index;
pub mod publish;
mod text;

pub use config::RegistryConfig;
pub use index::{IndexDependency, IndexEntry};
pub use publish::{NewCrate, NewDependency};
pub use text::Text;
