//! Broken input of every kind: what is refused with which code, what is said about it, and that nothing is left
//! half-written.
#![expect(clippy::unwrap_used, reason = "a test panics when its world cannot be made")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use wharf_testkit::{Outcome, Sandbox, Tool};

/// The status of command lines that cannot be understood.
const USAGE: i32 = 1;
/// The status of everything else.
const FAILED: i32 = 101;

/// A package that is well.
const PACKAGE: &str = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

/// What is wrong, the manifest (`PACKAGE` stands before it if it starts with `+`), and what is said.
type Row = (&'static str, &'static str, &'static str);

const MANIFESTS: &[Row] = &[
    ("empty", "", "neither a `[package]` nor a `[workspace]`"),
    ("unclosed table", "[package\nname = \"a\"", "Cargo.toml:1:9"),
    ("unclosed string", "[package]\nname = \"a\n", "Cargo.toml:2:10"),
    ("key twice", "[package]\nname = \"a\"\nname = \"b\"\n", "Cargo.toml:3:1"),
    ("table twice", "+[features]\n[features]\n", "Cargo.toml:6:2"),
    ("name of the wrong type", "[package]\nname = 1\n", "Cargo.toml:2:8"),
    ("package as a string", "package = \"a\"\n", "expected a table"),
    ("no name", "[package]\nversion = \"0.1.0\"\n", "`package.name` is missing"),
    ("empty name", "[package]\nname = \"\"\nversion = \"0.1.0\"\n", "Cargo.toml:2:8"),
    ("name with a blank", "[package]\nname = \"a b\"\n", "`a b`"),
    ("name that is a path", "[package]\nname = \"../a\"\n", "`../a`"),
    (
        "version of one number",
        "[package]\nname = \"a\"\nversion = \"1\"\n",
        "help: a version is three numbers",
    ),
    ("edition that never was", "[package]\nname = \"a\"\nedition = \"2019\"\n", "unknown edition `2019`"),
    ("edition of the future", "[package]\nname = \"a\"\nedition = \"2027\"\n", "newer than this program"),
    ("edition newer than rust-version", "+rust-version = \"1.56\"\n", "help: raise `rust-version`"),
    ("rust-version in words", "+rust-version = \"newest\"\n", "Cargo.toml:5:16"),
    ("unknown resolver", "+resolver = \"4\"\n", "unknown resolver `4`"),
    ("resolver twice", "+resolver = \"2\"\n[workspace]\nresolver = \"2\"\n", "keep the one in `[workspace]`"),
    ("root that points elsewhere", "+workspace = \"..\"\n[workspace]\n", "remove one of them"),
    ("published without a version", "[package]\nname = \"a\"\npublish = true\n", "needs a version"),
    ("links without a script", "+links = \"z\"\n", "add a `build.rs`"),
    ("default program that is not there", "+default-run = \"b\"\n", "not a binary"),
    ("hyphen in a library's name", "+[lib]\nname = \"a-b\"\n", "write `a_b`"),
    ("library without a source", "+[lib]\npath = \"src/missing.rs\"\n", "src/missing.rs"),
    ("library that is a directory", "+[lib]\npath = \"src\"\n", "is a directory"),
    (
        "two programs of one name",
        "+[[bin]]\nname = \"x\"\npath = \"src/lib.rs\"\n[[bin]]\nname = \"x\"\npath = \"src/lib.rs\"\n",
        "give each its own name",
    ),
    ("program without a name", "+[[bin]]\npath = \"src/lib.rs\"\n", "has no name"),
    ("program without a source", "+[[bin]]\nname = \"x\"\n", "set its `path`"),
    (
        "program named like a directory",
        "+[[bin]]\nname = \"deps\"\npath = \"src/lib.rs\"\n",
        "choose another name",
    ),
    ("two shared libraries", "+[lib]\ncrate-type = [\"dylib\", \"cdylib\"]\n", "cannot be both"),
    ("macro and library", "+[lib]\ncrate-type = [\"proc-macro\", \"lib\"]\n", "Cargo.toml:6:14"),
    ("dependency of two places", "+[dependencies]\nb = { git = \"x\", path = \"y\" }\n", "keep only one of"),
    ("requirement in words", "+[dependencies]\nb = \"newest\"\n", "`newest` of dependency `b`"),
    ("requirement as a number", "+[dependencies]\nb = 1\n", "Cargo.toml:6:5"),
    ("path without a package", "+[dependencies]\nb = { path = \"b\" }\n", "b/Cargo.toml`"),
    (
        "branch and tag",
        "+[dependencies]\nb = { git = \"https://example.com/b\", branch = \"x\", tag = \"y\" }\n",
        "keep only one of `branch`, `tag` and `rev`",
    ),
    ("branch of nothing", "+[dependencies]\nb = { version = \"1\", branch = \"x\" }\n", "needs `git`"),
    ("unknown registry", "+[dependencies]\nb = { version = \"1\", registry = \"x\" }\n", "[registries.x]"),
    ("package that nobody has", "+[dependencies]\nb = \"1\"\n", "no package `b`"),
    (
        "optional for development",
        "+[dev-dependencies]\nb = { version = \"1\", optional = true }\n",
        "cannot be optional",
    ),
    ("inherited from nobody", "+[dependencies]\nb.workspace = true\n", "add a `[workspace]` table"),
    (
        "inherited but not there",
        "+[workspace.dependencies]\n[dependencies]\nb.workspace = true\n",
        "add it to `[workspace.dependencies]`",
    ),
    ("platform that cannot be read", "+[target.'cfg(all(unix)'.dependencies]\nb = \"1\"\n", "Cargo.toml:5:9"),
    ("feature of nothing", "+[features]\nx = [\"y\"]\n", "neither a dependency nor another feature"),
    ("feature of no dependency", "+[features]\nx = [\"b/y\"]\n", "`b` is not a dependency"),
    ("feature with a blank", "+[features]\n\"x y\" = []\n", "`x y`"),
    ("feature of itself", "+[features]\nx = [\"x\"]\n", "switches itself on"),
    ("unknown panic", "+[profile.dev]\npanic = \"never\"\n", "\"unwind\" or \"abort\""),
    ("lto in quotes", "+[profile.dev]\nlto = \"true\"\n", "without quotes"),
    ("profile without a parent", "+[profile.x]\nopt-level = 1\n[profile.dev]\ninherits = \"x\"\n", "`dev`"),
    ("unknown lint level", "+[lints.rust]\nunused = \"never\"\n", "`forbid`"),
    ("lint that names its tool", "+[lints.rust]\n\"clippy::all\" = \"warn\"\n", "write `lints.clippy.all`"),
    ("unstable feature", "cargo-features = [\"metabuild\"]\n[package]\nname = \"a\"\n", "nightly toolchain"),
    ("unknown cargo feature", "cargo-features = [\"magic\"]\n[package]\nname = \"a\"\n", "remove the entry"),
    ("root with dependencies", "[workspace]\n[dependencies]\nb = \"1\"\n", "add a `[package]`"),
    ("member that is not there", "[workspace]\nmembers = [\"b\"]\n", "the workspace member `b`"),
    (
        "default member that is none",
        "[workspace]\nmembers = []\ndefault-members = [\"b\"]\n",
        "`workspace.members`",
    ),
    ("patch of nothing", "+[patch.crates-io]\nb = \"1\"\n", "the patch of `b`"),
    ("replacement of no version", "+[replace]\n\"b\" = { path = \"b\" }\n", "write `b:1.2.3`"),
];

const LOCKFILES: &[Row] = &[
    ("unclosed table", "version = 4\n[[package]\n", "delete it"),
    ("version of a later program", "version = 99\n", "its version is 99"),
    ("version in words", "version = \"four\"\n", "Cargo.lock:1:11"),
    ("package without a name", "version = 4\n[[package]]\nversion = \"0.1.0\"\n", "`name`"),
    ("version of a package in words", "version = 4\n[[package]]\nname = \"a\"\nversion = \"one\"\n", "`one`"),
    (
        "source that is none",
        "version = 4\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"nowhere\"\n",
        "invalid source `nowhere`",
    ),
    (
        "conflict of a merge",
        "<<<<<<< HEAD\nversion = 4\n=======\nversion = 3\n>>>>>>> other\n",
        "merge conflict",
    ),
    (
        "package twice",
        "version = 4\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\n",
        "is listed twice",
    ),
];

const CONFIGURATIONS: &[Row] = &[
    ("unclosed table", "[build\n", "line 1, column 7"),
    ("jobs in words", "[build]\njobs = \"many\"\n", "`build.jobs` in `"),
    ("no jobs at all", "[build]\njobs = 0\n", "`build.jobs` in `"),
    ("jobs by halves", "[build]\njobs = 1.5\n", "it is a float"),
    ("platform as a number", "[build]\ntarget = 1\n", "`build.target` in `"),
    ("unknown platform", "[build]\ntarget = \"no-such-platform\"\n", "`rustc --print target-list`"),
    ("compiler that is not there", "[build]\nrustc = \"no-such-compiler\"\n", "`no-such-compiler`"),
    ("wrapper that is not there", "[build]\nrustc-wrapper = \"/no/such/wrapper\"\n", "`/no/such/wrapper`"),
    ("file that is not there", "include = [\"other.toml\"]\n", "other.toml"),
    ("file that includes itself", "include = [\"config.toml\"]\n", "includes itself"),
    ("unknown colour", "[term]\ncolor = \"pink\"\n", "`auto`, `always`, `never`"),
    ("index that is no URL", "[registries.x]\nindex = \"no url\"\n", "`registries.x.index` in `"),
    ("source of nothing", "[source.x]\nreplace-with = \"y\"\n", "`source.x` in `"),
    (
        "sources that replace each other",
        "[source.test]\nregistry = \"https://example.com\"\nreplace-with = \"other\"\n\
         [source.other]\nregistry = \"https://example.org\"\nreplace-with = \"test\"\n",
        "replaced with itself",
    ),
    ("level of the wrong type", "[profile.dev]\nopt-level = true\n", "`profile.dev` in `"),
    ("home that comes too late", "[env]\nCARGO_HOME = \"x\"\n", "cannot be set here"),
    ("timeout in words", "[http]\ntimeout = \"soon\"\n", "`http.timeout` in `"),
];

const FLAGS: &[(&str, i32, &str)] = &[
    ("check --no-such-flag", USAGE, "--no-such-flag"),
    ("check extra", USAGE, "'extra'"),
    ("no-such-command", FAILED, "no such command: `no-such-command`"),
    ("chekc", FAILED, "`check`"),
    ("check --release --profile x", USAGE, "--release"),
    ("check --profile no-such", FAILED, "profile `no-such` is not defined"),
    ("check --profile ..", FAILED, "invalid profile name `..`"),
    ("check -j 0", FAILED, "0 jobs"),
    ("check -j many", FAILED, "`many`"),
    ("check --bin x", FAILED, "`x`"),
    ("check --bin", FAILED, "`--bin` needs a name"),
    ("check -p x", FAILED, "no package matches the specification `x`"),
    ("check -p", FAILED, "`--package` needs a name"),
    ("check -p x[", FAILED, "`x[`"),
    ("check -p x --workspace", FAILED, "`x`"),
    ("check --exclude x", FAILED, "`--workspace`"),
    ("check --features x", FAILED, "x"),
    ("check --target no-such-platform", FAILED, "`no-such-platform`"),
    ("check --message-format pink", USAGE, "'pink'"),
    ("check --manifest-path nowhere/Cargo.toml", FAILED, "no manifest at `nowhere/Cargo.toml`"),
    ("check --manifest-path src", FAILED, "src/Cargo.toml"),
    ("check --color pink", USAGE, "'pink'"),
    ("check --config nothing", FAILED, "`nothing`"),
    ("check --config a=1.5", FAILED, "it is a float"),
    ("check -Z magic", FAILED, "`-Z` flag"),
    ("check -q -v", FAILED, "contradict each other"),
    ("check --locked", FAILED, "--locked"),
    ("-C src check", FAILED, "`-C`"),
    ("run", FAILED, "no program to run"),
    ("run --bin x*", FAILED, "name the program in full"),
    ("new", USAGE, "<PATH>"),
    ("new src", FAILED, "already exists"),
    ("new --lib --bin x", FAILED, "`--lib` and `--bin`"),
    ("new --name 1 x", FAILED, "`1`"),
    ("new --edition 2019 x", USAGE, "'2019'"),
    ("init", FAILED, "`Cargo.toml`"),
    ("metadata --format-version 2", USAGE, "'2'"),
    ("tree -e x", USAGE, "'x'"),
    ("update --precise 1.0.0", USAGE, "--precise"),
    ("config get", FAILED, "unstable"),
    ("clean -p x", FAILED, "no package matches"),
];

/// All files below a directory, with what is in them. A lockfile is always whole, and may come early.
fn files(directory: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name() != Some("Cargo.lock".as_ref()) {
                found.insert((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// One world for many cases, each in a directory of its own; collects what is not as it should be.
struct Cases {
    world: Sandbox,
    count: usize,
    faults: Vec<String>,
}

impl Cases {
    fn new() -> Self {
        let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
        Self { world, count: 0, faults: Vec::new() }
    }

    fn case(&mut self, name: &str, written: &[(&str, &str)], line: &str, expected: (i32, &str)) {
        self.count += 1;
        let directory = self.world.root().join(format!("case-{}", self.count));
        for (path, text) in [("src/lib.rs", "")].iter().chain(written) {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let before = files(&directory);
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = self.world.run(Tool::Wharf, &directory, &words, &[]);
        self.judge(name, &outcome, expected);
        if files(&directory) != before {
            self.faults.push(format!("{name}: files were left behind"));
        }
    }

    fn judge(&mut self, name: &str, outcome: &Outcome, (status, says): (i32, &str)) {
        let Outcome { stderr, .. } = outcome;
        let mut fault = |what: &str| self.faults.push(format!("{name}: {what}\n{stderr}"));
        if outcome.status != Some(status) {
            fault(&format!("ended with {:?}, not {status}", outcome.status));
        } else if !stderr.contains("error: ") || !stderr.contains(says) {
            fault(&format!("does not say `{says}`"));
        } else if stderr.contains("panicked") {
            fault("panicked");
        }
    }

    fn end(self) {
        assert!(
            self.faults.is_empty(),
            "{} of {} cases:\n{}",
            self.faults.len(),
            self.count,
            self.faults.join("\n")
        );
    }
}

fn manifest(text: &str) -> String {
    match text.strip_prefix('+') {
        Some(rest) => format!("{PACKAGE}{rest}"),
        None => text.to_owned(),
    }
}

#[test]
fn manifests() {
    let mut cases = Cases::new();
    for (name, text, says) in MANIFESTS {
        cases.case(name, &[("Cargo.toml", &manifest(text))], "check", (FAILED, says));
    }
    cases.end();
}

#[test]
fn lockfiles() {
    let mut cases = Cases::new();
    for (name, text, says) in LOCKFILES {
        for command in ["check", "check --locked", "update"] {
            let written = [("Cargo.toml", PACKAGE), ("Cargo.lock", text)];
            cases.case(name, &written, command, (FAILED, says));
        }
    }
    cases.end();
}

#[test]
fn configurations() {
    let mut cases = Cases::new();
    for (name, text, says) in CONFIGURATIONS {
        let written = [("Cargo.toml", PACKAGE), (".cargo/config.toml", text)];
        cases.case(name, &written, "check", (FAILED, says));
    }
    cases.end();
}

#[test]
fn flags() {
    let mut cases = Cases::new();
    for (line, status, says) in FLAGS {
        cases.case(line, &[("Cargo.toml", PACKAGE)], line, (*status, says));
    }
    cases.end();
}

/// An archive with one package in it and one entry more.
fn archive(more: impl FnOnce(&mut tar::Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let text = "[package]\nname = \"b\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    for (path, text) in [("b-1.0.0/Cargo.toml", text), ("b-1.0.0/src/lib.rs", "")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    more(&mut builder);
    builder.into_inner().unwrap().finish().unwrap()
}

/// An entry of any name, as no honest program writes it.
fn entry(builder: &mut tar::Builder<GzEncoder<Vec<u8>>>, kind: tar::EntryType, path: &str, link: &str) {
    let mut header = tar::Header::new_gnu();
    let fields = header.as_old_mut();
    fields.name[..path.len()].copy_from_slice(path.as_bytes());
    fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
}

#[test]
fn archives() {
    use tar::EntryType::{Link, Regular, Symlink};
    let whole = archive(|_| {});
    let half = whole[..whole.len() / 2].to_vec();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no archive", b"not an archive".to_vec(), "`b v1.0.0"),
        ("half an archive", half, "`b v1.0.0"),
        ("nothing", Vec::new(), "`b v1.0.0"),
        ("a file above", archive(|to| entry(to, Regular, "b-1.0.0/../../escaped", "")), "lies outside"),
        ("an absolute file", archive(|to| entry(to, Regular, "/escaped", "")), "lies outside"),
        ("a file beside", archive(|to| entry(to, Regular, "c-1.0.0/escaped", "")), "lies outside"),
        ("a link", archive(|to| entry(to, Symlink, "b-1.0.0/link", "/etc/passwd")), "link"),
        ("a second name", archive(|to| entry(to, Link, "b-1.0.0/link", "/etc/passwd")), "link"),
    ];
    let mut cases = Cases::new();
    for (name, bytes, says) in table {
        cases.count += 1;
        let directory = cases.world.root().join(format!("archive-{}", cases.count));
        let registry = directory.join("registry");
        std::fs::create_dir_all(registry.join("index/1")).unwrap();
        std::fs::create_dir_all(directory.join("src")).unwrap();
        std::fs::create_dir_all(directory.join(".cargo")).unwrap();
        let checksum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!(
            r#"{{"name":"b","vers":"1.0.0","deps":[],"cksum":"{checksum}","features":{{}},"yanked":false}}"#
        );
        std::fs::write(registry.join("index/1/b"), line).unwrap();
        std::fs::File::create(registry.join("b-1.0.0.crate")).unwrap().write_all(&bytes).unwrap();
        std::fs::write(directory.join("src/lib.rs"), "").unwrap();
        std::fs::write(directory.join("Cargo.toml"), format!("{PACKAGE}[dependencies]\nb = \"1\"\n"))
            .unwrap();
        let config =
            "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\nlocal-registry = \"registry\"\n";
        std::fs::write(directory.join(".cargo/config.toml"), config).unwrap();
        let home = directory.join("home");
        std::fs::create_dir(&home).unwrap();
        let variables = [("CARGO_HOME", home.clone().into_os_string())];
        let outcome = cases.world.run(Tool::Wharf, &directory, &["check"], &variables);
        cases.judge(name, &outcome, (FAILED, says));
        let left = files(&directory).into_iter().map(|(path, _)| path);
        let left: Vec<String> =
            left.filter(|path| path.contains("escaped") || path.ends_with(".cargo-ok")).collect();
        if !left.is_empty() {
            cases.faults.push(format!("{name}: left {left:?}"));
        }
    }
    cases.end();
}
