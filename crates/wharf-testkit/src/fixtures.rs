//! Small projects, each about one thing that manifests can say. They are built by both tools side by side, so
//! they hold what tells a right build from a wrong one, and no more.

use crate::{Project, Sandbox};

/// A project to be built by both tools.
#[derive(Debug)]
pub struct Fixture {
    /// What it is about, and the directory's name.
    pub name: &'static str,
    /// The command that compiles it.
    pub build: &'static str,
    /// Paths and contents; `Cargo.toml` begins with `[package]` keys of its own only where it matters.
    files: &'static [(&'static str, &'static str)],
}

impl Fixture {
    /// The fixture with this name.
    pub fn named(name: &str) -> &'static Self {
        ALL.iter().find(|fixture| fixture.name == name).unwrap_or_else(|| panic!("no fixture `{name}`"))
    }

    /// Writes the project; the world must have [`publish`]ed its packages.
    pub fn write<'s>(&self, world: &'s Sandbox) -> Project<'s> {
        let write = |builder: crate::ProjectBuilder<'s>, (path, content): &(&str, &str)| {
            let content = match content.strip_prefix("+") {
                Some(rest) => format!(
                    "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}",
                    self.name
                ),
                None => (*content).to_owned(),
            };
            builder.file(path, &content)
        };
        self.files.iter().fold(world.project(self.name), write).build()
    }
}

/// Publishes what the fixtures use.
pub fn publish(world: &Sandbox) {
    world.package("leaf 1.0.0").file("src/lib.rs", "pub fn leaf() -> u32 { 1 }").publish();
    world.package("leaf 1.1.0").file("src/lib.rs", "pub fn leaf() -> u32 { 1 }").publish();
    world.package("leaf 2.0.0").file("src/lib.rs", "pub fn leaf() -> u32 { 2 }").publish();
    world
        .package("branch 0.2.0")
        .package_keys(
            "description = \"Has a dependency\"\nlicense = \"MIT\"\nauthors = [\"A <a@example.com>\"]",
        )
        .tables(
            "[dependencies]\nleaf = \"1\"\nmaybe = { version = \"1\", optional = true }\n\
             [features]\ndefault = [\"std\"]\nstd = []\nextra = [\"dep:maybe\", \"maybe?/inner\"]\n",
        )
        .file("src/lib.rs", "pub fn branch() -> u32 { leaf::leaf() }")
        .publish();
    world.package("maybe 1.0.0").tables("[features]\ninner = []").publish();
    world
        .package("derive 1.0.0")
        .tables("[lib]\nproc-macro = true\n[dependencies]\nleaf = \"1\"")
        .file(
            "src/lib.rs",
            "use proc_macro::TokenStream;\n#[proc_macro] pub fn nothing(_: TokenStream) -> TokenStream { \
             let _ = leaf::leaf(); TokenStream::new() }",
        )
        .publish();
    world
        .package("native-sys 1.0.0")
        .package_keys("links = \"native\"\nbuild = \"build.rs\"")
        .tables("[build-dependencies]\nleaf = \"2\"")
        .file("build.rs", "fn main() { assert_eq!(leaf::leaf(), 2); println!(\"cargo:answer=42\"); println!(\"cargo:rustc-cfg=native\"); println!(\"cargo:rustc-check-cfg=cfg(native)\"); }")
        .file("src/lib.rs", "#[cfg(native)] pub fn native() {}")
        .publish();
}

