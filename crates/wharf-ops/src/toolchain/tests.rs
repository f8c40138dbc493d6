use super::*;
use crate::config::Env;

fn env() -> Env {
    std::env::vars_os().collect()
}

#[test]
fn the_real_compiler_is_asked_once() {
    let home = tempfile::tempdir().unwrap();
    let env = env();
    let config = Config::empty(home.path(), &home.path().join("cargo"), &env);
    let build = config.build().unwrap();
    let compiler = compiler(&config, &build, home.path()).unwrap();
    assert!(compiler.verbose_version.contains("host: "));
    let kinds =
        compile_kinds(&["host-tuple".to_owned(), compiler.host.clone()], &compiler.host, false).unwrap();
    assert_eq!(kinds.len(), 1);
    let first = toolchain(&config, &compiler, &kinds, home.path()).unwrap();
    let file = home.path().join("toolchains.json");
    let remembered = std::fs::read(&file).unwrap();
    let again = super::compiler(&config, &build, home.path()).unwrap();
    let second = toolchain(&config, &again, &kinds, home.path()).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), remembered, "nothing new was learnt");
    assert_eq!(first.content_id, second.content_id);
    assert_eq!(first.targets.len(), 2);
    let info = first.info(&kinds[0]);
    assert!(info.libdir.is_dir(), "{}", info.libdir.display());
    assert!(info.cfgs.iter().any(|cfg| cfg.to_string() == "unix"));
}

#[test]
fn an_unknown_target_is_told() {
    let home = tempfile::tempdir().unwrap();
    let config = Config::empty(home.path(), &home.path().join("cargo"), &env());
    let compiler = compiler(&config, &config.build().unwrap(), home.path()).unwrap();
    let kinds = [CompileKind::Target(CompileTarget::new("x86_64-unknown-linux-gun"))];
    let error = toolchain(&config, &compiler, &kinds, home.path()).unwrap_err().to_string();
    assert!(error.contains("did you mean `x86_64-unknown-linux-gnu`"), "{error}");
}

#[test]
fn a_missing_compiler_is_told() {
    let home = tempfile::tempdir().unwrap();
    let env = [("PATH".into(), "/nonexistent".into())].into_iter().collect();
    let config = Config::empty(home.path(), home.path(), &env);
    let error = compiler(&config, &config.build().unwrap(), home.path()).unwrap_err();
    assert!(error.to_string().starts_with("cannot find the compiler `rustc`: install Rust"), "{error}");
}
