//! What was installed below one root: `.crates.toml` and `.crates2.json`, which Cargo reads and writes too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::{fs, lock};
use wharf_core::{Package, PackageId, SourceId, Version};

use crate::failure::{Context, Failure, Result};
use crate::resolve::CliFeatures;

/// With what a package was installed.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--version`
    pub version_req: Option<String>,
    /// Features of the command line.
    pub features: CliFeatures,
    /// The profile by name.
    pub profile: String,
    /// The platform.
    pub target: String,
    /// What `rustc -vV` prints.
    pub rustc: String,
}

/// The files of one root, locked while this lives.
pub struct Tracker {
    root: PathBuf,
    /// Programs by package, the spelling that every Cargo knows. Where the other file differs, this one is right.
    v1: BTreeMap<String, BTreeSet<String>>,
    v2: V2,
    _locks: [lock::Lock; 2],
}

#[derive(Default, Serialize, Deserialize)]
struct V1 {
    #[serde(default)]
    v1: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Default, Serialize, Deserialize)]
struct V2 {
    installs: BTreeMap<String, Info>,
    /// What later versions may write is kept.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Info {
    version_req: Option<String>,
    bins: BTreeSet<String>,
    features: BTreeSet<String>,
    all_features: bool,
    no_default_features: bool,
    profile: String,
    target: Option<String>,
    rustc: Option<String>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

impl Info {
    fn unknown(bins: &BTreeSet<String>) -> Self {
        Self {
            version_req: None,
            bins: bins.clone(),
            features: BTreeSet::new(),
            all_features: false,
            no_default_features: false,
            profile: "release".to_owned(),
            target: None,
            rustc: None,
            other: BTreeMap::new(),
        }
    }

    fn set(&mut self, options: &Options) {
        self.version_req.clone_from(&options.version_req);
        self.features = feature_names(&options.features);
        self.all_features = options.features.all;
        self.no_default_features = !options.features.default;
        self.profile.clone_from(&options.profile);
        self.target = Some(options.target.clone());
        self.rustc = Some(options.rustc.clone());
    }

    fn is_as(&self, options: &Options, programs: &BTreeSet<String>) -> bool {
        self.features == feature_names(&options.features)
            && self.all_features == options.features.all
            && self.no_default_features != options.features.default
            && self.profile == options.profile
            && self.target.as_ref().is_none_or(|target| *target == options.target)
            && self.bins == *programs
    }
}

fn feature_names(features: &CliFeatures) -> BTreeSet<String> {
    features.named.iter().map(ToString::to_string).collect()
}

/// `name version (source)`
fn key(id: &PackageId) -> String {
    format!("{} {} ({})", id.name(), id.version(), id.source().encoded())
}

fn parse_key(text: &str) -> Option<PackageId> {
    let (name, rest) = text.split_once(' ')?;
    let (version, source) = rest.split_once(' ')?;
    let source = source.strip_prefix('(')?.strip_suffix(')')?;
    let source = SourceId::from_encoded(source).ok()?;
    Some(PackageId::new(name.parse().ok()?, Version::parse(version).ok()?, source))
}

/// What stands in the way of an installation.
pub struct Upgrade {
    /// Everything is there already, made the same way.
    pub is_fresh: bool,
    /// Programs that exist, and the packages that they came with, if that is known.
    pub duplicates: BTreeMap<String, Option<PackageId>>,
}

impl Tracker {
    /// Reads the files, which are locked until this is dropped; `waiting` is called if somebody else has them.
    ///
    /// # Errors
    /// If they cannot be read, or hold something else.
    pub fn load(root: &Path, waiting: &dyn Fn()) -> Result<Self> {
        let (first, second) = (root.join(".crates.toml"), root.join(".crates2.json"));
        let locks = [
            lock::acquire(&first, lock::Mode::Exclusive, waiting)?,
            lock::acquire(&second, lock::Mode::Exclusive, waiting)?,
        ];
        let bad = |path: &Path| format!("failed to parse crate metadata at `{}`", path.display());
        let text = |path: &Path| -> Result<String> {
            let bytes = fs::read_if_exists(path)?.unwrap_or_default();
            String::from_utf8(bytes).context(|| bad(path))
        };
        let v1: V1 = toml::from_str(&text(&first)?).context(|| bad(&first))?;
        let json = text(&second)?;
        let mut v2: V2 = match json.is_empty() {
            true => V2::default(),
            false => serde_json::from_str(&json).context(|| bad(&second))?,
        };
        if let Some(wrong) = v1.v1.keys().find(|key| parse_key(key).is_none()) {
            return Err(Failure::new(format!("`{wrong}` is no package id")).context(bad(&first)));
        }
        v2.installs.retain(|id, _| v1.v1.contains_key(id));
        for (id, bins) in &v1.v1 {
            match v2.installs.get_mut(id) {
                Some(info) => info.bins.clone_from(bins),
                None => drop(v2.installs.insert(id.clone(), Info::unknown(bins))),
            }
        }
        Ok(Self { root: root.to_owned(), v1: v1.v1, v2, _locks: locks })
    }

