use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// A package directory that exists only as a list of files.
struct Tree(BTreeSet<&'static str>);

impl Files for Tree {
    fn is_file(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.0.contains(path))
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.0.iter().any(|file| Path::new(file).starts_with(path) && Path::new(file) != path)
    }

    fn entries(&self, path: &Path) -> Vec<Entry> {
        let names: BTreeSet<(String, bool)> = self
            .0
            .iter()
            .filter_map(|file| Path::new(file).strip_prefix(path).ok())
            .filter_map(|rest| {
                let mut parts = rest.components();
                let name = parts.next()?.as_os_str().to_str()?.to_owned();
                Some((name, parts.next().is_some()))
            })
            .collect();
        names.into_iter().map(|(name, is_dir)| Entry { name, is_dir }).collect()
    }
}

fn parse(text: &str, files: &[&'static str], root: Option<&str>) -> Result<AnyManifest, ManifestError> {
    let path = Path::new("/w/a/Cargo.toml");
    let source = SourceId::for_path(Path::new("/w/a")).unwrap();
    let root = root.map(|text| {
        TomlDocument::read(text, Path::new("/w/Cargo.toml"), false).unwrap().inheritable().unwrap()
    });
    let registries = |name: &str| {
        (name == "ours").then(|| SourceId::for_registry("sparse+https://ours.example/").unwrap())
    };
    let origin = Origin {
        path,
        source: &source,
        inheritable: root.as_deref(),
        registries: &registries,
        is_local: true,
        unstable: &Unstable::none(),
    };
    AnyManifest::parse(text, &origin, &Tree(files.iter().copied().collect()))
}

#[track_caller]
fn real(text: &str, files: &[&'static str]) -> Manifest {
    match parse(text, files, None) {
        Ok(AnyManifest::Real(manifest)) => *manifest,
        other => panic!("{other:?}"),
    }
}

/// What the error says, and the text that it points at.
#[track_caller]
fn refused(text: &str, says: &str, points_at: &str) {
    let error = match parse(text, &["src/lib.rs", "src/main.rs"], None) {
        Err(error) => error,
        Ok(manifest) => panic!("accepted: {manifest:?}"),
    };
    assert!(error.message.contains(says), "says: {}", error.message);
    let place = error.place.unwrap_or_else(|| panic!("no place: {}", error.message));
    let pointed = &place.text[place.span];
    assert!(pointed.contains(points_at), "points at: {pointed}");
}

fn names(manifest: &Manifest) -> Vec<String> {
    let describe = |target: &Target| {
        let path = target.src_path.strip_prefix("/w/a").unwrap().display();
        format!("{} {} {path}", target.kind.description(), target.name)
    };
    manifest.targets.iter().map(describe).collect()
}

const HEAD: &str = "[package]\nname = 'a-b'\nversion = '1.0.0'\nedition = '2024'\n";

fn with(more: &str) -> String {
    format!("{HEAD}{more}")
}

#[test]
fn targets_are_found_in_the_usual_places() {
    let files = [
        "src/lib.rs",
        "src/main.rs",
        "src/bin/two.rs",
        "src/bin/three/main.rs",
        "src/bin/.hidden.rs",
        "examples/e.rs",
        "tests/t/main.rs",
        "tests/data/x.txt",
        "benches/b.rs",
        "build.rs",
    ];
    let manifest = real(HEAD, &files);
    assert_eq!(
        names(&manifest),
        [
            "lib a_b src/lib.rs",
            "bin a-b src/main.rs",
            "bin three src/bin/three/main.rs",
            "bin two src/bin/two.rs",
            "example e examples/e.rs",
            "integration-test t tests/t/main.rs",
            "bench b benches/b.rs",
            "build-script build-script-build build.rs",
        ]
    );
    assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
}

#[test]
fn a_listed_target_stops_discovery_in_2015_only() {
    let text = "[package]\nname='a'\nversion='1.0.0'\nedition='2015'\n[[bin]]\nname='x'\npath='x.rs'\n";
    let files = ["src/main.rs", "x.rs"];
    let old = real(text, &files);
    assert_eq!(names(&old), ["bin x x.rs"]);
    assert_eq!(old.warnings.len(), 1);
    let new = real(&text.replace("2015", "2018"), &files);
    assert_eq!(names(&new), ["bin a src/main.rs", "bin x x.rs"]);
}

#[test]
fn missing_files_are_errors_for_members() {
    let manifest = real(&with("[[test]]\nname = 'it'\n"), &["src/lib.rs", "test/it.rs"]);
    let warning = manifest.warnings.iter().find(|warning| warning.critical).unwrap();
    assert!(warning.message.contains("`test/it.rs`"), "{}", warning.message);
    assert_eq!(names(&manifest), ["lib a_b src/lib.rs"]);
}

#[test]
fn dependencies_and_their_sources() {
    let text = with(
        "[dependencies]
plain = '1'
path = { path = '../p', version = '0.1' }
git = { git = 'https://e.com/x', tag = 'v1', package = 'real' }
other = { version = '1', registry = 'ours', default-features = false, features = ['f'] }
[target.'cfg(unix)'.dev-dependencies]
plain = '1'
",
    );
    let manifest = real(&text, &["src/lib.rs"]);
    let described: Vec<String> = manifest
        .summary
        .dependencies
        .iter()
        .map(|dependency| {
            format!(
                "{} {} {} {:?} {}",
                dependency.name_in_toml(),
                dependency.name(),
                dependency.req(),
                dependency.source(),
                dependency.kind().table()
            )
        })
        .collect();
    assert_eq!(
        described,
        [
            "git real * git+https://e.com/x?tag=v1 dependencies",
            "other other ^1 sparse+https://ours.example/ dependencies",
            "path path ^0.1 path+file:///w/p dependencies",
            "plain plain ^1 registry+https://github.com/rust-lang/crates.io-index dependencies",
            "plain plain ^1 registry+https://github.com/rust-lang/crates.io-index dev-dependencies",
        ]
    );
}

#[test]
fn members_inherit() {
    let root = "[workspace]
[workspace.package]
version = '3.2.1'
readme = 'docs/README.md'
license-file = 'LICENSE'
[workspace.dependencies]
local = { path = 'local', features = ['one'] }
[workspace.lints.rust]
unused = 'deny'
unsafe_code = { level = 'forbid', priority = -1 }
";
    let text = "[package]
name = 'a'
version.workspace = true
readme.workspace = true
license-file.workspace = true
edition = '2024'
[dependencies]
local = { workspace = true, optional = true, features = ['two'] }
[lints]
workspace = true
";
    let Ok(AnyManifest::Real(manifest)) = parse(text, &["src/lib.rs"], Some(root)) else { panic!("refused") };
    assert_eq!(manifest.summary.id.version().to_string(), "3.2.1");
    assert_eq!(manifest.description.readme.as_deref(), Some("../docs/README.md"));
    assert_eq!(manifest.description.license_file.as_deref(), Some("../LICENSE"));
    let local = &manifest.summary.dependencies[0];
    assert_eq!(local.source().local_path().unwrap(), Path::new("/w/local"));
    assert!(local.is_optional());
    assert_eq!(local.features(), ["one", "two"]);
    let flags: Vec<&str> = manifest.lint_flags.iter().map(|flag| flag.flag.as_str()).collect();
    assert_eq!(flags, ["--forbid=unsafe_code", "--deny=unused"]);
    assert!(manifest.summary.features.contains_key("local"));

    let error = parse(text, &["src/lib.rs"], None).unwrap_err();
    assert!(error.message.contains("no workspace root"), "{error}");
}

#[test]
fn implicit_features() {
    let text = with(
        "[features]
default = ['dep:hidden', 'shown?/x']
[dependencies]
hidden = { version = '1', optional = true }
shown = { version = '1', optional = true }
",
    );
    let manifest = real(&text, &["src/lib.rs"]);
    let features: Vec<&str> = manifest.summary.features.keys().map(|name| name.as_str()).collect();
    assert_eq!(features, ["default", "shown"]);
    assert_eq!(manifest.declared_features.len(), 1);
}

#[test]
fn refusals_point_at_the_line() {
    refused("[package\n", "", "");
    refused("[package]\nversion='1.0.0'\n", "`package.name` is missing", "package");
    refused("[package]\nname='a'\nversion='x'\n", "", "'x'");
    refused("[package]\nname='a'\nedition='2099'\n", "edition `2099`", "2099");
    refused("[package]\nname='a'\nedition='2030'\n", "newer", "2030");
    refused(&with("rust-version = '1.50'\n"), "rust-version 1.50", "1.50");
    refused(&with("resolver = '9'\n"), "unknown resolver `9`", "9");
    refused(&with("links = 'z'\n"), "no build script", "z");
    refused(&with("default-run = 'a-c'\n"), "not a binary", "a-c");
    refused(&with("im-a-teapot = true\n"), "unstable", "true");
    refused(&with("[lib]\nname = 'a-b'\n"), "hyphen", "a-b");
    refused(&with("[lib]\ncrate-type = ['dylib', 'cdylib']\n"), "both", "cdylib");
    refused(
        &with("[[bin]]\nname = 'x'\npath = 'x.rs'\n[[bin]]\nname = 'x'\npath = 'y.rs'\n"),
        "two binary",
        "x",
    );
    refused(&with("[[bin]]\nname = 'deps'\npath = 'x.rs'\n"), "directory of the build", "deps");
    refused(&with("[[bin]]\npath = 'x.rs'\n"), "no name", "");
    refused(&with("[dependencies]\nx = '1.x.y'\n"), "malformed", "1.x.y");
    refused(&with("[dependencies]\nx = {}\n"), "neither version nor path nor git", "x");
    refused(&with("[dependencies]\nx = { version = '1', branch = 'b' }\n"), "`branch`", "x");
    refused(&with("[dependencies]\nx = { git = 'https://e.com', path = 'p' }\n"), "ambiguous", "x");
    refused(&with("[dependencies]\nx = { git = 'git@e.com:x' }\n"), "not a url", "x");
    refused(&with("[dependencies]\nx = { version = '1', registry = 'no' }\n"), "not configured", "x");
    refused(&with("[dependencies]\nx = { version = '1', features = ['a/b'] }\n"), "slash", "x");
    refused(&with("[dev-dependencies]\nx = { version = '1', optional = true }\n"), "optional", "x");
    refused(&with("[dev_dependencies]\nx = '1'\n"), "not supported since edition 2024", "");
    refused(&with("[features]\nf = ['g']\n"), "neither a dependency nor another feature", "g");
    refused(&with("[features]\nf = ['x']\n[dependencies]\nx = '1'\n"), "not optional", "x");
    refused(&with("[features]\n'a/b' = []\n"), "", "a/b");
    refused(&with("[target.'cfg('.dependencies]\nx = '1'\n"), "not a platform", "cfg(");
    refused(&with("[lints.rust]\n'clippy::all' = 'warn'\n"), "not a lint name", "warn");
    refused(&with("[profile.dev]\npanic = 'never'\n"), "`panic`", "dev");
    refused(&with("[profile.dev.package.x]\nlto = true\n"), "`lto`", "dev");
    refused(&with("[patch.nowhere]\nx = { path = 'x' }\n"), "neither a url", "nowhere");
    refused(&with("[replace]\n'x:1.0.0' = { version = '1' }\n"), "replacement", "1");
    refused("[workspace]\n[dependencies]\nx = '1'\n", "virtual manifest", "dependencies");
    refused("cargo-features = ['metabuild']\n[workspace]\n", "unstable", "metabuild");
}

#[test]
fn unused_keys_are_told() {
    let text =
        with("colour = 'red'\n[dependencies]\nx = { version = '1', colour = 'red' }\n[build]\njobs = 1\n");
    let manifest = real(&text, &["src/lib.rs"]);
    let messages: Vec<&str> = manifest.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "unused manifest key: dependencies.x.colour",
            "unused manifest key: build (`build` is a key of `.cargo/config.toml`)",
            "unused manifest key: package.colour",
        ]
    );
}
