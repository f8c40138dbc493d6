//! What is equal in every checkout of a workspace, and what is not.
//!
//! Compilers of what lies in the workspace write a mark where they would write its root, and keys hold tokens in place
//! of its directories. What is made is then the same bytes under the same key wherever the workspace is; what names a
//! directory all the same is found by the executor, and serves only there.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wharf_exec::{Checkout, TreeWatch};

use crate::args::{Args, joined};
use crate::files::dep_info_name;
use crate::plan::Plan;
use crate::unit::{Mode, Unit, UnitId};

/// What rustc writes in place of the workspace's root: a path that leads there for a program that was started there,
/// as compilers are. Of fixed length, so that the root can take its place in a finished program. It is put together
/// when it is needed: were it a constant, it would be found in Wharf's own program when Wharf builds that.
pub(crate) fn mark() -> &'static str {
    static MARK: LazyLock<String> = LazyLock::new(|| format!("/proc/self/cwd{}", "/.".repeat(98)));
    &MARK
}

/// The directories of a package in the workspace's root that have sources.
const SOURCE_DIRECTORIES: [&str; 4] = ["src", "tests", "benches", "examples"];

/// Directories in which no macro looks for anything.
const NO_SOURCES: [&str; 10] =
    [".git", ".hg", ".jj", ".svn", ".idea", ".vscode", ".github", ".gitlab", "node_modules", "target"];

impl Plan {
    /// Whether a unit is compiled to the same bytes in every checkout.
    ///
    /// Not what lies elsewhere than the workspace, whose paths are absolute in Cargo's builds too; not where the user
    /// remaps paths already; not for coverage, whose reports must find the sources and whose names are compressed; not
    /// where debug information leaves the program, or is compressed, so that the root could not take the mark's place.
    pub(crate) fn is_placeless(&self, id: UnitId) -> bool {
        *self.placeless[id.0].get_or_init(|| self.can_be_placeless(id))
    }

    fn can_be_placeless(&self, id: UnitId) -> bool {
        let unit = self.unit(id);
        let settings = &self.settings;
        let compiles = matches!(unit.mode, Mode::Build | Mode::Test | Mode::Check { .. });
        let lies_inside = unit.is_local()
            && unit.package.root().starts_with(&settings.workspace_root)
            && unit.target.src_path.starts_with(&settings.workspace_root);
        let fits = |root: &Path| {
            root.to_str()
                .is_some_and(|text| text.len() > 1 && text.len() <= mark().len() && !text.contains('\n'))
        };
        compiles
            && lies_inside
            && self.toolchain.host.contains("-linux")
            && [&settings.workspace_root, &settings.real_root].into_iter().all(|root| fits(root))
            && !self.names_must_stay(unit)
            // Its suggestions name files, and nothing of it is kept.
            && self.fixer(unit).is_none()
    }

    fn names_must_stay(&self, unit: &Unit) -> bool {
        let flags = unit.root_args.iter().chain(unit.rustflags.iter()).chain(&unit.profile.rustflags);
        let signs = ["remap-", "instrument-coverage", "split-debuginfo", "split-dwarf", "compress-debug"];
        let wrappers = self.toolchain.wrapper.iter().chain(&self.toolchain.workspace_wrapper);
        let measures = |wrapper: &PathBuf| wrapper.to_string_lossy().contains("llvm-cov");
        // Who knows what another compiler reads in the workspace?
        let is_other = |wrapper: &PathBuf| !is_clippy(wrapper);
        let splits = unit.profile.split_debuginfo.as_ref().is_some_and(|split| split != "off");
        splits
            || flags.into_iter().any(|flag| signs.iter().any(|sign| flag.contains(sign)))
            || wrappers.into_iter().any(measures)
            || self.toolchain.workspace_wrapper.iter().any(is_other)
            || self.settings.base_env.keys().any(|name| name.to_string_lossy().starts_with("CARGO_LLVM_COV"))
    }

