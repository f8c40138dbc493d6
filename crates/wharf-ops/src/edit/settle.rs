//! From what was asked for to the entry that is written: what the manifest has already, what the workspace offers,
//! and what a source knows.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;
use wharf_core::summary::SharedSummary;
use wharf_core::{DepKind, GitReference, PackageName, SourceId, Summary, VersionReq};
use wharf_sources::Sources;

use super::add::{AddRequest, Note};
use super::available::Available;
use super::entry::{Entry, Origin};
use super::manifest::{ManifestFile, Section};
use super::spec::CrateSpec;
use crate::failure::{Context, Failure, Result};
use crate::spelling::usable_versions;
use crate::workspace::Workspace;

/// A dependency as asked for. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct WantedDependency {
    /// The package; what a path or repository holds, if not said.
    pub spec: Option<CrateSpec>,
    /// Where it is, if not in a registry.
    pub location: Option<Location>,
    /// Another name to go by.
    pub rename: Option<String>,
    /// Features to switch on.
    pub features: Option<Vec<String>>,
    /// Whether its `default` feature is on.
    pub default_features: Option<bool>,
    /// Whether it is optional.
    pub optional: Option<bool>,
    /// Whether it is public (unstable).
    pub public: Option<bool>,
    /// A registry by its configured name; crates.io is the empty text.
    pub registry: Option<String>,
}

/// A place that is no registry.
#[derive(Clone, Debug)]
pub enum Location {
    /// An absolute path.
    Path(PathBuf),
    /// A git repository.
    Git {
        /// Its URL, as typed.
        url: String,
        /// Branch, tag or commit.
        reference: GitReference,
    },
}

/// A dependency that is ready to be written.
pub(super) struct Settled {
    pub entry: Entry,
    /// Features that come with `workspace = true`.
    pub inherited: Vec<String>,
    pub available: Available,
}

/// What is needed to settle a dependency.
pub(super) struct Settler<'a> {
    pub workspace: &'a Workspace,
    pub sources: &'a Sources,
    pub request: &'a AddRequest,
    pub manifest: &'a ManifestFile,
    pub tell: &'a mut dyn FnMut(Note),
}

/// Finds an entry by its key.
type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<Entry>>;

