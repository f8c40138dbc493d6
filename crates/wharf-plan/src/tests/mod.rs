//! Plans of small worlds, with no compiler.

mod world;

use wharf_exec::Cost;
use world::{HOST, World};

use crate::args::Args;
use crate::request::{CompileKind, CompileTarget, Fixer, Intent, LibRule, NamedTargets, Names, TargetFilter};
use crate::script::{ScriptContext, ScriptError};
use crate::{Flavor, KnownCost, Mode, Plan, ScriptOutput, Unit, UnitId};

const LIB: &[&str] = &["src/lib.rs"];

/// A program over a library, a macro and a package with a build script that all use one crate.
fn world() -> World {
    World::new()
        .member(
            "app",
            "[dependencies]\nmac = { path = \"../mac\" }\nsys = \"1\"\nbase = \"1\"\n[dev-dependencies]\nsys = \"1\"",
            &["src/lib.rs", "src/main.rs", "tests/t.rs"],
        )
        .member("mac", "[lib]\nproc-macro = true\n[dependencies]\nbase = \"1\"", LIB)
        .registry("sys", "links = \"s\"\n[build-dependencies]\nbase = \"1\"", &["src/lib.rs", "build.rs"])
        .registry("base", "", LIB)
}

fn lines(text: &str) -> Vec<&str> {
    text.trim().lines().map(str::trim).collect()
}

#[test]
fn units_without_target() {
    let sketch = world().plan().unwrap().sketch();
    // The host's `base` is shared with the target's: only then does host code keep its debug information.
    let want = "\
        app:lib:02 <-~base:lib:02 <- mac:lib:02 <-~sys:lib:02
        app:bin:02 <- app:lib:02 <- base:lib:02 <- mac:lib:02 <- sys:lib:02
        base:lib:02
        mac:lib:02 <- base:lib:02
        sys:lib:02 <- sys:script run:02
        sys:script:00 <- base:lib:02
        sys:script run:02 <- sys:script:00";
    assert_eq!(lines(&sketch), lines(want));
}

#[test]
fn units_with_target() {
    let mut world = world();
    world.kinds = vec![CompileKind::Target(CompileTarget::new(HOST))];
    let sketch = world.plan().unwrap().sketch();
    let want = "\
        @app:lib:02 <-~@base:lib:02 <- mac:lib:02 <-~@sys:lib:02
        @app:bin:02 <- @app:lib:02 <- @base:lib:02 <- mac:lib:02 <- @sys:lib:02
        base:lib:02
        @base:lib:02
        mac:lib:02 <- base:lib:02
        @sys:lib:02 <- @sys:script run:02
        @sys:script run:02 <- sys:script:02
        sys:script:02 <- base:lib:02";
    assert_eq!(lines(&sketch), lines(want));
}

#[test]
fn check_builds_what_runs() {
    let mut world = world();
    world.intent = Intent::Check { test: false };
    let plan = world.plan().unwrap();
    let checked: Vec<_> = plan
        .units
        .iter()
        .filter(|unit| unit.mode.is_check())
        .map(|unit| (unit.id().name().as_str(), unit.target.kind.description()))
        .collect();
    assert_eq!(checked, [("app", "lib"), ("app", "bin"), ("base", "lib"), ("mac", "lib"), ("sys", "lib")]);
    let built: Vec<_> = plan
        .units
        .iter()
        .filter(|unit| unit.mode == Mode::Build)
        .map(|unit| (unit.id().name().as_str(), unit.target.kind.description()))
        .collect();
    assert_eq!(built, [("base", "lib"), ("mac", "lib"), ("sys", "build-script")]);
}

