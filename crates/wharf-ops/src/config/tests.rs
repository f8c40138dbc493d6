use std::path::{Path, PathBuf};

use super::*;

/// A directory tree with configuration files, and an environment.
struct World {
    dir: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
    arguments: Vec<String>,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_str().unwrap().to_owned();
        std::fs::create_dir_all(dir.path().join("w/inner")).unwrap();
        World { dir, env: vec![("__CARGO_TEST_ROOT", root)], arguments: Vec::new() }
    }

    fn file(self, path: &str, text: &str) -> World {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> World {
        self.env.push((name, value.to_owned()));
        self
    }

    fn argument(mut self, argument: &str) -> World {
        self.arguments.push(argument.to_owned());
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn load(&self) -> Result<Config> {
        let env = self.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Config::load(&self.path("w/inner"), &self.path("home"), &env, &self.arguments)
    }

    fn config(&self) -> Config {
        self.load().unwrap()
    }
}

fn list(config: &Config, key: &str) -> Vec<String> {
    config.get_list(key).unwrap().map(|found| found.value).unwrap_or_default()
}

#[test]
fn nearer_files_win_and_arrays_are_joined() {
    let world = World::new()
        .file("home/config.toml", "a.x = 'home'\na.y = 'home'\na.z = 'home'\nl = ['1']")
        .file("w/.cargo/config.toml", "a.y = 'w'\na.z = 'w'\nl = ['2']")
        .file("w/inner/.cargo/config.toml", "a.z = 'inner'\nl = ['3']")
        .argument("l=['5']")
        .env("CARGO_L", "4a 4b");
    let config = world.config();
    let text = |key: &str| config.get_string(key).unwrap().unwrap().value;
    assert_eq!([text("a.x"), text("a.y"), text("a.z")], ["home", "w", "inner"]);
    assert_eq!(list(&config, "l"), ["1", "2", "3", "4a", "4b", "5"]);
    assert_eq!(config.files().len(), 3);
}

#[test]
fn precedence_is_argument_then_environment_then_file() {
    let world = World::new()
        .file("w/.cargo/config.toml", "build.jobs = 1\nnet.retry = 1\nterm.color = 'never'")
        .env("CARGO_BUILD_JOBS", "2")
        .env("CARGO_NET_RETRY", "2")
        .argument("build.jobs=3");
    let config = world.config();
    assert_eq!(config.build().unwrap().jobs.unwrap().value, Jobs::Exactly(3));
    assert_eq!(config.net().unwrap().retry, 2);
    assert_eq!(config.term().unwrap().color, Some(ColorChoice::Never));
}

#[test]
fn errors_name_key_and_place() {
    let world = World::new().file("w/.cargo/config.toml", "build.jobs = [1]\nterm.quiet = 'yes'");
    let config = world.config();
    let file = world.path("w/.cargo/config.toml");
    assert_eq!(
        config.term().unwrap_err().to_string(),
        format!("`term.quiet` in `{}` must be a boolean, but it is a string", file.display())
    );
    assert!(config.build().unwrap_err().to_string().contains("build.jobs"));
    let config = World::new().env("CARGO_NET_RETRY", "many").config();
    assert_eq!(
        config.net().unwrap_err().to_string(),
        "invalid value for `net.retry` in environment variable `CARGO_NET_RETRY`: `many` is not an integer"
    );
}

#[test]
fn contradicting_files_are_refused() {
    let world = World::new().file("w/.cargo/config.toml", "a = 1").file("home/config.toml", "a = ['x']");
    assert!(world.load().unwrap_err().to_string().starts_with("`a` is an integer in "));
}

#[test]
fn paths_belong_to_their_files() {
    let world = World::new()
        .file(
            "w/.cargo/config.toml",
            "build.target-dir = 'out'\nbuild.rustc = 'bin/rustc'\nbuild.rustdoc = 'rd'",
        )
        .file("other/given.toml", "build.rustc-wrapper = 'x/wrap'")
        .argument("../../other/given.toml");
    let build = world.config().build().unwrap();
    assert_eq!(build.target_dir, Some(world.path("w/out")));
    assert_eq!(build.rustc, Some(world.path("w/bin/rustc")));
    assert_eq!(build.rustdoc, Some(PathBuf::from("rd")));
    let wrapper = build.rustc_wrapper.unwrap();
    assert_eq!(wharf_base::paths::normalize(&wrapper), world.path("x/wrap"));
}

#[test]
fn includes_are_merged_below_the_including_file() {
    let world = World::new()
        .file(
            "w/.cargo/config.toml",
            "include = ['one.toml', { path = 'no.toml', optional = true }]\na = 'main'",
        )
        .file("w/.cargo/one.toml", "include = ['sub/two.toml']\na = 'one'\nb = 'one'")
        .file("w/.cargo/sub/two.toml", "b = 'two'\nc = 'two'");
    let config = world.config();
    let text = |key: &str| config.get_string(key).unwrap().unwrap().value;
    assert_eq!([text("a"), text("b"), text("c")], ["main", "one", "two"]);
    for (include, reason) in [
        ("['x.txt']", "`.toml`"),
        ("'x.toml'", "an array of paths"),
        ("['*.toml']", "pattern"),
        ("['missing.toml']", "cannot include"),
        ("['config.toml']", "cannot include"),
    ] {
        let text = format!("include = {include}");
        let error = World::new().file("w/.cargo/config.toml", &text).load().unwrap_err().to_string();
        assert!(error.contains(reason), "{include}: {error}");
    }
}

#[test]
fn arguments_hold_one_dotted_key() {
    for good in ["build.jobs=4", "a.'b c'.d = [1, 2]", " x = true "] {
        World::new().argument(good).config();
    }
    for bad in [
        "",
        "nothing",
        "a=1\nb=2",
        "a={b=1}",
        "[a]\nb=1",
        "a=1 # note",
        "a.b=",
        "registry.token='x'",
        "registries.r.token='x'",
        "a=1\n[b]",
    ] {
        assert!(World::new().argument(bad).load().is_err(), "{bad:?}");
    }
}

#[test]
fn flags_come_from_one_place() {
    let files = "[build]\nrustflags = ['-b']\n[target.t-u]\nrustflags = '-t -u'\n[target.'cfg(unix)']\nrustflags = ['-c']";
    let cfgs = ["unix".parse::<cargo_platform::Cfg>().unwrap()];
    let ask = |world: &World, triple| {
        let platform = CompilerFlags { triple, cfgs: Some(&cfgs), host_of_cross_build: false };
        world.config().compiler_flags(FlagKind::Rustc, &platform).unwrap()
    };
    let world = || World::new().file("w/.cargo/config.toml", files);
    assert_eq!(ask(&world(), "t-u"), ["-t", "-u", "-c"]);
    assert_eq!(ask(&world().env("CARGO_TARGET_T_U_RUSTFLAGS", "-v"), "t-u"), ["-t", "-u", "-v", "-c"]);
    assert_eq!(ask(&world().env("RUSTFLAGS", " -x  -y "), "t-u"), ["-x", "-y"]);
    let encoded = world().env("RUSTFLAGS", "-x").env("CARGO_ENCODED_RUSTFLAGS", "a b\x1fc");
    assert_eq!(ask(&encoded, "t-u"), ["a b", "c"]);
    let build = World::new().file("w/.cargo/config.toml", "build.rustflags = ['-b']");
    assert_eq!(ask(&build, "t-u"), ["-b"]);
}

#[test]
fn runner_of_the_environment_stands_alone() {
    let world = World::new()
        .file("w/.cargo/config.toml", "[target.t]\nrunner = ['./run', 'x']\nlinker = 'l/d'")
        .file("home/config.toml", "[target.t]\nrunner = ['home']");
    let target = world.config().target("t", &[]).unwrap();
    let runner = target.runner.unwrap();
    assert_eq!((runner.program, runner.args), (world.path("w/./run"), vec!["x".to_owned()]));
    assert_eq!(target.linker, Some(world.path("w/l/d")));
    let world = world.env("CARGO_TARGET_T_RUNNER", "other -q");
    let runner = world.config().target("t", &[]).unwrap().runner.unwrap();
    assert_eq!((runner.program, runner.args), (PathBuf::from("other"), vec!["-q".to_owned()]));
}

#[test]
fn profiles_take_the_environment() {
    let world = World::new()
        .file(
            "w/.cargo/config.toml",
            "[profile.dev]\nopt-level = 1\ndebug = 'limited'\n[profile.dev.package.a]\nopt-level = 2",
        )
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_MINE_INHERITS", "dev");
    let profiles = world.config().profiles(["mine"]).unwrap();
    let dev = &profiles["dev"];
    let level = |profile: &cargo_util_schemas::manifest::TomlProfile| profile.opt_level.clone().unwrap().0;
    assert_eq!(level(dev), "s");
    assert_eq!(level(dev.build_override.as_ref().unwrap()), "3");
    assert_eq!(level(dev.package.as_ref().unwrap().values().next().unwrap()), "2");
    assert!(profiles["release"].lto.is_some());
    assert_eq!(profiles["mine"].inherits.as_deref(), Some("dev"));
    assert!(!profiles.contains_key("test"));
}

#[test]
fn sources_are_followed_to_their_end() {
    let world = World::new().file(
        "w/.cargo/config.toml",
        "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nregistry = 'https://a.test/'\nreplace-with = 'v'\n\
         [source.v]\ndirectory = 'vendor'",
    );
    let map = world.config().sources().unwrap().replacements().unwrap();
    let vendor = wharf_core::SourceId::for_directory(&world.path("w/vendor")).unwrap();
    assert_eq!(map[&wharf_core::SourceId::crates_io()], vendor);
    assert_eq!(map[&wharf_core::SourceId::for_registry("https://a.test/").unwrap()], vendor);
    assert!(World::new().config().sources().unwrap().replacements().unwrap().is_empty());
    for bad in [
        "[source.crates-io]\nreplace-with = 'crates-io'",
        "[source.crates-io]\nreplace-with = 'none'",
        "[source.a]\ndirectory = 'x'\nreplace-with = 'b'\n[source.b]\ndirectory = 'y'\nreplace-with = 'a'",
    ] {
        let config = World::new().file("w/.cargo/config.toml", bad).config();
        assert!(config.sources().unwrap().replacements().is_err(), "{bad}");
    }
    for bad in
        ["[source.a]", "[source.a]\nbranch = 'x'", "[source.a]\ndirectory = 'x'\nregistry = 'https://b'"]
    {
        assert!(World::new().file("w/.cargo/config.toml", bad).config().sources().is_err(), "{bad}");
    }
}

#[test]
fn env_table_and_credentials() {
    let world = World::new()
        .file(
            "w/.cargo/config.toml",
            "[env]\nA = 'a'\nB = { value = 'b', force = true }\nC = { value = 'c', relative = true }",
        )
        .file("home/credentials.toml", "token = 'crates'\n[registries.mine]\ntoken = 'secret'")
        .env("A", "set")
        .env("B", "set");
    let mut config = world.config();
    let effective = config.effective_env().unwrap();
    assert!(!effective.contains_key("A"));
    assert_eq!(effective["B"], "b");
    assert_eq!(effective["C"], world.path("w/c"));
    assert!(config.registry("mine").unwrap().token.is_none());
    config.load_credentials().unwrap();
    assert_eq!(config.registry("mine").unwrap().token.unwrap().value, "secret");
    assert_eq!(config.registry("crates-io").unwrap().token.unwrap().value, "crates");
}

#[test]
fn warnings_come_once() {
    let world = World::new()
        .file("w/.cargo/config", "net.bad = 1")
        .file("w/.cargo/config.toml", "")
        .env("cargo_net_retry", "2");
    let config = world.config();
    config.net().unwrap();
    config.net().unwrap();
    let warnings = config.take_warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(config.take_warnings().is_empty());
}

#[test]
fn build_dir_templates() {
    let config = World::new().argument("build.build-dir='{workspace-root}/x'").config();
    let roots = TemplateRoots {
        workspace_root: Path::new("/w"),
        cargo_cache_home: Path::new("/c"),
        workspace_path_hash: "ab/cd",
    };
    let build = config.build().unwrap();
    assert_eq!(build.build_dir(config.cwd(), &roots).unwrap(), Some("/w/x".into()));
    let config = World::new().argument("build.build-dir='{nothing}'").config();
    assert!(config.build().unwrap().build_dir(config.cwd(), &roots).is_err());
}
