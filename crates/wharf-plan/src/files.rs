//! Where everything lies: directories below `target/`, and the files that each unit makes.

use std::path::{Path, PathBuf};

use wharf_core::{CrateType, PackageId};
use wharf_exec::{TreeCopy, TreeOutput};

use crate::error::PlanError;
use crate::hash::UnitHash;
use crate::request::{CompileKind, Settings, TargetInfo, Toolchain};
use crate::unit::{Flavor, Mode, OutputFile, Unit, has_crate_type};

/// The directories of one build.
#[derive(Clone, Debug)]
pub struct Layout {
    target_dir: PathBuf,
    build_dir: PathBuf,
    wharf_home: PathBuf,
    dir_name: String,
    has_finals: bool,
}

impl Layout {
    /// `has_finals` is false for a check: it leaves nothing for people, so nothing of it goes to `target/`.
    pub(crate) fn new(settings: &Settings, dir_name: &str, has_finals: bool) -> Self {
        Self {
            target_dir: settings.target_dir.clone(),
            build_dir: settings.build_dir.clone(),
            wharf_home: settings.wharf_home.clone(),
            dir_name: dir_name.to_owned(),
            has_finals,
        }
    }

    /// Whether finals are laid down.
    pub fn has_finals(&self) -> bool {
        self.has_finals
    }

    /// `target/` for the host, `target/<triple>/` for what was asked for with `--target`.
    pub fn root(&self, kind: &CompileKind) -> PathBuf {
        below(&self.target_dir, kind)
    }

    /// The same in the directory of intermediates (`build.build-dir`).
    pub fn build_root(&self, kind: &CompileKind) -> PathBuf {
        below(&self.build_dir, kind)
    }

    /// `…/<profile>`: where finals lie.
    pub fn dest(&self, kind: &CompileKind) -> PathBuf {
        self.root(kind).join(&self.dir_name)
    }

    /// `…/<profile>` of intermediates.
    pub fn build_dest(&self, kind: &CompileKind) -> PathBuf {
        self.build_root(kind).join(&self.dir_name)
    }

    /// `…/<profile>/deps`
    pub fn deps(&self, kind: &CompileKind) -> PathBuf {
        self.build_dest(kind).join("deps")
    }

    /// `…/<profile>/examples`: where finals of examples lie.
    pub fn examples(&self, kind: &CompileKind) -> PathBuf {
        self.dest(kind).join("examples")
    }

    /// `…/<profile>/build`
    pub fn build(&self, kind: &CompileKind) -> PathBuf {
        self.build_dest(kind).join("build")
    }

    /// `…/<profile>/incremental/<crate>-<hash>`: the state of one unit, so that it can go with the unit.
    pub(crate) fn incremental(&self, unit: &Unit, hash: &UnitHash) -> PathBuf {
        let name = format!("{}-{}", unit.target.crate_name(), hash.id);
        self.build_dest(&unit.kind).join("incremental").join(name)
    }

    /// `…/doc`
    pub fn doc(&self, kind: &CompileKind) -> PathBuf {
        self.root(kind).join("doc")
    }

    /// `…/tmp`: the value of `CARGO_TARGET_TMPDIR`.
    pub fn tmp(&self, kind: &CompileKind) -> PathBuf {
        self.build_root(kind).join("tmp")
    }

    /// The directory of a compiled build script: always on the host's side.
    pub(crate) fn script(&self, unit: &Unit, hash: &UnitHash) -> PathBuf {
        self.build(&CompileKind::Host).join(directory_name(unit.id(), hash))
    }

    /// Where a build script's run puts things: the value of `OUT_DIR`.
    ///
    /// For an immutable package it does not depend on the checkout that asked for it, and each content that the script
    /// makes has a directory of its own; path packages, whose sources are edited, keep theirs in `target/`. The
    /// ancestors look the same either way, since some scripts walk up from it.
    pub(crate) fn out_dir(&self, unit: &Unit, hash: &UnitHash) -> TreeOutput {
        if unit.is_local() {
            let name = directory_name(unit.id(), hash);
            return TreeOutput::At(self.build(&unit.kind).join(name).join("out"));
        }
        let (root, below) = self.shared_out_dir(unit, hash);
        TreeOutput::Chosen { root, below, variable: "OUT_DIR".into() }
    }

    /// Where libraries of a path package find what its script wrote, in every checkout by the same path.
    pub(crate) fn out_dir_copy(&self, unit: &Unit, hash: &UnitHash) -> Option<TreeCopy> {
        let (root, below) = self.shared_out_dir(unit, hash);
        unit.is_local().then_some(TreeCopy { root, below })
    }

