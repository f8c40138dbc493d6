//! The environment of compilers, build scripts and built programs (reference, "Environment Variables").

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use wharf_base::digest::{Digest, Hasher};
use wharf_base::process::Environment;
use wharf_core::{Cfg, Package};
use wharf_exec::TreeOutput;

use crate::closure::Reach;
use crate::files::{Layout, program_path};
use crate::hash::UnitHash;
use crate::request::{CompileKind, Settings, Toolchain};
use crate::unit::Unit;

/// Variables of one child, and those of them whose values are part of its key.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    pub env: Environment,
    pub key: BTreeMap<String, String>,
}

impl Variables {
    pub fn new(settings: &Settings) -> Self {
        Self { env: Environment::exactly(settings.base_env.clone()), key: BTreeMap::new() }
    }

    /// Sets a variable that can change the result.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        let value = value.into();
        self.key.insert(name.to_owned(), value.to_string_lossy().into_owned());
        self.env.set(name, value);
    }

    /// Sets a variable that cannot change the result, or whose use the compiler reports.
    pub fn set_unkeyed(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.set(name, value);
    }

    /// Takes a variable away.
    pub fn remove(&mut self, name: &str) {
        self.key.remove(name);
        self.env.remove(name);
    }

    /// `[env]`, which never wins over what was set here.
    pub fn configured(&mut self, settings: &Settings) {
        for variable in &settings.env {
            let is_inherited = settings.base_env.contains_key(OsStr::new(&variable.name));
            let is_set = self.env.changes.contains_key(OsStr::new(&variable.name));
            if !is_set && (variable.force || !is_inherited) {
                self.env.set(&variable.name, &variable.value);
            }
        }
    }
}

/// What every child that works on a package gets.
pub(crate) fn package_variables(variables: &mut Variables, package: &Package, settings: &Settings) {
    let version = package.id().version();
    let description = &package.manifest.description;
    let rust_version = package.manifest.rust_version.as_ref().map(ToString::to_string).unwrap_or_default();
    variables.set_unkeyed("CARGO", &settings.cargo);
    variables.set("CARGO_MANIFEST_DIR", package.root());
    variables.set("CARGO_MANIFEST_PATH", &package.manifest_path);
    variables.set("CARGO_PKG_NAME", package.name().as_str());
    variables.set("CARGO_PKG_VERSION", version.to_string());
    variables.set("CARGO_PKG_VERSION_MAJOR", version.major.to_string());
    variables.set("CARGO_PKG_VERSION_MINOR", version.minor.to_string());
    variables.set("CARGO_PKG_VERSION_PATCH", version.patch.to_string());
    variables.set("CARGO_PKG_VERSION_PRE", version.pre.as_str());
    variables.set("CARGO_PKG_AUTHORS", description.authors.join(":"));
    variables.set("CARGO_PKG_RUST_VERSION", rust_version);
    let texts = [
        ("CARGO_PKG_DESCRIPTION", &description.description),
        ("CARGO_PKG_HOMEPAGE", &description.homepage),
        ("CARGO_PKG_REPOSITORY", &description.repository),
        ("CARGO_PKG_LICENSE", &description.license),
        ("CARGO_PKG_LICENSE_FILE", &description.license_file),
        ("CARGO_PKG_README", &description.readme),
    ];
    for (name, text) in texts {
        variables.set(name, text.as_deref().unwrap_or(""));
    }
}

/// What compilers get beside: which crate and program this is.
pub(crate) fn crate_variables(variables: &mut Variables, unit: &Unit) {
    if unit.is_executable() {
        variables.set("CARGO_BIN_NAME", unit.target.filename.as_deref().unwrap_or(&unit.target.name));
    }
    variables.set("CARGO_CRATE_NAME", unit.target.crate_name());
}

/// `CARGO_BIN_EXE_*` of integration tests and benchmarks.
pub(crate) fn program_variables(
    variables: &mut Variables,
    unit: &Unit,
    layout: &Layout,
    toolchain: &Toolchain,
) {
    if !(unit.target.is_test() || unit.target.is_bench()) {
        return;
    }
    for target in unit.package.manifest.targets.iter().filter(|target| target.is_bin()) {
        let name = target.filename.as_deref().unwrap_or(&target.name);
        let path = program_path(unit, target, layout, toolchain.info(&unit.kind));
        variables.set(&format!("CARGO_BIN_EXE_{name}"), path);
    }
}

