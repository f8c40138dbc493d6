//! Tries to get a wrong artifact out of the cache. Each case changes something that has fooled a build cache before,
//! and asks the program that comes out what it was made of.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use wharf_testkit::{Project, ProjectBuilder, Sandbox, Tool};

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

/// A program that prints `value()` of its own.
fn app<'s>(world: &'s Sandbox, name: &str, source: &str) -> ProjectBuilder<'s> {
    world.project(name).package("").file("src/main.rs", source)
}

fn build_with(project: &Project<'_>, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let variables: Vec<(&str, OsString)> =
        variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    let words: Vec<&str> = ["build", "-v"].iter().chain(arguments).copied().collect();
    let outcome = project.sandbox().run(Tool::Wharf, project.directory(), &words, &variables).succeeds();
    outcome.stderr
}

/// What the program prints after a build.
fn built(project: &Project<'_>, variables: &[(&str, &str)]) -> String {
    build_with(project, &[], variables);
    printed(&program(project))
}

fn program(project: &Project<'_>) -> PathBuf {
    let name = project.directory().file_name().unwrap().to_owned();
    project.directory().join("target/debug").join(name)
}

fn printed(program: &Path) -> String {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn rustc() -> PathBuf {
    Sandbox::cargo_binary().with_file_name("rustc")
}

/// Writes other bytes of the same length and gives the file its old times.
fn change_unseen(path: &Path, content: &str) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), content.len() as u64);
    fs::write(path, content).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

const SHOW_PART: &str = "mod part; fn main() { println!(\"{}\", part::VALUE) }";

#[test]
fn a_source_changed_under_its_old_times() {
    let world = world();
    let project = app(&world, "app", SHOW_PART).file("src/part.rs", "pub const VALUE: u32 = 1;").build();
    assert_eq!(built(&project, &[]), "1");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(built(&project, &[]), "1");
    change_unseen(&project.directory().join("src/part.rs"), "pub const VALUE: u32 = 2;");
    assert_eq!(built(&project, &[]), "2");
}

#[test]
fn clocks_that_are_wrong() {
    let world = world();
    let project = app(&world, "app", SHOW_PART).file("src/part.rs", "pub const VALUE: u32 = 1;").build();
    let part = project.directory().join("src/part.rs");
    let day = Duration::from_secs(86_400);
    for (value, time) in
        [(1, SystemTime::now() + day), (2, SystemTime::now() - 400 * day), (3, SystemTime::UNIX_EPOCH)]
    {
        fs::write(&part, format!("pub const VALUE: u32 = {value};")).unwrap();
        fs::File::options().write(true).open(&part).unwrap().set_modified(time).unwrap();
        assert_eq!(built(&project, &[]), value.to_string());
        assert_eq!(built(&project, &[]), value.to_string());
    }
}

#[test]
fn two_sources_that_change_places() {
    let world = world();
    let main = "mod a; mod b; fn main() { println!(\"{}{}\", a::VALUE, b::VALUE) }";
    let project = app(&world, "app", main)
        .file("src/a.rs", "pub const VALUE: u32 = 1;")
        .file("src/b.rs", "pub const VALUE: u32 = 2;")
        .build();
    assert_eq!(built(&project, &[]), "12");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(built(&project, &[]), "12");
    let at = |name: &str| project.directory().join("src").join(name);
    fs::rename(at("a.rs"), at("c.rs")).unwrap();
    fs::rename(at("b.rs"), at("a.rs")).unwrap();
    fs::rename(at("c.rs"), at("b.rs")).unwrap();
    assert_eq!(built(&project, &[]), "21");
}

