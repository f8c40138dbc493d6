//! A world for plans: packages from text, a resolution by name, a compiler that was never asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_core::manifest::{AnyManifest, Entry, Files, Origin, TomlDocument, Unstable};
use wharf_core::profile::{ProfileSet, ProfileSources};
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor, Resolution, ResolvedEdge, ResolvedPackage};
use wharf_core::{CrateType, Dependency, FeatureName, Package, PackageId, SourceId};
use wharf_exec::Arg;

use crate::args::Args;
use crate::checkout::mark;
use crate::request::*;
use crate::{Costs, Grant, Mode, Plan, PlanError, Sandbox, SandboxLevel, UnitId};

struct Listing(BTreeSet<PathBuf>);

impl Files for Listing {
    fn is_file(&self, path: &Path) -> bool {
        self.0.contains(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.0.iter().any(|file| file.starts_with(path) && file != path)
    }
    fn entries(&self, path: &Path) -> Vec<Entry> {
        let below = |file: &PathBuf| {
            let rest = file.strip_prefix(path).ok()?;
            let mut parts = rest.components();
            let name = parts.next()?.as_os_str().to_str()?.to_owned();
            Some((name, parts.next().is_some()))
        };
        let names: BTreeSet<_> = self.0.iter().filter_map(below).collect();
        names.into_iter().map(|(name, is_dir)| Entry { name, is_dir }).collect()
    }
}

/// Packages and wishes.
pub(crate) struct World {
    root: PathBuf,
    packages: BTreeMap<PackageId, Arc<Package>>,
    members: BTreeSet<PackageId>,
    pub intent: Intent,
    pub lends: bool,
    pub targets: TargetFilter,
    pub kinds: Vec<CompileKind>,
    pub profile: &'static str,
    pub profiles: &'static str,
    pub root_args: Vec<String>,
    pub grants: Vec<Grant>,
    pub level: SandboxLevel,
    pub costs: Costs,
    pub fixer: Option<Fixer>,
}

pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

impl World {
    pub fn new() -> Self {
        Self::at("/w")
    }

    pub fn at(root: &str) -> Self {
        Self {
            root: root.into(),
            packages: BTreeMap::new(),
            members: BTreeSet::new(),
            intent: Intent::Build,
            lends: false,
            targets: TargetFilter::Default { skip_missing_features: true },
            kinds: vec![CompileKind::Host],
            profile: "dev",
            profiles: "",
            root_args: Vec::new(),
            grants: Vec::new(),
            level: SandboxLevel::DenyNet,
            costs: Costs::new(),
            fixer: None,
        }
    }

    /// A member in the directory of its name.
    pub fn member(self, name: &str, manifest: &str, files: &[&str]) -> Self {
        let dir = self.root.join(name);
        let source = SourceId::for_path(&dir).unwrap();
        self.package(name, manifest, files, (dir, source, true))
    }

    /// A package of crates.io.
    pub fn registry(self, name: &str, manifest: &str, files: &[&str]) -> Self {
        let dir = PathBuf::from(format!("/home/src/{name}-1.0.0"));
        self.package(name, manifest, files, (dir, SourceId::crates_io(), false))
    }

    fn package(
        mut self,
        name: &str,
        manifest: &str,
        files: &[&str],
        (dir, source, is_member): (PathBuf, SourceId, bool),
    ) -> Self {
        let text =
            format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n{manifest}\n");
        let path = dir.join("Cargo.toml");
        let origin = Origin {
            path: &path,
            source: &source,
            inheritable: None,
            registries: &|_| None,
            is_local: is_member,
            unstable: &Unstable::none(),
        };
        let listing = Listing(files.iter().map(PathBuf::from).collect());
        let AnyManifest::Real(manifest) = AnyManifest::parse(&text, &origin, &listing).unwrap() else {
            panic!("the text has a package")
        };
        let package = Package { manifest: Arc::new(*manifest), manifest_path: path };
        let id = package.id().clone();
        if is_member {
            self.members.insert(id.clone());
        }
        self.packages.insert(id, Arc::new(package));
        self
    }

    fn resolution(&self) -> Resolution {
        let mut resolution = Resolution::default();
        for (id, package) in &self.packages {
            let mut edges: BTreeMap<PackageId, Vec<Dependency>> = BTreeMap::new();
            for dependency in &package.manifest.summary.dependencies {
                let to = self.packages.keys().find(|to| to.name() == dependency.name()).unwrap();
                edges.entry(to.clone()).or_default().push(dependency.clone());
            }
            let edges =
                edges.into_iter().map(|(to, dependencies)| ResolvedEdge { to, dependencies }).collect();
            let checksum = (!id.source().is_path()).then(|| format!("sum of {}", id.name()));
            let resolved = ResolvedPackage {
                summary: package.manifest.summary.clone(),
                edges,
                features: BTreeSet::new(),
                checksum,
            };
            resolution.packages.insert(id.clone(), resolved);
        }
        resolution
    }

