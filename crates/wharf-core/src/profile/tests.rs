use std::collections::BTreeMap;

use crate::manifest::Unstable;
use cargo_util_schemas::manifest::{TomlProfile, TomlProfiles};

use super::*;
use crate::package::PackageId;
use crate::source::SourceId;

fn set(manifest: &str, config: &str, requested: &str) -> Result<ProfileSet, ProfileError> {
    let manifest: TomlProfiles = toml::from_str(manifest).unwrap();
    let config: BTreeMap<String, TomlProfile> = toml::from_str(config).unwrap();
    let sources = ProfileSources {
        manifest: Some(&manifest),
        config: &config,
        incremental: None,
        unstable: &Unstable::none(),
    };
    ProfileSet::new(&sources, requested)
}

fn id(name: &str) -> PackageId {
    PackageId::new(name.parse().unwrap(), "1.0.0".parse().unwrap(), SourceId::crates_io())
}

const DEPENDENCY: ProfileUse<'static> = ProfileUse {
    is_member: false,
    is_local: false,
    for_host: false,
    always_unwind: false,
    triple: "x86_64-unknown-linux-gnu",
};
const MEMBER: ProfileUse<'static> = ProfileUse { is_member: true, is_local: true, ..DEPENDENCY };
const HOST: ProfileUse<'static> = ProfileUse { for_host: true, always_unwind: true, ..DEPENDENCY };

#[test]
fn built_in() {
    let dev = set("", "", "test").unwrap();
    assert_eq!(dev.dir_name(), "debug");
    let member = dev.profile_for(&id("m"), MEMBER);
    assert!(member.incremental && member.debug_assertions);
    assert_eq!((member.name.as_str(), member.debuginfo), ("test", DebugInfo::Full));
    assert!(!dev.profile_for(&id("d"), DEPENDENCY).incremental);

    let release = set("", "", "release").unwrap().profile_for(&id("m"), MEMBER);
    assert_eq!((release.opt_level.as_str(), release.debuginfo), ("3", DebugInfo::None));
    assert_eq!(release.strip, Strip::Deferred(StripLevel::None));
}

#[test]
fn layers() {
    let manifest = "
[dev]
opt-level = 1
panic = 'abort'
[dev.build-override]
opt-level = 2
[dev.package.'*']
opt-level = 's'
[dev.package.special]
opt-level = 3
[mine]
inherits = 'dev'
debug = 1
";
    let level = |name: &str, whom| set(manifest, "", "mine").unwrap().profile_for(&id(name), whom).opt_level;
    assert_eq!(level("m", MEMBER), "1");
    assert_eq!(level("d", DEPENDENCY), "s");
    assert_eq!(level("special", DEPENDENCY), "3");
    assert_eq!(level("m", ProfileUse { is_member: true, ..HOST }), "2");
    let mine = set(manifest, "", "mine").unwrap();
    assert_eq!(mine.dir_name(), "mine");
    let host = mine.profile_for(&id("d"), HOST);
    assert_eq!(
        (host.panic, host.debuginfo, host.debuginfo_deferred),
        (PanicStrategy::Unwind, DebugInfo::Limited, true)
    );
    assert_eq!(mine.profile_for(&id("m"), MEMBER).panic, PanicStrategy::Abort);
    assert_eq!(mine.check_packages([id("specia")].iter()).unwrap().len(), 1);
}

#[test]
fn configuration_goes_before_the_manifest() {
    let set = set("[release]\nlto = true\ndebug = 2\n", "[release]\nlto = 'off'\n", "bench").unwrap();
    let profile = set.profile_for(&id("m"), MEMBER);
    assert_eq!((profile.lto, profile.debuginfo), (Lto::Off, DebugInfo::Full));
}

#[test]
fn refusals() {
    let error = |manifest: &str, requested: &str| set(manifest, "", requested).unwrap_err();
    assert!(
        matches!(error("", "relase"), ProfileError::Unknown { near: Some(near), .. } if near == "release")
    );
    assert!(matches!(error("[a]\n", "a"), ProfileError::NoParent { .. }));
    assert!(matches!(error("[a]\ninherits = 'b'\n", "a"), ProfileError::UnknownParent { .. }));
    assert!(matches!(error("[a]\ninherits = 'b'\n[b]\ninherits = 'a'\n", "a"), ProfileError::Cycle { .. }));
    assert!(matches!(error("[dev]\ninherits = 'release'\n", "dev"), ProfileError::RootInherits { .. }));
}
