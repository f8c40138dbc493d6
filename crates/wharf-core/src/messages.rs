//! What a build prints with `--message-format json`, one object a line, field for field in Cargo's order
//! (reference, "JSON messages").

use std::path::{Path, PathBuf};

use cargo_util_schemas::core::PackageIdSpec;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::metadata::TargetJson;
use crate::profile::{DebugInfo, Profile};

/// One message.
#[derive(Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Message<'a> {
    /// A diagnostic of the compiler.
    CompilerMessage(CompilerMessage<'a>),
    /// A unit was compiled, or was fresh.
    CompilerArtifact(CompilerArtifact<'a>),
    /// A build script ran, or its result was fresh.
    BuildScriptExecuted(BuildScriptExecuted<'a>),
    /// How long a unit took (`--timings=json`, unstable).
    TimingInfo(TimingInfo<'a>),
    /// The end.
    BuildFinished(BuildFinished),
}

/// `compiler-message`
#[derive(Debug, Serialize)]
pub struct CompilerMessage<'a> {
    /// The package being compiled.
    pub package_id: PackageIdSpec,
    /// Its manifest.
    pub manifest_path: &'a Path,
    /// The target being compiled.
    pub target: TargetJson<'a>,
    /// The compiler's own JSON.
    pub message: &'a RawValue,
}

/// `compiler-artifact`
#[derive(Debug, Serialize)]
pub struct CompilerArtifact<'a> {
    /// The package that was compiled.
    pub package_id: PackageIdSpec,
    /// Its manifest.
    pub manifest_path: &'a Path,
    /// The target that was compiled.
    pub target: TargetJson<'a>,
    /// The settings that tools ask for.
    pub profile: ArtifactProfile,
    /// The features switched on.
    pub features: Vec<String>,
    /// What was made.
    pub filenames: Vec<PathBuf>,
    /// The program among them.
    pub executable: Option<PathBuf>,
    /// Whether nothing had to be done.
    pub fresh: bool,
}

/// The settings of an artifact that tools ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactProfile {
    /// `opt-level`
    pub opt_level: String,
    /// `debug`: a number where there was one before names were allowed; never `null` but for units
    /// without any.
    pub debuginfo: Option<ArtifactDebuginfo>,
    /// `debug-assertions`
    pub debug_assertions: bool,
    /// `overflow-checks`
    pub overflow_checks: bool,
    /// Whether the test harness was asked for.
    pub test: bool,
}

/// `debuginfo` of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ArtifactDebuginfo {
    /// 0, 1 or 2.
    Level(u32),
    /// `line-tables-only` or `line-directives-only`.
    Named(&'static str),
}

impl ArtifactProfile {
    /// The settings of `profile`.
    pub fn new(profile: &Profile, test: bool) -> Self {
        Self {
            opt_level: profile.opt_level.clone(),
            debuginfo: Some(match profile.debuginfo {
                DebugInfo::None => ArtifactDebuginfo::Level(0),
                DebugInfo::Limited => ArtifactDebuginfo::Level(1),
                DebugInfo::Full => ArtifactDebuginfo::Level(2),
                DebugInfo::LineDirectivesOnly => ArtifactDebuginfo::Named("line-directives-only"),
                DebugInfo::LineTablesOnly => ArtifactDebuginfo::Named("line-tables-only"),
            }),
            debug_assertions: profile.debug_assertions,
            overflow_checks: profile.overflow_checks,
            test,
        }
    }
}

/// `build-script-executed`
#[derive(Debug, Serialize)]
pub struct BuildScriptExecuted<'a> {
    /// The package whose script ran.
    pub package_id: PackageIdSpec,
    /// `rustc-link-lib`
    pub linked_libs: &'a [String],
    /// `rustc-link-search`
    pub linked_paths: &'a [String],
    /// `rustc-cfg`
    pub cfgs: &'a [String],
    /// `rustc-env`
    pub env: &'a [(String, String)],
    /// `OUT_DIR`
    pub out_dir: &'a Path,
}

/// `timing-info`
#[derive(Debug, Serialize)]
pub struct TimingInfo<'a> {
    /// The package.
    pub package_id: PackageIdSpec,
    /// The target.
    pub target: TargetJson<'a>,
    /// `build`, `check`, `test`, …
    pub mode: &'a str,
    /// Seconds.
    pub duration: f64,
    /// Seconds until its metadata was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmeta_time: Option<f64>,
    /// Seconds by phase of the compiler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sections: Option<&'a RawValue>,
}

/// `build-finished`
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BuildFinished {
    /// Whether everything succeeded.
    pub success: bool,
}

impl Message<'_> {
    /// One line of JSON, without the line feed.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("messages hold nothing that JSON cannot say but non-UTF-8 paths")
    }
}