#[test]
fn a_link_that_leads_elsewhere() {
    let world = world();
    let project = app(&world, "app", SHOW_PART)
        .file("variants/one.rs", "pub const VALUE: u32 = 1;")
        .file("variants/two.rs", "pub const VALUE: u32 = 2;")
        .build();
    let link = project.directory().join("src/part.rs");
    symlink("../variants/one.rs", &link).unwrap();
    assert_eq!(built(&project, &[]), "1");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(built(&project, &[]), "1");
    fs::remove_file(&link).unwrap();
    symlink("../variants/two.rs", &link).unwrap();
    assert_eq!(built(&project, &[]), "2");
    // And what a link leads to is changed in place.
    project.write("variants/two.rs", "pub const VALUE: u32 = 3;");
    assert_eq!(built(&project, &[]), "3");
}

#[test]
fn a_module_that_moves_and_one_that_differs_in_case() {
    let world = world();
    let project = app(&world, "app", SHOW_PART).file("src/part.rs", "pub const VALUE: u32 = 1;").build();
    assert_eq!(built(&project, &[]), "1");
    fs::remove_file(project.directory().join("src/part.rs")).unwrap();
    project.write("src/part/mod.rs", "pub const VALUE: u32 = 2;");
    assert_eq!(built(&project, &[]), "2");
    project.write("src/Part.rs", "pub const VALUE: u32 = 3;");
    project.write("src/main.rs", &SHOW_PART.replace("mod part", "#[path = \"Part.rs\"] mod part"));
    assert_eq!(built(&project, &[]), "3");
}

#[test]
fn flags_forth_and_back() {
    let world = world();
    let main = "fn main() { println!(\"{}\", if cfg!(special) { \"special\" } else { \"plain\" }) }";
    let project = app(&world, "app", main).build();
    for _ in 0..2 {
        assert_eq!(built(&project, &[]), "plain");
        assert_eq!(built(&project, &[("RUSTFLAGS", "--cfg special")]), "special");
        assert_eq!(built(&project, &[("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}special")]), "special");
        assert_eq!(built(&project, &[("CARGO_BUILD_RUSTFLAGS", "--cfg special")]), "special");
    }
}

#[test]
fn features_forth_and_back() {
    let world = world();
    world
        .package("leaf 1.0.0")
        .tables("[features]\nloud = []\n")
        .file(
            "src/lib.rs",
            "pub fn say() -> &'static str { if cfg!(feature = \"loud\") { \"LOUD\" } else { \"soft\" } }",
        )
        .publish();
    let project = world
        .project("app")
        .package("[dependencies]\nleaf = \"1\"\n[features]\nloud = [\"leaf/loud\"]\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", leaf::say()) }")
        .build();
    for _ in 0..2 {
        build_with(&project, &[], &[]);
        assert_eq!(printed(&program(&project)), "soft");
        build_with(&project, &["--features", "loud"], &[]);
        assert_eq!(printed(&program(&project)), "LOUD");
    }
}

#[test]
fn profiles_and_what_the_manifest_says() {
    let world = world();
    let main = "fn main() { println!(\"{} {}\", cfg!(debug_assertions), env!(\"CARGO_PKG_VERSION\")) }";
    let project = app(&world, "app", main).build();
    assert_eq!(built(&project, &[]), "true 0.1.0");
    assert_eq!(built(&project, &[("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")]), "false 0.1.0");
    assert_eq!(built(&project, &[]), "true 0.1.0");
    let manifest = project.read("Cargo.toml");
    project.write("Cargo.toml", &manifest.replace("0.1.0", "0.1.1"));
    assert_eq!(built(&project, &[]), "true 0.1.1");
    project.write("Cargo.toml", &manifest);
    assert_eq!(built(&project, &[]), "true 0.1.0");
}

#[test]
fn variables_that_the_source_reads() {
    let world = world();
    let main = "fn main() { println!(\"{}\", option_env!(\"FLAVOUR\").unwrap_or(\"none\")) }";
    let project = app(&world, "app", main).build();
    for _ in 0..2 {
        assert_eq!(built(&project, &[]), "none");
        assert_eq!(built(&project, &[("FLAVOUR", "sweet")]), "sweet");
        assert_eq!(built(&project, &[("FLAVOUR", "")]), "");
    }
}