    pub fn plan(&self) -> Result<Plan, PlanError> {
        let mut features = ActivatedFeatures::default();
        for (id, package) in &self.packages {
            let has_default = package.manifest.summary.features.contains_key("default");
            let on = has_default.then(|| FeatureName::new("default").unwrap());
            features.features.insert((id.clone(), FeaturesFor::Target), on.into_iter().collect());
        }
        let document = TomlDocument::read(self.profiles, Path::new("/w/Cargo.toml"), false).unwrap();
        let config = BTreeMap::new();
        let sources = ProfileSources {
            manifest: document.toml.profile.as_ref(),
            config: &config,
            incremental: None,
            unstable: &Unstable::none(),
        };
        let profiles = ProfileSet::new(&sources, self.profile).unwrap();
        let selected: Vec<PackageId> = self.members.iter().cloned().collect();
        crate::plan(&Request {
            resolution: &self.resolution(),
            packages: &self.packages,
            features: &features,
            members: &self.members,
            selected: &selected,
            selection: &Selection::Default,
            intent: self.intent,
            targets: &self.targets,
            kinds: &self.kinds,
            dev_units: self.intent.is_test(),
            lends: self.lends,
            profiles: &profiles,
            toolchain: &Arc::new(toolchain(&self.kinds)),
            settings: &Arc::new(self.settings()),
            costs: &self.costs,
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            workspace_root: self.root.clone(),
            real_root: self.root.clone(),
            target_dir: self.root.join("target"),
            build_dir: self.root.join("target"),
            wharf_home: "/home/wharf".into(),
            cargo: "/bin/wharf".into(),
            jobs: 2,
            base_env: Arc::default(),
            env: Vec::new(),
            diagnostics: Diagnostics { short: false, json: false, width: None },
            all_warnings: false,
            incremental: IncrementalPolicy::WhenEdited,
            root_args: self.root_args.clone(),
            root_crate_types: Vec::new(),
            document_private_items: false,
            allows_unstable: false,
            any_script_metadata: false,
            check_rust_version: true,
            fixer: self.fixer.clone(),
            artifact_dir: None,
            compile_time_deps: false,
            sandbox: Sandbox {
                level: self.level,
                grants: self.grants.clone(),
                readable: Vec::new(),
                homes: Vec::new(),
                sources: Vec::new(),
                jobserver: None,
            },
        }
    }
}

fn toolchain(kinds: &[CompileKind]) -> Toolchain {
    let name = |prefix: &str, suffix: &str| FileName { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
    let info = TargetInfo {
        cfgs: vec!["unix".parse().unwrap()],
        file_names: [
            (CrateType::Bin, name("", "")),
            (CrateType::Rlib, name("lib", ".rlib")),
            (CrateType::Dylib, name("lib", ".so")),
            (CrateType::Cdylib, name("lib", ".so")),
            (CrateType::Staticlib, name("lib", ".a")),
            (CrateType::ProcMacro, name("lib", ".so")),
        ]
        .into(),
        ..TargetInfo::default()
    };
    let kinds = kinds.iter().cloned().chain([CompileKind::Host]);
    Toolchain {
        rustc: "/tools/rustc".into(),
        rustc_shown: None,
        rustdoc_shown: None,
        wrapper: None,
        workspace_wrapper: None,
        rustdoc: "/tools/rustdoc".into(),
        version: semver::Version::new(1, 95, 0),
        verbose_version: format!("rustc 1.95.0\nhost: {HOST}\n"),
        content_id: "c".to_owned(),
        host: HOST.to_owned(),
        sysroot: "/tools".into(),
        targets: kinds.map(|kind| (kind, info.clone())).collect(),
    }
}

impl Plan {
    /// One line for each unit: name, mode, platform, and what it needs (`~` early).
    pub(crate) fn sketch(&self) -> String {
        let short = |id: UnitId| {
            let unit = self.unit(id);
            let side = if unit.kind.is_host() { "" } else { "@" };
            let mode = match unit.mode {
                Mode::Build => "",
                Mode::RunScript => " run",
                other => &format!(" {}", other.name()),
            };
            let level = &unit.profile.opt_level;
            format!("{side}{}:{}{mode}:{level}{}", unit.id().name(), kind(unit), unit.profile.debuginfo)
        };
        let mut text = String::new();
        for index in 0..self.units.len() {
            let id = UnitId(index);
            text.push_str(&short(id));
            for edge in &self.unit(id).dependencies {
                let early = if self.only_needs_metadata(id, edge.unit) { "~" } else { " " };
                text.push_str(&format!(" <-{early}{}", short(edge.unit)));
            }
            text.push('\n');
        }
        text
    }

    /// The compiler's arguments for a unit, without what is the same everywhere.
    pub(crate) fn flags(&self, name: &str, mode: Mode) -> String {
        let find = |id: &UnitId| self.unit(*id).target.name == name && self.unit(*id).mode == mode;
        let id = (0..self.units.len()).map(UnitId).find(find).unwrap();
        let mut args = Args::default();
        self.rustc_args(id, &mut args);
        let texts: Vec<String> = args
            .list
            .iter()
            .map(|arg| match arg {
                Arg::Plain(text) => text.to_string_lossy().into_owned(),
                Arg::Scratch { .. } => "<out>".to_owned(),
            })
            .collect();
        let mut text = texts.join(" ");
        for hash in &self.hashes {
            text = text.replace(&hash.id, "ID").replace(&hash.metadata, "META").replace(mark(), "MARK");
        }
        for same in [
            " --error-format=json --json=diagnostic-rendered-ansi,artifacts,future-incompat",
            " --check-cfg cfg(docsrs,test) --check-cfg cfg(feature, values())",
            " -C metadata=META -C extra-filename=-ID --out-dir <out>",
        ] {
            text = text.replace(same, "");
        }
        text
    }
}

fn kind(unit: &crate::Unit) -> &'static str {
    match unit.target.kind.description() {
        "build-script" => "script",
        "integration-test" => "it",
        other => other,
    }
}
