//! The resolver against small worlds, written as text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod features;
mod locks;
mod oracle;
mod stories;
mod versions;
mod world;