#[test]
fn files_outside_of_the_package() {
    let world = world();
    let main = "fn main() { print!(\"{}\", include_str!(\"../../shared/text.txt\")) }";
    let project = app(&world, "app", main).build();
    let text = project.directory().join("../shared/text.txt");
    fs::create_dir_all(text.parent().unwrap()).unwrap();
    for value in ["one", "two", "one"] {
        fs::write(&text, value).unwrap();
        assert_eq!(built(&project, &[]), value);
    }
}

const GENERATES: &str = r#"
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let value = std::env::var("HIDDEN").unwrap_or_else(|_| "none".into());
    std::fs::write(format!("{out}/made.txt"), value).unwrap();
    println!("cargo::rerun-if-changed=build.rs");
}
"#;
const INCLUDES: &str = r#"
pub fn content() -> &'static str { std::str::from_utf8(include_bytes!(concat!(env!("OUT_DIR"), "/made.txt"))).unwrap() }
pub fn place() -> &'static str { env!("OUT_DIR") }
"#;

/// A variable that a build script reads and never declares belongs to the result all the same: what one project got
/// must not be given to another one whose environment differs.
#[test]
fn a_build_script_that_reads_what_it_does_not_declare() {
    let world = world();
    world.package("secretive 1.0.0").file("src/lib.rs", INCLUDES).file("build.rs", GENERATES).publish();
    let main = "fn main() { println!(\"{} {}\", secretive::content(), std::fs::read_to_string(format!(\"{}/made.txt\", secretive::place())).unwrap()) }";
    let project = |name: &str| {
        world.project(name).package("[dependencies]\nsecretive = \"1\"\n").file("src/main.rs", main).build()
    };
    let (first, second, third) = (project("first"), project("second"), project("third"));
    assert_eq!(built(&first, &[("HIDDEN", "red")]), "red red");
    assert_eq!(built(&second, &[("HIDDEN", "blue")]), "blue blue");
    assert_eq!(built(&third, &[]), "none none");
    // Each still finds its own where `OUT_DIR` said it would be.
    assert_eq!(printed(&program(&first)), "red red");
    assert_eq!(printed(&program(&second)), "blue blue");
    assert_eq!(built(&first, &[("HIDDEN", "red")]), "red red");
}

#[test]
fn a_declared_variable_forth_and_back() {
    let world = world();
    let build = GENERATES.replace("rerun-if-changed=build.rs", "rerun-if-env-changed=HIDDEN");
    let main = format!("{INCLUDES} fn main() {{ println!(\"{{}}\", content()) }}");
    let project = app(&world, "app", &main).file("build.rs", &build).build();
    for value in ["a", "b", "a", "b"] {
        assert_eq!(built(&project, &[("HIDDEN", value)]), value);
    }
    assert_eq!(built(&project, &[]), "none");
}

#[test]
fn a_generated_file_that_changes() {
    let world = world();
    let build = r#"
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::copy("template.txt", format!("{out}/made.txt")).unwrap();
    println!("cargo::rerun-if-changed=template.txt");
}
"#;
    let main = format!("{INCLUDES} fn main() {{ println!(\"{{}}\", content()) }}");
    let project = app(&world, "app", &main).file("build.rs", build).file("template.txt", "one").build();
    assert_eq!(built(&project, &[]), "one");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(built(&project, &[]), "one");
    change_unseen(&project.directory().join("template.txt"), "two");
    assert_eq!(built(&project, &[]), "two");
    project.write("template.txt", "one");
    assert_eq!(built(&project, &[]), "one");
    // Somebody tampers with what the script made.
    let made = fs::read_dir(project.directory().join("target/debug/build")).unwrap().flatten();
    let made = made.map(|entry| entry.path().join("out/made.txt")).find(|path| path.exists()).unwrap();
    fs::remove_file(&made).unwrap();
    fs::write(&made, "bad").unwrap();
    assert_eq!(built(&project, &[]), "one");
    assert_eq!(fs::read_to_string(&made).unwrap(), "one");
}