impl Settler<'_> {
    pub fn settle(&mut self, wanted: &WantedDependency) -> Result<Settled> {
        let mut asked = match (&wanted.location, &wanted.spec) {
            (Some(location), spec) => self.located(location, spec.as_ref())?,
            (None, Some(spec)) => Entry {
                origin: spec
                    .version
                    .as_ref()
                    .map(|version| Origin::Registry { version: trimmed(version).to_owned() }),
                ..Entry::new(spec.name.as_str())
            },
            (None, None) => return Err(Failure::new("there is no name of a dependency to add")),
        };
        wanted.apply(&mut asked);
        let (manifest, section) = (self.manifest, &self.request.section);
        let old = self.find(&mut asked, &|key| existing(manifest, key, section))?;
        let had_version = old.as_ref().is_some_and(|old| old.version().is_some());
        let mut entry = merged(asked, old, wanted);
        if entry.origin.is_none() {
            self.choose_origin(&mut entry)?;
        }
        if entry.origin == Some(Origin::Workspace) {
            check_inherited(entry.key(), wanted)?;
        }
        // Nobody outside sees development dependencies, so that only a registry needs a version of them.
        if section.kind == DepKind::Development
            && !had_version
            && let Some(origin) = &mut entry.origin
        {
            origin.clear_version();
        }
        let shared = match entry.origin {
            Some(Origin::Workspace) => Some(self.shared(entry.key())?),
            _ => None,
        };
        let inherited = shared.as_ref().and_then(|shared| shared.features.clone()).unwrap_or_default();
        let available = self.available(shared.as_ref().unwrap_or(&entry))?;
        Ok(Settled { entry, inherited, available })
    }

    /// The entry of a package at a path or in a repository.
    fn located(&mut self, location: &Location, spec: Option<&CrateSpec>) -> Result<Entry> {
        let source = match location {
            Location::Path(path) => SourceId::for_path(path)?,
            Location::Git { url, reference } => {
                let parsed = Url::parse(url).context(|| format!("`{url}` is not a URL"))?;
                SourceId::for_git(parsed, reference.clone())
            }
        };
        let Some(spec) = spec else {
            let packages = self.sources.packages(&source)?;
            if packages.len() > 1 {
                let mut names: Vec<&str> = packages.iter().map(|package| package.name().as_str()).collect();
                names.sort_unstable();
                return Err(Failure::new(format!(
                    "there are several packages in `{source}`: {}",
                    names.join(", ")
                ))
                .help("name the one that is wanted"));
            }
            let package =
                packages.first().ok_or_else(|| Failure::new(format!("there is no package in `{source}`")))?;
            return Ok(Entry::of(&package.manifest.summary));
        };
        if let Some(version) = &spec.version {
            let what = if source.is_git() { "git repository" } else { "path" };
            return Err(Failure::new(format!(
                "a {what} cannot be stated together with a version (`{version}`)"
            ))
            .help(format!("leave `@{version}` out")));
        }
        let found = usable_versions(self.sources, &source, &spec.name, None)?;
        match found.as_slice() {
            [] => Err(Failure::new(format!("there is no package `{}` in `{source}`", spec.name))),
            [summary] => {
                self.tell_translated(spec.name.as_str(), summary.id.name().as_str());
                Ok(Entry::of(summary))
            }
            _ => Err(Failure::new(format!("there are several packages `{}` in `{source}`", spec.name))),
        }
    }

    /// Finds an entry by the name that is wanted, or by one that differs in `-` and `_`.
    fn find(&mut self, wanted: &mut Entry, lookup: Lookup<'_>) -> Result<Option<Entry>> {
        if let Some(rename) = &wanted.rename {
            return lookup(rename);
        }
        let spellings = [wanted.name.clone(), wanted.name.replace('-', "_"), wanted.name.replace('_', "-")];
        for spelling in spellings {
            let Some(found) = lookup(&spelling)? else { continue };
            if spelling != wanted.name {
                // Only registries take one spelling for the other.
                if !found.origin.as_ref().is_some_and(Origin::is_registry) {
                    continue;
                }
                self.tell_translated(&wanted.name, &spelling);
                wanted.name = spelling;
            }
            return Ok(Some(found));
        }
        Ok(None)
    }

    fn tell_translated(&mut self, from: &str, to: &str) {
        if from != to {
            (self.tell)(Note::Warning(format!("translating `{from}` to `{to}`")));
        }
    }

    /// Looks for a package that was only named: in the workspace, then in the registry.
    fn choose_origin(&mut self, entry: &mut Entry) -> Result<()> {
        let root = ManifestFile::read(self.workspace.root_manifest())?;
        let shared = |key: &str| Ok(workspace_entry(&root, key).ok());
        if self.find(entry, &shared)?.is_some() {
            entry.origin = Some(Origin::Workspace);
            return Ok(());
        }
        if let Some(member) = self.workspace.members().find(|member| member.name().as_str() == entry.name) {
            entry.origin = Some(Origin::of(&member.manifest.summary));
            if self.request.section.kind == DepKind::Development
                && let Some(origin) = &mut entry.origin
            {
                origin.clear_version();
            }
            return Ok(());
        }
        let latest = self.latest(entry)?;
        self.tell_translated(&entry.name, latest.id.name().as_str());
        entry.name = latest.id.name().to_string();
        entry.origin = Some(Origin::of(&latest));
        Ok(())
    }

    /// The newest version that the compiler can do with.
    fn latest(&mut self, entry: &Entry) -> Result<Arc<Summary>> {
        let source = self.source(entry)?;
        let mut found = usable_versions(self.sources, &source, &PackageName::new(&entry.name)?, None)?;
        // A pre-release only where there is nothing else.
        found.sort_by_key(|summary| (summary.id.version().pre.is_empty(), summary.id.version().clone()));
        let latest = found.last().ok_or_else(|| self.missing(entry, &source))?;
        if self.request.ignore_rust_version {
            return Ok(latest.clone());
        }
        let package = &self.request.package;
        let stated = package.manifest.rust_version.as_ref().map(|version| version.to_partial());
        let (rust, whose) = match (&stated, &self.request.rustc) {
            (Some(stated), _) => (stated, format!("`{}` supports Rust {stated}", package.name())),
            (None, Some(rustc)) => (rustc, format!("the compiler is Rust {rustc}")),
            (None, None) => return Ok(latest.clone()),
        };
        let fits = |summary: &&SharedSummary| {
            summary.rust_version.as_ref().is_none_or(|wanted| wanted.is_compatible_with(rust))
        };
        let needs = latest.rust_version.as_ref().map(|version| version.to_string()).unwrap_or_default();
        let name = &entry.name;
        let newest = latest.id.version();
        let Some(fitting) = found.iter().rev().find(fits) else {
            return Err(Failure::new(format!("every version of `{name}` needs a newer Rust, while {whose}"))
                .help(format!("`--ignore-rust-version` takes {name}@{newest}, which needs Rust {needs}")));
        };
        if fitting.id.version() < newest {
            (self.tell)(Note::Warning(format!(
                "ignoring {name}@{newest}, which needs Rust {needs}, while {whose}"
            )));
        }
        Ok(fitting.clone())
    }

    fn source(&self, entry: &Entry) -> Result<SourceId> {
        entry.source(self.workspace.loader())?.ok_or_else(|| {
            Failure::new(format!("the dependency `{}` has no version, path or repository", entry.key()))
        })
    }

    fn missing(&self, entry: &Entry, source: &SourceId) -> Failure {
        Failure::new(format!("there is no package `{entry}` in `{source}`"))
    }

    /// The entry of `workspace.dependencies`.
    fn shared(&self, key: &str) -> Result<Entry> {
        let root = ManifestFile::read(self.workspace.root_manifest())?;
        workspace_entry(&root, key)
    }

    /// The features of the oldest version that fits: every version has at least these.
    fn available(&self, entry: &Entry) -> Result<Available> {
        let source = self.source(entry)?;
        let requirement = entry.version().map(VersionReq::parse).transpose()?;
        let found =
            usable_versions(self.sources, &source, &PackageName::new(&entry.name)?, requirement.as_ref())?;
        let oldest = found
            .iter()
            .min_by_key(|summary| (!summary.id.version().pre.is_empty(), summary.id.version().clone()));
        oldest.map(|summary| Available::of(summary)).ok_or_else(|| self.missing(entry, &source))
    }
}

