//! Dependency tables: inheritance, checks, and the sources that they mean.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use cargo_platform::Platform;
use cargo_util_schemas::core::GitReference;
use cargo_util_schemas::manifest::{
    InheritableDependency, PackageName as TomlName, TomlDependency, TomlDetailedDependency, TomlManifest,
    TomlPlatform,
};
use semver::VersionReq;
use url::Url;

use super::document::Origin;
use super::error::Problem;
use super::inherit::Inherit;
use super::package::deprecated_underscore;
use super::unstable::refused;
use super::{Edition, Warning};
use crate::dependency::{DepKind, Dependency, DependencyFields, Requirement};
use crate::name::{FeatureName, PackageName};
use crate::path_text;
use crate::source::SourceId;

pub(super) type Table = BTreeMap<TomlName, InheritableDependency>;

/// Reads dependency tables of one manifest.
pub(super) struct Dependencies<'a> {
    pub(super) origin: &'a Origin<'a>,
    pub(super) inherit: Inherit<'a>,
    pub(super) edition: Edition,
    pub(super) warnings: &'a mut Vec<Warning>,
    /// What is read becomes part of the normalised manifest too.
    pub(super) keep: bool,
}

/// The tables of one manifest with nothing left to inherit; filled only when asked for.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) normal: Option<Table>,
    pub(super) development: Option<Table>,
    pub(super) build: Option<Table>,
    pub(super) target: Option<BTreeMap<String, TomlPlatform>>,
}

