//! Stock cargo against the registry server: every request that cargo knows.

use wharf_server::Config;
use wharf_server::auth::Token;
use wharf_testkit::{Registry, Sandbox};

#[test]
fn cargo_builds_from_the_registry() {
    let world = Sandbox::new();
    world
        .package("dep 1.0.0")
        .tables("[features]\nextra = [\"dep:leaf\"]\n[dependencies]\nleaf = { version = \"1\", optional = true }")
        .file("src/lib.rs", "pub fn number() -> u32 { if cfg!(feature = \"extra\") { leaf::seven() } else { 0 } }\n#[cfg(not(feature = \"extra\"))] mod leaf { pub fn seven() -> u32 { 7 } }")
        .publish();
    world.package("leaf 1.2.0").file("src/lib.rs", "pub fn seven() -> u32 { 7 }").publish();
    let project = world
        .project("app")
        .package("[dependencies]\ndep = { version = \"1\", features = [\"extra\"] }")
        .file("src/main.rs", "fn main() { println!(\"{}\", dep::number()); }")
        .build();
    let outcome = project.cargo("run").succeeds();
    assert_eq!(outcome.stdout, "7\n");
    let lockfile = project.read("Cargo.lock");
    assert!(lockfile.contains("registry+https://github.com/rust-lang/crates.io-index"), "{lockfile}");
    assert!(lockfile.contains("name = \"leaf\"\nversion = \"1.2.0\""), "{lockfile}");
}

#[test]
fn cargo_publishes_and_another_project_builds() {
    let world = Sandbox::new();
    world.publish("public 1.0.0");
    let library = world
        .project("library")
        .file(
            "Cargo.toml",
            "[package]\nname = \"library\"\nversion = \"0.3.0\"\nedition = \"2024\"\nlicense = \"MIT\"\ndescription = \"A useful thing\"\n\
             publish = [\"test\"]\n[dependencies]\npublic = \"1\"\n[features]\nx = []\n",
        )
        .file("src/lib.rs", "pub const ANSWER: u32 = 42;")
        .build();
    library.cargo("publish --registry test").succeeds().says("Published library v0.3.0 at registry `test`");
    library.cargo("publish --registry test").exits_with(101).says("already exists");

    let app = world
        .project("app")
        .package("[dependencies]\nlibrary = { version = \"0.3\", registry = \"test\" }")
        .file("src/main.rs", "fn main() { println!(\"{}\", library::ANSWER); }")
        .build();
    assert_eq!(app.cargo("run").succeeds().stdout, "42\n");
    let found = app.cargo("search --registry test useful").succeeds();
    assert_eq!(found.stdout, "library = \"0.3.0\"    # A useful thing\n");
}

#[test]
fn yank_unyank_and_owners() {
    let world = Sandbox::new();
    world.publish("dep 1.0.0");
    world.publish("dep 1.1.0");
    let app = world.project("app").package("[dependencies]\ndep = \"1\"").file("src/lib.rs", "").build();
    app.cargo("yank dep@1.1.0 --registry test").succeeds();
    app.cargo("generate-lockfile").succeeds();
    assert!(app.read("Cargo.lock").contains("name = \"dep\"\nversion = \"1.0.0\""));
    app.cargo("yank dep@1.1.0 --undo --registry test").succeeds();
    app.cargo("update").succeeds();
    assert!(app.read("Cargo.lock").contains("name = \"dep\"\nversion = \"1.1.0\""));
    app.cargo("yank dep@9.0.0 --registry test").exits_with(101).says("there is no version 9.0.0 of `dep`");

    app.cargo("owner dep --add ann --registry test").succeeds().says("owners added to `dep`");
    assert_eq!(app.cargo("owner dep --list --registry test").succeeds().stdout, "anonymous\nann\n");
    app.cargo("owner dep --remove anonymous --registry test").succeeds();
    app.cargo("yank dep@1.1.0 --registry test").exits_with(101).says("`anonymous` is not an owner of `dep`");
}

#[test]
fn what_was_published_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let world = Sandbox::new();
    world
        .package("dep 1.0.0")
        .package_keys("description = \"d\"\nlinks = \"z\"\nbuild = \"build.rs\"")
        .file("build.rs", "fn main() {}")
        .file("src/lib.rs", "")
        .publish();
    let before = world.registry().app().releases().index().get("dep").unwrap();
    let data = world.root().join("registry");
    let again = Registry::start(&data);
    let after = again.app().releases().index().get("dep").unwrap();
    assert_eq!((before.bytes, before.etag), (after.bytes, after.etag));
    assert!(again.app().releases().archive("dep", "1.0.0").unwrap().is_some());
    assert!(again.app().releases().archive("../dep", "1.0.0").unwrap().is_none());
    drop(directory);
}

#[test]
fn a_private_registry_wants_a_token_everywhere() {
    let world = Sandbox::new();
    let config = Config {
        auth_required: true,
        tokens: vec![Token::new("s3cret", "ann")],
        ..Config::open_to_all(world.root().join("private"))
    };
    let private = Registry::start_with(config);
    let library = world
        .project("library")
        .file(".cargo/config.toml", &format!("[registries.private]\nindex = \"{}\"\ncredential-provider = \"cargo:token\"\n", private.index()))
        .file("Cargo.toml", "[package]\nname = \"library\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlicense = \"MIT\"\ndescription = \"d\"\n")
        .file("src/lib.rs", "")
        .build();
    let publish = |token: &str| {
        let variables = [("CARGO_REGISTRIES_PRIVATE_TOKEN", token.into())];
        world.run(
            wharf_testkit::Tool::Cargo,
            library.directory(),
            &["publish", "--registry", "private", "--no-verify"],
            &variables,
        )
    };
    publish("wrong").exits_with(101).says("token rejected");
    publish("s3cret").succeeds();
    assert_eq!(private.app().releases().owners("library").unwrap(), ["ann"]);
}
