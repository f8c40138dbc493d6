//! The command lines of rustc and rustdoc, in Cargo's order.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use wharf_core::CrateType;
use wharf_core::profile::PanicStrategy;
use wharf_exec::Arg;

use crate::files::source_argument;
use crate::hash::strip_level;
use crate::plan::Plan;
use crate::request::CompileKind;
use crate::script::ScriptOutput;
use crate::unit::{Flavor, Mode, Unit, UnitId, has_crate_type};

/// Arguments, and their part of the key: without what cannot change the result, or is held by digests instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    pub list: Vec<Arg>,
    pub key: Vec<String>,
    /// What build scripts say to the linker.
    pub linker: Vec<String>,
}

impl Args {
    /// An argument that counts.
    pub fn push(&mut self, arg: impl Into<OsString>) {
        let arg = arg.into();
        self.key.push(arg.to_string_lossy().into_owned());
        self.list.push(Arg::Plain(arg));
    }

    /// A flag and its value.
    pub fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.push(flag);
        self.push(value);
    }

    /// A flag and its value, which counts as another text.
    pub fn pair_as(&mut self, flag: &str, value: impl Into<OsString>, key: String) {
        self.push(flag);
        self.key.push(key);
        self.list.push(Arg::Plain(value.into()));
    }

    /// An argument that does not count.
    pub fn unkeyed(&mut self, arg: impl Into<Arg>) {
        self.list.push(arg.into());
    }

    fn codegen(&mut self, value: impl Into<OsString>) {
        self.pair("-C", value);
    }

    fn all<'a>(&mut self, args: impl IntoIterator<Item = &'a String>) {
        for arg in args {
            self.push(arg);
        }
    }
}

impl Plan {
    /// The arguments of rustc for a unit, without those that a build script adds.
    pub(crate) fn rustc_args(&self, id: UnitId, args: &mut Args) {
        let unit = self.unit(id);
        let is_test = unit.mode.is_any_test();
        args.pair("--crate-name", unit.target.crate_name());
        self.edition(unit, args);
        args.push(source_argument(unit, &self.settings.workspace_root).0);
        self.rendering(args);
        if !is_test {
            for crate_type in unit.target.crate_types() {
                args.pair("--crate-type", crate_type.as_str());
            }
        }
        args.push(match unit.mode {
            Mode::Check { .. } => "--emit=dep-info,metadata",
            _ if unit.needs_objects() => "--emit=dep-info,link",
            _ => "--emit=dep-info,metadata,link",
        });
        let is_dylib = !is_test && has_crate_type(&unit.target, &CrateType::Dylib);
        if unit.target.is_proc_macro() || (is_dylib && !unit.is_primary) {
            args.codegen("prefer-dynamic");
        }
        self.profile_args(id, args);
        self.test_args(unit, args);
        self.feature_args(unit, args);
        let hash = &self.hashes[id.0];
        args.codegen(format!("metadata={}", hash.metadata));
        if hash.in_file_names {
            args.codegen(format!("extra-filename=-{}", hash.id));
        }
        if unit.profile.rpath {
            args.codegen("rpath");
        }
        args.unkeyed("--out-dir");
        args.unkeyed(Arg::scratch());
        self.platform(unit, args);
        if let Some(linker) = &self.toolchain.info(&unit.kind).linker {
            args.codegen(joined("linker=", linker));
        }
        if let Some(level) = strip_level(&unit.profile.strip) {
            args.codegen(format!("strip={level}"));
        }
        self.dependency_args(id, args);
        self.cap_lints(unit, args);
        self.remap_args(id, args);
        args.all(&unit.root_args);
        args.all(unit.rustflags.iter());
    }

    pub(crate) fn edition(&self, unit: &Unit, args: &mut Args) {
        args.push(format!("--edition={}", unit.target.edition.as_str()));
    }

    /// How diagnostics look has no part in keys: it would compile everything again for another terminal.
    fn rendering(&self, args: &mut Args) {
        let short = if self.settings.diagnostics.short { ",diagnostic-short" } else { "" };
        args.push("--error-format=json");
        args.unkeyed(format!("--json=diagnostic-rendered-ansi,artifacts,future-incompat{short}"));
        if let Some(width) = self.settings.diagnostics.width {
            args.unkeyed(format!("--diagnostic-width={width}"));
        }
    }

    pub(crate) fn platform(&self, unit: &Unit, args: &mut Args) {
        if let CompileKind::Target(target) = &unit.kind {
            args.pair("--target", target.as_str());
        }
    }