    fn shared_out_dir(&self, unit: &Unit, hash: &UnitHash) -> (PathBuf, PathBuf) {
        let name = directory_name(unit.id(), hash);
        let root = self.wharf_home.join("out").join(&name);
        (root, Path::new(&self.dir_name).join("build").join(name).join("out"))
    }

    /// Where the compiler's output of a unit ends up.
    pub(crate) fn output_dir(&self, unit: &Unit, hash: &UnitHash) -> PathBuf {
        match unit.mode {
            Mode::Doc | Mode::Doctest => self.doc(&unit.kind),
            _ if unit.target.is_custom_build() => self.script(unit, hash),
            _ if unit.target.is_example() => self.build_dest(&unit.kind).join("examples"),
            _ => self.deps(&unit.kind),
        }
    }
}

fn below(root: &Path, kind: &CompileKind) -> PathBuf {
    match kind {
        CompileKind::Host => root.to_owned(),
        CompileKind::Target(target) => root.join(target.short_name()),
    }
}

fn directory_name(id: &PackageId, hash: &UnitHash) -> String {
    format!("{}-{}", id.name(), hash.directory)
}

/// One file of a crate type: what surrounds the name.
struct FileType {
    prefix: String,
    suffix: String,
    flavor: Flavor,
    crate_type: Option<CrateType>,
    /// Whether the uplifted file keeps the crate's name instead of the target's.
    crate_name: bool,
}

/// The files that a unit makes, in Cargo's order.
pub(crate) fn outputs(
    unit: &Unit,
    hash: &UnitHash,
    is_root: bool,
    layout: &Layout,
    toolchain: &Toolchain,
) -> Result<Vec<OutputFile>, PlanError> {
    let types = match unit.mode {
        Mode::RunScript | Mode::Doctest => return Ok(Vec::new()),
        Mode::Doc => {
            let name = format!("{}/index.html", unit.target.crate_name());
            let path = layout.doc(&unit.kind).join(&name);
            return Ok(vec![OutputFile { name, path, uplifted: None, flavor: Flavor::Normal }]);
        }
        Mode::Check { .. } => vec![rmeta()],
        Mode::Test => file_types(unit, &[CrateType::Bin], toolchain)?,
        Mode::Build => {
            let crate_types = unit.target.crate_types();
            let mut types = file_types(unit, &crate_types, toolchain)?;
            if !crate_types.iter().any(CrateType::requires_upstream_objects) {
                types.push(rmeta());
            }
            types
        }
    };
    let dir = layout.output_dir(unit, hash);
    let file = |file_type: FileType| {
        let FileType { prefix, suffix, flavor, crate_type, crate_name } = file_type;
        let crate_ = unit.target.crate_name();
        let name = match hash.in_file_names {
            true => format!("{prefix}{crate_}-{}{suffix}", hash.id),
            false => format!("{prefix}{crate_}{suffix}"),
        };
        let path = dir.join(&name);
        let final_name = match (&unit.target.filename, crate_name) {
            (Some(name), _) => format!("{prefix}{name}{suffix}"),
            (None, true) => format!("{prefix}{crate_}{suffix}"),
            (None, false) => format!("{prefix}{}{suffix}", unit.target.name),
        };
        let is_uplifted = unit.mode == Mode::Build
            && flavor != Flavor::Rmeta
            && (layout.has_finals || unit.target.is_custom_build())
            && (unit.target.is_bin()
                || unit.target.is_custom_build()
                || crate_type == Some(CrateType::Dylib)
                || is_root);
        let uplifted = is_uplifted.then(|| uplift_dir(unit, hash, layout).join(final_name));
        let uplifted = uplifted.filter(|uplifted| *uplifted != path);
        OutputFile { name, path, uplifted, flavor }
    };
    Ok(types.into_iter().map(file).collect())
}

fn uplift_dir(unit: &Unit, hash: &UnitHash, layout: &Layout) -> PathBuf {
    if unit.target.is_example() {
        layout.examples(&unit.kind)
    } else if unit.target.is_custom_build() {
        layout.script(unit, hash)
    } else {
        layout.dest(&unit.kind)
    }
}

fn rmeta() -> FileType {
    FileType {
        prefix: "lib".to_owned(),
        suffix: ".rmeta".to_owned(),
        flavor: Flavor::Rmeta,
        crate_type: None,
        crate_name: true,
    }
}

