//! Tries to get a wrong artifact out of the cache by procedural macros, of which the compiler tells nothing: each reads
//! something without a word, that is changed, and the program that comes out is asked what it was made of.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use wharf_testkit::{Project, Sandbox, Tool};

const MACROS: &str = r#"
use proc_macro::TokenStream;
use std::path::PathBuf;

fn told(text: &str) -> TokenStream { format!("{:?}", text.trim()).parse().unwrap() }
fn place(argument: TokenStream) -> PathBuf {
    let package: PathBuf = std::env::var_os("CARGO_MANIFEST_DIR").unwrap().into();
    package.join(argument.to_string().trim_matches('"'))
}
/// The content of a file, by a path in the package or a whole one.
#[proc_macro]
pub fn peek(path: TokenStream) -> TokenStream {
    told(&std::fs::read_to_string(place(path)).unwrap_or_else(|_| "missing".into()))
}
/// The same, opened in a way that would let it be changed.
#[proc_macro]
pub fn peek_to_write(path: TokenStream) -> TokenStream {
    let file = std::fs::File::options().read(true).write(true).open(place(path.clone()));
    told(&file.and_then(std::io::read_to_string).unwrap_or_else(|_| peek(path).to_string().replace('"', "")))
}
/// The names in a directory.
#[proc_macro]
pub fn list(path: TokenStream) -> TokenStream {
    let names = std::fs::read_dir(place(path)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    told(&names.join(" "))
}
#[proc_macro]
pub fn variable(name: TokenStream) -> TokenStream {
    told(&std::env::var(name.to_string().trim_matches('"')).unwrap_or_else(|_| "none".into()))
}
/// The content of a file of which its own build script said where it is.
#[proc_macro]
pub fn made(_: TokenStream) -> TokenStream {
    told(&std::fs::read_to_string(concat!(env!("OUT_DIR"), "/made.txt")).unwrap())
}
/// What is checked out, as version control says.
#[proc_macro]
pub fn branch(_: TokenStream) -> TokenStream {
    let output = std::process::Command::new("git").args(["rev-parse", "--abbrev-ref", "HEAD"]).output().unwrap();
    told(&String::from_utf8(output.stdout).unwrap())
}
"#;

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

fn manifest(name: &str, tables: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{tables}")
}

/// A workspace of a program that prints what the expression gives, and the macros.
fn workspace<'s>(world: &'s Sandbox, name: &str, expression: &str, files: &[(&str, &str)]) -> Project<'s> {
    let script = "fn main() {
        println!(\"cargo::rerun-if-changed=template.txt\");
        let text = std::fs::read_to_string(\"template.txt\").unwrap_or_default();
        std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/made.txt\", text).unwrap();
    }";
    let main = format!("use macros::*; fn main() {{ println!(\"{{}}\", {expression}) }}");
    let mut project = world
        .project(name)
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\", \"macros\"]\nresolver = \"3\"\n")
        .file("macros/Cargo.toml", &manifest("macros", "[lib]\nproc-macro = true\n"))
        .file("macros/src/lib.rs", MACROS)
        .file("macros/build.rs", script)
        .file("macros/template.txt", "")
        .file("app/Cargo.toml", &manifest("app", "[dependencies]\nmacros = { path = \"../macros\" }\n"))
        .file("app/src/main.rs", &main);
    for (path, content) in files {
        project = project.file(path, content);
    }
    project.build()
}

/// What the program prints after a build, and what the build said.
fn built_with(project: &Project<'_>, variables: &[(&str, &str)]) -> (String, String) {
    let variables: Vec<(&str, OsString)> =
        variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    let directory = project.directory();
    let outcome = project.sandbox().run(Tool::Wharf, directory, &["build", "-v"], &variables).succeeds();
    let output = Command::new(directory.join("target/debug/app")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap().trim_end().to_owned(), outcome.stderr)
}

#[track_caller]
fn check(project: &Project<'_>, wanted: &str) {
    assert_eq!(built_with(project, &[]).0, wanted);
}

/// Nothing needs to be compiled. Scripts of members run once in each checkout.
#[track_caller]
fn check_kept(project: &Project<'_>, wanted: &str) {
    let (printed, said) = built_with(project, &[]);
    assert_eq!(printed, wanted);
    assert!(!said.contains("--crate-name"), "{said}");
}

