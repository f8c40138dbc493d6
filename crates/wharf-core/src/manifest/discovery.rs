//! Which targets a package has: what the manifest lists, and what lies in the usual places (reference,
//! "Target auto-discovery").

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_util_schemas::manifest::{PathValue, TomlPackage, TomlPackageBuild, TomlTarget};

use super::error::Problem;
use super::package::deprecated_underscore;
use super::{Edition, Files, Warning};
use crate::{path_text, suggest};

/// What is told apart between the lists of targets.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// The manifest table: `bin`.
    pub(super) table: &'static str,
    /// The word for people: `binary`.
    pub(super) human: &'static str,
    /// The directory to look in.
    directory: &'static str,
    /// A directory that people take for it.
    mistaken: &'static str,
    /// The `package` key that switches discovery off.
    switch: &'static str,
}

impl Kind {
    /// The way to a key of a target.
    pub(super) fn keys(self, name: &str, key: &str) -> Vec<String> {
        match self.table {
            "lib" => vec!["lib".to_owned(), key.to_owned()],
            table => vec![table.to_owned(), format!("={name}"), key.to_owned()],
        }
    }
}

pub(super) const LIB: Kind =
    Kind { table: "lib", human: "library", directory: "src", mistaken: "lib", switch: "autolib" };
pub(super) const BIN: Kind =
    Kind { table: "bin", human: "binary", directory: "src/bin", mistaken: "src/bins", switch: "autobins" };
pub(super) const EXAMPLE: Kind = Kind {
    table: "example",
    human: "example",
    directory: "examples",
    mistaken: "example",
    switch: "autoexamples",
};
pub(super) const TEST: Kind =
    Kind { table: "test", human: "test", directory: "tests", mistaken: "test", switch: "autotests" };
pub(super) const BENCH: Kind = Kind {
    table: "bench",
    human: "benchmark",
    directory: "benches",
    mistaken: "bench",
    switch: "autobenches",
};

/// The targets of a package, each with name and path, before they become [`crate::Target`]s.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) lib: Option<TomlTarget>,
    pub(super) bin: Vec<TomlTarget>,
    pub(super) example: Vec<TomlTarget>,
    pub(super) test: Vec<TomlTarget>,
    pub(super) bench: Vec<TomlTarget>,
}

/// Looks for targets in one package.
pub(super) struct Discovery<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) package_name: &'a str,
    pub(super) edition: Edition,
    pub(super) warnings: &'a mut Vec<Warning>,
}

type Inferred = Vec<(String, PathBuf)>;