fn file_types(
    unit: &Unit,
    crate_types: &[CrateType],
    toolchain: &Toolchain,
) -> Result<Vec<FileType>, PlanError> {
    let info = toolchain.info(&unit.kind);
    let triple = toolchain.triple(&unit.kind);
    let mut types = Vec::new();
    let mut unsupported = Vec::new();
    for crate_type in crate_types {
        let flavor = match unit.mode != Mode::Test && crate_type.is_linkable() {
            true => Flavor::Linkable,
            false => Flavor::Normal,
        };
        match files_of(info, crate_type, flavor, triple) {
            Some(more) => types.extend(more),
            None => unsupported.push(crate_type.clone()),
        }
    }
    if types.is_empty() {
        return Err(PlanError::CrateType {
            package: unit.id().clone(),
            crate_types: unsupported,
            triple: triple.to_owned(),
        });
    }
    Ok(types)
}

fn files_of(
    info: &TargetInfo,
    crate_type: &CrateType,
    flavor: Flavor,
    triple: &str,
) -> Option<Vec<FileType>> {
    let crate_type = if *crate_type == CrateType::Lib { CrateType::Rlib } else { crate_type.clone() };
    let name = info.file_names.get(&crate_type)?;
    let is_bin = crate_type == CrateType::Bin;
    let file = |prefix: &str, suffix: &str, flavor, crate_name| FileType {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        flavor,
        crate_type: Some(crate_type.clone()),
        crate_name,
    };
    let mut files = vec![file(&name.prefix, &name.suffix, flavor, !is_bin)];
    if crate_type.is_dynamic() && name.suffix == ".dll" {
        if triple.ends_with("-windows-msvc") {
            for suffix in [".dll.lib", ".dll.exp"] {
                files.push(file(&name.prefix, suffix, Flavor::Auxiliary, true));
            }
        } else if ["windows-gnu", "windows-gnullvm", "cygwin"].iter().any(|end| triple.ends_with(end)) {
            files.push(file("lib", ".dll.a", Flavor::Auxiliary, true));
        }
    }
    if triple.starts_with("wasm32-") && is_bin && name.suffix == ".js" {
        files.push(file(&name.prefix, ".wasm", Flavor::Auxiliary, true));
        files.push(file(&name.prefix, ".wasm.map", Flavor::DebugInfo, true));
    }
    if is_bin || crate_type.is_dynamic() {
        if triple.contains("-apple-") {
            let suffix = if is_bin { ".dSYM" } else { ".dylib.dSYM" };
            files.push(file(&name.prefix, suffix, Flavor::DebugInfo, false));
        } else if triple.ends_with("-msvc") || triple.ends_with("-uefi") {
            files.push(file(&name.prefix, ".pdb", Flavor::DebugInfo, true));
        } else {
            files.push(file(&name.prefix, &format!("{}.dwp", name.suffix), Flavor::DebugInfo, !is_bin));
        }
    }
    Some(files)
}

/// The final file of a program that may not be part of the plan (`CARGO_BIN_EXE_*`).
pub(crate) fn program_path(
    unit: &Unit,
    target: &wharf_core::Target,
    layout: &Layout,
    info: &TargetInfo,
) -> PathBuf {
    let name = target.filename.as_deref().unwrap_or(&target.name);
    let file = match info.file_names.get(&CrateType::Bin) {
        Some(surround) => format!("{}{name}{}", surround.prefix, surround.suffix),
        None => name.to_owned(),
    };
    layout.dest(&unit.kind).join(file)
}

/// The `.d` file that the compiler writes beside a unit's output.
pub(crate) fn dep_info_name(unit: &Unit, hash: &UnitHash) -> String {
    match hash.in_file_names {
        true => format!("{}-{}.d", unit.target.crate_name(), hash.id),
        false => format!("{}.d", unit.target.crate_name()),
    }
}

/// The argument for the root source file and the directory to start in: sources inside of the workspace go by
/// their path from its root, so that diagnostics and panics name them so.
pub(crate) fn source_argument(unit: &Unit, workspace_root: &Path) -> (PathBuf, PathBuf) {
    let inside = unit.target.src_path.strip_prefix(workspace_root);
    if let Some(path) = inside.ok().filter(|_| unit.is_local()) {
        return (path.to_owned(), workspace_root.to_owned());
    }
    (unit.target.src_path.clone(), unit.package.root().to_owned())
}

/// Whether a unit makes a `cdylib`.
pub(crate) fn is_cdylib(unit: &Unit) -> bool {
    has_crate_type(&unit.target, &CrateType::Cdylib)
}
