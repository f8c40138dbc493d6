//! Sandboxes for end-to-end tests: a world of its own for every test, with the real registry server in it, and
//! a differ that runs `cargo` and `wharf` on equal copies of a project.
//!
//! For tests only, so whatever goes wrong panics. Must not know how Wharf works inside: it sees the binary.

mod both;
mod calls;
pub mod fixtures;
mod outcome;
mod package;
mod project;
mod registry;
mod sandbox;

pub use both::{Both, Part, Side};
pub use calls::Call;
pub use outcome::{Normaliser, Outcome};
pub use package::PackageBuilder;
pub use project::{Project, ProjectBuilder};
pub use registry::Registry;
pub use sandbox::{Sandbox, Tool};