impl Dependencies<'_> {
    /// All tables, in Cargo's order: normal, dev, build; then by platform normal, build, dev.
    pub(super) fn all(
        &mut self,
        toml: &TomlManifest,
        package: &str,
    ) -> Result<(Vec<Dependency>, Settled), Problem> {
        let mut dependencies = Vec::new();
        let mut settled = Settled::default();
        let owner = format!("package `{package}`");
        self.underscores(
            (toml.dev_dependencies2.is_some(), toml.dev_dependencies.is_some()),
            (toml.build_dependencies2.is_some(), toml.build_dependencies.is_some()),
            &owner,
        )?;
        let at = Position { kind: DepKind::Normal, platform: None, platform_text: None };
        settled.normal = self.table(toml.dependencies.as_ref(), &at, &mut dependencies)?;
        let at = Position { kind: DepKind::Development, ..at };
        settled.development = self.table(toml.dev_dependencies(), &at, &mut dependencies)?;
        let at = Position { kind: DepKind::Build, ..at };
        settled.build = self.table(toml.build_dependencies(), &at, &mut dependencies)?;
        let mut platforms = BTreeMap::new();
        for (name, tables) in toml.target.iter().flatten() {
            self.platform(name, tables, &mut dependencies, &mut platforms)?;
        }
        settled.target = (!platforms.is_empty()).then_some(platforms);
        one_source_each(&dependencies)?;
        Ok((dependencies, settled))
    }

    fn platform(
        &mut self,
        name: &str,
        tables: &TomlPlatform,
        dependencies: &mut Vec<Dependency>,
        settled: &mut BTreeMap<String, TomlPlatform>,
    ) -> Result<(), Problem> {
        let platform: Platform = name.parse().map_err(|error: cargo_platform::ParseError| {
            Problem::new(format!("`{name}` is not a platform: {error}")).at(["target", name])
        })?;
        if self.origin.is_local {
            let mut notes = Vec::new();
            platform.check_cfg_attributes(&mut notes);
            platform.check_cfg_keywords(&mut notes, self.origin.path);
            self.warnings.extend(notes.into_iter().map(Warning::plain));
        }
        self.underscores(
            (tables.dev_dependencies2.is_some(), tables.dev_dependencies.is_some()),
            (tables.build_dependencies2.is_some(), tables.build_dependencies.is_some()),
            &format!("platform target `{name}`"),
        )?;
        let at = Position { kind: DepKind::Normal, platform: Some(&platform), platform_text: Some(name) };
        let normal = self.table(tables.dependencies.as_ref(), &at, dependencies)?;
        let at = Position { kind: DepKind::Build, ..at };
        let build = self.table(tables.build_dependencies(), &at, dependencies)?;
        let at = Position { kind: DepKind::Development, ..at };
        let development = self.table(tables.dev_dependencies(), &at, dependencies)?;
        if self.keep {
            let tables = TomlPlatform {
                dependencies: normal,
                build_dependencies: build,
                build_dependencies2: None,
                dev_dependencies: development,
                dev_dependencies2: None,
            };
            settled.insert(name.to_owned(), tables);
        }
        Ok(())
    }

    fn underscores(&mut self, dev: (bool, bool), build: (bool, bool), owner: &str) -> Result<(), Problem> {
        deprecated_underscore(dev, "dev-dependencies", owner, self.edition, self.warnings)?;
        deprecated_underscore(build, "build-dependencies", owner, self.edition, self.warnings)
    }

    fn table(
        &mut self,
        table: Option<&Table>,
        at: &Position<'_>,
        dependencies: &mut Vec<Dependency>,
    ) -> Result<Option<Table>, Problem> {
        let Some(table) = table else { return Ok(None) };
        let mut settled = Table::new();
        for (name, entry) in table {
            if self.origin.is_local {
                for key in entry.unused_keys() {
                    let path = at.keys(name).join(".");
                    self.warnings.push(Warning::plain(format!("unused manifest key: {path}.{key}")));
                }
            }
            let toml = self.settle(name, entry, at).map_err(|problem| problem.at(at.keys(name)))?;
            dependencies.push(self.one(&toml, name, at).map_err(|problem| problem.at(at.keys(name)))?);
            if self.keep {
                settled.insert(name.clone(), InheritableDependency::Value(toml.into_owned()));
            }
        }
        Ok(self.keep.then_some(settled))
    }

    /// Resolves inheritance and takes out what stable toolchains ignore.
    fn settle<'b>(
        &mut self,
        name: &str,
        entry: &'b InheritableDependency,
        at: &Position<'_>,
    ) -> Result<Cow<'b, TomlDependency>, Problem> {
        let mut settled = match entry {
            InheritableDependency::Inherit(member) => {
                Cow::Owned(self.inherit.dependency(name, member, self.edition, self.warnings)?)
            }
            InheritableDependency::Value(value) => Cow::Borrowed(value),
        };
        let TomlDependency::Detailed(details) = &*settled else { return Ok(settled) };
        let spellings = (details.default_features2.is_some(), details.default_features.is_some());
        deprecated_underscore(
            spellings,
            "default-features",
            &format!("dependency `{name}`"),
            self.edition,
            self.warnings,
        )?;
        if details.base.is_some() {
            return Err(refused("`base`", "path-bases"));
        }
        if details.public.is_some() {
            self.warnings.push(Warning::plain(match at.kind {
                DepKind::Normal => format!("`public` of dependency `{name}` is unstable and ignored"),
                kind => format!("`public` of `{name}` means nothing in `{}`", kind.table()),
            }));
            let mut without = details.clone();
            without.public = None;
            settled = Cow::Owned(TomlDependency::Detailed(without));
        }
        Ok(settled)
    }

    /// One entry as a [`Dependency`].
    pub(super) fn one(
        &mut self,
        toml: &TomlDependency,
        name: &str,
        at: &Position<'_>,
    ) -> Result<Dependency, Problem> {
        let simple;
        let details = match toml {
            TomlDependency::Simple(version) => {
                simple = TomlDetailedDependency { version: Some(version.clone()), ..Default::default() };
                &simple
            }
            TomlDependency::Detailed(details) => details,
        };
        self.check(details, name)?;
        if at.kind == DepKind::Development && details.optional == Some(true) {
            return Err(Problem::new(format!("dev-dependency `{name}` cannot be optional")));
        }
        let source = self.source(details, name)?;
        let registry = match (&details.registry, &details.registry_index) {
            (Some(registry), _) => Some(self.registry(registry)?),
            (None, Some(index)) => Some(registry_index(index)?),
            (None, None) => None,
        };
        let key = PackageName::new(name).map_err(|error| Problem::new(error.to_string()))?;
        let (name, rename) = match &details.package {
            Some(real) => {
                (PackageName::new(real.as_str()).map_err(|error| Problem::new(error.to_string()))?, Some(key))
            }
            None => (key, None),
        };
        let features = details.features.iter().flatten().map(FeatureName::new).collect::<Result<_, _>>();
        Ok(Dependency::new(DependencyFields {
            rename,
            source,
            registry,
            req: requirement(details.version.as_deref(), &name)?,
            has_version: details.version.is_some(),
            name,
            kind: at.kind,
            optional: details.optional.unwrap_or(false),
            default_features: details.default_features().unwrap_or(true),
            features: features.map_err(|error| Problem::new(error.to_string()))?,
            platform: at.platform.cloned(),
            public: details.public.unwrap_or(false),
            artifact: None,
        }))
    }

    fn check(&mut self, details: &TomlDetailedDependency, name: &str) -> Result<(), Problem> {
        if details.version.is_none() && details.path.is_none() && details.git.is_none() {
            return Err(Problem::new(format!("dependency `{name}` says neither version nor path nor git"))
                .help("add `version`, `path` or `git`, or inherit it with `workspace = true`"));
        }
        if details.version.as_ref().is_some_and(|version| version.contains('+')) {
            self.warnings.push(Warning::plain(format!(
                "the requirement of dependency `{name}` holds build metadata (`+…`), which is ignored"
            )));
        }
        if details.git.is_none() {
            let keys = [("branch", &details.branch), ("tag", &details.tag), ("rev", &details.rev)];
            if let Some((key, _)) = keys.into_iter().find(|(_, value)| value.is_some()) {
                return Err(Problem::new(format!("`{key}` of dependency `{name}` needs `git`")));
            }
        }
        for feature in details.features.iter().flatten() {
            if feature.contains('/') {
                return Err(Problem::new(format!(
                    "feature `{feature}` of dependency `{name}` holds a slash"
                ))
                .help("a dependency's own dependencies are reached through its features only"));
            }
            if feature.starts_with("dep:") {
                return Err(Problem::new(format!(
                    "feature `{feature}` of dependency `{name}` starts with `dep:`"
                ))
                .help("name a feature of the dependency"));
            }
        }
        if details.artifact.is_some() {
            return Err(Problem::new(format!(
                "`artifact` of dependency `{name}` is unstable (`-Z bindeps`)"
            )));
        }
        for (key, is_set) in [("lib", details.lib.is_some()), ("target", details.target.is_some())] {
            if is_set {
                return Err(Problem::new(format!("`{key}` of dependency `{name}` needs `artifact`")));
            }
        }
        Ok(())
    }

    fn source(&mut self, details: &TomlDetailedDependency, name: &str) -> Result<SourceId, Problem> {
        let only_one = |keys: &str| {
            Problem::new(format!("dependency `{name}` is ambiguous")).help(format!("keep only one of {keys}"))
        };
        let has_registry = details.registry.is_some() || details.registry_index.is_some();
        match (&details.git, &details.path) {
            (Some(_), _) if has_registry => Err(only_one("`git` and `registry`")),
            _ if details.registry.is_some() && details.registry_index.is_some() => {
                Err(only_one("`registry` and `registry-index`"))
            }
            (Some(_), Some(_)) => Err(only_one("`git` and `path`")),
            (Some(git), None) => self.git(git, details, name, &only_one),
            (None, Some(path)) if self.origin.source.is_path() => {
                let root = self.origin.path.parent().unwrap_or(Path::new("/"));
                let path = path_text::normalize(&root.join(path));
                SourceId::for_path(&path).map_err(|error| Problem::new(error.to_string()))
            }
            (None, Some(_)) => Ok(self.origin.source.clone()),
            (None, None) => match (&details.registry, &details.registry_index) {
                (Some(registry), _) => self.registry(registry),
                (None, Some(index)) => registry_index(index),
                (None, None) => Ok(SourceId::crates_io()),
            },
        }
    }

    fn git(
        &mut self,
        git: &str,
        details: &TomlDetailedDependency,
        name: &str,
        only_one: &dyn Fn(&str) -> Problem,
    ) -> Result<SourceId, Problem> {
        let references = [
            details.branch.clone().map(GitReference::Branch),
            details.tag.clone().map(GitReference::Tag),
            details.rev.clone().map(GitReference::Rev),
        ];
        let mut references = references.into_iter().flatten();
        let reference = references.next().unwrap_or(GitReference::DefaultBranch);
        if references.next().is_some() {
            return Err(only_one("`branch`, `tag` and `rev`"));
        }
        let url = Url::parse(git).map_err(|error| {
            let problem = Problem::new(format!("`{git}` is not a url: {error}"));
            match git.split_once(':') {
                Some((host, path)) if host.contains('@') => {
                    problem.help(format!("write `ssh://{host}/{path}`"))
                }
                _ => problem,
            }
        })?;
        if let Some(fragment) = url.fragment() {
            self.warnings.push(Warning::plain(format!(
                "`#{fragment}` in the git url of dependency `{name}` is ignored: for a revision, write \
                 `rev = \"{fragment}\"`"
            )));
        }
        Ok(SourceId::for_git(url, reference))
    }

    fn registry(&self, name: &str) -> Result<SourceId, Problem> {
        if name == crate::source::CRATES_IO {
            return Ok(SourceId::crates_io());
        }
        (self.origin.registries)(name).ok_or_else(|| {
            Problem::new(format!("registry `{name}` is not configured"))
                .help(format!("give its index in `[registries.{name}]` of `.cargo/config.toml`"))
        })
    }
}