/// Every fixture.
pub const ALL: &[Fixture] = &[
    Fixture {
        name: "plain",
        build: "build",
        files: &[
            ("Cargo.toml", "+"),
            ("src/main.rs", "fn main() { plain::run() }"),
            ("src/lib.rs", "pub fn run() {}"),
        ],
    },
    Fixture {
        name: "dependencies",
        build: "build",
        files: &[
            ("Cargo.toml", "+[dependencies]\nbranch = \"0.2\"\nleaf = \"1.0\"\n"),
            ("src/lib.rs", "pub fn all() -> u32 { branch::branch() + leaf::leaf() }"),
        ],
    },
    Fixture {
        name: "two-majors",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "+[dependencies]\nleaf = \"1\"\nleaf2 = { package = \"leaf\", version = \"2\" }\n",
            ),
            ("src/lib.rs", "pub fn all() -> u32 { leaf::leaf() + leaf2::leaf() }"),
        ],
    },
    Fixture {
        name: "features",
        build: "build --no-default-features --features b,branch/extra",
        files: &[
            (
                "Cargo.toml",
                "+[features]\ndefault = [\"a\"]\na = []\nb = [\"dep:leaf\", \"branch?/std\"]\n\
                 [dependencies]\nleaf = { version = \"1\", optional = true }\n\
                 branch = { version = \"0.2\", optional = true, default-features = false }\n",
            ),
            (
                "src/lib.rs",
                "#[cfg(feature = \"b\")] pub fn b() -> u32 { leaf::leaf() }\n#[cfg(feature = \"a\")] compile_error!(\"a\");",
            ),
        ],
    },
    Fixture {
        name: "implicit-features",
        build: "build --all-features",
        files: &[
            (
                "Cargo.toml",
                "+[features]\nmore = [\"leaf\"]\n[dependencies]\nleaf = { version = \"1\", optional = true }\n",
            ),
            ("src/lib.rs", "#[cfg(feature = \"leaf\")] pub use leaf::leaf;"),
        ],
    },
    Fixture {
        name: "build-script",
        build: "build",
        files: &[
            ("Cargo.toml", "+build = \"make/build.rs\"\n[build-dependencies]\nleaf = \"1\"\n"),
            (
                "make/build.rs",
                "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap(); leaf::leaf();\n\
                 std::fs::write(format!(\"{out}/made.rs\"), \"pub const MADE: u32 = 3;\").unwrap();\n\
                 println!(\"cargo::rustc-env=FROM_BUILD=yes\"); println!(\"cargo::rustc-cfg=made\");\n\
                 println!(\"cargo::rustc-check-cfg=cfg(made)\"); println!(\"cargo::rerun-if-changed=make\"); }",
            ),
            (
                "src/main.rs",
                "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\nfn main() { assert!(cfg!(made)); println!(\"{MADE} {}\", env!(\"FROM_BUILD\")); }",
            ),
        ],
    },
    Fixture {
        name: "links",
        build: "build",
        files: &[
            ("Cargo.toml", "+build = \"build.rs\"\n[dependencies]\nnative-sys = \"1\"\n"),
            ("build.rs", "fn main() { assert_eq!(std::env::var(\"DEP_NATIVE_ANSWER\").unwrap(), \"42\"); }"),
            ("src/lib.rs", "pub fn all() { native_sys::native() }"),
        ],
    },
    Fixture {
        name: "proc-macro",
        build: "build",
        files: &[
            ("Cargo.toml", "+[dependencies]\nderive = \"1\"\nleaf = \"1\"\nlocal = { path = \"local\" }\n"),
            ("src/lib.rs", "derive::nothing!{}\nlocal::also_nothing!{}\npub use leaf::leaf;"),
            (
                "local/Cargo.toml",
                "[package]\nname = \"local\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
            ),
            (
                "local/src/lib.rs",
                "#[proc_macro] pub fn also_nothing(t: proc_macro::TokenStream) -> proc_macro::TokenStream { t }",
            ),
        ],
    },
    Fixture {
        name: "host-and-target-split",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "+[dependencies]\nbranch = { version = \"0.2\", default-features = false }\n\
                 [build-dependencies]\nbranch = { version = \"0.2\", features = [\"extra\"] }\n",
            ),
            ("build.rs", "fn main() { branch::branch(); }"),
            ("src/lib.rs", "pub use branch::branch;"),
        ],
    },
    Fixture {
        name: "dev-dependencies",
        build: "test --no-run",
        files: &[
            ("Cargo.toml", "+[dependencies]\nleaf = \"1\"\n[dev-dependencies]\nbranch = \"0.2\"\n"),
            ("src/lib.rs", "pub use leaf::leaf;\n#[test] fn unit() { branch::branch(); }"),
            (
                "tests/one.rs",
                "#[test] fn integration() { assert_eq!(branch::branch(), dev_dependencies::leaf()); }",
            ),
        ],
    },
    Fixture {
        name: "all-targets",
        build: "build --all-targets",
        files: &[
            ("Cargo.toml", "+[lib]\nname = \"core_part\"\n"),
            ("src/lib.rs", "pub fn part() {}"),
            ("src/main.rs", "fn main() { core_part::part() }"),
            ("src/bin/second.rs", "fn main() {}"),
            ("src/bin/third/main.rs", "mod other; fn main() { other::run() }"),
            ("src/bin/third/other.rs", "pub fn run() {}"),
            ("examples/show.rs", "fn main() { core_part::part() }"),
            (
                "tests/whole.rs",
                "#[test] fn runs() { assert!(std::path::Path::new(env!(\"CARGO_BIN_EXE_second\")).exists()); }",
            ),
            ("tests/many/main.rs", "#[test] fn many() {}"),
            ("benches/speed.rs", "fn main() {}"),
        ],
    },
    Fixture {
        name: "check-only",
        build: "check --all-targets",
        files: &[
            ("Cargo.toml", "+[dependencies]\nbranch = \"0.2\"\nderive = \"1\"\n"),
            ("src/main.rs", "derive::nothing!{}\nfn main() { branch::branch(); }"),
        ],
    },
    Fixture {
        name: "release",
        build: "build --release",
        files: &[
            (
                "Cargo.toml",
                "+[dependencies]\nbranch = \"0.2\"\nderive = \"1\"\n[profile.release]\nlto = \"thin\"\npanic = \"abort\"\ncodegen-units = 1\nstrip = \"symbols\"\n\
                 [profile.release.package.leaf]\nopt-level = \"s\"\n[profile.release.build-override]\nopt-level = 1\n",
            ),
            ("src/main.rs", "derive::nothing!{}\nfn main() { branch::branch(); }"),
        ],
    },
    Fixture {
        name: "custom-profile",
        build: "build --profile small",
        files: &[
            (
                "Cargo.toml",
                "+[dependencies]\nleaf = \"1\"\n[profile.small]\ninherits = \"release\"\nopt-level = \"z\"\ndebug = \"line-tables-only\"\n\
                 overflow-checks = true\n[profile.small.package.\"*\"]\ndebug-assertions = true\n",
            ),
            ("src/main.rs", "fn main() { leaf::leaf(); }"),
        ],
    },
    Fixture {
        name: "workspace",
        build: "build --workspace",
        files: &[
            (
                "Cargo.toml",
                "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\nexclude = [\"crates/out\"]\n\
                 [workspace.package]\nversion = \"1.2.3\"\nedition = \"2021\"\nauthors = [\"A\", \"B\"]\nrust-version = \"1.70\"\n\
                 [workspace.dependencies]\nbranch = { version = \"0.2\", default-features = false }\none = { path = \"crates/one\" }\n\
                 [workspace.lints.rust]\nunused_variables = \"deny\"\n[workspace.lints.clippy]\nall = { level = \"warn\", priority = -1 }\n",
            ),
            (
                "crates/one/Cargo.toml",
                "[package]\nname = \"one\"\nversion.workspace = true\nedition.workspace = true\nauthors.workspace = true\nrust-version.workspace = true\n\
                 [dependencies]\nbranch = { workspace = true, features = [\"std\"] }\n[lints]\nworkspace = true\n",
            ),
            ("crates/one/src/lib.rs", "pub use branch::branch;"),
            (
                "crates/two/Cargo.toml",
                "[package]\nname = \"two\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\none.workspace = true\n",
            ),
            ("crates/two/src/main.rs", "fn main() { one::branch(); }"),
            ("crates/out/Cargo.toml", "[package]\nname = \"out\"\n"),
        ],
    },
    Fixture {
        name: "resolver-one",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "+resolver = \"1\"\n[dependencies]\nbranch = { version = \"0.2\", default-features = false }\n[dev-dependencies]\nbranch = { version = \"0.2\", features = [\"extra\"] }\n",
            ),
            ("src/lib.rs", "pub use branch::branch;"),
        ],
    },
    Fixture {
        name: "old-edition",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"old-edition\"\nversion = \"0.1.0\"\nauthors = []\n[[bin]]\nname = \"tool\"\npath = \"tool.rs\"\n[dependencies.leaf]\nversion = \"^1\"\n",
            ),
            ("src/lib.rs", "extern crate leaf; pub fn f() -> u32 { leaf::leaf() }"),
            ("tool.rs", "extern crate old_edition; fn main() { old_edition::f(); }"),
        ],
    },
    Fixture {
        name: "crate-types",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "+[lib]\ncrate-type = [\"rlib\", \"cdylib\", \"staticlib\"]\n[dependencies]\nleaf = \"1\"\n",
            ),
            ("src/lib.rs", "#[no_mangle] pub extern \"C\" fn f() -> u32 { leaf::leaf() }"),
        ],
    },
    Fixture {
        name: "platforms",
        build: "build",
        files: &[
            (
                "Cargo.toml",
                "+[target.'cfg(unix)'.dependencies]\nleaf = \"1\"\n[target.'cfg(windows)'.dependencies]\nbranch = \"0.2\"\n\
                 [target.x86_64-unknown-linux-gnu.dependencies]\nmaybe = \"1\"\n",
            ),
            ("src/lib.rs", "pub fn f() {}"),
        ],
    },
    Fixture {
        name: "required-features",
        build: "build --all-targets --features gui",
        files: &[
            (
                "Cargo.toml",
                "+default-run = \"cli\"\n[features]\ngui = []\nserver = []\n[[bin]]\nname = \"cli\"\n[[bin]]\nname = \"gui\"\nrequired-features = [\"gui\"]\n\
                 [[example]]\nname = \"serve\"\nrequired-features = [\"server\"]\n[[test]]\nname = \"plain\"\nharness = false\n",
            ),
            ("src/bin/cli.rs", "fn main() {}"),
            ("src/bin/gui.rs", "fn main() {}"),
            ("examples/serve.rs", "fn main() {}"),
            ("tests/plain.rs", "fn main() {}"),
        ],
    },
    Fixture {
        name: "configured",
        build: "build --config build.rustflags=['--cfg=from_command']",
        files: &[
            ("Cargo.toml", "+[dependencies]\nleaf = \"1\"\n"),
            (
                ".cargo/config.toml",
                "[build]\nrustflags = [\"--cfg\", \"from_file\"]\n[env]\nFROM_CONFIG = \"x\"\n[profile.dev]\nopt-level = 1\n",
            ),
            ("src/main.rs", "fn main() { leaf::leaf(); println!(\"{}\", env!(\"FROM_CONFIG\")) }"),
        ],
    },
];
