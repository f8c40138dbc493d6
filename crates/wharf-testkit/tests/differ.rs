//! The differ itself: cargo against cargo must be equal, and what differs must be seen.

use wharf_testkit::fixtures::{self, Fixture};
use wharf_testkit::{Part, Sandbox};

fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(Sandbox::cargo_binary());
    fixtures::publish(&world);
    world
}

/// All fixtures build under cargo, and two runs are found equal.
#[test]
fn cargo_equals_cargo_on_every_fixture() {
    let world = world();
    for fixture in fixtures::ALL {
        let project = fixture.write(&world);
        let built = project.both(fixture.build).same(&Part::ALL);
        assert_eq!(built.cargo.outcome.status, Some(0), "{}\n{}", fixture.name, built.cargo.outcome.stderr);
        assert!(!built.cargo.calls.is_empty(), "{}", fixture.name);
        assert!(!built.cargo.finals.is_empty() || !fixture.build.starts_with("build"), "{}", fixture.name);
    }
    let project = Fixture::named("workspace").write(&world);
    project.both("metadata --format-version 1").same(&Part::ALL);
    project.both("tree").same(&Part::ALL);
    assert!(!project.exists("Cargo.lock"));
}

#[test]
fn a_difference_is_seen_and_told() {
    let world = world();
    let project = Fixture::named("build-script").write(&world);
    let mut both = project.both("build");
    both.wharf.calls.retain(|call| !call.to_string().contains("--crate-type bin"));
    both.wharf.lockfile = None;
    let told = both.differences(&Part::ALL);
    assert!(told.contains("Calls\n  cargo: rustc --crate-name"), "{told}");
    assert!(told.contains("Lockfile\n  cargo: "), "{told}");
    assert!(told.contains("FROM_BUILD") || told.contains("OUT_DIR=set"), "{told}");
    assert!(!told.contains("Status"), "{told}");
}
