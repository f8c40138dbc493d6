//! `[patch]` and `[replace]`.

use cargo_util_schemas::core::PackageIdSpec;
use cargo_util_schemas::manifest::{TomlDependency, TomlManifest};
use semver::{Comparator, Op, VersionReq};
use url::Url;

use super::dependencies::{Dependencies, Position};
use super::error::Problem;
use super::{Patch, PatchTarget, Warning};
use crate::dependency::{DepKind, Dependency, Requirement};
use crate::source::{CRATES_IO, CRATES_IO_INDEX};

const AT: Position<'static> = Position { kind: DepKind::Normal, platform: None, platform_text: None };

impl Dependencies<'_> {
    /// `[patch.*]`
    pub(super) fn patches(&mut self, toml: &TomlManifest) -> Result<Vec<Patch>, Problem> {
        let mut patches = Vec::new();
        for (key, table) in toml.patch.iter().flatten() {
            let target = self.patch_target(key).map_err(|problem| problem.at(["patch", key]))?;
            for (name, entry) in table {
                self.unused(&format!("patch.{key}.{}", name.as_str()), entry);
                let dependency = self
                    .one(entry, name, &AT)
                    .map_err(|problem| problem.at(["patch", key, name.as_str()]))?;
                patches.push(Patch { target: target.clone(), dependency });
            }
        }
        Ok(patches)
    }

    fn patch_target(&self, key: &str) -> Result<PatchTarget, Problem> {
        if key == CRATES_IO || (self.origin.registries)(key).is_some() {
            return Ok(PatchTarget::Registry(key.to_owned()));
        }
        if Url::parse(key).is_ok() {
            return Ok(PatchTarget::Url(key.to_owned()));
        }
        let problem = Problem::new(format!("`[patch.{key}]` names neither a url nor a configured registry"));
        Err(match key {
            "crates" => problem.help("crates.io is `[patch.crates-io]`, with a hyphen"),
            _ => problem,
        })
    }

    /// `[replace]`
    pub(super) fn replaces(
        &mut self,
        toml: &TomlManifest,
    ) -> Result<Vec<(PackageIdSpec, Dependency)>, Problem> {
        if toml.patch.is_some() && toml.replace.is_some() {
            return Err(Problem::new("`[patch]` and `[replace]` cannot be used together")
                .at(["replace"])
                .help("move everything to `[patch]`"));
        }
        let mut replaces = Vec::new();
        for (key, entry) in toml.replace.iter().flatten() {
            replaces.push(self.replace(key, entry).map_err(|problem| problem.at(["replace", key]))?);
        }
        Ok(replaces)
    }

    fn replace(&mut self, key: &str, entry: &TomlDependency) -> Result<(PackageIdSpec, Dependency), Problem> {
        let mut spec = PackageIdSpec::parse(key)
            .map_err(|error| Problem::new(format!("`{key}` is not a package to replace: {error}")))?;
        if spec.url().is_none() {
            spec.set_url(Url::parse(CRATES_IO_INDEX).expect("the constant is a URL"));
        }
        if entry.is_version_specified() {
            return Err(Problem::new(format!("replacement of `{key}` cannot have a version requirement")));
        }
        let dependency = self.one(entry, spec.name(), &AT)?;
        let Some(version) = spec.version() else {
            return Err(Problem::new(format!("replacement `{key}` does not say which version it replaces"))
                .help(format!("write `{key}:1.2.3`")));
        };
        self.unused(&format!("replace.{}", dependency.name_in_toml()), entry);
        let exact = Comparator {
            op: Op::Exact,
            major: version.major,
            minor: Some(version.minor),
            patch: Some(version.patch),
            pre: version.pre,
        };
        let req = Requirement::new(VersionReq { comparators: vec![exact] });
        Ok((spec, dependency.with(|fields| fields.req = req)))
    }

    fn unused(&mut self, path: &str, entry: &TomlDependency) {
        for key in entry.unused_keys() {
            self.warnings.push(Warning::plain(format!("unused manifest key: {path}.{key}")));
        }
    }
}
