//! Profiles with every setting decided (reference, "Profiles").

mod check;
mod set;
#[cfg(test)]
mod tests;

use std::fmt;

pub use check::check;
pub use set::{ProfileError, ProfileSet, ProfileSources, ProfileUse};

/// One profile, ready to become compiler flags.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Profile {
    /// `dev`, `release`, `test`, `bench` or a custom name.
    pub name: String,
    /// The directory below `target/`: `debug`, `release` or the custom name.
    pub dir_name: String,
    /// Whether the profile goes back to `dev` or to `release`.
    pub root: ProfileRoot,
    /// `0` to `3`, `s`, `z`.
    pub opt_level: String,
    /// `lto`
    pub lto: Lto,
    /// `codegen-backend` (unstable)
    pub codegen_backend: Option<String>,
    /// `codegen-units`; `None` leaves it to the compiler.
    pub codegen_units: Option<u32>,
    /// `debug`
    pub debuginfo: DebugInfo,
    /// `debuginfo` was not stated for this host unit: it may be dropped when the unit is not shared with
    /// the target side.
    pub debuginfo_deferred: bool,
    /// `split-debuginfo`; `None` leaves it to the compiler.
    pub split_debuginfo: Option<String>,
    /// `debug-assertions`
    pub debug_assertions: bool,
    /// `overflow-checks`
    pub overflow_checks: bool,
    /// `rpath`
    pub rpath: bool,
    /// `incremental`
    pub incremental: bool,
    /// `panic`
    pub panic: PanicStrategy,
    /// `strip`
    pub strip: Strip,
    /// `rustflags` (unstable)
    pub rustflags: Vec<String>,
}

impl Profile {
    /// What `dev` is before anybody changes it.
    pub fn dev() -> Self {
        Self {
            name: "dev".to_owned(),
            dir_name: "debug".to_owned(),
            root: ProfileRoot::Debug,
            opt_level: "0".to_owned(),
            lto: Lto::ThinLocal,
            codegen_backend: None,
            codegen_units: None,
            debuginfo: DebugInfo::Full,
            debuginfo_deferred: false,
            split_debuginfo: None,
            debug_assertions: true,
            overflow_checks: true,
            rpath: false,
            incremental: true,
            panic: PanicStrategy::Unwind,
            strip: Strip::Deferred(StripLevel::None),
            rustflags: Vec::new(),
        }
    }

    /// What `release` is before anybody changes it.
    pub fn release() -> Self {
        Self {
            name: "release".to_owned(),
            dir_name: "release".to_owned(),
            root: ProfileRoot::Release,
            opt_level: "3".to_owned(),
            debuginfo: DebugInfo::None,
            debug_assertions: false,
            overflow_checks: false,
            incremental: false,
            ..Self::dev()
        }
    }
}

/// Which built-in profile a profile goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProfileRoot {
    /// `release` and what inherits it.
    Release,
    /// `dev` and what inherits it.
    Debug,
}

/// `lto`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lto {
    /// `off`: no LTO of any kind.
    Off,
    /// `false`: thin-local LTO, the compiler's default.
    ThinLocal,
    /// `true` or `fat`: the compiler's full LTO without a name.
    Fat,
    /// `thin` or another name, passed on.
    Named(String),
}

/// `panic`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PanicStrategy {
    /// `unwind`
    Unwind,
    /// `abort`
    Abort,
    /// `immediate-abort` (unstable)
    ImmediateAbort,
}

impl fmt::Display for PanicStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unwind => "unwind",
            Self::Abort => "abort",
            Self::ImmediateAbort => "immediate-abort",
        })
    }
}

/// `debug`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DebugInfo {
    /// `0`, `false`, `none`
    None,
    /// `line-directives-only`
    LineDirectivesOnly,
    /// `line-tables-only`
    LineTablesOnly,
    /// `1`, `limited`
    Limited,
    /// `2`, `true`, `full`
    Full,
}

impl DebugInfo {
    /// Whether any debug information is asked for.
    pub fn is_on(self) -> bool {
        self != Self::None
    }
}

impl fmt::Display for DebugInfo {
    /// As `-C debuginfo=` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "0",
            Self::LineDirectivesOnly => "line-directives-only",
            Self::LineTablesOnly => "line-tables-only",
            Self::Limited => "1",
            Self::Full => "2",
        })
    }
}

/// `strip`; a value that was not stated may still become `debuginfo` when nothing has debug information.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strip {
    /// Decided by the profile's defaults.
    Deferred(StripLevel),
    /// Stated by the user.
    Stated(StripLevel),
}

/// What `strip` removes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StripLevel {
    /// Nothing.
    None,
    /// `debuginfo`, `symbols` or another name, passed on.
    Named(String),
}
