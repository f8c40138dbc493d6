//! The resolver against small worlds, written as text.

mod features;
mod locks;
mod oracle;
mod stories;
mod versions;
mod world;
