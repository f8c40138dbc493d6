//! The digests that tell units apart: in symbols (`-C metadata`), file names (`-C extra-filename`) and directories.
//!
//! Nothing absolute goes in, so that equal checkouts at different places give equal names.

use wharf_base::digest::Hasher;
use wharf_base::paths::relative_to;
use wharf_core::profile::{Lto as ProfileLto, Profile, Strip, StripLevel};
use wharf_core::{CrateType, PackageId};

use crate::lto::Lto;
use crate::request::{CompileKind, Settings, Toolchain};
use crate::unit::{Mode, Unit, UnitId, has_crate_type};

/// The digests of one unit.
#[derive(Clone, Debug)]
pub(crate) struct UnitHash {
    /// For `-C metadata`. The user's flags stay out: they may hold paths, and symbols should not differ for them.
    pub metadata: String,
    /// For file and directory names.
    pub id: String,
    /// Whether files carry `id`.
    pub in_file_names: bool,
    /// The name of the unit's directory, less the package's name.
    pub directory: String,
}

/// The digests of all units. `order` holds dependencies before their dependents.
pub(crate) fn hashes(
    units: &[Unit],
    order: &[UnitId],
    lto: &[Lto],
    toolchain: &Toolchain,
    settings: &Settings,
) -> Vec<UnitHash> {
    let mut answers: Vec<Option<UnitHash>> = vec![None; units.len()];
    for &UnitId(index) in order {
        let unit = &units[index];
        let shared = shared_part(unit, &lto[index], toolchain, settings);
        let with_dependencies = |pick: fn(&UnitHash) -> &String| {
            let mut all: Vec<&String> =
                unit.dependencies.iter().filter_map(|edge| answers[edge.unit.0].as_ref()).map(pick).collect();
            all.sort_unstable();
            let mut hasher = shared.clone();
            for hash in all {
                hasher.value(hash);
            }
            hasher
        };
        let metadata = with_dependencies(|hash| &hash.metadata).finish().short();
        let mut id = with_dependencies(|hash| &hash.id);
        let flags = if unit.mode == Mode::Doc { &unit.rustdocflags } else { &unit.rustflags };
        for flags in [&unit.root_args[..], &flags[..]] {
            if !remaps_paths(flags) {
                id.number(flags.len() as u64);
                for flag in flags {
                    id.value(flag);
                }
            }
        }
        let id = id.finish().short();
        let (in_file_names, own_directory) = names_carry_hash(unit, toolchain);
        let directory = if own_directory { id.clone() } else { package_hash(unit.id(), settings) };
        answers[index] = Some(UnitHash { metadata, id, in_file_names, directory });
    }
    answers.into_iter().map(|answer| answer.expect("the order holds every unit")).collect()
}

fn shared_part(unit: &Unit, lto: &Lto, toolchain: &Toolchain, settings: &Settings) -> Hasher {
    let mut hasher = Hasher::for_purpose("unit 1");
    hash_package(&mut hasher, unit.id(), settings);
    hasher.number(unit.features.len() as u64);
    for feature in unit.features.iter() {
        hasher.value(feature.as_str());
    }
    hash_profile(&mut hasher, &unit.profile);
    // Check and build make different metadata under one name, so they must not meet in one directory.
    hasher.value(unit.mode.name()).number(u64::from(unit.mode.is_any_test()));
    hasher.value(lto.flags().join(" "));
    match &unit.kind {
        CompileKind::Host => hasher.value("host"),
        CompileKind::Target(target) => {
            let spec = toolchain.info(&unit.kind).spec_id.as_deref().unwrap_or("");
            hasher.value(target.short_name()).value(spec)
        }
    };
    hasher.value(&unit.target.name).value(unit.target.kind.names().join(","));
    hasher.value(unit.target.kind.description());
    hash_version(&mut hasher, toolchain, unit.kind.is_host());
    if let (true, Some(wrapper)) = (unit.is_member, &toolchain.workspace_wrapper) {
        hasher.value(wrapper.file_name().unwrap_or_default().as_encoded_bytes());
    }
    hasher
}