/// The variable by which dynamic libraries are found.
pub(crate) fn library_path_variable(host: &str) -> &'static str {
    if host.contains("-windows") {
        "PATH"
    } else if host.contains("-apple-") {
        "DYLD_FALLBACK_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    }
}

/// The inherited library path behind `first`, unless it starts with that anyway.
pub(crate) fn library_path(
    first: Vec<PathBuf>,
    more: Vec<PathBuf>,
    settings: &Settings,
    host: &str,
) -> OsString {
    let name = library_path_variable(host);
    let separator = if host.contains("-windows") { ";" } else { ":" };
    let inherited = settings.base_env.get(OsStr::new(name)).cloned().unwrap_or_default();
    let inherited: Vec<PathBuf> = inherited
        .to_string_lossy()
        .split(separator)
        .filter(|part| !part.is_empty())
        .map(PathBuf::from)
        .collect();
    let mut all = if inherited.starts_with(&first) { inherited } else { [first, inherited].concat() };
    all.extend(more);
    let mut text = OsString::new();
    for (index, path) in all.iter().enumerate() {
        if index > 0 {
            text.push(separator);
        }
        text.push(path);
    }
    text
}

/// The directory of a `-L` value, without its `KIND=`.
pub(crate) fn search_directory(path: &Path) -> &Path {
    let kinds = ["native", "crate", "dependency", "framework", "all"];
    match path.to_str().and_then(|text| text.split_once('=')) {
        Some((kind, path)) if kinds.contains(&kind) => Path::new(path),
        _ => path,
    }
}

/// Everything that a build script's run is told, apart from `DEP_*` and the library path.
pub(crate) fn run_variables(
    unit: &Unit,
    hash: &UnitHash,
    layout: &Layout,
    toolchain: &Toolchain,
    settings: &Settings,
) -> Variables {
    let mut variables = Variables::new(settings);
    package_variables(&mut variables, &unit.package, settings);
    variables.configured(settings);
    let info = toolchain.info(&unit.kind);
    // Where the place is chosen by what is made, the executor tells it.
    if let TreeOutput::At(path) = layout.out_dir(unit, hash) {
        variables.set("OUT_DIR", path);
    }
    // How many jobs run changes how fast a script is, not what it makes.
    variables.set_unkeyed("NUM_JOBS", settings.jobs.to_string());
    variables.set("TARGET", toolchain.triple(&unit.kind));
    variables.set("DEBUG", unit.profile.debuginfo.is_on().to_string());
    variables.set("OPT_LEVEL", unit.profile.opt_level.as_str());
    variables.set(
        "PROFILE",
        match unit.profile.root {
            wharf_core::profile::ProfileRoot::Release => "release",
            wharf_core::profile::ProfileRoot::Debug => "debug",
        },
    );
    variables.set("HOST", toolchain.host.as_str());
    variables.set("RUSTC", toolchain.rustc_shown.as_ref().unwrap_or(&toolchain.rustc));
    variables.set("RUSTDOC", toolchain.rustdoc_shown.as_ref().unwrap_or(&toolchain.rustdoc));
    if let Some(linker) = &info.linker {
        variables.set("RUSTC_LINKER", linker);
    }
    if let Some(links) = &unit.package.manifest.summary.links {
        variables.set("CARGO_MANIFEST_LINKS", &**links);
    }
    for feature in unit.features.iter() {
        variables.set(&format!("CARGO_FEATURE_{}", envified(feature)), "1");
    }
    for (name, values) in cfg_values(unit, &info.cfgs) {
        variables.set(&format!("CARGO_CFG_{}", envified(name)), values.join(","));
    }
    match &toolchain.wrapper {
        Some(wrapper) => variables.set("RUSTC_WRAPPER", wrapper),
        None => variables.remove("RUSTC_WRAPPER"),
    }
    match toolchain.workspace_wrapper.as_ref().filter(|_| unit.is_member) {
        Some(wrapper) => variables.set("RUSTC_WORKSPACE_WRAPPER", wrapper),
        None => variables.remove("RUSTC_WORKSPACE_WRAPPER"),
    }
    variables.set("CARGO_ENCODED_RUSTFLAGS", unit.rustflags.join("\u{1f}"));
    variables.remove("RUSTFLAGS");
    variables
}