    fn profile_args(&self, id: UnitId, args: &mut Args) {
        let unit = self.unit(id);
        let profile = &unit.profile;
        if profile.opt_level != "0" {
            args.codegen(format!("opt-level={}", profile.opt_level));
        }
        if profile.panic != PanicStrategy::Unwind {
            args.codegen(format!("panic={}", profile.panic));
        }
        if profile.panic == PanicStrategy::ImmediateAbort {
            args.pair("-Z", "unstable-options");
        }
        for flag in self.lto[id.0].flags() {
            args.codegen(flag);
        }
        if let Some(backend) = &profile.codegen_backend {
            args.pair("-Z", format!("codegen-backend={backend}"));
        }
        if let Some(units) = profile.codegen_units {
            args.codegen(format!("codegen-units={units}"));
        }
        if profile.debuginfo.is_on() {
            args.codegen(format!("debuginfo={}", profile.debuginfo));
            let info = self.toolchain.info(&unit.kind);
            if let Some(split) =
                profile.split_debuginfo.as_ref().filter(|it| info.split_debuginfo.contains(it))
            {
                args.codegen(format!("split-debuginfo={split}"));
            }
        }
        args.all(unit.package.manifest.lint_flags.iter().map(|lint| &lint.flag));
        args.all(&profile.rustflags);
        // The compiler derives both from the optimisation level; only what differs from that is said.
        let default = profile.opt_level == "0";
        let on = |flag: bool| if flag { "on" } else { "off" };
        if profile.debug_assertions != default {
            args.codegen(format!("debug-assertions={}", on(profile.debug_assertions)));
        }
        if profile.overflow_checks != profile.debug_assertions {
            args.codegen(format!("overflow-checks={}", on(profile.overflow_checks)));
        }
    }

    fn test_args(&self, unit: &Unit, args: &mut Args) {
        if !unit.mode.is_any_test() {
            return;
        }
        if unit.target.harness {
            args.push("--test");
            if unit.profile.panic != PanicStrategy::Unwind {
                args.pair("-Z", "panic-abort-tests");
            }
        } else {
            args.pair("--cfg", "test");
        }
    }

    fn feature_args(&self, unit: &Unit, args: &mut Args) {
        for feature in unit.features.iter() {
            args.pair("--cfg", format!("feature=\"{feature}\""));
        }
        let declared: Vec<String> =
            unit.package.manifest.summary.features.keys().map(|name| format!("\"{name}\"")).collect();
        args.pair("--check-cfg", "cfg(docsrs,test)");
        args.pair("--check-cfg", format!("cfg(feature, values({}))", declared.join(", ")));
    }

    fn search_args(&self, unit: &Unit, args: &mut Args) {
        args.unkeyed("-L");
        args.unkeyed(joined("dependency=", &self.layout.deps(&unit.kind)));
        if !unit.kind.is_host() {
            args.unkeyed("-L");
            args.unkeyed(joined("dependency=", &self.layout.deps(&CompileKind::Host)));
        }
    }

    fn dependency_args(&self, id: UnitId, args: &mut Args) {
        self.search_args(self.unit(id), args);
        if self.extern_args(id, args) {
            args.pair("-Z", "unstable-options");
        }
    }

    /// Adds `--extern` for each crate; whether one of them needs an unstable option.
    fn extern_args(&self, id: UnitId, args: &mut Args) -> bool {
        let unit = self.unit(id);
        let tells_public = unit.target.is_lib()
            && unit.package.manifest.cargo_features.iter().any(|it| it == "public-dependency");
        let mut is_unstable = false;
        for edge in &unit.dependencies {
            let below = self.unit(edge.unit);
            if !below.target.is_linkable() || matches!(below.mode, Mode::Doc | Mode::RunScript) {
                continue;
            }
            let is_private = tells_public && !edge.public;
            is_unstable |= is_private;
            let name = format!("{}{}", if is_private { "priv:" } else { "" }, edge.extern_name);
            for file in self.loaded_files(id, edge.unit) {
                args.unkeyed("--extern");
                args.unkeyed(joined(&format!("{name}="), &file.path));
                args.key.push(format!("--extern={name}={}", file.name));
            }
        }
        if unit.target.is_proc_macro() {
            args.pair("--extern", "proc_macro");
        }
        is_unstable
    }

    /// The files of `below` that the compiler opens for `above`.
    pub(crate) fn loaded_files(&self, above: UnitId, below: UnitId) -> Vec<&crate::OutputFile> {
        let wanted = match self.unit(below).mode.is_check() || self.only_needs_metadata(above, below) {
            true => Flavor::Rmeta,
            false => Flavor::Linkable,
        };
        self.outputs(below).iter().filter(|file| file.flavor == wanted).collect()
    }

