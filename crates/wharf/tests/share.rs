//! One store for all checkouts of a workspace: copies, clones, worktrees and renamed directories compile nothing that
//! was compiled before, and nothing in them names another checkout.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use wharf_testkit::{Call, Project, ProjectBuilder, Sandbox, Tool};

const MACRO: &str = r#"
use proc_macro::TokenStream;
use std::path::PathBuf;

fn package() -> PathBuf { std::env::var_os("CARGO_MANIFEST_DIR").unwrap().into() }

#[proc_macro]
pub fn seven(_: TokenStream) -> TokenStream { "7u32".parse().unwrap() }

/// Names the package's directory.
#[proc_macro]
pub fn here(_: TokenStream) -> TokenStream { format!("{:?}", package().display().to_string()).parse().unwrap() }

/// The content of a file, of which the compiler learns nothing.
#[proc_macro]
pub fn peek(path: TokenStream) -> TokenStream {
    let path = path.to_string();
    let text = std::fs::read_to_string(package().join(path.trim_matches('"'))).unwrap();
    format!("{:?}", text.trim()).parse().unwrap()
}
"#;

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

/// Adds a member with its manifest's further tables.
fn member<'s>(project: ProjectBuilder<'s>, name: &str, tables: &str, source: &str) -> ProjectBuilder<'s> {
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{tables}\n");
    let main = if source.contains("fn main()") { "main" } else { "lib" };
    project
        .file(&format!("crates/{name}/Cargo.toml"), &manifest)
        .file(&format!("crates/{name}/src/{main}.rs"), source)
}

fn on(names: &[&str]) -> String {
    let lines = names.iter().map(|name| format!("{name} = {{ path = \"../{name}\" }}\n"));
    format!("[dependencies]\n{}", lines.collect::<String>())
}

fn empty<'s>(world: &'s Sandbox, name: &str) -> ProjectBuilder<'s> {
    let manifest = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n";
    world.project(name).file("Cargo.toml", manifest).file(".gitignore", "target\n")
}

/// Members of which none needs to know where it is.
fn workspace<'s>(world: &'s Sandbox, name: &str) -> Project<'s> {
    let base = r#"
//! ```
//! assert_eq!(base::add(1, 2), 3);
//! ```
pub fn add(a: u32, b: u32) -> u32 { a + b }
pub fn place() -> &'static str { file!() }
pub fn pick(list: &[u32], at: usize) -> u32 { list[at] }
pub const TEXT: &str = include_str!("../text.txt");
"#;
    let app = r#"
fn main() {
    println!("{} {} {} {}", base::place(), macros::seven!() + count::COUNT, scripted::VERSION, base::TEXT.trim());
    if std::env::args().count() > 1 {
        base::pick(&[], 3);
    }
}
#[test]
fn unit() { assert!(std::env::var_os("BREAK").is_none() || base::pick(&[], 3) == 0) }
"#;
    let script = "fn main() { println!(\"cargo::rustc-env=VERSION=v1\\ncargo::rerun-if-changed=build.rs\") }";
    let mut project = empty(world, name);
    project = member(project, "base", "", base).file("crates/base/text.txt", "text\n");
    project = member(project, "macros", "[lib]\nproc-macro = true\n", MACRO);
    project = member(project, "count", &on(&["macros"]), "pub const COUNT: u32 = macros::seven!();");
    project = member(project, "scripted", "", "pub const VERSION: &str = env!(\"VERSION\");")
        .file("crates/scripted/build.rs", script);
    let dynamic = format!("[lib]\ncrate-type = [\"cdylib\"]\n{}", on(&["base"]));
    let source = "#[no_mangle] pub extern \"C\" fn more(a: u32) -> u32 { base::add(a, base::pick(&[1], 0)) }";
    project = member(project, "dynamic", &dynamic, source);
    project = member(project, "app", &on(&["base", "macros", "count", "scripted"]), app)
        .file("crates/app/tests/it.rs", "#[test] fn it() { assert_eq!(count::COUNT, 7) }")
        .file("crates/app/examples/show.rs", "fn main() { println!(\"{}\", base::place()) }");
    project.build()
}

fn compiled(project: &Project<'_>, arguments: &str) -> Vec<String> {
    let (outcome, calls) = project.recorded(Tool::Wharf, arguments);
    outcome.succeeds();
    calls.iter().map(Call::crate_name).map(str::to_owned).collect()
}

