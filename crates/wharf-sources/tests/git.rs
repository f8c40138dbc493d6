//! Git repositories and git indexes, made by `git` itself.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{World, line, name, wanted};
use url::Url;
use wharf_core::{GitReference, SourceId};
use wharf_sources::{Freshness, SourceError};

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@e.com", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(dir: &Path) -> String {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "x"]);
    git(dir, &["rev-parse", "HEAD"])
}

fn source(dir: &Path, reference: GitReference) -> SourceId {
    SourceId::for_git(Url::from_file_path(dir).unwrap(), reference)
}

fn manifest(package: &str) -> String {
    format!("[package]\nname = '{package}'\nversion = '1.0.0'\n")
}

/// A repository with packages `a` and `nested`, and a broken one.
fn repository(world: &World) -> std::path::PathBuf {
    let dir = world.dir.path().join("repo");
    world.write("repo/Cargo.toml", manifest("a"));
    world.write("repo/src/lib.rs", "");
    world.write("repo/crates/nested/Cargo.toml", manifest("nested"));
    world.write("repo/crates/nested/src/lib.rs", "");
    world.write("repo/tests/broken/Cargo.toml", "[package");
    git(&dir, &["init", "-q"]);
    commit(&dir);
    dir
}

#[test]
fn packages_anywhere_in_a_repository() {
    let world = World::new();
    let dir = repository(&world);
    let head = git(&dir, &["rev-parse", "HEAD"]);
    let source = source(&dir, GitReference::DefaultBranch);
    let sources = world.sources();
    let precise = sources.update_git(&source).unwrap();
    assert_eq!(precise.git_object(), Some(&*head));
    let found = sources.summaries(&source, &name("nested"), Freshness::Current).unwrap();
    assert_eq!(found[0].id.source(), &precise);
    let places = sources.fetch(&[wanted(&found[0])]).unwrap();
    let place = &places[&found[0].id];
    assert!(place.ends_with("crates/nested") && place.join("Cargo.toml").is_file());
    let checkout = place.parent().unwrap().parent().unwrap();
    assert!(checkout.join(".cargo-ok").is_file());
    assert_eq!(checkout.file_name().unwrap().to_str(), Some(&head[..7]));
    assert_eq!(sources.packages(&source).unwrap().len(), 2);
    assert!(sources.summaries(&source, &name("other"), Freshness::Current).unwrap().is_empty());
    assert_eq!(world.heard("UpdatingGit"), 1);
}

#[test]
fn references() {
    let world = World::new();
    let dir = repository(&world);
    let first = git(&dir, &["rev-parse", "HEAD"]);
    git(&dir, &["tag", "-a", "v1", "-m", "x"]);
    git(&dir, &["checkout", "-q", "-b", "side/branch"]);
    world.write("repo/new", "");
    let second = commit(&dir);
    git(&dir, &["checkout", "-q", "main"]);
    let at = |reference| {
        let precise = world.sources().update_git(&source(&dir, reference))?;
        Ok::<_, SourceError>(precise.git_object().unwrap().to_owned())
    };
    assert_eq!(at(GitReference::Tag("v1".into())).unwrap(), first);
    assert_eq!(at(GitReference::Branch("side/branch".into())).unwrap(), second);
    assert_eq!(at(GitReference::Rev(second.clone())).unwrap(), second);
    assert_eq!(at(GitReference::Rev(second[..9].to_owned())).unwrap(), second);
    assert_eq!(at(GitReference::Rev("v1".into())).unwrap(), first);
    let missing = at(GitReference::Branch("none".into())).unwrap_err();
    assert!(matches!(missing, SourceError::GitReference { .. }), "{missing}");
}

#[test]
fn locked_commits_need_no_network() {
    let world = World::new();
    let dir = repository(&world);
    let precise = world.sources().update_git(&source(&dir, GitReference::DefaultBranch)).unwrap();
    world.write("repo/new", "");
    commit(&dir);
    let offline = World { network: World::new().offline().network, ..world };
    let found = offline.sources().summaries(&precise, &name("a"), Freshness::Cached).unwrap();
    assert_eq!(found[0].id.source(), &precise);
    let other = source(&dir, GitReference::Tag("v9".into()));
    let error = offline.sources().update_git(&other).unwrap_err();
    assert!(error.is_offline(), "{error}");
}

#[test]
fn submodules_are_checked_out() {
    let world = World::new();
    let inner = world.dir.path().join("inner");
    world.write("inner/file.c", "int x;");
    git(&inner, &["init", "-q"]);
    commit(&inner);
    let dir = repository(&world);
    git(&dir, &["submodule", "--quiet", "add", "../inner", "vendor/inner"]);
    git(&dir, &["config", "--file", ".gitmodules", "submodule.vendor/inner.url", "../inner"]);
    commit(&dir);
    let source = source(&dir, GitReference::DefaultBranch);
    let sources = world.sources();
    let found = sources.summaries(&source, &name("a"), Freshness::Current).unwrap();
    let places = sources.fetch(&[wanted(&found[0])]).unwrap();
    assert!(places[&found[0].id].join("vendor/inner/file.c").is_file());
    assert_eq!(world.heard("submodule: true"), 1);
}

#[test]
fn git_indexes() {
    let world = World::new();
    let dir = world.dir.path().join("index");
    world.write("index/config.json", r#"{"dl":"https://e.com"}"#);
    world.write("index/1/a", line("a", "1.0.0", &[]));
    git(&dir, &["init", "-q"]);
    commit(&dir);
    let source = SourceId::for_registry(Url::from_file_path(&dir).unwrap().as_str()).unwrap();
    let ask =
        |package, freshness| world.sources().summaries(&source, &name(package), freshness).unwrap().len();
    assert_eq!(ask("a", Freshness::Current), 1);
    assert_eq!(ask("b", Freshness::Current), 0);
    world.write("index/1/b", line("b", "1.0.0", &[]));
    commit(&dir);
    assert_eq!(world.heard("UpdatingIndex"), 2);
    assert_eq!(ask("a", Freshness::Cached), 1);
    assert_eq!(world.heard("UpdatingIndex"), 2);
    // Not in the clone, so the registry is asked.
    assert_eq!(ask("b", Freshness::Cached), 1);
    let config = world.sources().registry_config(&source).unwrap().unwrap();
    assert_eq!(config.dl, "https://e.com");
}
