//! What a build script says on its standard output (reference, "Build Scripts").

use std::path::PathBuf;

/// What one run of a build script asked for, or what configuration says in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptOutput {
    /// `rustc-link-search` and `-L` of `rustc-flags`, with their `KIND=`.
    pub library_paths: Vec<PathBuf>,
    /// `rustc-link-lib` and `-l` of `rustc-flags`.
    pub library_links: Vec<String>,
    /// `rustc-link-arg` in all its forms.
    pub link_args: Vec<(LinkArgFor, String)>,
    /// `rustc-cfg`
    pub cfgs: Vec<String>,
    /// `rustc-check-cfg`
    pub check_cfgs: Vec<String>,
    /// `rustc-env`
    pub env: Vec<(String, String)>,
    /// `metadata`, and every `cargo:KEY=VALUE` with a key of the script's own.
    pub metadata: Vec<(String, String)>,
    /// `rerun-if-changed`, as written.
    pub rerun_if_changed: Vec<PathBuf>,
    /// `rerun-if-env-changed`
    pub rerun_if_env_changed: Vec<String>,
    /// `warning` and `error`, in order.
    pub messages: Vec<ScriptMessage>,
}

/// A sentence of a build script for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptMessage {
    /// Whether it makes the run a failure.
    pub is_error: bool,
    /// The text.
    pub text: String,
}

/// Which targets of the package get a linker argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkArgFor {
    /// `rustc-link-arg`
    All,
    /// `rustc-link-arg-cdylib`
    Cdylib,
    /// `rustc-link-arg-bins`
    Bins,
    /// `rustc-link-arg-bin`
    Bin(String),
    /// `rustc-link-arg-tests`
    Tests,
    /// `rustc-link-arg-benches`
    Benches,
    /// `rustc-link-arg-examples`
    Examples,
}
