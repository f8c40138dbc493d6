//! Files, locks, digests and child processes for Wharf, as free functions.
//!
//! Every error names the deed and the object. Must not know what a package is.

pub mod digest;
pub mod fs;
pub mod lock;
pub mod paths;
pub mod process;
pub mod sealed;
pub mod trail;
