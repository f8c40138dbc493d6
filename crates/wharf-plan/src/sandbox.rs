//! Who may do what: the confinement of build scripts and of compilers that run code of packages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_core::Package;
use wharf_exec::{Confinement, Noticed, Recipe, Step};

use crate::env::Variables;
use crate::plan::Plan;
use crate::request::{CompileKind, Settings};
use crate::unit::{Mode, Unit, UnitId};

/// What packages may do while they are built.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// How far they are confined.
    pub level: SandboxLevel,
    /// What some are let do beside, in order of precedence.
    pub grants: Vec<Grant>,
    /// What everybody may read where reading is confined: the system, the toolchain, the sources of packages.
    pub readable: Vec<PathBuf>,
    /// The homes of Cargo and rustup: what lies there is known otherwise, or changes without meaning.
    pub homes: Vec<PathBuf>,
    /// Of those, the directories in which a content never changes: sources of packages, and toolchains.
    pub sources: Vec<PathBuf>,
    /// A named pipe of the jobserver that this process was started under: all may write to it.
    pub jobserver: Option<PathBuf>,
}

/// How far build scripts and procedural macros are confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxLevel {
    /// Not at all. What they make is not shared beyond the checkout.
    Off,
    /// Not at all, but what they write into their package is noticed.
    Observe,
    /// They cannot reach the network, and write only to what is theirs.
    DenyNet,
    /// Nor can they read the rest of the user's files.
    Strict,
}

/// What the user, or Wharf itself, lets a package do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The package.
    pub name: String,
    /// Its version, or the beginning of it (`1.2`); `None` is any.
    pub version: Option<String>,
    /// Whether it may reach the network, if that is said.
    pub network: Option<bool>,
    /// Where it may write beside: absolute.
    pub write: Vec<PathBuf>,
    /// Where it may read beside: absolute.
    pub read: Vec<PathBuf>,
}

/// Packages whose purpose is to reach something over the network.
const NETWORK: [&str; 1] = [
    // Checks queries against the database that `DATABASE_URL` names.
    "sqlx-macros",
];

/// Files that are no inputs: what the kernel tells, devices, and what belongs to the running system.
const UNNOTICED: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run", "/etc/ld.so.cache", "/usr/lib/locale", "/usr/share/locale"];
/// Directories of the system, in which programs look for much that is not there.
const SYSTEM: [&str; 7] = ["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/etc"];
/// What linkers read in those directories beside shared libraries: it goes with the linker and the C library, which
/// recipes hold.
const LINKED: [&str; 2] = [".o", ".a"];
/// What Cargo notes for itself in its home.
const CARGO_NOTES: [&str; 4] = [".package-cache", ".package-cache-mutate", ".global-cache", ".crates2.json"];
/// What version control notes.
const REPOSITORY: &str = ".git";

/// Wrappers that speak to a server of their own, and that build scripts put before C compilers.
const SERVED_WRAPPERS: [&str; 3] = ["sccache", "cachepot", "buildcache"];

/// Variables by which a program runs code or finds programs that its user did not choose.
const LOADERS: [&str; 12] = [
    "PATH",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "BASH_ENV",
    "ENV",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "LIBRARY_PATH",
    "COLLECT_GCC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// Whether a compiler must not get this variable from a build script: it would make the compiler load code, or run
/// programs, of the script's choosing.
pub fn is_refused_variable(name: &str) -> bool {
    name.starts_with("LD_") || name.starts_with("DYLD_") || LOADERS.contains(&name)
}

impl Grant {
    /// Whether it is about this package.
    pub fn fits(&self, package: &Package) -> bool {
        let Some(wanted) = &self.version else { return self.name == package.name().as_str() };
        let version = package.id().version().to_string();
        let begins = version
            .strip_prefix(wanted.as_str())
            .is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && wanted.split('.').count() < 3));
        self.name == package.name().as_str() && begins
    }
}