/// Where an entry stands.
#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    pub(super) kind: DepKind,
    pub(super) platform: Option<&'a Platform>,
    /// The key of the platform as written.
    pub(super) platform_text: Option<&'a str>,
}

impl Position<'_> {
    fn keys(&self, name: &str) -> Vec<String> {
        let platform = self.platform_text.map(|platform| ["target".to_owned(), platform.to_owned()]);
        let rest = [self.kind.table().to_owned(), name.to_owned()];
        platform.into_iter().flatten().chain(rest).collect()
    }
}

fn registry_index(index: &str) -> Result<SourceId, Problem> {
    SourceId::for_registry(index).map_err(|error| Problem::new(error.to_string()))
}

fn requirement(version: Option<&str>, name: &str) -> Result<Requirement, Problem> {
    let Some(version) = version else { return Ok(Requirement::Any) };
    match VersionReq::parse(version) {
        Ok(req) => Ok(Requirement::new(req)),
        Err(error) => Err(Problem::new(format!(
            "version requirement `{version}` of dependency `{name}` is malformed: {error}"
        ))),
    }
}

/// One key may stand in several tables, but must mean one source in all of them.
fn one_source_each(dependencies: &[Dependency]) -> Result<(), Problem> {
    let mut sources: BTreeMap<&str, &SourceId> = BTreeMap::new();
    for dependency in dependencies {
        let name = dependency.name_in_toml().as_str();
        if sources.insert(name, dependency.source()).is_some_and(|other| other != dependency.source()) {
            return Err(Problem::new(format!(
                "dependency `{name}` comes from different sources in different tables"
            ))
            .help("give it one source everywhere, or rename one of them with `package`"));
        }
    }
    Ok(())
}