/// Compilers of one unstable channel share names, or `target/` would grow with every night.
fn hash_version(hasher: &mut Hasher, toolchain: &Toolchain, is_host: bool) {
    let channel = toolchain.version.pre.as_str().split('.').next().unwrap_or_default();
    if !channel.is_empty() {
        hasher.value(channel);
        if is_host {
            hasher.value(&toolchain.host);
        }
        return;
    }
    for line in toolchain.verbose_version.lines() {
        if is_host || !line.starts_with("host: ") {
            hasher.value(line);
        }
    }
}

fn hash_package(hasher: &mut Hasher, id: &PackageId, settings: &Settings) {
    hasher.value(id.name().as_str()).value(id.version().to_string());
    let source = id.source();
    let place = match source.local_path().filter(|_| source.is_path()) {
        Some(path) => {
            let relative = relative_to(&path, &settings.workspace_root).unwrap_or(path);
            format!("path {}", relative.display())
        }
        None => source.encoded(),
    };
    hasher.value(place);
}

fn package_hash(id: &PackageId, settings: &Settings) -> String {
    let mut hasher = Hasher::for_purpose("package 1");
    hash_package(&mut hasher, id, settings);
    hasher.finish().short()
}

fn hash_profile(hasher: &mut Hasher, profile: &Profile) {
    // Left out: names, which do not reach the compiler, and `incremental`, whose two forms are told apart by keys.
    let Profile {
        name: _,
        dir_name: _,
        root: _,
        opt_level,
        lto,
        codegen_backend,
        codegen_units,
        debuginfo,
        debuginfo_deferred: _,
        split_debuginfo,
        debug_assertions,
        overflow_checks,
        rpath,
        incremental: _,
        panic,
        strip,
        rustflags,
    } = profile;
    let lto = match lto {
        ProfileLto::Off => "off",
        ProfileLto::ThinLocal => "thin-local",
        ProfileLto::Fat => "fat",
        ProfileLto::Named(name) => name,
    };
    let strip = strip_level(strip);
    hasher.value(opt_level).value(lto).value(codegen_backend.as_deref().unwrap_or(""));
    hasher.number(codegen_units.map_or(0, u64::from)).value(debuginfo.to_string());
    hasher.value(split_debuginfo.as_deref().unwrap_or(""));
    for flag in [debug_assertions, overflow_checks, rpath] {
        hasher.number(u64::from(*flag));
    }
    hasher.value(panic.to_string()).value(strip.unwrap_or(""));
    for flag in rustflags {
        hasher.value(flag);
    }
}

/// What `-C strip` takes, if it is to be passed.
pub(crate) fn strip_level(strip: &Strip) -> Option<&str> {
    match strip {
        Strip::Deferred(StripLevel::Named(name)) | Strip::Stated(StripLevel::Named(name)) => Some(name),
        Strip::Deferred(StripLevel::None) | Strip::Stated(StripLevel::None) => None,
    }
}

/// Flags that remap paths are there to make builds at different places equal: hashing them would undo it.
fn remaps_paths(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag == "--remap-path-prefix" || flag.starts_with("--remap-path-prefix="))
}

/// Whether the unit's files, and its directory, carry its hash. Some names end up inside of what is made: those of
/// dynamic libraries, of debug information beside Windows programs, of what emscripten's scripts load.
fn names_carry_hash(unit: &Unit, toolchain: &Toolchain) -> (bool, bool) {
    if matches!(unit.mode, Mode::Doc | Mode::Doctest) {
        return (false, false);
    }
    if unit.mode.is_any_test() || unit.mode.is_check() {
        return (true, true);
    }
    let triple = toolchain.triple(&unit.kind);
    let is_dynamic = unit.target.is_lib()
        && [CrateType::Dylib, CrateType::Cdylib].iter().any(|kind| has_crate_type(&unit.target, kind));
    let is_fixed = is_dynamic
        || (unit.is_executable() && (triple == "wasm32-unknown-emscripten" || triple.contains("msvc")));
    let carries = !(is_fixed && unit.is_local());
    (carries, carries)
}