    /// The directories of this checkout, the innermost first, and what stands for them in keys.
    fn directories(&self) -> [(&Path, &'static str); 4] {
        let settings = &self.settings;
        let mut all: [(&Path, _); 4] = [
            (&settings.workspace_root, "{workspace}"),
            (&settings.real_root, "{workspace}"),
            (&settings.target_dir, "{target}"),
            (&settings.build_dir, "{target}"),
        ];
        all.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_os_str().len()));
        all
    }

    /// A text with tokens in place of this checkout's directories.
    pub(crate) fn placeless_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, token) in self.directories() {
            let Some(path) = path.to_str() else { continue };
            text = with_token(&text, path, token);
        }
        text
    }

    /// Whether a package of the whole machine is worked on. It may read variables that name this checkout, such as those
    /// of `[env]`; if what is made does not tell, they have been of no consequence.
    pub(crate) fn is_shared_package(&self, id: UnitId) -> bool {
        self.is_immutable(self.unit(id)) && self.unit(id).mode != Mode::Doc
    }

    /// What the executor must know of the checkout.
    pub(crate) fn checkout(&self, id: UnitId) -> Option<Checkout> {
        let unit = self.unit(id);
        let can_read = unit.mode == Mode::RunScript || self.loads_macros(id);
        if !(self.is_placeless(id) || (can_read && self.is_shared_package(id))) {
            return None;
        }
        let mut roots: Vec<PathBuf> = Vec::new();
        for (path, _) in self.directories().into_iter().rev() {
            if !roots.iter().any(|root| path.starts_with(root)) {
                roots.push(path.to_owned());
            }
        }
        Some(Checkout {
            roots,
            mark: mark().to_owned(),
            root: self.settings.workspace_root.clone(),
            texts: vec![dep_info_name(self.unit(id), &self.hashes[id.0])],
        })
    }

    /// Makes the compiler write the mark for the workspace's root. What it was told the whole path of (`include!` with
    /// `OUT_DIR` or `CARGO_MANIFEST_DIR`) goes by that path, as in Cargo's builds; the last match wins.
    pub(crate) fn remap_args(&self, id: UnitId, args: &mut Args) {
        if !self.is_placeless(id) {
            return;
        }
        let settings = &self.settings;
        let (root, real) = (&settings.workspace_root, &settings.real_root);
        let mut remap = |from: &Path, to: &Path| {
            args.unkeyed("--remap-path-prefix");
            args.unkeyed(joined(&format!("{}=", from.display()), to));
        };
        remap(root, Path::new(mark()));
        if real != root {
            remap(real, Path::new(mark()));
        }
        let mut named: Vec<PathBuf> =
            vec![settings.target_dir.clone(), settings.build_dir.clone(), settings.wharf_home.clone()];
        let below =
            self.unit(id).package.root().strip_prefix(root).ok().and_then(|below| below.iter().next());
        match below {
            Some(first) => named.push(root.join(first)),
            None => named.extend(SOURCE_DIRECTORIES.map(|name| root.join(name))),
        }
        named.dedup();
        for path in named.iter().filter(|path| path.starts_with(root) && *path != root) {
            remap(path, path);
        }
    }

    /// Whether the value of `OUT_DIR` is the place that all checkouts have in common. Only for libraries, which most
    /// that is compiled depends on: tests and programs may look for other files from there, or write to it.
    pub(crate) fn reads_copies(&self, id: UnitId) -> bool {
        let unit = self.unit(id);
        self.is_placeless(id) && unit.target.is_lib() && !unit.mode.is_any_test()
    }

    /// Whether arguments may name files that nobody looks at: then what is made serves only where the workspace is the
    /// same. `flags` come from the user, `linker` from build scripts.
    pub(crate) fn may_read_unseen(&self, id: UnitId, linker: &[String]) -> bool {
        let unit = self.unit(id);
        let flags = unit.root_args.iter().chain(unit.rustflags.iter()).chain(&unit.profile.rustflags);
        flags.into_iter().any(|flag| names_file(flag)) || linker.iter().any(|argument| !is_plain(argument))
    }

    /// Settings of lints that lie beside manifests, which `clippy-driver` looks for.
    pub(crate) fn lint_settings(&self, id: UnitId) -> Vec<PathBuf> {
        if !self.toolchain.workspace_wrapper.iter().any(|wrapper| is_clippy(wrapper)) {
            return Vec::new();
        }
        let root = &self.settings.workspace_root;
        let directories = self.unit(id).package.root().ancestors().take_while(|path| path.starts_with(root));
        directories.flat_map(|path| ["clippy.toml", ".clippy.toml"].map(|name| path.join(name))).collect()
    }

    /// A path as entries keep it: relative to where the compiler starts, if it lies in the workspace.
    pub(crate) fn placeless_path(&self, id: UnitId, path: PathBuf) -> PathBuf {
        if !self.is_placeless(id) {
            return path;
        }
        path.strip_prefix(&self.settings.workspace_root).map(Path::to_owned).unwrap_or(path)
    }

    /// What a macro may read without leaving a trace: anything in its user's package, and what is not Rust anywhere
    /// in the workspace.
    pub(crate) fn readable_by_macros(&self, id: UnitId) -> Vec<TreeWatch> {
        if !self.is_placeless(id) {
            return Vec::new();
        }
        let place = |path: PathBuf| self.placeless_path(id, path);
        let own = self.whole_package(self.unit(id));
        let own = TreeWatch {
            root: place(own.root),
            skip: own.skip.into_iter().map(place).collect(),
            ..TreeWatch { skip_holding: own.skip_holding, ..TreeWatch::default() }
        };
        let workspace = TreeWatch {
            root: PathBuf::new(),
            skip: vec![place(self.settings.target_dir.clone()), place(self.settings.build_dir.clone())],
            // Another checkout below this one.
            skip_holding: Some(".git".to_owned()),
            skip_names: NO_SOURCES.map(str::to_owned).to_vec(),
            skip_ending: Some(".rs".to_owned()),
            once: true,
        };
        vec![own, workspace]
    }
}