fn run(directory: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("RUST_BACKTRACE", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn git(directory: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A copy under another name, without what was built.
fn copy<'s>(world: &'s Sandbox, original: &Project<'_>, name: &str) -> Project<'s> {
    let to = world.project(name).build();
    let (from, to_text) = (original.directory().display().to_string(), to.directory().display().to_string());
    run(Path::new("/"), "cp", &["-a", &from, &to_text]);
    if to.exists("target") {
        std::fs::remove_dir_all(to.directory().join("target")).unwrap();
    }
    to
}

fn holds(project: &Project<'_>, file: &str, text: &Path) -> bool {
    let bytes = std::fs::read(project.directory().join(file)).unwrap();
    let text = text.to_str().unwrap().as_bytes();
    bytes.windows(text.len()).any(|window| window == text)
}

/// What was restored works as if it had been made here.
fn check_programs(project: &Project<'_>, others: &[&Path]) {
    let here = project.directory();
    let said = run(here, "target/debug/app", &[]);
    assert_eq!(said, "crates/base/src/lib.rs 14 v1 text\n");
    assert_eq!(run(here, "target/debug/examples/show", &[]), "crates/base/src/lib.rs\n");

    let failed = run(here, "target/debug/app", &["break"]);
    assert!(failed.contains("panicked at crates/base/src/lib.rs:7:"), "{failed}");
    assert!(failed.contains(" at ./crates/base/src/lib.rs:7:"), "{failed}");
    let program = here.join("target/debug/app").display().to_string();
    let failed = run(Path::new("/usr"), &program, &["break"]);
    assert!(failed.contains(&format!(" at {}/crates/base/src/lib.rs:7:", here.display())), "{failed}");

    for file in ["target/debug/app", "target/debug/libdynamic.so", "target/debug/examples/show"] {
        assert!(holds(project, file, here), "debug information of {file} tells where the sources are");
        assert!(!holds(project, file, Path::new("/proc/self/cwd")), "{file}");
        for other in others {
            assert!(!holds(project, file, other), "{file} names {}", other.display());
        }
    }
    let dep_info = project.read("target/debug/app.d");
    assert!(dep_info.contains(&format!("{}/crates/base/src/lib.rs", here.display())), "{dep_info}");
    for other in others {
        assert!(!dep_info.contains(&other.display().to_string()), "{dep_info}");
    }
}

#[test]
fn other_checkouts_compile_nothing() {
    let world = world();
    let first = workspace(&world, "first");
    let place = first.directory().to_owned();
    let all = "build --workspace --all-targets";
    assert!(!compiled(&first, all).is_empty());
    check_programs(&first, &[]);
    assert!(compiled(&first, all).is_empty());

    let copied = copy(&world, &first, "a-copy-with-a-longer-name");
    assert!(compiled(&copied, all).is_empty());
    check_programs(&copied, &[&place]);
    assert!(compiled(&copied, all).is_empty());
    copied.wharf("test --workspace").succeeds();

    git(first.directory(), &["init", "-q"]);
    git(first.directory(), &["add", "-A"]);
    git(first.directory(), &["commit", "-qm", "all"]);
    let (clone, tree) = (world.project("clone").build(), world.project("tree").build());
    git(first.directory(), &["clone", "-q", ".", "../clone"]);
    git(first.directory(), &["worktree", "add", "-q", "../tree"]);
    for checkout in [&clone, &tree] {
        assert!(compiled(checkout, all).is_empty());
        check_programs(checkout, &[&place, copied.directory()]);
    }
    // Debug information of tests names the place, too.
    let broken = world.run(
        Tool::Wharf,
        clone.directory(),
        &["test", "-p", "app"],
        &[("BREAK", "1".into()), ("RUST_BACKTRACE", "1".into())],
    );
    let line = format!(" at {}/crates/base/src/lib.rs:7:", clone.directory().display());
    assert!(broken.stdout.contains(&line), "{}", broken.stdout);

    // With what was built there, which names the old place.
    std::fs::rename(first.directory(), world.root().join("work/renamed")).unwrap();
    let renamed = world.project("renamed").build();
    assert!(compiled(&renamed, all).is_empty());
    check_programs(&renamed, &[&place]);
}

#[test]
fn an_edit_elsewhere_is_compiled_there() {
    let world = world();
    let first = workspace(&world, "first");
    compiled(&first, "build");
    let second = copy(&world, &first, "second");
    assert!(compiled(&second, "build").is_empty());
    let source = second.read("crates/base/src/lib.rs");
    second.write("crates/base/src/lib.rs", &format!("{source}\npub fn further() {{}}"));
    second.write("crates/base/text.txt", "other\n");
    assert_eq!(compiled(&second, "build"), ["app", "base", "dynamic"]);
    assert_eq!(run(second.directory(), "target/debug/app", &[]), "crates/base/src/lib.rs 14 v1 other\n");
    assert!(compiled(&first, "build").is_empty());
    check_first_program(&first);
    second.write("crates/base/src/lib.rs", &source);
    second.write("crates/base/text.txt", "text\n");
    assert!(compiled(&second, "build").is_empty());
    check_first_program(&second);
    // The other way round: what was edited there is known here.
    first.write("crates/base/src/lib.rs", &format!("{source}\npub fn further() {{}}"));
    first.write("crates/base/text.txt", "other\n");
    assert!(compiled(&first, "build").is_empty());
}

fn check_first_program(project: &Project<'_>) {
    assert_eq!(run(project.directory(), "target/debug/app", &[]), "crates/base/src/lib.rs 14 v1 text\n");
}

#[test]
fn what_names_its_checkout_is_made_in_each() {
    let world = world();
    let script = r#"
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/made.rs"), "pub fn made() -> &'static str { \"made\" }").unwrap();
    println!("cargo::rustc-env=WHERE={}", std::env::current_dir().unwrap().display());
    println!("cargo::rerun-if-changed=build.rs");
}
"#;
    let mut project = empty(&world, "first");
    let made =
        "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\npub const OUT: &str = env!(\"OUT_DIR\");";
    project = member(project, "made", "", made)
        .file("crates/made/build.rs", script)
        .file("crates/made/tests/out.rs", "#[test] fn out() { println!(\"{}\", env!(\"OUT_DIR\")) }");
    project = member(project, "told", "", "pub const WHERE: &str = env!(\"WHERE\");")
        .file("crates/told/build.rs", script);
    project = member(project, "macros", "[lib]\nproc-macro = true\n", MACRO);
    project = member(project, "named", &on(&["macros"]), "pub const HERE: &str = macros::here!();");
    project =
        member(project, "whole", "", "include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/src/part.rs\"));")
            .file("crates/whole/src/part.rs", "pub fn part() -> &'static str { file!() }");
    let app = r#"
fn main() {
    println!("{}\n{}\n{}\n{}", env!("CARGO_MANIFEST_DIR"), named::HERE, told::WHERE, whole::part());
    println!("{} {}", made::made(), made::OUT);
}
"#;
    project = member(project, "app", &on(&["made", "told", "named", "whole"]), app)
        .file("crates/app/tests/it.rs", "#[test] fn it() { println!(\"{}\", env!(\"CARGO_BIN_EXE_app\")) }");
    let first = project.build();
    let build = "build --workspace --all-targets";
    compiled(&first, build);
    let second = copy(&world, &first, "second");
    let again = compiled(&second, build);
    // Not the macro, and not the build scripts.
    for name in ["app", "it", "named", "out", "told", "whole"] {
        assert!(again.contains(&name.to_owned()), "{name} in {again:?}");
    }
    assert!(!again.iter().any(|name| name == "macros" || name == "build_script_build"), "{again:?}");
    // The library's tests include the file from `target/`; the library itself does not.
    assert_eq!(again.iter().filter(|name| *name == "made").count(), 1, "{again:?}");
    let programs = |project: &Project<'_>| {
        let here = project.directory();
        let crates = here.join("crates");
        let crates = crates.display();
        let told = run(here, "target/debug/app", &[]);
        let mut lines = told.lines();
        let want = ["app", "named", "told", "whole/src/part.rs"].map(|path| format!("{crates}/{path}"));
        for want in want {
            assert_eq!(lines.next(), Some(&*want));
        }
        let (made, out) = lines.next().unwrap().split_once(' ').unwrap();
        assert_eq!(made, "made");
        assert!(Path::new(out).join("made.rs").is_file(), "{out}");
        let tests = project.wharf("test -p made --test out -- --nocapture").succeeds();
        let out = format!("{}/target/debug/build/made-", here.display());
        assert!(tests.stdout.contains(&out), "{}", tests.stdout);
        let tests = project.wharf("test -p app --test it -- --nocapture").succeeds();
        assert!(tests.stdout.contains(&format!("{}/target/debug/app\n", here.display())), "{}", tests.stdout);
    };
    programs(&second);
    assert!(compiled(&first, build).is_empty(), "each has its own entries");
    programs(&first);
    assert!(compiled(&second, build).is_empty());
}

#[test]
fn what_a_macro_may_have_read_counts_elsewhere() {
    let world = world();
    let mut project = empty(&world, "first").file("shared/text", "shared");
    project = member(project, "macros", "[lib]\nproc-macro = true\n", MACRO);
    let app =
        "fn main() { println!(\"{} {}\", macros::peek!(\"own.txt\"), macros::peek!(\"../../shared/text\")) }";
    project = member(project, "app", &on(&["macros"]), app).file("crates/app/own.txt", "own");
    let first = project.build();
    compiled(&first, "build");
    let build = |name: &str, file: Option<&str>| {
        let copied = copy(&world, &first, name);
        if let Some(file) = file {
            copied.write(file, "changed");
        }
        let compiled = compiled(&copied, "build");
        (compiled.join(" "), run(copied.directory(), "target/debug/app", &[]))
    };
    assert_eq!(build("same", None), (String::new(), "own shared\n".into()));
    assert_eq!(build("own", Some("crates/app/own.txt")), ("app".into(), "changed shared\n".into()));
    assert_eq!(build("shared", Some("shared/text")), ("app".into(), "own changed\n".into()));
    // Cargo would not look, and neither does Wharf where the result was made.
    first.write("shared/text", "changed");
    assert!(compiled(&first, "build").is_empty());
}

#[test]
fn messages_name_this_checkout() {
    let world = world();
    let mut project = empty(&world, "first");
    let base = "pub fn two(a: u32, b: u32) -> u32 { a + b }\nfn unused() {}\n#[deprecated] pub fn old() {}";
    project = member(project, "base", "", base);
    project = member(project, "app", &on(&["base"]), "fn main() { base::old() }");
    let first = project.build();
    let before = first.wharf("build").succeeds();
    let second = copy(&world, &first, "second");
    let after = second.wharf("build").succeeds();
    for outcome in [&before, &after] {
        assert!(outcome.stderr.contains("--> crates/base/src/lib.rs:2:4"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--> crates/app/src/main.rs:1:19"), "{}", outcome.stderr);
    }
    let json = second.wharf("build --message-format json").succeeds();
    assert!(!json.stdout.contains("/proc/self") && !json.stdout.contains("work/first"), "{}", json.stdout);
    second.write("crates/app/src/main.rs", "fn main() { base::two(1); }");
    let failed = second.wharf("build").exits_with(101);
    assert!(failed.stderr.contains("--> crates/base/src/lib.rs:1:8"), "{}", failed.stderr);
    assert!(failed.stderr.contains("pub fn two(a: u32, b: u32)"), "{}", failed.stderr);
}

#[test]
fn who_needs_real_names_keeps_them() {
    let world = world();
    let first = workspace(&world, "first");
    let second = copy(&world, &first, "second");
    for flags in
        ["-Cinstrument-coverage", "--remap-path-prefix=/nowhere=/anywhere", "-Csplit-debuginfo=packed"]
    {
        for project in [&first, &second] {
            let flags = [("RUSTFLAGS", flags.into())];
            world.run(Tool::Wharf, project.directory(), &["build", "-p", "app"], &flags).succeeds();
            assert!(holds(project, "target/debug/app", project.directory()));
            assert!(!holds(project, "target/debug/app", Path::new("/proc/self/cwd")));
        }
        assert!(!holds(&second, "target/debug/app", first.directory()));
    }
}

#[test]
fn a_link_to_the_workspace_is_another_name_for_it() {
    let world = world();
    let first = workspace(&world, "first");
    let link = world.project("link").build();
    std::os::unix::fs::symlink(first.directory(), link.directory()).unwrap();
    compiled(&link, "build --workspace --all-targets");
    assert!(!holds(&first, "target/debug/app", Path::new("/proc/self/cwd")));
    let second = copy(&world, &first, "second");
    assert!(compiled(&second, "build --workspace --all-targets").is_empty());
    check_programs(&second, &[first.directory(), link.directory()]);
}

/// A static library whose function gives a number, for `cc`.
fn native_library(project: &Project<'_>, number: u32) {
    let directory = project.directory().join("crates/app/libs");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("answer.c"), format!("int answer(void) {{ return {number}; }}")).unwrap();
    run(&directory, "cc", &["-c", "answer.c", "-o", "answer.o"]);
    std::fs::remove_file(directory.join("libanswer.a")).ok();
    run(&directory, "ar", &["rcs", "libanswer.a", "answer.o"]);
}

#[test]
fn what_the_linker_finds_in_the_checkout_counts() {
    let world = world();
    let script = r#"
fn main() {
    println!("cargo::rustc-link-search=native={}/libs", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo::rustc-link-arg-bins=@link.args");
    println!("cargo::rerun-if-changed=build.rs");
}
"#;
    let app = r#"
#[link(name = "answer", kind = "static")]
unsafe extern "C" { fn answer() -> i32; static place: u8; }
fn main() { unsafe { println!("{} {}", answer(), &raw const place as usize) } }
"#;
    let first = member(empty(&world, "first"), "app", "", app)
        .file("crates/app/build.rs", script)
        .file("link.args", "-no-pie -Wl,--defsym=place=7")
        .build();
    native_library(&first, 1);
    first.wharf("rustc -p app --bin app -- -Crelocation-model=static").succeeds();
    assert_eq!(run(first.directory(), "target/debug/app", &[]), "1 7\n");
    let second = copy(&world, &first, "second");
    native_library(&second, 2);
    second.write("link.args", "-no-pie -Wl,--defsym=place=8");
    second.wharf("rustc -p app --bin app -- -Crelocation-model=static").succeeds();
    assert_eq!(run(second.directory(), "target/debug/app", &[]), "2 8\n");
}