/// The grants of one step, taken together.
#[derive(Default)]
struct Granted {
    network: bool,
    write: Vec<PathBuf>,
    read: Vec<PathBuf>,
}

impl Granted {
    fn add(&mut self, package: &Package, sandbox: &Sandbox) {
        let own = || sandbox.grants.iter().filter(|grant| grant.fits(package));
        let said = own().find_map(|grant| grant.network);
        let shipped = || NETWORK.contains(&package.name().as_str());
        self.network |= said.unwrap_or_else(shipped);
        for grant in own() {
            self.write.extend(grant.write.iter().cloned());
            self.read.extend(grant.read.iter().cloned());
        }
    }
}

impl Plan {
    /// Puts a build script's run into its sandbox.
    pub(crate) fn confine_run(&self, id: UnitId, step: &mut Step) {
        let unit = self.unit(id);
        let sandbox = &self.settings.sandbox;
        let mut granted = Granted::default();
        granted.add(&unit.package, sandbox);
        let mut writes = Vec::new();
        if unit.is_local() {
            writes.push(unit.package.root().to_owned());
            writes.push(self.settings.target_dir.clone());
            writes.push(self.settings.build_dir.clone());
        }
        writes.extend(self.lent(id));
        let temporary =
            vec![("TMPDIR".to_owned(), PathBuf::new()), ("WHARF_HOME".to_owned(), "wharf".into())];
        let reads = vec![unit.package.root().to_owned()];
        let own = unit.is_local().then(|| self.whole_package(unit));
        let confinement = Confinement {
            network: false,
            writes: Some(writes),
            reads: Some(reads),
            watches: true,
            own,
            noticed: Some(self.noticed(unit)),
            temporary,
        };
        self.confine(step, confinement, granted);
    }

    /// Whether a unit's command is put into a sandbox, as far as there is one.
    pub fn is_confined(&self, id: UnitId) -> bool {
        let unit = self.unit(id);
        let is_script = unit.mode == Mode::RunScript;
        is_script || (self.runs_foreign_code(id) && !self.is_wrapped(unit))
    }

    /// Puts a compiler into a sandbox if code of packages decides what it does: procedural macros run in it, and build
    /// scripts choose arguments for it and its linker. Wrappers that the user configured run outside, whatever they
    /// wrap.
    pub(crate) fn confine_compiler(&self, id: UnitId, step: &mut Step) {
        let unit = self.unit(id);
        if !self.is_confined(id) {
            return;
        }
        let mut granted = Granted::default();
        granted.add(&unit.package, &self.settings.sandbox);
        let below = self.reach[id.0].crates.iter().map(|below| self.unit(*below));
        let mut reads = vec![unit.package.root().to_owned()];
        for below in below {
            if below.target.is_proc_macro() {
                granted.add(&below.package, &self.settings.sandbox);
            }
            if below.is_local() {
                reads.push(below.package.root().to_owned());
            }
        }
        let mut writes: Vec<PathBuf> = step.incremental.iter().map(|form| form.dir.clone()).collect();
        if unit.mode == Mode::Doc {
            writes.push(self.layout.doc(&unit.kind));
        } else if let Some(fixer) = self.fixer(unit) {
            writes.extend(fixer.writes.iter().cloned());
            reads.extend(fixer.reads.iter().chain([&fixer.program]).cloned());
        }
        // Who names files for the compiler to write to is answered for by the user.
        let names_files = |args: &[String]| args.iter().any(|arg| arg.starts_with("--emit") || arg == "-o");
        let is_free = names_files(&unit.root_args) || names_files(&unit.rustflags);
        let confinement = Confinement {
            network: false,
            writes: (!is_free).then_some(writes),
            reads: Some(reads),
            watches: false,
            own: None,
            noticed: self.loads_macros(id).then(|| self.noticed_by_macros(id)),
            temporary: vec![("TMPDIR".to_owned(), PathBuf::new())],
        };
        self.confine(step, confinement, granted);
    }