#[test]
fn checks_may_use_what_builds_made() {
    let mut world = world();
    let name = |plan: &Plan, package: &str, mode: Mode| {
        let is_it = |unit: &Unit| {
            unit.id().name().as_str() == package
                && unit.target.kind.description() == "lib"
                && unit.mode == mode
        };
        let found: Vec<String> = (plan.units.iter().zip(&plan.graph.actions))
            .filter(|(unit, _)| is_it(unit))
            .map(|(_, action)| action.name.clone())
            .collect();
        found
    };
    let built = world.plan().unwrap();
    world.intent = Intent::Check { test: false };
    let own = world.plan().unwrap();
    world.lends = true;
    let lent = world.plan().unwrap();
    let check = Mode::Check { test: false };
    // `base` comes from a registry: the same action as in a build. `app` may change, so it is checked.
    assert_eq!(name(&lent, "base", check), [""; 0]);
    assert_eq!(name(&own, "base", check).len(), 1);
    assert!(
        name(&lent, "base", Mode::Build)
            .iter()
            .all(|action| name(&built, "base", Mode::Build).contains(action))
    );
    assert_eq!(name(&lent, "app", Mode::Build), [""; 0]);
    // `base` and `sys`, the latter's script, its run, and the `base` that the script is compiled against.
    assert_eq!((own.lendable_actions().len(), built.lendable_actions().len()), (5, 0));
    // Tools hear of the files that a check makes.
    let base = lent.units.iter().position(|unit| unit.id().name().as_str() == "base").map(UnitId).unwrap();
    let files: Vec<_> = lent.filenames(base).map(|file| file.name.rsplit('.').next().unwrap()).collect();
    assert_eq!(files, ["rmeta"]);
    assert!(lent.flags("app", check).contains("libbase-ID.rmeta"), "{}", lent.flags("app", check));
}

#[test]
fn tests_need_programs() {
    let mut world = world();
    world.intent = Intent::Test;
    let plan = world.plan().unwrap();
    let test = plan.units.iter().find(|unit| unit.target.name == "t").unwrap();
    assert!(test.dependencies.iter().any(|edge| plan.unit(edge.unit).target.is_bin()));
    assert_eq!(plan.tests().len(), 4);
    assert_eq!(plan.doctests().len(), 2);
    let doctest = plan.doctests()[0];
    assert_eq!(plan.action_of(doctest), None);
}

#[test]
fn flags_of_dev() {
    let plan = world().plan().unwrap();
    assert_eq!(
        plan.flags("base", Mode::Build),
        "--crate-name base --edition=2021 /home/src/base-1.0.0/src/lib.rs --crate-type lib \
         --emit=dep-info,metadata,link -C embed-bitcode=no -C debuginfo=2 -L dependency=/w/target/debug/deps \
         --cap-lints allow"
    );
    assert_eq!(
        plan.flags("mac", Mode::Build),
        "--crate-name mac --edition=2021 mac/src/lib.rs --crate-type proc-macro --emit=dep-info,link \
         -C prefer-dynamic -C embed-bitcode=no -C debuginfo=2 -L dependency=/w/target/debug/deps \
         --extern base=/w/target/debug/deps/libbase-ID.rlib --extern proc_macro --remap-path-prefix /w=MARK \
         --remap-path-prefix /w/target=/w/target --remap-path-prefix /w/mac=/w/mac"
    );
}

#[test]
fn fixers_stand_before_the_compilers_of_what_is_asked_for() {
    let mut world = world();
    world.intent = Intent::Check { test: false };
    world.fixer = Some(Fixer {
        program: "/bin/fixer".into(),
        args: vec!["task".into()],
        reads: Vec::new(),
        writes: vec!["/w".into()],
    });
    let plan = world.plan().unwrap();
    let called = |name: &str| {
        let unit = plan.units.iter().find(|unit| unit.package.name().as_str() == name).unwrap();
        let mut args = Args::default();
        let program = plan.compiler(unit, &mut args);
        (program.to_string_lossy().into_owned(), args.key.join(" "))
    };
    assert_eq!(called("app"), ("/bin/fixer".to_owned(), "task /tools/rustc".to_owned()));
    assert_eq!(called("base"), ("/tools/rustc".to_owned(), String::new()));
    let remaps = |name: &str, mode| plan.flags(name, mode).contains("--remap-path-prefix");
    assert!(!remaps("app", Mode::Check { test: false }), "its suggestions name files");
    // Macros run in the compiler that it starts.
    let app = plan.units.iter().position(|unit| unit.package.name().as_str() == "app").unwrap();
    assert!(plan.is_confined(UnitId(app)));
}

