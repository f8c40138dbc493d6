//! Edits manifests for people: adds dependencies and takes them out again, and leaves everything else as they wrote
//! it, comments and spacing included.

mod add;
mod available;
mod entry;
mod manifest;
mod prune;
mod remove;
mod settle;
mod spec;

pub use add::{AddRequest, Added, Note, add};
pub use available::{Available, FeatureList};
pub use entry::{Entry, Origin};
pub use manifest::{ManifestFile, Section};
pub use prune::{prune_patches, prune_workspace};
pub use remove::{RemoveRequest, remove};
pub use settle::{Location, WantedDependency};
pub use spec::CrateSpec;
