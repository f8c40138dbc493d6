//! From `[profile.*]` tables to the profile of one unit.

use std::collections::{BTreeMap, BTreeSet};

use cargo_util_schemas::manifest::{
    ProfilePackageSpec, StringOrBool, TomlDebugInfo, TomlProfile, TomlProfiles,
};

use super::{DebugInfo, Lto, PanicStrategy, Profile, Strip, StripLevel, check};
use crate::manifest::Unstable;
use crate::package::PackageId;
use crate::suggest;

/// What profiles are made from.
pub struct ProfileSources<'a> {
    /// `[profile.*]` of the workspace root.
    pub manifest: Option<&'a TomlProfiles>,
    /// `[profile.*]` of configuration, `CARGO_PROFILE_*` included; goes before the manifest.
    pub config: &'a BTreeMap<String, TomlProfile>,
    /// `CARGO_INCREMENTAL` or `build.incremental`: overrides every profile.
    pub incremental: Option<bool>,
    /// Which unstable settings configuration may hold.
    pub unstable: &'a Unstable,
}

/// All profiles of a workspace, of which one was asked for.
#[derive(Clone, Debug)]
pub struct ProfileSet {
    requested: String,
    incremental: Option<bool>,
    /// The built-in profile that the requested one goes back to.
    root: Profile,
    /// Everything that was said about the requested profile and those that it inherits.
    table: TomlProfile,
    names: BTreeSet<String>,
    /// Profiles with package overrides of their own, all layers merged.
    overriding: Vec<(String, TomlProfile)>,
    /// Their package specs in the manifest, which ought to match something.
    expected: Vec<(String, ProfilePackageSpec)>,
}

/// Whom a profile is for.
#[derive(Clone, Copy, Debug)]
pub struct ProfileUse<'a> {
    /// The package is a member of the workspace: `package."*"` passes it by.
    pub is_member: bool,
    /// The package comes from a path: only those are compiled incrementally.
    pub is_local: bool,
    /// The unit runs during the build: build scripts, procedural macros and what they depend on.
    pub for_host: bool,
    /// `panic` does not apply: tests, benches, build scripts, procedural macros and everything built
    /// only for them.
    pub always_unwind: bool,
    /// The platform that the unit is compiled for.
    pub triple: &'a str,
}

/// Why profiles were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No such profile.
    #[error("profile `{name}` is not defined{}", .near.as_ref().map(|near| format!(" (there is `{near}`)")).unwrap_or_default())]
    Unknown {
        /// The name asked for.
        name: String,
        /// A defined profile with a similar name.
        near: Option<String>,
    },
    /// `inherits` names no profile.
    #[error("profile `{name}` inherits `{parent}`, which is not defined")]
    UnknownParent {
        /// The profile.
        name: String,
        /// What it inherits.
        parent: String,
    },
    /// `inherits` is missing.
    #[error("profile `{name}` does not say what it `inherits`, as all but `dev` and `release` must")]
    NoParent {
        /// The profile.
        name: String,
    },
    /// `inherits` on a profile that everything else goes back to.
    #[error("profile `{name}` is built in and cannot inherit")]
    RootInherits {
        /// The profile.
        name: String,
    },
    /// Profiles inherit one another.
    #[error("profile `{name}` inherits itself through `{parent}`")]
    Cycle {
        /// The profile whose `inherits` closes the circle.
        name: String,
        /// What it inherits.
        parent: String,
    },
    /// A setting that cannot be.
    #[error("profile `{name}`: {message}")]
    Setting {
        /// The profile.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Two `package` overrides fit one package.
    #[error("package overrides `{first}` and `{second}` of profile `{name}` both match `{package}`")]
    Overlap {
        /// The profile.
        name: String,
        /// The package.
        package: String,
        /// One override.
        first: String,
        /// The other.
        second: String,
    },
}

type Tables = BTreeMap<String, TomlProfile>;