    /// What is installed: packages and their programs.
    pub fn all(&self) -> Vec<(PackageId, &BTreeSet<String>)> {
        let mut all: Vec<_> = self.v1.iter().filter_map(|(id, bins)| Some((parse_key(id)?, bins))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The programs of one package.
    pub fn programs(&self, id: &PackageId) -> Option<&BTreeSet<String>> {
        self.v1.get(&key(id))
    }

    fn owner(&self, program: &str) -> Option<PackageId> {
        self.all().into_iter().find(|(_, bins)| bins.contains(program)).map(|(id, _)| id)
    }

    /// Compares what is to be installed with what is.
    ///
    /// # Errors
    /// If programs of other packages, or of unknown origin, are in the way, and not `force`.
    pub fn compare(
        &self,
        package: &Package,
        programs: &BTreeSet<String>,
        options: &Options,
        force: bool,
    ) -> Result<Upgrade> {
        let bin = self.root.join("bin");
        let existing = programs.iter().filter(|name| bin.join(name).exists());
        let duplicates: BTreeMap<String, Option<PackageId>> =
            existing.map(|name| (name.clone(), self.owner(name))).collect();
        if force || duplicates.is_empty() {
            return Ok(Upgrade { is_fresh: false, duplicates });
        }
        let is_same = |id: &&PackageId| id.name() == package.name();
        let same: Vec<&PackageId> = duplicates.values().flatten().filter(is_same).collect();
        if same.len() != duplicates.len() {
            let lines: Vec<String> = duplicates
                .iter()
                .map(|(name, owner)| match owner {
                    Some(owner) => {
                        format!("binary `{name}` already exists in destination as part of `{owner}`")
                    }
                    None => format!("binary `{name}` already exists in destination"),
                })
                .collect();
            return Err(Failure::new(lines.join("\n")).help("add --force to overwrite"));
        }
        let source = package.id().source();
        let is_current = |id: &&PackageId| {
            id.version() == package.id().version()
                && id.source() == source
                && self.v2.installs.get(&key(id)).is_some_and(|info| info.is_as(options, programs))
        };
        // What lies on this machine may have changed without a new version.
        let is_fresh = !source.is_path() && same.iter().all(is_current);
        Ok(Upgrade { is_fresh, duplicates })
    }

    /// Notes that programs of a package were installed.
    pub fn add(&mut self, package: &PackageId, programs: &BTreeSet<String>, options: &Options) {
        for bins in self.v1.values_mut() {
            bins.retain(|name| !programs.contains(name));
        }
        for info in self.v2.installs.values_mut() {
            info.bins.retain(|name| !programs.contains(name));
        }
        self.v1.retain(|_, bins| !bins.is_empty());
        self.v2.installs.retain(|_, info| !info.bins.is_empty());
        let key = key(package);
        self.v1.entry(key.clone()).or_default().extend(programs.iter().cloned());
        let info = self.v2.installs.entry(key).or_insert_with(|| Info::unknown(&BTreeSet::new()));
        info.bins.extend(programs.iter().cloned());
        info.set(options);
    }

    /// Forgets one program of a package.
    pub fn remove(&mut self, package: &PackageId, program: &str) {
        let key = key(package);
        if let Some(bins) = self.v1.get_mut(&key) {
            bins.remove(program);
        }
        if let Some(info) = self.v2.installs.get_mut(&key) {
            info.bins.remove(program);
        }
        self.v1.retain(|_, bins| !bins.is_empty());
        self.v2.installs.retain(|_, info| !info.bins.is_empty());
    }

    /// Writes the files, into the very ones that are locked.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(&self) -> Result<()> {
        let v1 = V1 { v1: self.v1.clone() };
        fs::write(&self.root.join(".crates.toml"), toml::to_string_pretty(&v1)?)?;
        fs::write(&self.root.join(".crates2.json"), serde_json::to_string(&self.v2)?)?;
        Ok(())
    }
}