    fn confine(&self, step: &mut Step, mut confinement: Confinement, granted: Granted) {
        let sandbox = &self.settings.sandbox;
        note(&mut step.recipe, sandbox.level, &granted, &self.settings);
        if granted.network
            && let Some(undeclared) = &mut step.undeclared
        {
            // What came over the network is not known.
            undeclared.values = None;
        }
        match sandbox.level {
            SandboxLevel::Off => return,
            SandboxLevel::Observe => {
                confinement.network = true;
                confinement.writes = None;
                confinement.reads = None;
            }
            SandboxLevel::DenyNet => confinement.reads = None,
            SandboxLevel::Strict => {}
        }
        confinement.network |= granted.network;
        if let Some(writes) = &mut confinement.writes {
            writes.extend(granted.write);
            writes.extend(sandbox.jobserver.clone());
        }
        if let Some(reads) = &mut confinement.reads {
            let settings = &self.settings;
            reads.extend(granted.read);
            reads.extend(sandbox.readable.iter().cloned());
            reads.extend([settings.target_dir.clone(), settings.build_dir.clone()]);
            reads.extend([settings.workspace_root.clone(), settings.wharf_home.join("out")]);
            reads.push(self.toolchain.sysroot.clone());
        }
        step.confinement = Some(confinement);
    }

    /// The files that a build script reads without saying so count, wherever they are, but not those that its package
    /// consists of, for which the package speaks itself, nor those that are known to be the same or nobody depends on.
    fn noticed(&self, unit: &Unit) -> Noticed {
        let settings = &self.settings;
        let mut skip: Vec<PathBuf> = UNNOTICED.iter().map(PathBuf::from).collect();
        skip.extend([unit.package.root().to_owned(), self.toolchain.sysroot.clone()]);
        skip.extend([settings.target_dir.clone(), settings.build_dir.clone(), settings.wharf_home.clone()]);
        skip.extend(settings.sandbox.homes.iter().cloned());
        // What version control notes changes with every commit; who depends on it says so.
        let skip_names = vec![REPOSITORY.to_owned(), "__pycache__".to_owned()];
        Noticed { skip, skip_names, system: SYSTEM.iter().map(PathBuf::from).collect(), ..Noticed::default() }
    }

    /// The same for a compiler in which procedural macros run. Nothing speaks for them, so what they read of the
    /// workspace counts as well. Not so what the compiler is known to read, or what cannot change without another name.
    fn noticed_by_macros(&self, id: UnitId) -> Noticed {
        let unit = self.unit(id);
        let mut skip = self.known_to_compilers();
        skip.extend([&unit.kind, &CompileKind::Host].map(|kind| self.layout.deps(kind)));
        skip.push(self.layout.incremental(unit, &self.hashes[id.0]));
        if unit.mode == Mode::Doc {
            skip.push(self.layout.doc(&unit.kind));
        }
        // What the scripts of these made is an input. Directories of macros' own scripts are not among them.
        skip.extend(self.reach[id.0].to_link.iter().filter_map(|run| self.out_dir(*run)));
        if self.is_immutable(unit) {
            skip.push(unit.package.root().to_owned());
        }
        Noticed {
            skip,
            skip_names: vec!["__pycache__".to_owned()],
            system: SYSTEM.iter().map(PathBuf::from).collect(),
            system_skip_endings: LINKED.map(str::to_owned).to_vec(),
            lists: true,
            local_names: vec![REPOSITORY.to_owned()],
        }
    }

    /// Directories and files that count for no compiler.
    fn known_to_compilers(&self) -> Vec<PathBuf> {
        let settings = &self.settings;
        let mut known: Vec<PathBuf> = UNNOTICED.iter().map(PathBuf::from).collect();
        known.extend([self.toolchain.sysroot.clone(), settings.wharf_home.clone()]);
        known.extend(settings.sandbox.sources.iter().cloned());
        for dir in [&settings.target_dir, &settings.build_dir] {
            // What builds note there for themselves.
            known.extend([".wharf", ".rustc_info.json"].map(|name| dir.join(name)));
        }
        let homes = settings.sandbox.homes.iter();
        known.extend(homes.flat_map(|home| CARGO_NOTES.map(|name| home.join(name))));
        known
    }