impl ProfileSet {
    /// Puts built-in, manifest and configured profiles together and checks them.
    ///
    /// # Errors
    /// Unknown or circular `inherits`, an unknown requested profile, settings that do not exist.
    pub fn new(sources: &ProfileSources<'_>, requested: &str) -> Result<Self, ProfileError> {
        let original = merge_config(sources, requested)?;
        let mut tables = original.clone();
        for (name, parent) in [("bench", "release"), ("test", "dev"), ("doc", "dev")] {
            let table = tables.entry(name.to_owned()).or_default();
            table.inherits.get_or_insert_with(|| parent.to_owned());
        }
        let mut requested_chain = None;
        let mut overriding = Vec::new();
        for name in ["dev", "release"] {
            tables.entry(name.to_owned()).or_default();
        }
        for (name, table) in &tables {
            let chain = chain(name, table, &tables)?;
            if original.get(name).is_some_and(|table| table.package.is_some()) {
                overriding.push((name.clone(), chain.1.clone()));
            }
            if name == requested {
                requested_chain = Some(chain);
            }
        }
        let Some((root, table)) = requested_chain else {
            let near = suggest::closest(requested, tables.keys().map(String::as_str)).map(str::to_owned);
            return Err(ProfileError::Unknown { name: requested.to_owned(), near });
        };
        let expected = sources
            .manifest
            .into_iter()
            .flat_map(|profiles| &profiles.0)
            .flat_map(|(name, table)| {
                table.package.iter().flatten().map(|(spec, _)| (name.to_string(), spec.clone()))
            })
            .collect();
        Ok(Self {
            requested: requested.to_owned(),
            incremental: sources.incremental,
            root,
            table,
            names: tables.into_keys().collect(),
            overriding,
            expected,
        })
    }

    /// The profile of a unit of package `id`.
    pub fn profile_for(&self, id: &PackageId, whom: ProfileUse<'_>) -> Profile {
        let mut profile = self.layered(Some(id), whom.is_member, whom.for_host);
        if whom.always_unwind {
            profile.panic = PanicStrategy::Unwind;
        }
        // On Apple's platforms the compiler's default would run `dsymutil` at every link.
        if profile.debuginfo.is_on() && profile.split_debuginfo.is_none() && whom.triple.contains("-apple-") {
            profile.split_debuginfo = Some("unpacked".to_owned());
        }
        if let Some(incremental) = self.incremental {
            profile.incremental = incremental;
        }
        profile.incremental &= whom.is_local;
        profile
    }

    /// The profile of members, as far as it needs no package: what `Finished` describes.
    pub fn base(&self) -> Profile {
        self.layered(None, true, false)
    }

    /// The profile under which a build script runs: what it may learn from its environment.
    pub fn for_script_run(&self, unit: &Profile) -> Profile {
        Profile {
            name: unit.name.clone(),
            dir_name: unit.dir_name.clone(),
            root: unit.root,
            debuginfo: unit.debuginfo,
            opt_level: unit.opt_level.clone(),
            debug_assertions: unit.debug_assertions,
            overflow_checks: false,
            incremental: false,
            ..Profile::dev()
        }
    }

    /// The name of the requested profile.
    pub fn requested(&self) -> &str {
        &self.requested
    }

    /// The names of all profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The directory below `target/<triple>/` that the requested profile builds into.
    pub fn dir_name(&self) -> &str {
        match self.requested.as_str() {
            "dev" | "test" => "debug",
            "bench" => "release",
            other => other,
        }
    }

