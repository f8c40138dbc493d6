//! No parser panics, whatever it is given: damaged examples here, what a fuzzer invents in `fuzz/`.

#[path = "../../../fuzz/src/lib.rs"]
mod probes;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const MANIFEST: &str = r#"
cargo-features = []
[package]
name = "sample"
version = "0.1.0"
edition = "2021"
rust-version = "1.70"
links = "sample"
build = "build.rs"
publish = ["ours"]
default-run = "tool"
authors.workspace = true
[lib]
crate-type = ["rlib", "cdylib"]
[[bin]]
name = "tool"
path = "src/tool.rs"
required-features = ["extra"]
[features]
default = ["std", "dep:one", "two?/three", "one/four"]
std = []
extra = []
[dependencies]
one = { version = "1.2, <2", optional = true, features = ["a"], default-features = false }
two = { package = "other", git = "https://example.com/two", branch = "main", optional = true }
three.workspace = true
[target.'cfg(all(unix, not(target_os = "macos")))'.dev-dependencies]
four = "=0.1.0-rc.1+build"
[profile.release]
lto = "thin"
debug = "line-tables-only"
[profile.release.package."one:1.0.0"]
opt-level = "s"
[workspace]
members = ["crates/*"]
resolver = "2"
[workspace.package]
authors = ["A <a@example.com>"]
[workspace.dependencies]
three = { path = "three" }
[patch.crates-io]
five = { path = "../five" }
[lints.rust]
unexpected_cfgs = { level = "warn", priority = -1, check-cfg = ["cfg(x)"] }
"#;

const LOCKFILE: &str = r#"# comment
version = 4

[[package]]
name = "one"
version = "1.2.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aceb062b8b28fdb98fca2fe818f4040b4e8b766cd532939273dae6d2a3a4dc51"
dependencies = [
 "two 0.1.0",
 "two 0.2.0 (git+https://example.com/two?branch=main#0123456789abcdef0123456789abcdef01234567)",
]

[[package]]
name = "two"
version = "0.1.0"

[[package]]
name = "two"
version = "0.2.0"
source = "git+https://example.com/two?branch=main#0123456789abcdef0123456789abcdef01234567"

[[patch.unused]]
name = "five"
version = "0.1.0"

[metadata]
"checksum one" = "x"
"#;

const CONFIG: &str = "build.jobs = \"default\"\0build.rustflags = [\"-C\", 'opt-level=3']\0net.retry = 3\0\
    target.'cfg(unix)'.runner = [\"a\", \"b\"]\0profile.dev.opt-level = 1\0registries.ours.index = \"sparse+https://x/\"\0\
    source.crates-io.replace-with = \"v\"\0source.v.directory = \"v\"\0alias.b = \"build\"\0http.timeout = 30\0\
    term.progress = { when = 'always', width = 80 }\0patch.crates-io.a = { path = \"a\" }";

const INDEX_LINE: &[u8] = br#"{"name":"sample","vers":"0.1.0-rc.1+b","deps":[{"name":"other","req":"^1.0, <3","features":["a"],"optional":true,"default_features":false,"target":"cfg(unix)","kind":"dev","registry":"https://github.com/rust-lang/crates.io-index","package":"real"}],"cksum":"aceb062b8b28fdb98fca2fe818f4040b4e8b766cd532939273dae6d2a3a4dc51","features":{"default":["std"],"std":[]},"features2":{"x":["dep:other","other?/y"]},"yanked":false,"links":"z","rust_version":"1.70","v":2,"pubtime":"2026-01-01T00:00:00Z"}"#;

const ARCHIVE: &[u8] = include_bytes!("../../wharf-wire/tests/golden/sample-0.1.0.crate");

/// What may matter to a parser, to be put anywhere.
const WORDS: [&str; 28] = [
    "",
    "\0",
    "\"",
    "'",
    "'''",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "-1",
    "99999999999999999999",
    "true",
    "null",
    "é",
    "\u{202e}",
    "\\u0000",
    "../",
    "/",
    "*",
    "cfg(",
    "workspace = true",
    "<<<<<<<\n",
    "1.0.0-",
];

/// One change: from where to where (in any order), and what comes there instead.
type Edit = (Index, Index, &'static str, bool);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec((any::<Index>(), any::<Index>(), select(&WORDS[..]), any::<bool>()), 1..4)
}

/// Short ranges are replaced; with the flag they are only preceded by the word.
fn damaged(example: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for (start, length, word, keeps) in edits {
        let start = start.index(bytes.len() + 1);
        let longest = (bytes.len() - start).min(40);
        let end = if *keeps { start } else { start + length.index(longest + 1) };
        bytes.splice(start..end, word.bytes());
    }
    bytes
}

fn text(example: &str, edits: &[Edit]) -> String {
    String::from_utf8_lossy(&damaged(example.as_bytes(), edits)).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn manifests(edits in edits()) {
        probes::manifest(&text(MANIFEST, &edits));
    }

    #[test]
    fn lockfiles(edits in edits()) {
        probes::lockfile(&text(LOCKFILE, &edits));
    }

    #[test]
    fn configurations(edits in edits()) {
        probes::config(&text(CONFIG, &edits));
    }

    #[test]
    fn index_lines(edits in edits()) {
        probes::index_line(&damaged(INDEX_LINE, &edits));
    }

    #[test]
    fn archives(edits in edits()) {
        probes::archive(&damaged(ARCHIVE, &edits));
    }

    #[test]
    fn noise(bytes in vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        probes::manifest(&text);
        probes::lockfile(&text);
        probes::config(&text);
        probes::index_line(&bytes);
        probes::archive(&bytes);
    }
}

/// The examples themselves are good, or damaging them would show little.
#[test]
fn examples_are_whole() {
    use wharf_core::Lockfile;
    use wharf_wire::{IndexEntry, archive};

    probes::manifest(MANIFEST);
    probes::config(CONFIG);
    Lockfile::parse(LOCKFILE, "Cargo.lock".as_ref()).unwrap();
    IndexEntry::parse(INDEX_LINE).unwrap();
    archive::manifest_of(ARCHIVE, "sample", "0.1.0", archive::Limits::PUBLIC).unwrap();
}