/// Files that were written just now prove nothing the next time.
fn grow_old() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_file_of_the_package() {
    let world = world();
    let files = [("app/own.txt", "one")];
    let first = workspace(&world, "first", "peek!(\"own.txt\")", &files);
    check(&first, "one");
    check_kept(&first, "one");
    for value in ["two", "one", "three"] {
        first.write("app/own.txt", value);
        check(&first, value);
    }
    let second = workspace(&world, "second", "peek!(\"own.txt\")", &files);
    // It was made there before.
    check_kept(&second, "one");
    second.write("app/own.txt", "four");
    check(&second, "four");
    check_kept(&first, "three");
    fs::remove_file(second.directory().join("app/own.txt")).unwrap();
    check(&second, "missing");
    second.write("app/own.txt", "three");
    check_kept(&second, "three");
}

#[test]
fn a_file_changed_under_its_old_times() {
    let world = world();
    let project = workspace(&world, "app", "peek!(\"own.txt\")", &[("app/own.txt", "one")]);
    let path = project.directory().join("app/own.txt");
    check(&project, "one");
    grow_old();
    check_kept(&project, "one");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "two").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    check(&project, "two");
}

#[test]
fn a_file_outside_of_the_workspace() {
    let world = world();
    let path = world.root().join("home/settings");
    let expression = format!("peek!({:?})", path.display().to_string());
    let (first, second) =
        (workspace(&world, "first", &expression, &[]), workspace(&world, "second", &expression, &[]));
    check(&first, "missing");
    check_kept(&second, "missing");
    for value in ["one", "two"] {
        fs::write(&path, value).unwrap();
        check(&first, value);
        check_kept(&second, value);
    }
    fs::remove_file(&path).unwrap();
    check_kept(&first, "missing");
}

#[test]
fn a_file_that_appears() {
    let world = world();
    let project = workspace(&world, "app", "peek!(\"../more/late.txt\")", &[]);
    check(&project, "missing");
    grow_old();
    check_kept(&project, "missing");
    project.write("more/late.txt", "here");
    check(&project, "here");
    fs::remove_dir_all(project.directory().join("more")).unwrap();
    check_kept(&project, "missing");
}

#[test]
fn a_file_that_is_opened_to_write() {
    let world = world();
    let project = workspace(&world, "app", "peek_to_write!(\"own.txt\")", &[("app/own.txt", "one")]);
    for sandbox in ["deny-net", "observe"] {
        for value in ["one", "two"] {
            project.write("app/own.txt", value);
            assert_eq!(built_with(&project, &[("WHARF_SANDBOX", sandbox)]).0, value, "{sandbox}");
        }
    }
}

#[test]
fn the_names_in_a_directory() {
    let world = world();
    let files = [("app/migrations/1.sql", "x")];
    let first = workspace(&world, "first", "list!(\"migrations\")", &files);
    check(&first, "1.sql");
    grow_old();
    check_kept(&first, "1.sql");
    first.write("app/migrations/2.sql", "y");
    check(&first, "1.sql 2.sql");
    // What is in them was not read.
    first.write("app/migrations/2.sql", "z");
    check_kept(&first, "1.sql 2.sql");
    fs::remove_file(first.directory().join("app/migrations/1.sql")).unwrap();
    check(&first, "2.sql");
    let second = workspace(&world, "second", "list!(\"migrations\")", &files);
    check(&second, "1.sql");
}

#[test]
fn a_variable_that_nobody_declared() {
    let world = world();
    let (first, second) = (
        workspace(&world, "first", "variable!(\"FLAVOUR\")", &[]),
        workspace(&world, "second", "variable!(\"FLAVOUR\")", &[]),
    );
    assert_eq!(built_with(&first, &[("FLAVOUR", "sweet")]).0, "sweet");
    assert_eq!(built_with(&second, &[("FLAVOUR", "sour")]).0, "sour");
    let third = workspace(&world, "third", "variable!(\"FLAVOUR\")", &[]);
    assert_eq!(built_with(&third, &[]).0, "none");
}

/// The macro itself is the same file each time.
#[test]
fn what_the_script_of_a_macro_wrote() {
    let world = world();
    let project = workspace(&world, "app", "made!()", &[("macros/template.txt", "one")]);
    check(&project, "one");
    for value in ["two", "one"] {
        project.write("macros/template.txt", value);
        check(&project, value);
    }
}