    /// Checks package overrides against the packages of a resolution; gives what to warn of.
    ///
    /// # Errors
    /// [`ProfileError::Overlap`]
    pub fn check_packages<'a>(
        &self,
        ids: impl Iterator<Item = &'a PackageId> + Clone,
    ) -> Result<Vec<String>, ProfileError> {
        for (name, table) in &self.overriding {
            let specs = || table.package.iter().flat_map(|packages| packages.keys());
            for id in ids.clone() {
                let mut matching = specs().filter(|spec| matches(spec, id));
                if let (Some(first), Some(second)) = (matching.next(), matching.next()) {
                    return Err(ProfileError::Overlap {
                        name: name.clone(),
                        package: id.to_string(),
                        first: first.to_string(),
                        second: second.to_string(),
                    });
                }
            }
        }
        let mut warnings = Vec::new();
        for (name, spec) in &self.expected {
            let ProfilePackageSpec::Spec(wanted) = spec else { continue };
            if ids.clone().any(|id| matches(spec, id)) {
                continue;
            }
            let same_name: Vec<String> =
                ids.clone().filter(|id| *id.name() == *wanted.name()).map(ToString::to_string).collect();
            let names = ids.clone().map(|id| id.name().as_str());
            warnings.push(match (same_name.is_empty(), suggest::closest(wanted.name(), names)) {
                (false, _) => format!(
                    "package override `{wanted}` of profile `{name}` matches none of {}",
                    same_name.join(", ")
                ),
                (true, Some(near)) => {
                    format!("package override `{wanted}` of profile `{name}` matches no package (there is `{near}`)")
                }
                (true, None) => format!("package override `{wanted}` of profile `{name}` matches no package"),
            });
        }
        Ok(warnings)
    }

    /// The settings layer by layer: the profile, defaults for the host, `build-override`,
    /// `package."*"`, the package's own.
    fn layered(&self, id: Option<&PackageId>, is_member: bool, for_host: bool) -> Profile {
        let mut profile = self.root.clone();
        profile.name.clone_from(&self.requested);
        profile.dir_name = self.dir_name().to_owned();
        apply(&mut profile, &self.table);
        if for_host {
            // What runs during the build is compiled quickly rather than well.
            profile.opt_level = "0".to_owned();
            profile.codegen_units = None;
            profile.debuginfo_deferred = true;
            if let Some(table) = &self.table.build_override {
                apply(&mut profile, table);
            }
        }
        let Some(packages) = &self.table.package else { return profile };
        if let (false, Some(table)) = (is_member, packages.get(&ProfilePackageSpec::All)) {
            apply(&mut profile, table);
        }
        let own = id.and_then(|id| packages.iter().find(|(spec, _)| matches(spec, id)));
        if let Some((_, table)) = own {
            apply(&mut profile, table);
        }
        profile
    }
}

fn matches(spec: &ProfilePackageSpec, id: &PackageId) -> bool {
    match spec {
        ProfilePackageSpec::All => false,
        ProfilePackageSpec::Spec(spec) => id.matches_spec(spec),
    }
}

/// Manifest tables with configuration on top, and tables that only configuration has, as far as somebody
/// needs them.
fn merge_config(sources: &ProfileSources<'_>, requested: &str) -> Result<Tables, ProfileError> {
    let mut tables: Tables = sources
        .manifest
        .into_iter()
        .flat_map(|profiles| &profiles.0)
        .map(|(name, table)| (name.to_string(), table.clone()))
        .collect();
    let mut wanted: Vec<String> = ["dev", "release", "test", "bench", requested].map(str::to_owned).to_vec();
    for (name, table) in &mut tables {
        if let Some(config) = sources.config.get(name) {
            check(name, config, &|feature| sources.unstable.has(feature))?;
            table.merge(config);
        }
        wanted.extend(table.inherits.clone());
    }
    while let Some(name) = wanted.pop() {
        if tables.contains_key(&name) {
            continue;
        }
        if let Some(config) = sources.config.get(&name) {
            check(&name, config, &|feature| sources.unstable.has(feature))?;
            wanted.extend(config.inherits.clone());
            tables.insert(name, config.clone());
        }
    }
    Ok(tables)
}