impl WantedDependency {
    /// Writes what was asked for over an entry.
    fn apply(&self, entry: &mut Entry) {
        if let Some(registry) = &self.registry {
            entry.registry = Some(registry.clone()).filter(|name| !name.is_empty());
        }
        if let Some(optional) = self.optional {
            entry.optional = optional.then_some(true);
        }
        if let Some(public) = self.public {
            entry.public = public.then_some(true);
        }
        if let Some(default_features) = self.default_features {
            entry.default_features = (!default_features).then_some(false);
        }
        if let Some(features) = &self.features {
            entry.extend_features(features);
        }
        if let Some(rename) = &self.rename {
            entry.rename = Some(rename.clone());
        }
    }
}

/// Puts what is asked for and what is there together.
fn merged(mut asked: Entry, old: Option<Entry>, wanted: &WantedDependency) -> Entry {
    let Some(mut old) = old else { return asked };
    if old.name != asked.name {
        // Another package: hardly anything that was said of the old one is meant for it.
        asked.optional = asked.optional.or(old.optional);
        return asked;
    }
    if asked.origin.is_some() {
        old.origin = asked.origin;
    }
    wanted.apply(&mut old);
    old
}

/// The entry that the manifest has: in the same section, or else where another section says where it comes from.
fn existing(manifest: &ManifestFile, key: &str, section: &Section) -> Result<Option<Entry>> {
    let mut best: Option<((u8, bool), bool, Result<Entry>)> = None;
    for (place, table) in manifest.sections() {
        let Some(item) = table.get(key) else { continue };
        let entry = Entry::read(key, item, manifest.dir());
        let is_same = place == *section;
        let rank = match (&entry, place.kind) {
            _ if is_same => 4,
            (Err(_), _) => 0,
            (_, DepKind::Normal) => 3,
            (_, DepKind::Build) => 2,
            (_, DepKind::Development) => 1,
        };
        let rank = (rank, is_same || place.platform.is_some());
        if best.as_ref().is_none_or(|(before, ..)| *before <= rank) {
            best = Some((rank, is_same, entry));
        }
    }
    let Some((_, is_same, entry)) = best else { return Ok(None) };
    let entry = entry?;
    if is_same {
        return Ok(Some(entry));
    }
    // From another section only the source is of interest, not features and the like.
    let mut copy = Entry { origin: entry.origin, registry: entry.registry, ..Entry::new(entry.name) };
    if section.kind == DepKind::Development
        && let Some(origin) = &mut copy.origin
    {
        origin.clear_version();
    }
    Ok(Some(copy))
}

fn workspace_entry(root: &ManifestFile, key: &str) -> Result<Entry> {
    let tables = root.document.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let item = tables.and_then(|table| table.get(key)).ok_or_else(|| {
        Failure::new(format!(
            "there is no `{key}` in `workspace.dependencies` of `{}`",
            root.path().display()
        ))
    })?;
    Entry::read(key, item, root.dir())
}

/// Refuses what an entry with `workspace = true` cannot say for itself.
fn check_inherited(key: &str, wanted: &WantedDependency) -> Result<()> {
    let flags = [
        (wanted.default_features.is_some(), "--default-features", "default-features"),
        (wanted.registry.is_some(), "--registry", "registry"),
        (wanted.rename.is_some(), "--rename", "package"),
    ];
    match flags.iter().find(|(is_given, ..)| *is_given) {
        None => Ok(()),
        Some((_, flag, field)) => {
            Err(Failure::new(format!("`{flag}` cannot change the inherited dependency `{key}`")).help(format!(
                "change `workspace.dependencies.{key}.{field}`, or state the dependency in the package's manifest \
                 alone"
            )))
        }
    }
}

fn trimmed(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}