    /// Directories that others lend to the build scripts that use them. `scratch` does: it tells the path of its own
    /// `OUT_DIR`, and `cxx-build` lays headers there.
    fn lent(&self, run: UnitId) -> Vec<PathBuf> {
        let scripts = self.unit(run).dependencies.iter().map(|edge| edge.unit);
        let crates = scripts.flat_map(|script| &self.reach[script.0].crates);
        let lenders = crates.filter(|below| self.unit(**below).package.name().as_str() == "scratch");
        lenders.filter_map(|lender| self.out_dir(*lender)).collect()
    }

    fn runs_foreign_code(&self, id: UnitId) -> bool {
        let links_for_scripts = self.unit(id).needs_objects() && !self.reach[id.0].to_link.is_empty();
        self.loads_macros(id) || links_for_scripts || !self.script_runs(id).is_empty()
    }

    /// Whether something stands before the compiler that is none.
    fn is_wrapped(&self, unit: &Unit) -> bool {
        let is_compiler = |program: &Path| {
            program.file_stem().is_some_and(|stem| ["rustc", "clippy-driver"].iter().any(|it| stem == *it))
        };
        let toolchain = &self.toolchain;
        let workspace = toolchain.workspace_wrapper.as_ref().filter(|_| unit.is_member);
        let wrapper = toolchain.wrapper.as_ref().filter(|_| self.fixer(unit).is_none());
        let mut wrappers = wrapper.into_iter().chain(workspace);
        if unit.mode == Mode::Doc {
            return !toolchain.rustdoc.starts_with(&toolchain.sysroot);
        }
        // What was configured as the compiler and does not belong to one is a wrapper by another name.
        !toolchain.rustc.starts_with(&toolchain.sysroot) || wrappers.any(|program| !is_compiler(program))
    }
}

/// What cannot work in a sandbox is taken from a build script's environment.
pub(crate) fn settle_script_variables(variables: &mut Variables, settings: &Arc<Settings>) {
    if settings.sandbox.level < SandboxLevel::DenyNet {
        return;
    }
    let stem = |value: &String| Path::new(value).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let wrapper = variables.key.get("RUSTC_WRAPPER").and_then(stem);
    if wrapper.is_some_and(|wrapper| SERVED_WRAPPERS.contains(&wrapper.as_str())) {
        variables.remove("RUSTC_WRAPPER");
    }
    // A C compiler's cache in the user's home is not to be written to by packages; ours serves instead.
    if !settings.base_env.contains_key(std::ffi::OsStr::new("CCACHE_DISABLE")) {
        variables.set_unkeyed("CCACHE_DISABLE", "1");
    }
}

/// The sandbox decides what a script finds: it belongs to the key.
fn note(recipe: &mut Recipe, level: SandboxLevel, granted: &Granted, settings: &Settings) {
    let level = match level {
        SandboxLevel::Off => "off",
        SandboxLevel::Observe => "observe",
        SandboxLevel::DenyNet => "deny-net",
        SandboxLevel::Strict => "strict",
    };
    recipe.push("sandbox", level);
    if granted.network {
        recipe.push("sandbox lets", "network");
    }
    for (what, paths) in [("write to", &granted.write), ("read", &granted.read)] {
        for path in paths {
            let path = path.strip_prefix(&settings.workspace_root).unwrap_or(path);
            recipe.push("sandbox lets", format!("{what} {}", path.to_string_lossy()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaders_are_refused() {
        for name in ["LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PATH", "GCC_EXEC_PREFIX"] {
            assert!(is_refused_variable(name), "{name}");
        }
        for name in ["LDFLAGS", "MY_PATH", "OUT_FILE", "LD"] {
            assert!(!is_refused_variable(name), "{name}");
        }
    }
}