/// The built-in profile at the end of `inherits`, and all tables on the way merged.
fn chain(name: &str, table: &TomlProfile, tables: &Tables) -> Result<(Profile, TomlProfile), ProfileError> {
    let (mut name, mut table) = (name, table);
    let mut layers = vec![table];
    let mut seen = BTreeSet::from([name]);
    let root = loop {
        let root = match name {
            "dev" => Some(Profile::dev()),
            "release" => Some(Profile::release()),
            _ => None,
        };
        match (root, &table.inherits) {
            (Some(_), Some(_)) => return Err(ProfileError::RootInherits { name: name.to_owned() }),
            (Some(root), None) => break root,
            (None, None) => return Err(ProfileError::NoParent { name: name.to_owned() }),
            (None, Some(parent)) => {
                let names = || (name.to_owned(), parent.clone());
                if !seen.insert(parent) {
                    let (name, parent) = names();
                    return Err(ProfileError::Cycle { name, parent });
                }
                let Some((key, next)) = tables.get_key_value(parent) else {
                    let (name, parent) = names();
                    return Err(ProfileError::UnknownParent { name, parent });
                };
                layers.push(next);
                (name, table) = (key, next);
            }
        }
    };
    let mut merged = TomlProfile::default();
    for layer in layers.into_iter().rev() {
        merged.merge(layer);
    }
    Ok((root, merged))
}

fn apply(profile: &mut Profile, table: &TomlProfile) {
    fn set<T: Clone>(to: &mut T, from: Option<&T>) {
        if let Some(from) = from {
            to.clone_from(from);
        }
    }
    set(&mut profile.opt_level, table.opt_level.as_ref().map(|level| &level.0));
    match &table.lto {
        Some(StringOrBool::Bool(true)) => profile.lto = Lto::Fat,
        Some(StringOrBool::Bool(false)) => profile.lto = Lto::ThinLocal,
        Some(StringOrBool::String(name)) if ["off", "n", "no", "none"].contains(&name.as_str()) => {
            profile.lto = Lto::Off
        }
        Some(StringOrBool::String(name)) => profile.lto = Lto::Named(name.clone()),
        None => {}
    }
    if table.codegen_units.is_some() {
        profile.codegen_units = table.codegen_units;
    }
    if let Some(debug) = table.debug {
        profile.debuginfo = match debug {
            TomlDebugInfo::None => DebugInfo::None,
            TomlDebugInfo::LineDirectivesOnly => DebugInfo::LineDirectivesOnly,
            TomlDebugInfo::LineTablesOnly => DebugInfo::LineTablesOnly,
            TomlDebugInfo::Limited => DebugInfo::Limited,
            TomlDebugInfo::Full => DebugInfo::Full,
        };
        profile.debuginfo_deferred = false;
    }
    if table.split_debuginfo.is_some() {
        profile.split_debuginfo.clone_from(&table.split_debuginfo);
    }
    set(&mut profile.debug_assertions, table.debug_assertions.as_ref());
    set(&mut profile.overflow_checks, table.overflow_checks.as_ref());
    set(&mut profile.rpath, table.rpath.as_ref());
    set(&mut profile.incremental, table.incremental.as_ref());
    match table.panic.as_deref() {
        Some("abort") => profile.panic = PanicStrategy::Abort,
        Some("immediate-abort") => profile.panic = PanicStrategy::ImmediateAbort,
        Some(_) => profile.panic = PanicStrategy::Unwind,
        None => {}
    }
    set(&mut profile.rustflags, table.rustflags.as_ref());
    if table.codegen_backend.is_some() {
        profile.codegen_backend.clone_from(&table.codegen_backend);
    }
    // Every layer decides anew, one that says nothing included: so does Cargo 1.95.
    profile.strip = match &table.strip {
        Some(StringOrBool::Bool(true)) => Strip::Stated(StripLevel::Named("symbols".to_owned())),
        Some(StringOrBool::Bool(false)) => Strip::Stated(StripLevel::None),
        Some(StringOrBool::String(name)) if name == "none" => Strip::Stated(StripLevel::None),
        Some(StringOrBool::String(name)) => Strip::Stated(StripLevel::Named(name.clone())),
        None => Strip::Deferred(StripLevel::None),
    };
}