/// A package of the whole machine, told by a variable of a file in the checkout. The variable is the same in all.
#[test]
fn a_file_that_a_package_of_the_machine_is_told_of() {
    let world = world();
    let reads = "std::fs::read_to_string(std::env::var(\"DATA\").unwrap()).unwrap()";
    let code = format!(
        "#[proc_macro] pub fn data(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{
            format!(\"{{:?}}\", {reads}).parse().unwrap()
        }}"
    );
    let script = format!(
        "fn main() {{ println!(\"cargo::rerun-if-changed=build.rs\\ncargo::rustc-env=DATUM={{}}\", {reads}) }}"
    );
    world.package("teller 1.0.0").tables("[lib]\nproc-macro = true").file("src/lib.rs", code).publish();
    let source = "pub const BOTH: [&str; 2] = [teller::data!(), env!(\"DATUM\")];";
    world
        .package("told 1.0.0")
        .tables("[dependencies]\nteller = \"1\"")
        .file("build.rs", script)
        .file("src/lib.rs", source)
        .publish();
    let project = |name: &str| {
        world
            .project(name)
            .file("Cargo.toml", &manifest("app", "[dependencies]\ntold = \"1\"\n[workspace]\n"))
            .file(".cargo/config.toml", "[env]\nDATA = { value = \"data.txt\", relative = true }\n")
            .file("src/main.rs", "fn main() { println!(\"{}\", told::BOTH.join(\" \")) }")
            .file("data.txt", name)
            .build()
    };
    let (first, second) = (project("first"), project("second"));
    check(&first, "first first");
    check(&second, "second second");
    first.write("data.txt", "third");
    check(&first, "third third");
    check_kept(&second, "second second");
}

fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=n", "-c", "user.email=e@example.org"]).args(arguments);
    assert!(command.current_dir(directory).output().unwrap().status.success());
}

#[test]
fn the_branch_of_another_checkout() {
    let world = world();
    let first = workspace(&world, "first", "branch!()", &[(".gitignore", "target\n")]);
    git(first.directory(), &["init", "-b", "one"]);
    git(first.directory(), &["add", "."]);
    git(first.directory(), &["commit", "-m", "all"]);
    let second = workspace(&world, "second", "branch!()", &[]);
    fs::remove_dir_all(second.directory()).unwrap();
    let path = second.directory().display().to_string();
    git(first.directory(), &["worktree", "add", "-b", "two", &path]);
    check(&first, "one");
    check(&second, "two");
}

/// A macro that takes its time, in which a source is changed: what comes of that is no result.
#[test]
fn a_source_that_changes_while_it_is_compiled() {
    let world = world();
    let slow = |path: &Path| format!("{{ peek!({:?}); part::VALUE }}", path.display().to_string());
    for (name, change) in [("changed", Some("pub const VALUE: &str = \"new\";")), ("removed", None)] {
        let gate = world.root().join(format!("home/{name}"));
        assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
        let project = workspace(&world, name, &slow(&gate), &[]);
        let main = project.read("app/src/main.rs");
        project.write("app/src/main.rs", &format!("mod part; {main}"));
        project.write("app/src/part.rs", "pub const VALUE: &str = \"old\";");
        let part = project.directory().join("app/src/part.rs");
        let opened = pass_through(gate.clone(), move || match change {
            Some(text) => fs::write(&part, text).unwrap(),
            None => fs::remove_file(&part).unwrap(),
        });
        check(&project, "old");
        opened.join().unwrap();
        let opened = pass_through(gate, || {});
        match change {
            Some(_) => {
                let (printed, said) = built_with(&project, &[]);
                assert_eq!(printed, "new");
                assert!(said.contains("the file `src/part.rs` has changed"), "{said}");
                check_kept(&project, "new");
            }
            None => {
                project.wharf("build").exits_with(101).says("file not found for module `part`");
            }
        }
        opened.join().unwrap();
    }
}

/// Does something while somebody reads the pipe.
fn pass_through(pipe: PathBuf, deed: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let writer = fs::File::options().write(true).open(pipe).unwrap();
        deed();
        drop(writer);
    })
}

/// A file that is there when the macro looks, and gone afterwards, and the other way round.
#[test]
fn a_file_that_comes_or_goes_meanwhile() {
    let world = world();
    let gate = world.root().join("home/gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let expression =
        format!("{{ let first = peek!(\"own.txt\"); peek!({:?}); first }}", gate.display().to_string());
    let project = workspace(&world, "app", &expression, &[("app/own.txt", "one")]);
    let own = project.directory().join("app/own.txt");
    let gone = own.clone();
    let opened = pass_through(gate.clone(), move || fs::remove_file(gone).unwrap());
    check(&project, "one");
    opened.join().unwrap();
    let aside = project.directory().join("aside.txt");
    fs::write(&aside, "old file").unwrap();
    let opened = pass_through(gate.clone(), move || fs::rename(aside, own).unwrap());
    check(&project, "missing");
    opened.join().unwrap();
    let opened = pass_through(gate.clone(), || {});
    check(&project, "old file");
    opened.join().unwrap();
}