#[test]
fn flags_of_release_with_lto() {
    let mut world = world();
    world.profile = "release";
    world.profiles = "[profile.release]\nlto = true\npanic = \"abort\"\ncodegen-units = 1";
    let plan = world.plan().unwrap();
    assert!(
        plan.flags("sys", Mode::Build)
            .contains("-C opt-level=3 -C panic=abort -C linker-plugin-lto -C codegen-units=1")
    );
    let bins = plan.roots.iter().filter(|id| plan.unit(**id).target.is_bin());
    for id in bins {
        assert_eq!(plan.lto[id.0].flags(), ["lto"]);
    }
    for (unit, lto) in plan.units.iter().zip(&plan.lto).filter(|(unit, _)| unit.is_for_host()) {
        assert_eq!(lto.flags(), ["embed-bitcode=no"], "{}", unit.description());
    }
}

#[test]
fn linkers_wait_for_all_code() {
    let plan = world().plan().unwrap();
    let bin = plan.binaries()[0];
    let action = &plan.graph.actions[plan.action_of(bin).unwrap().0];
    assert!(action.needs.iter().all(|need| need.stage == wharf_exec::Stage::Whole));
    let base = (0..plan.units.len()).map(UnitId).find(|id| plan.unit(*id).id().name() == "base").unwrap();
    assert!(action.needs.iter().any(|need| Some(need.action) == plan.action_of(base)));
}

#[test]
fn what_is_known_of_costs_takes_the_place_of_guesses() {
    let mut world = world();
    let guessed = world.plan().unwrap();
    let cost = |plan: &Plan, name: &str| {
        let is_it = |id: &UnitId| {
            plan.unit(*id).id().name() == name && plan.unit(*id).target.kind.description() == "lib"
        };
        let id = (0..plan.units.len()).map(UnitId).find(is_it).unwrap();
        (plan.unit(id).cost_name(), plan.graph.actions[plan.action_of(id).unwrap().0].cost)
    };
    assert_eq!(
        cost(&guessed, "base"),
        ("base 1.0.0 lib base build 0".to_owned(), Cost { early: 500, whole: 1000 })
    );
    world.costs.insert("base 1.0.0 lib base build 0".to_owned(), KnownCost { early: None, whole: 70 });
    world.costs.insert("sys 1.0.0 lib sys build 0".to_owned(), KnownCost { early: Some(9), whole: 90 });
    let known = world.plan().unwrap();
    assert_eq!(cost(&known, "base").1, Cost { early: 35, whole: 70 });
    assert_eq!(cost(&known, "sys").1, Cost { early: 9, whole: 90 });
    assert_eq!(cost(&known, "mac"), cost(&guessed, "mac"));
    let names = |plan: &Plan| plan.units.iter().map(Unit::cost_name).collect::<Vec<_>>();
    let mut unique = names(&known);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), known.units.len(), "libraries and programs of one name are apart");
    let ids = |plan: &Plan| plan.hashes.iter().map(|hash| hash.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&known), ids(&guessed), "costs are no part of what is made");
}

