//! From listed and discovered targets to [`Target`]s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_util_schemas::manifest::{TomlPackageBuild, TomlTarget};

use super::discovery::{BENCH, BIN, EXAMPLE, Found, Kind, LIB, TEST};
use super::error::Problem;
use super::package::edition_of;
use super::unstable::Gates;
use super::{Edition, Warning};
use crate::target::{CrateType, Target, TargetKind};

/// Makes the targets of one package.
pub(super) struct Targets<'a> {
    /// The directory of the package, absolute.
    pub(super) root: &'a Path,
    pub(super) edition: Edition,
    pub(super) gates: Gates<'a>,
    pub(super) warnings: &'a mut Vec<Warning>,
}

impl Targets<'_> {
    /// All targets in the order that `metadata` prints them: library, programs, examples, tests,
    /// benches, build script.
    pub(super) fn make(&mut self, found: &Found, build: &TomlPackageBuild) -> Result<Vec<Target>, Problem> {
        let mut targets = Vec::new();
        if let Some(lib) = &found.lib {
            targets.push(self.lib(lib)?);
        }
        for (kind, list) in
            [(BIN, &found.bin), (EXAMPLE, &found.example), (TEST, &found.test), (BENCH, &found.bench)]
        {
            unique_names(list, kind)?;
            for toml in list {
                targets.push(self.other(toml, kind)?);
            }
        }
        let scripts = match build {
            TomlPackageBuild::Auto(_) => &[],
            TomlPackageBuild::SingleScript(script) => std::slice::from_ref(script),
            TomlPackageBuild::MultipleScript(scripts) => scripts.as_slice(),
        };
        for script in scripts {
            let target = self.build_script(script);
            if targets.iter().any(|other: &Target| other.is_custom_build() && other.name == target.name) {
                return Err(Problem::new(format!(
                    "two build scripts have the file name `{}`",
                    Path::new(script).file_name().unwrap_or_default().to_string_lossy()
                ))
                .at(["package", "build"])
                .help("what they make is told apart by their names: rename one"));
            }
            targets.push(target);
        }
        self.warn_of_shared_files(&targets);
        Ok(targets)
    }

    fn lib(&mut self, toml: &TomlTarget) -> Result<Target, Problem> {
        let name = toml.name.as_deref().unwrap_or_default();
        let types = match toml.crate_types() {
            Some(kinds) => {
                let has = |wanted: &str| kinds.iter().any(|kind| kind == wanted);
                if has("dylib") && has("cdylib") {
                    return Err(Problem::new(format!(
                        "library `{name}` cannot be both `dylib` and `cdylib`"
                    ))
                    .at(["lib", "crate-type"]));
                }
                if has("proc-macro") {
                    self.warnings.push(Warning::plain(format!(
                        "library `{name}` names `proc-macro` as a crate type: write `proc-macro = true` instead"
                    )));
                    if kinds.len() > 1 {
                        return Err(Problem::new("crate type `proc-macro` cannot stand beside others")
                            .at(["lib", "crate-type"]));
                    }
                }
                kinds.iter().map(|kind| CrateType::parse(kind)).collect()
            }
            None if toml.proc_macro() == Some(true) => vec![CrateType::ProcMacro],
            None => vec![CrateType::Lib],
        };
        let mut target = self.plain(toml, TargetKind::Lib(types));
        target.documented = true;
        target.doctest = true;
        self.configure(toml, target, LIB)
    }

    fn other(&mut self, toml: &TomlTarget, kind: Kind) -> Result<Target, Problem> {
        let target_kind = match kind.table {
            "bin" => TargetKind::Bin,
            "test" => TargetKind::Test,
            "bench" => TargetKind::Bench,
            _ => {
                let types: Vec<CrateType> =
                    toml.crate_types().into_iter().flatten().map(|kind| CrateType::parse(kind)).collect();
                match types.iter().all(|kind| *kind == CrateType::Bin) {
                    true => TargetKind::ExampleBin,
                    false => TargetKind::ExampleLib(types),
                }
            }
        };
        if toml.filename.is_some() {
            let keys = kind.keys(toml.name.as_deref().unwrap_or_default(), "filename");
            self.gates.require("`filename`", "different-binary-name").map_err(|problem| problem.at(keys))?;
        }
        let mut target = self.plain(toml, target_kind);
        target.filename = toml.filename.clone();
        target.required_features = toml.required_features.clone().unwrap_or_default();
        target.required_features_stated = toml.required_features.is_some();
        target.documented = kind.table == BIN.table;
        target.tested = matches!(kind.table, "bin" | "test");
        target.benched = matches!(kind.table, "bin" | "bench");
        self.configure(toml, target, kind)
    }

    fn build_script(&self, script: &str) -> Target {
        let stem = Path::new(script).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let toml = TomlTarget { name: Some(format!("build-script-{stem}")), ..TomlTarget::new() };
        let mut target = self.plain(&toml, TargetKind::CustomBuild);
        target.src_path = self.root.join(script);
        target.tested = false;
        target.benched = false;
        target.doc_scrape_examples = Some(false);
        target
    }

    fn plain(&self, toml: &TomlTarget, kind: TargetKind) -> Target {
        Target {
            name: toml.name.clone().unwrap_or_default(),
            kind,
            src_path: toml.path.as_ref().map(|path| self.root.join(&path.0)).unwrap_or_default(),
            required_features: Vec::new(),
            required_features_stated: false,
            tested: true,
            benched: true,
            documented: false,
            doctest: false,
            harness: true,
            edition: self.edition,
            doc_scrape_examples: None,
            filename: None,
        }
    }

    fn configure(&mut self, toml: &TomlTarget, mut target: Target, kind: Kind) -> Result<Target, Problem> {
        target.tested = toml.test.unwrap_or(target.tested);
        target.documented = toml.doc.unwrap_or(target.documented);
        target.doctest = toml.doctest.unwrap_or(target.doctest);
        target.benched = toml.bench.unwrap_or(target.benched);
        target.harness = toml.harness.unwrap_or(target.harness);
        target.doc_scrape_examples = toml.doc_scrape_examples;
        if let Some(edition) = &toml.edition {
            self.warnings.push(Warning::plain(format!(
                "`edition` on {} `{}` is deprecated: set it in `[package]`",
                kind.human, target.name
            )));
            target.edition =
                edition_of(edition).map_err(|problem| problem.at(kind.keys(&target.name, "edition")))?;
        }
        Ok(target)
    }

    fn warn_of_shared_files(&mut self, targets: &[Target]) {
        let mut by_file: BTreeMap<&Path, Vec<&Target>> = BTreeMap::new();
        for target in targets {
            by_file.entry(&target.src_path).or_default().push(target);
        }
        for (path, sharing) in by_file.into_iter().filter(|(_, sharing)| sharing.len() > 1) {
            let names: Vec<String> = sharing
                .iter()
                .map(|target| format!("{} `{}`", target.kind.description(), target.name))
                .collect();
            self.warnings.push(Warning::plain(format!(
                "file `{}` is the source of several targets: {}",
                path.display(),
                names.join(", ")
            )));
        }
    }
}

fn unique_names(list: &[TomlTarget], kind: Kind) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for name in list.iter().filter_map(|target| target.name.as_deref()) {
        if !seen.insert(name) {
            return Err(Problem::new(format!("two {} targets are named `{name}`", kind.human))
                .at(kind.keys(name, "name"))
                .help("give each its own name"));
        }
    }
    Ok(())
}