/// The cfg of the unit's platform, with its features, and `debug_assertions` as the profile has it.
fn cfg_values<'a>(unit: &'a Unit, cfgs: &'a [Cfg]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    values.insert("feature", unit.features.iter().map(|feature| feature.as_str()).collect());
    if unit.profile.debug_assertions {
        values.insert("debug_assertions", Vec::new());
    }
    for cfg in cfgs {
        match cfg {
            Cfg::Name(name) if name.as_str() == "debug_assertions" => {}
            Cfg::Name(name) => {
                values.insert(name.as_str(), Vec::new());
            }
            Cfg::KeyPair(name, value) => values.entry(name.as_str()).or_default().push(value),
        }
    }
    values
}

/// A name as part of a variable's name.
pub(crate) fn envified(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).map(|it| if it == '-' { '_' } else { it }).collect()
}

/// The directories of build-script libraries that belong to this build: others could hide the system's.
pub(crate) fn own_directories<'a>(
    paths: impl Iterator<Item = &'a PathBuf>,
    kind: &CompileKind,
    layout: &Layout,
    settings: &Settings,
) -> Vec<PathBuf> {
    let ours = [layout.dest(kind), layout.build_dest(kind), settings.wharf_home.join("out")];
    paths
        .map(|path| search_directory(path))
        .filter(|path| ours.iter().any(|dir| path.starts_with(dir)))
        .map(Path::to_owned)
        .collect()
}

/// The runs whose libraries a compiler must find at run time: those of procedural macros.
pub(crate) fn plugin_runs(reach: &Reach) -> impl Iterator<Item = crate::unit::UnitId> + '_ {
    reach.plugins.iter().copied()
}

/// Variables of the user's session: they differ from terminal to terminal and day to day, and no result may depend on
/// them.
const SESSION_VARIABLES: [&str; 29] = [
    "_",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "LS_COLORS",
    "WINDOWID",
    "STY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "GPG_TTY",
    "GPG_AGENT_INFO",
    "HISTFILE",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "CARGO_MAKEFLAGS",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "RUST_RECURSION_COUNT",
    "CARGO_BUILD_JOBS",
    "INSIDE_EMACS",
];
/// Beginnings of the names of more such variables.
const SESSION_PREFIXES: [&str; 12] = [
    "SSH_",
    "TMUX",
    "VTE_",
    "XDG_SESSION",
    "TERM_",
    "CARGO_TERM_",
    "KITTY_",
    "WEZTERM_",
    "ALACRITTY_",
    "KONSOLE_",
    "GNOME_TERMINAL_",
    "VSCODE_",
];

/// Whether a variable belongs to the user's session, so that no result may depend on it.
pub fn is_session_variable(name: &str) -> bool {
    SESSION_VARIABLES.contains(&name) || SESSION_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Variables that every compiler and build script gets values of its own for.
const OWN_VARIABLES: [&str; 3] = ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"];

/// The digest of everything in the user's environment that a build script or procedural macro could read. `shown`
/// says what a value counts as.
pub(crate) fn environment_digest(settings: &Settings, shown: impl Fn(&OsStr) -> OsString) -> Digest {
    let mut hasher = Hasher::for_purpose("wharf environment 1");
    for (name, value) in settings.base_env.iter() {
        let text = name.to_string_lossy();
        if !is_session_variable(&text) && !OWN_VARIABLES.contains(&&*text) {
            hasher.value(text.as_bytes()).value(shown(value).as_encoded_bytes());
        }
    }
    for variable in &settings.env {
        hasher.value(&variable.name).value(shown(&variable.value).as_encoded_bytes());
    }
    hasher.finish()
}