#[test]
fn names_do_not_depend_on_the_checkout() {
    let ids = |root: &str| {
        let world = World::at(root).member("a", "", &["src/lib.rs", "src/main.rs"]);
        let plan = world.plan().unwrap();
        plan.hashes.iter().map(|hash| (hash.id.clone(), hash.metadata.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ids("/w"), ids("/elsewhere/v"));
    let mut flagged = World::new().member("a", "", LIB);
    flagged.root_args = vec!["-Cdebuginfo=1".to_owned()];
    let plain = World::new().member("a", "", LIB).plan().unwrap();
    let flagged = flagged.plan().unwrap();
    assert_eq!(plain.hashes[0].metadata, flagged.hashes[0].metadata);
    assert_ne!(plain.hashes[0].id, flagged.hashes[0].id);
}

#[test]
fn finals_and_intermediates() {
    let plan = World::new()
        .member("my-app", "[lib]\ncrate-type = [\"lib\", \"cdylib\"]", &["src/lib.rs", "src/main.rs"])
        .plan()
        .unwrap();
    let finals: Vec<String> = plan
        .roots
        .iter()
        .flat_map(|id| plan.outputs(*id))
        .filter(|file| file.flavor != Flavor::DebugInfo)
        .filter_map(|file| file.uplifted.as_ref())
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(
        finals,
        ["/w/target/debug/libmy_app.rlib", "/w/target/debug/libmy_app.so", "/w/target/debug/my-app"]
    );
    // The name of a dynamic library is in what links to it, so it carries no hash.
    assert_eq!(plan.outputs(plan.roots[0])[1].name, "libmy_app.so");
}

fn bins(names: &[&str]) -> TargetFilter {
    TargetFilter::Only(Box::new(NamedTargets {
        all: false,
        lib: LibRule::No,
        bins: Names::Just(names.iter().map(|name| name.to_string()).collect()),
        examples: Names::Just(Vec::new()),
        tests: Names::Just(Vec::new()),
        benches: Names::Just(Vec::new()),
    }))
}

#[test]
fn targets_by_name() {
    let manifest = "[features]\nx = []\n[[bin]]\nname = \"one\"\npath = \"src/main.rs\"\nrequired-features = [\"x\"]\n\
                    [[bin]]\nname = \"two\"\npath = \"src/two.rs\"";
    let world = |targets| {
        let mut world = World::new().member("a", manifest, &["src/main.rs", "src/two.rs"]);
        world.targets = targets;
        world.plan()
    };
    let built = world(TargetFilter::Default { skip_missing_features: true }).unwrap();
    assert_eq!(built.units.len(), 1);
    assert!(
        world(bins(&["one"])).unwrap_err().to_string().starts_with("target `one` in package `a` requires")
    );
    assert_eq!(world(bins(&["t*"])).unwrap().units[0].target.name, "two");
    let error = world(bins(&["tow"])).unwrap_err().to_string();
    assert!(error.contains("no bin target named `tow`") && error.contains("`two`"), "{error}");
}

fn parsed(text: &str, manifest: &str) -> Result<ScriptOutput, ScriptError> {
    let world = World::new().member("a", manifest, &["src/lib.rs", "build.rs"]);
    let plan = world.plan().unwrap();
    let package = &plan.units[0].package;
    ScriptOutput::parse(text, ScriptContext { package, may_bootstrap: false })
}

#[test]
fn script_output() {
    let text = "noise\ncargo:rustc-flags=-l a -Lnative=/b\ncargo::rustc-cfg=c=\"d\"\ncargo:root=/r\n\
                cargo::metadata=k=v\ncargo:warning=w \ncargo:rustc-env=A=b=c\ncargo:rerun-if-changed=x y\n";
    let output = parsed(text, "").unwrap();
    assert_eq!(output.library_links, ["a"]);
    assert_eq!(output.library_paths, [std::path::PathBuf::from("native=/b")]);
    assert_eq!(output.cfgs, ["c=\"d\""]);
    assert_eq!(output.metadata, [("root", "/r"), ("k", "v")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(output.messages[0].text, "w");
    assert_eq!(output.env, [("A".to_owned(), "b=c".to_owned())]);
    assert_eq!(output.rerun_if_changed, [std::path::PathBuf::from("x y")]);
}

#[test]
fn script_errors() {
    let is = |text: &str, manifest: &str, part: &str| {
        let error = parsed(text, manifest).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    is("cargo::a", "", "Expected a line with `cargo::KEY=VALUE`");
    is("cargo::a=b", "", "Unknown key: `a`");
    is("cargo:a", "", "Expected a line with `cargo:KEY=VALUE`");
    is("cargo::rustc-cfg=a", "rust-version = \"1.60\"", "Switch to the old `cargo:rustc-cfg=a` syntax");
    is("cargo:rustc-link-arg-bins=-x", "", "does not have a bin target");
    is("cargo:rustc-link-arg-bin=b=-x", "", "bin target with the name `b`");
    is("cargo:rustc-flags=-l", "", "has no value");
    is("cargo:rustc-flags=-z", "", "only `-l` and `-L`");
    is("cargo:rustc-env=A", "", "has no value");
    is("cargo:rustc-env=RUSTC_BOOTSTRAP=1", "", "RUSTC_BOOTSTRAP");
    assert!(parsed("cargo::error=e", "").unwrap().has_errors());
}
