//! Reads anything at all as one of Wharf's inputs. Refusing is fine, a panic is not.
//!
//! The fuzz targets call these functions with what a fuzzer invents, and `crates/wharf-ops/tests/hostile.rs` with
//! damaged examples. Must not know more of Wharf than its parsers.

use std::path::Path;

use wharf_core::lockfile::LockVersion;
use wharf_core::manifest::{AnyManifest, Entry, Files, Origin, TomlDocument, Unstable};
use wharf_core::{Lockfile, SourceId};
use wharf_ops::Config;
use wharf_ops::config::Env;
use wharf_wire::archive::{self, Limits};
use wharf_wire::index::{self, IndexEntry, LineHead};

/// A package directory with two files.
struct Directory;

impl Files for Directory {
    fn is_file(&self, path: &Path) -> bool {
        path.ends_with("src/lib.rs") || path.ends_with("build.rs")
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.ends_with("src")
    }

    fn entries(&self, path: &Path) -> Vec<Entry> {
        let entry = |name: &str, is_dir| Entry { name: name.to_owned(), is_dir };
        if path.ends_with("src") {
            vec![entry("lib.rs", false)]
        } else {
            vec![entry("build.rs", false), entry("src", true)]
        }
    }
}

/// As `Cargo.toml` of a member, which inherits from itself.
pub fn manifest(text: &str) {
    let path = Path::new("/w/Cargo.toml");
    let source = SourceId::for_path(Path::new("/w")).expect("an absolute path is a source");
    let root = TomlDocument::read(text, path, true).ok().and_then(|document| document.inheritable());
    let origin = Origin {
        path,
        source: &source,
        inheritable: root.as_deref(),
        registries: &|_| None,
        is_local: true,
        unstable: &Unstable::none(),
    };
    let _ = AnyManifest::parse(text, &origin, &Directory);
}

/// As `Cargo.lock`; what can be read must be written so that it reads the same. Versions 1 and 2 are told apart by what
/// stands in them, so only later ones are sure to stay what they are.
pub fn lockfile(text: &str) {
    let path = Path::new("/w/Cargo.lock");
    if let Ok(lockfile) = Lockfile::parse(text, path) {
        let written = lockfile.render(None);
        let again = Lockfile::parse(&written, path).expect("what was written can be read");
        if lockfile.version >= LockVersion::V3 {
            assert_eq!(again.render(None), written);
        }
    }
}

/// As a value of `--config`, and every setting read from it.
pub fn config(text: &str) {
    let arguments: Vec<String> = text.split('\0').map(str::to_owned).collect();
    let nowhere = Path::new("/dev/null/nowhere");
    let Ok(config) = Config::load(nowhere, nowhere, &Env::default(), &arguments) else { return };
    let _ = config.build();
    let _ = config.net();
    let _ = config.http();
    let _ = config.term();
    let _ = config.sources();
    let _ = config.registries();
    let _ = config.resolver();
    let _ = config.aliases();
    let _ = config.patches();
    let _ = config.profile("dev");
    let _ = config.target("x86_64-unknown-linux-gnu", &[]);
}

/// As a line of an index file.
pub fn index_line(bytes: &[u8]) {
    let _ = index::quick_version(bytes);
    let _ = LineHead::parse(bytes);
    if let Ok(entry) = IndexEntry::parse(bytes) {
        let source = SourceId::for_registry("sparse+https://registry.example/").expect("an index URL");
        let _ = entry.to_summary(&source);
        let rendered = entry.render();
        assert_eq!(IndexEntry::parse(&rendered).expect("what was written can be read").render(), rendered);
    }
}

/// As a `.crate` file.
pub fn archive(bytes: &[u8]) {
    let limits = Limits { unpacked: 1 << 20, entries: 1000 };
    let _ = archive::manifest_of(bytes, "sample", "0.1.0", limits);
}