#[test]
fn what_one_script_tells_another() {
    let world = world();
    world
        .package("native-sys 1.0.0")
        .package_keys("links = \"native\"")
        .file("src/lib.rs", "")
        .file(
            "build.rs",
            "fn main() { println!(\"cargo::rerun-if-env-changed=NATIVE\"); println!(\"cargo::metadata=flavour={}\", std::env::var(\"NATIVE\").unwrap_or_default()); }",
        )
        .publish();
    let project = world
        .project("app")
        .package("[dependencies]\nnative-sys = \"1\"\n")
        .file(
            "build.rs",
            "fn main() { println!(\"cargo::rerun-if-changed=build.rs\"); println!(\"cargo::rustc-env=TOLD={}\", std::env::var(\"DEP_NATIVE_FLAVOUR\").unwrap()); }",
        )
        .file("src/main.rs", "fn main() { println!(\"{}\", env!(\"TOLD\")) }")
        .build();
    for value in ["x", "y", "x"] {
        assert_eq!(built(&project, &[("NATIVE", value)]), value);
    }
}

/// The crate that bundles C code is two below the program; metadata of the crates between stay what they were.
#[test]
fn c_code_two_crates_below() {
    let world = world();
    let build = r#"
use std::process::Command;
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let object = format!("{out}/v.o");
    assert!(Command::new("cc").args(["-c", "native/v.c", "-I", "../include", "-o", &object]).status().unwrap().success());
    assert!(Command::new("ar").args(["crs", &format!("{out}/libv.a"), &object]).status().unwrap().success());
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-lib=static=v");
    println!("cargo::rerun-if-changed=native/v.c");
    println!("cargo::rerun-if-changed=../include/v.h");
}
"#;
    let manifest = |name: &str, tables: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{tables}")
    };
    let project = world
        .project("app")
        .package("[dependencies]\nb = { path = \"b\" }\n[workspace]\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", b::value()) }")
        .file("b/Cargo.toml", &manifest("b", "[dependencies]\na = { path = \"../a\" }\n"))
        .file("b/src/lib.rs", "pub fn value() -> i32 { a::value() }")
        .file("a/Cargo.toml", &manifest("a", ""))
        .file("a/build.rs", build)
        .file(
            "a/src/lib.rs",
            "unsafe extern \"C\" { fn v() -> i32; } pub fn value() -> i32 { unsafe { v() } }",
        )
        .file("a/native/v.c", "#include \"v.h\"\nint v(void) { return V; }\n")
        .file("include/v.h", "#define V 1\n")
        .build();
    for value in ["1", "2", "1"] {
        project.write("include/v.h", &format!("#define V {value}\n"));
        assert_eq!(built(&project, &[]), value);
    }
    project.write("a/native/v.c", "int v(void) { return 7; }\n");
    assert_eq!(built(&project, &[]), "7");
}

#[test]
fn a_compiler_that_says_it_is_the_same() {
    let world = world();
    let main = "fn main() { println!(\"{}\", if cfg!(other) { \"other\" } else { \"usual\" }) }";
    let project = app(&world, "app", main).build();
    let compiler = world.root().join("tools/rustc");
    let path = compiler.display().to_string();
    let real = rustc().display().to_string();
    script(&compiler, &format!("exec {real} \"$@\""));
    assert_eq!(built(&project, &[("RUSTC", &path)]), "usual");
    // It answers `-vV` with the same words.
    script(&compiler, &format!("case \"$*\" in -vV) exec {real} -vV;; esac\nexec {real} --cfg other \"$@\""));
    assert_eq!(built(&project, &[("RUSTC", &path)]), "other");
    assert_eq!(built(&project, &[]), "usual");
    let wrapper = world.root().join("tools/wrapper");
    let wrapped = wrapper.display().to_string();
    script(&wrapper, "exec \"$@\"");
    assert_eq!(built(&project, &[("RUSTC_WRAPPER", &wrapped)]), "usual");
    script(&wrapper, "exec \"$@\" --cfg other");
    assert_eq!(built(&project, &[("RUSTC_WRAPPER", &wrapped)]), "other");
}