impl Discovery<'_> {
    /// The library, if there is one.
    pub(super) fn lib(
        &mut self,
        stated: Option<&TomlTarget>,
        auto: Option<bool>,
    ) -> Result<Option<TomlTarget>, Problem> {
        let is_complete =
            auto == Some(false) && stated.is_none_or(|lib| lib.name.is_some() && lib.path.is_some());
        let usual = || {
            let path = PathBuf::from("src/lib.rs");
            self.files.is_file(&path).then_some(path)
        };
        let inferred = if is_complete { None } else { usual() };
        let mut lib = match (stated, &inferred) {
            (Some(lib), _) => lib.clone(),
            (None, Some(path)) if auto != Some(false) => {
                TomlTarget { path: Some(PathValue(path.clone())), ..TomlTarget::new() }
            }
            _ => return Ok(None),
        };
        let name = lib.name.get_or_insert_with(|| self.package_name.replace('-', "_")).clone();
        self.check(&lib, LIB)?;
        if name.contains('-') {
            return Err(Problem::new(format!("library name `{name}` holds a hyphen"))
                .at(["lib", "name"])
                .help(format!("write `{}`", name.replace('-', "_"))));
        }
        let path = match lib.path.take() {
            Some(PathValue(path)) => path,
            None => match inferred {
                Some(path) => path,
                None => self.legacy_lib(&name)?,
            },
        };
        lib.path = Some(PathValue(path_text::normalize(&path)));
        Ok(Some(lib))
    }

    fn legacy_lib(&mut self, name: &str) -> Result<PathBuf, Problem> {
        let path = Path::new("src").join(format!("{name}.rs"));
        if self.edition == Edition::E2015 && self.files.is_file(&path) {
            self.warnings.push(Warning::plain(format!(
                "library `{name}` is found at `{}` only for the sake of old packages: rename the file to \
                 `src/lib.rs` or set `lib.path`",
                path.display()
            )));
            return Ok(path);
        }
        Err(Problem::new(format!("there is no `src/lib.rs` for library `{name}`"))
            .at(["lib"])
            .help("create `src/lib.rs`, or set `lib.path`"))
    }

    /// The programs.
    pub(super) fn bins(
        &mut self,
        stated: Option<&Vec<TomlTarget>>,
        auto: Option<bool>,
        has_lib: bool,
    ) -> Result<Vec<TomlTarget>, Problem> {
        let mut targets = self.list(stated, auto, BIN, |discovery| {
            let mut inferred = Inferred::new();
            if discovery.files.is_file(Path::new("src/main.rs")) {
                inferred.push((discovery.package_name.to_owned(), PathBuf::from("src/main.rs")));
            }
            inferred.extend(discovery.directory(BIN.directory));
            inferred
        })?;
        for bin in &mut targets {
            self.check_bin(&bin.target)?;
            let legacy = |discovery: &mut Self, name: &str| discovery.legacy_bin(name, has_lib);
            self.settle(bin, BIN, legacy).map_err(Problem::new)?;
        }
        Ok(targets.into_iter().map(|candidate| candidate.target).collect())
    }

    fn check_bin(&mut self, bin: &TomlTarget) -> Result<(), Problem> {
        self.check(bin, BIN)?;
        let name = bin.name.as_deref().unwrap_or_default();
        if ["deps", "examples", "build", "incremental"].contains(&name) {
            return Err(Problem::new(format!("binary name `{name}` is taken by a directory of the build"))
                .at(BIN.keys(name, "name"))
                .help("choose another name"));
        }
        if let Some(types) = bin.crate_types().filter(|types| !types.is_empty()) {
            self.warnings.push(Warning::critical(format!(
                "binary `{name}` cannot have crate types, but has `{}`",
                types.join(", ")
            )));
        }
        if bin.proc_macro() == Some(true) {
            self.warnings.push(Warning::critical(format!(
                "binary `{name}` cannot be a proc macro (`proc-macro = true`)"
            )));
        }
        Ok(())
    }

    fn legacy_bin(&mut self, name: &str, has_lib: bool) -> Option<PathBuf> {
        let own = (!has_lib).then(|| PathBuf::from(format!("src/{name}.rs")));
        let path = own
            .into_iter()
            .chain(["src/main.rs".into(), "src/bin/main.rs".into()])
            .find(|path| self.files.is_file(path))?;
        self.warnings.push(Warning::plain(format!(
            "binary `{name}` is found at `{}` only for the sake of old packages: set `path` in its `[[bin]]`",
            path.display()
        )));
        Some(path)
    }

    /// Examples, tests or benches.
    pub(super) fn others(
        &mut self,
        kind: Kind,
        stated: Option<&Vec<TomlTarget>>,
        auto: Option<bool>,
    ) -> Result<Vec<TomlTarget>, Problem> {
        let targets = self.list(stated, auto, kind, |discovery| discovery.directory(kind.directory))?;
        for candidate in &targets {
            self.check(&candidate.target, kind)?;
        }
        let mut settled = Vec::new();
        for mut candidate in targets {
            let legacy = |discovery: &mut Self, name: &str| discovery.legacy_bench(kind, name);
            match self.settle(&mut candidate, kind, legacy) {
                Ok(()) => settled.push(candidate.target),
                Err(message) => self.warnings.push(Warning::critical(message)),
            }
        }
        Ok(settled)
    }

    fn legacy_bench(&mut self, kind: Kind, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from("src/bench.rs");
        if kind.table != BENCH.table || name != "bench" || !self.files.is_file(&path) {
            return None;
        }
        self.warnings.push(Warning::plain(
            "benchmark `bench` is found at `src/bench.rs` only for the sake of old packages: set `path` in its \
             `[[bench]]`",
        ));
        Some(path)
    }

    /// What the manifest states, and what discovery adds, by name.
    fn list(
        &mut self,
        stated: Option<&Vec<TomlTarget>>,
        auto: Option<bool>,
        kind: Kind,
        infer: impl FnOnce(&Self) -> Inferred,
    ) -> Result<Vec<Candidate>, Problem> {
        let is_complete = auto == Some(false)
            && stated
                .is_none_or(|list| list.iter().all(|target| target.name.is_some() && target.path.is_some()));
        if is_complete {
            let list = stated.cloned().unwrap_or_default();
            return Ok(list
                .into_iter()
                .map(|target| Candidate { target, inferred: Inferred::new() })
                .collect());
        }
        let inferred = infer(self);
        let found = inferred.iter().map(|(name, path)| TomlTarget {
            name: Some(name.clone()),
            path: Some(PathValue(path.clone())),
            ..TomlTarget::new()
        });
        let mut targets: Vec<TomlTarget> = match stated {
            None if auto == Some(false) => Vec::new(),
            None => found.collect(),
            Some(stated) => {
                let names: BTreeSet<_> = stated.iter().filter_map(|target| target.name.as_deref()).collect();
                let paths: BTreeSet<_> =
                    stated.iter().filter_map(|target| target.path.as_ref().map(|path| &path.0)).collect();
                let rest: Vec<_> = found
                    .filter(|target| {
                        let (Some(name), Some(path)) = (&target.name, &target.path) else { return false };
                        !names.contains(name.as_str()) && !paths.contains(&path.0)
                    })
                    .collect();
                let auto = auto.unwrap_or_else(|| self.auto_of_edition(kind, &rest));
                stated.iter().cloned().chain(if auto { rest } else { Vec::new() }).collect()
            }
        };
        targets.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(targets
            .into_iter()
            .map(|target| {
                // Only targets without a path look among what was found.
                let inferred = if target.path.is_some() { Inferred::new() } else { inferred.clone() };
                Candidate { target, inferred }
            })
            .collect())
    }

    /// In edition 2015 one listed target stops discovery of the others of its kind.
    fn auto_of_edition(&mut self, kind: Kind, rest: &[TomlTarget]) -> bool {
        if self.edition != Edition::E2015 {
            return true;
        }
        if !rest.is_empty() {
            let files: Vec<String> = rest
                .iter()
                .filter_map(|target| target.path.as_ref())
                .map(|path| path.0.display().to_string())
                .collect();
            self.warnings.push(Warning::plain(format!(
                "`[[{}]]` is listed, so in edition 2015 these files are not {} targets, as they are from 2018 on: \
                 {}; set `{} = false` in `[package]` to keep it so, or move them",
                kind.table,
                kind.human,
                files.join(", "),
                kind.switch
            )));
        }
        false
    }

    fn directory(&self, directory: &str) -> Inferred {
        let directory = Path::new(directory);
        let entries = self.files.entries(directory);
        let mut inferred = Inferred::new();
        for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = directory.join(&entry.name);
            if entry.is_dir {
                let main = path.join("main.rs");
                if self.files.is_file(&main) {
                    inferred.push((entry.name.clone(), main));
                }
            } else if let Some(stem) = entry.name.strip_suffix(".rs") {
                inferred.push((stem.to_owned(), path));
            }
        }
        inferred
    }

    /// Names that cannot be, and keys in old spellings.
    fn check(&mut self, target: &TomlTarget, kind: Kind) -> Result<(), Problem> {
        let Some(name) = &target.name else {
            return Err(Problem::new(format!("a {} target has no name", kind.human))
                .at([kind.table])
                .help(format!("add `name` to every `[[{}]]`", kind.table)));
        };
        if name.trim().is_empty() {
            return Err(Problem::new(format!("the name of a {} target is empty", kind.human))
                .at(kind.keys(name, "name")));
        }
        let owner = format!("{} target `{name}`", kind.human);
        for (old, new, spelling) in [
            (target.proc_macro2.is_some(), target.proc_macro.is_some(), "proc-macro"),
            (target.crate_type2.is_some(), target.crate_type.is_some(), "crate-type"),
        ] {
            deprecated_underscore((old, new), spelling, &owner, self.edition, self.warnings)?;
        }
        Ok(())
    }

    /// Gives the target its path, or says why there is none.
    fn settle(
        &mut self,
        candidate: &mut Candidate,
        kind: Kind,
        legacy: impl FnOnce(&mut Self, &str) -> Option<PathBuf>,
    ) -> Result<(), String> {
        let name = candidate.target.name.clone().unwrap_or_default();
        let path = match candidate.target.path.take() {
            Some(PathValue(path)) => path,
            None => {
                let mut same = candidate.inferred.iter().filter(|(found, _)| *found == name);
                match (same.next(), same.next()) {
                    (Some((_, path)), None) => path.clone(),
                    (first, second) => {
                        let old = (self.edition == Edition::E2015).then(|| legacy(self, &name)).flatten();
                        match (old, first, second) {
                            (Some(path), _, _) => path,
                            (None, Some((_, one)), Some((_, other))) => {
                                return Err(format!(
                                    "{} `{name}` could be `{}` or `{}`: set its `path`",
                                    kind.human,
                                    one.display(),
                                    other.display()
                                ));
                            }
                            _ => return Err(self.not_found(&name, kind, &candidate.inferred)),
                        }
                    }
                }
            }
        };
        candidate.target.path = Some(PathValue(path_text::normalize(&path)));
        Ok(())
    }

    fn not_found(&self, name: &str, kind: Kind, inferred: &Inferred) -> String {
        let usual = [format!("{}/{name}.rs", kind.directory), format!("{}/{name}/main.rs", kind.directory)];
        let mistaken = [format!("{}/{name}.rs", kind.mistaken), format!("{}/{name}/main.rs", kind.mistaken)];
        let wrong = mistaken.iter().zip(&usual).find(|(path, _)| self.files.is_file(Path::new(path)));
        if let Some((wrong, right)) = wrong {
            return format!(
                "{} `{name}` lies at `{wrong}`, where it is not looked for: rename it to `{right}` or set its `path`",
                kind.human
            );
        }
        let near = suggest::closest(name, inferred.iter().map(|(name, _)| name.as_str()))
            .map(|near| format!(" (there is `{near}`)"))
            .unwrap_or_default();
        format!(
            "{} `{name}` is neither at `{}` nor at `{}`: set its `path`{near}",
            kind.human, usual[0], usual[1]
        )
    }
}

/// A target, and what discovery found that could be its file.
struct Candidate {
    target: TomlTarget,
    inferred: Inferred,
}

/// `package.build` with the default found on disk.
pub(super) fn build_script(package: &TomlPackage, files: &dyn Files) -> Result<TomlPackageBuild, Problem> {
    let normal = |path: &String| {
        let path = path_text::normalize(Path::new(path));
        path.to_str().map(str::to_owned).expect("`normalize` keeps UTF-8")
    };
    Ok(match &package.build {
        None if files.is_file(Path::new("build.rs")) => TomlPackageBuild::SingleScript("build.rs".to_owned()),
        None | Some(TomlPackageBuild::Auto(false)) => TomlPackageBuild::Auto(false),
        Some(TomlPackageBuild::Auto(true)) => TomlPackageBuild::SingleScript("build.rs".to_owned()),
        Some(TomlPackageBuild::SingleScript(path)) => TomlPackageBuild::SingleScript(normal(path)),
        Some(TomlPackageBuild::MultipleScript(paths)) => {
            TomlPackageBuild::MultipleScript(paths.iter().map(normal).collect())
        }
    })
}
