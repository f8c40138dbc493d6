//! cargo is the oracle: on every fixture both tools must write the same lockfile, say the same of the project,
//! call the same compilers and leave the same files.

use wharf_testkit::fixtures::{self, Fixture};
use wharf_testkit::{Part, Sandbox};

fn check(name: &str) {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    fixtures::publish(&world);
    let fixture = Fixture::named(name);
    let project = fixture.write(&world);
    let commands = [
        ("generate-lockfile", &[Part::Status, Part::Lockfile][..]),
        ("metadata --format-version 1", &[Part::Status, Part::Stdout]),
        ("tree --edges all --target all", &[Part::Status, Part::Stdout]),
        (fixture.build, &Part::ALL),
    ];
    let told: String = commands
        .iter()
        .filter_map(|(command, parts)| {
            let both = project.both(command);
            let told = both.differences(parts);
            let stderr = &both.wharf.outcome.stderr;
            (!told.is_empty()).then(|| format!("{command}\n{told}--- stderr of wharf\n{stderr}\n"))
        })
        .collect();
    assert!(told.is_empty(), "`{name}` differs in\n{told}");
}

macro_rules! side_by_side {
    ($($test:ident = $fixture:literal,)*) => {
        $(#[test] fn $test() { check($fixture); })*

        #[test]
        fn no_fixture_is_forgotten() {
            let checked = [$($fixture),*];
            for fixture in fixtures::ALL {
                assert!(checked.contains(&fixture.name), "{}", fixture.name);
            }
        }
    };
}

side_by_side! {
    plain = "plain",
    dependencies = "dependencies",
    two_majors = "two-majors",
    features = "features",
    implicit_features = "implicit-features",
    build_script = "build-script",
    links = "links",
    proc_macro = "proc-macro",
    host_and_target_split = "host-and-target-split",
    dev_dependencies = "dev-dependencies",
    all_targets = "all-targets",
    check_only = "check-only",
    release = "release",
    custom_profile = "custom-profile",
    workspace = "workspace",
    resolver_one = "resolver-one",
    old_edition = "old-edition",
    crate_types = "crate-types",
    platforms = "platforms",
    required_features = "required-features",
    configured = "configured",
}