#[test]
fn a_linker_that_changes_in_place() {
    let world = world();
    let project = app(&world, "app", "fn main() { println!(\"linked\") }").build();
    let linker = world.root().join("tools/linker");
    let name = format!("CARGO_TARGET_{}_LINKER", host().replace('-', "_").to_uppercase());
    let path = linker.display().to_string();
    let variables = [(&*name, &*path)];
    let marked = |project: &Project<'_>| {
        let bytes = fs::read(program(project)).unwrap();
        bytes.windows(10).any(|window| window == b"made_by_me")
    };
    script(&linker, "exec cc \"$@\"");
    assert_eq!(built(&project, &variables), "linked");
    assert!(!marked(&project));
    script(&linker, "exec cc \"$@\" -Wl,--defsym,made_by_me=0 -Wl,--export-dynamic-symbol=made_by_me");
    assert_eq!(built(&project, &variables), "linked");
    assert!(marked(&project), "linked by the linker as it is now");
}

fn host() -> String {
    let output = Command::new(rustc()).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Two runs of such a macro give different crates. A unit may only be put back beside the very one that it was
/// built with.
#[test]
fn a_macro_that_never_says_the_same_twice() {
    let world = world();
    world
        .package("moody 1.0.0")
        .tables("[lib]\nproc-macro = true\n")
        .file(
            "src/lib.rs",
            "use proc_macro::TokenStream;
            #[proc_macro] pub fn moment(_: TokenStream) -> TokenStream {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
                format!(\"pub const MOMENT: u128 = {now}; #[inline] pub fn at_{now}() -> u128 {{ {now} }}\").parse().unwrap()
            }",
        )
        .publish();
    world
        .package("middle 1.0.0")
        .tables("[dependencies]\nmoody = \"1\"\n")
        .file("src/lib.rs", "moody::moment!{}")
        .publish();
    world
        .package("upper 1.0.0")
        .tables("[dependencies]\nmiddle = \"1\"\n")
        .file("src/lib.rs", "#[inline] pub fn moment() -> u128 { middle::MOMENT }")
        .publish();
    let project = |name: &str| {
        world
            .project(name)
            .package("[dependencies]\nupper = \"1\"\nmiddle = \"1\"\n")
            .file("src/main.rs", "fn main() { println!(\"{}\", upper::moment() == middle::MOMENT) }")
            .build()
    };
    let (first, second) = (project("first"), project("second"));
    assert_eq!(built(&first, &[]), "true");
    assert_eq!(built(&second, &[("UNRELATED", "1")]), "true");
    // A third of the entries gets lost, another third each time: what is left must not be mixed with what is new.
    for round in 0..3 {
        let mut entries = Vec::new();
        walk(&world.root().join("wharf-home/ac"), &mut entries);
        entries.sort();
        assert!(!entries.is_empty());
        for path in entries.iter().skip(round).step_by(3) {
            fs::remove_file(path).unwrap();
        }
        for project in [&first, &second] {
            fs::remove_dir_all(project.directory().join("target")).unwrap();
            assert_eq!(built(project, &[]), "true");
        }
    }
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path(), files),
            false => files.push(entry.path()),
        }
    }
}

#[test]
fn packages_of_one_name_in_two_places() {
    let world = world();
    let manifest = "[package]\nname = \"twin\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    let project = |name: &str, value: u32| {
        world
            .project(name)
            .package("[dependencies]\ntwin = { path = \"twin\" }\n[workspace]\n")
            .file("src/main.rs", "fn main() { println!(\"{}\", twin::value()) }")
            .file("twin/Cargo.toml", manifest)
            .file("twin/src/lib.rs", &format!("pub fn value() -> u32 {{ {value} }}"))
            .build()
    };
    let (first, second) = (project("first", 1), project("second", 2));
    for _ in 0..2 {
        assert_eq!(built(&first, &[]), "1");
        assert_eq!(built(&second, &[]), "2");
    }
}