    /// Whether a library is compiled or checked against another: then metadata does, and is there early.
    pub(crate) fn only_needs_metadata(&self, above: UnitId, below: UnitId) -> bool {
        let is_library = |unit: &Unit| unit.mode == Mode::Build && !unit.needs_objects();
        let above = self.unit(above);
        (above.mode.is_check() || is_library(above)) && is_library(self.unit(below))
    }

    fn cap_lints(&self, unit: &Unit, args: &mut Args) {
        let level = if !self.shows_warnings(unit) {
            "allow"
        } else if !unit.is_local() {
            "warn"
        } else {
            return;
        };
        // Changes what is shown, not what is made.
        args.unkeyed(Arg::Plain("--cap-lints".into()));
        args.unkeyed(Arg::Plain(level.into()));
    }

    /// Whether warnings of a unit are for this user.
    pub fn shows_warnings(&self, unit: &Unit) -> bool {
        unit.is_local() || self.settings.all_warnings
    }

    /// Adds `--cfg` and `--check-cfg` of the package's own build script.
    pub(crate) fn script_cfgs(&self, output: &ScriptOutput, args: &mut Args) {
        for cfg in &output.cfgs {
            args.pair("--cfg", cfg);
        }
        for cfg in &output.check_cfgs {
            args.pair("--check-cfg", cfg);
        }
    }

    /// The arguments of rustdoc that documents a unit, without those that a build script adds.
    pub(crate) fn rustdoc_args(&self, id: UnitId, args: &mut Args) {
        let unit = self.unit(id);
        self.edition(unit, args);
        for crate_type in unit.target.crate_types() {
            args.pair("--crate-type", crate_type.as_str());
        }
        args.pair("--crate-name", unit.target.crate_name());
        args.push(source_argument(unit, &self.settings.workspace_root).0);
        self.cap_lints(unit, args);
        self.platform(unit, args);
        args.unkeyed("-o");
        args.unkeyed(self.layout.doc(&unit.kind).into_os_string());
        self.feature_args(unit, args);
        self.rendering(args);
        args.all(unit.package.manifest.lint_flags.iter().map(|lint| &lint.flag));
        args.codegen(format!("metadata={}", self.hashes[self.metadata_of_doc(id).0].metadata));
        self.dependency_args(id, args);
        args.all(&unit.root_args);
        args.all(unit.rustdocflags.iter());
        let has_version = unit.root_args.iter().chain(unit.rustdocflags.iter());
        if !has_version.into_iter().any(|flag| flag.starts_with("--crate-version")) {
            args.pair("--crate-version", unit.id().version().to_string());
        }
    }

    /// Documentation has the metadata of the checked crate, for what its dependents' documentation was made with.
    fn metadata_of_doc(&self, id: UnitId) -> UnitId {
        let unit = self.unit(id);
        let same = |other: &&UnitId| {
            let other = self.unit(**other);
            other.id() == unit.id() && other.target == unit.target
        };
        let all: Vec<UnitId> = (0..self.units.len()).map(UnitId).collect();
        let same: Vec<&UnitId> = all.iter().filter(same).collect();
        same.iter().find(|id| self.unit(***id).mode.is_check()).map_or(id, |id| **id)
    }

    /// The arguments of a doc-test run that come from the unit itself.
    pub(crate) fn doctest_args(&self, id: UnitId, scripts: &[Arc<ScriptOutput>], args: &mut Args) -> bool {
        let unit = self.unit(id);
        let is_unstable = self.extern_args(id, args);
        self.search_args(unit, args);
        for flag in self.lto[id.0].flags() {
            args.codegen(flag);
        }
        self.feature_args(unit, args);
        for output in scripts {
            self.script_cfgs(output, args);
            for (whom, argument) in &output.link_args {
                if whom.applies_to(&unit.target, unit.mode) {
                    args.codegen(format!("link-arg={argument}"));
                }
            }
        }
        args.all(unit.rustdocflags.iter());
        let diagnostics = &self.settings.diagnostics;
        args.pair(
            "--error-format",
            match (diagnostics.json, diagnostics.short) {
                (true, _) => "json",
                (false, true) => "short",
                (false, false) => "human",
            },
        );
        is_unstable
    }
}

/// Text and a path in one argument.
pub(crate) fn joined(before: &str, path: &Path) -> OsString {
    let mut text = OsString::from(before);
    text.push(path);
    text
}