fn is_clippy(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name == "clippy-driver")
}

/// Whether a flag of the user's leads the compiler to a file.
fn names_file(flag: &str) -> bool {
    let value = flag.strip_prefix("-C").unwrap_or(flag).trim_start();
    if let Some(arguments) = value.strip_prefix("link-arg=").or_else(|| value.strip_prefix("link-args=")) {
        return !arguments.split_whitespace().all(is_plain);
    }
    let signs = ["@", "-L", "-l", "--extern", "profile-use", "profile-sample-use"];
    signs.iter().any(|sign| value.trim_start_matches("-Z").starts_with(sign)) || value.contains('/')
}

/// Whether an argument for the linker is known to name no file.
fn is_plain(argument: &str) -> bool {
    let beginnings = [
        "-fuse-ld=",
        "-Wl,-O",
        "-Wl,-z",
        "-Wl,--as-needed",
        "-Wl,--no-as-needed",
        "-Wl,--gc-sections",
        "-Wl,--no-undefined",
        "-Wl,--build-id",
        "-Wl,--threads",
        "-Wl,--hash-style",
        "-Wl,--icf",
        "-Wl,-rpath,$ORIGIN",
        "-Wl,-soname,",
        "-Wl,--export-dynamic",
        "-Wl,--compress-debug-sections",
        "-static",
        "-nostartfiles",
        "-nostdlib",
        "-no-pie",
        "-pie",
        "-pthread",
        "-rdynamic",
        "-m",
    ];
    argument == "-s" || beginnings.iter().any(|beginning| argument.starts_with(beginning))
}

/// Puts the token where the text names the directory or something in it, and not one whose name only begins so.
fn with_token(text: &str, directory: &str, token: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(directory) {
        let (before, found) = rest.split_at(at);
        let after = &found[directory.len()..];
        let goes_on = after.starts_with(|next: char| next.is_alphanumeric() || "._-+~".contains(next));
        out.push_str(before);
        out.push_str(if goes_on { directory } else { token });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_leads_to_the_working_directory() {
        assert!(
            std::fs::canonicalize(mark()).unwrap()
                == std::env::current_dir().unwrap().canonicalize().unwrap()
        );
    }

    #[test]
    fn files_in_flags() {
        for flag in
            ["-Ctarget-cpu=native", "-Clink-arg=-fuse-ld=mold", "link-arg=-s", "--cfg", "feature=\"x\"", "-C"]
        {
            assert!(!names_file(flag), "{flag}");
        }
        for flag in [
            "-Clink-arg=-Tmemory.x",
            "-Lnative=libs",
            "link-args=-s @more",
            "-Cprofile-use=x",
            "@flags",
            "a/b",
        ] {
            assert!(names_file(flag), "{flag}");
        }
    }

    #[test]
    fn tokens_stand_for_whole_names() {
        let token = |text| with_token(text, "/home/a", "{workspace}");
        assert_eq!(token("native=/home/a/lib"), "native={workspace}/lib");
        assert_eq!(token("/home/a"), "{workspace}");
        assert_eq!(
            token("/home/a:/home/ab:/home/a.bak:/home/a/"),
            "{workspace}:/home/ab:/home/a.bak:{workspace}/"
        );
    }
}