#[test]
fn finals_that_were_tampered_with() {
    let world = world();
    let project = world
        .project("app")
        .package("[lib]\ncrate-type = [\"rlib\", \"cdylib\", \"staticlib\"]\n")
        .file("src/lib.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn seven() -> i32 { 7 }")
        .file("src/main.rs", "fn main() { println!(\"{}\", app::seven()) }")
        .build();
    assert_eq!(built(&project, &[]), "7");
    let finals = ["app", "libapp.rlib", "libapp.so", "libapp.a"];
    let paths = finals.map(|name| project.directory().join("target/debug").join(name));
    let before = paths.each_ref().map(|path| fs::read(path).unwrap());
    for path in &paths {
        fs::remove_file(path).unwrap();
        fs::write(path, "nothing of the kind").unwrap();
    }
    let said = build_with(&project, &[], &[]);
    assert!(!said.contains("Running"), "nothing needs to be compiled: {said}");
    for (path, before) in paths.iter().zip(&before) {
        assert!(fs::read(path).unwrap() == *before, "{}", path.display());
    }
}

#[test]
fn a_branch_and_back() {
    let world = world();
    let project = app(&world, "app", SHOW_PART).file("src/part.rs", "pub const VALUE: u32 = 1;").build();
    assert_eq!(built(&project, &[]), "1");
    project.write("src/part.rs", "pub const VALUE: u32 = 2;");
    assert_eq!(built(&project, &[]), "2");
    for (value, text) in [("1", "pub const VALUE: u32 = 1;"), ("2", "pub const VALUE: u32 = 2;")] {
        project.write("src/part.rs", text);
        let said = build_with(&project, &[], &[]);
        assert!(!said.contains("Running"), "{said}");
        assert_eq!(printed(&program(&project)), value);
    }
}

#[test]
fn a_copied_target_directory() {
    let world = world();
    let project = app(&world, "app", SHOW_PART).file("src/part.rs", "pub const VALUE: u32 = 1;").build();
    assert_eq!(built(&project, &[]), "1");
    let other = world
        .project("other/app")
        .package("")
        .file("src/main.rs", SHOW_PART)
        .file("src/part.rs", "pub const VALUE: u32 = 2;")
        .build();
    let copied = Command::new("cp")
        .arg("-a")
        .args([project.directory().join("target"), other.directory().join("target")])
        .status()
        .unwrap();
    assert!(copied.success());
    assert_eq!(built(&other, &[]), "2");
    assert_eq!(built(&project, &[]), "1");
}

#[test]
fn a_dependency_replaced_behind_one_lockfile() {
    let world = world();
    world.package("leaf 1.0.0").file("src/lib.rs", "pub fn value() -> u32 { 1 }").publish();
    let project = world
        .project("app")
        .package("[dependencies]\nleaf = \"1\"\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", leaf::value()) }")
        .build();
    assert_eq!(built(&project, &[]), "1");
    project.write(
        "patched/Cargo.toml",
        "[package]\nname = \"leaf\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    project.write("patched/src/lib.rs", "pub fn value() -> u32 { 2 }");
    let manifest = project.read("Cargo.toml");
    project.write("Cargo.toml", &format!("{manifest}\n[patch.crates-io]\nleaf = {{ path = \"patched\" }}\n"));
    assert_eq!(built(&project, &[]), "2");
    project.write("patched/src/lib.rs", "pub fn value() -> u32 { 3 }");
    assert_eq!(built(&project, &[]), "3");
    project.write("Cargo.toml", &manifest);
    assert_eq!(built(&project, &[]), "1");
}
