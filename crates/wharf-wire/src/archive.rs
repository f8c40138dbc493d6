//! The rules of a `.crate` archive: a gzipped tar whose every entry is a plain file or a directory below
//! `name-version/`, with one manifest. Clients and servers apply the same rules.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

/// How large an archive may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files together, unpacked.
    pub unpacked: u64,
    /// Number of entries.
    pub entries: u64,
}

impl Limits {
    /// The limits of crates.io (512 MiB), with a number of entries that no honest package reaches.
    pub const PUBLIC: Self = Self { unpacked: 512 << 20, entries: 100_000 };
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a gzipped tar, or cut off.
    #[error("cannot read the archive: {0}")]
    Read(#[from] io::Error),
    /// A path that is not below the package's directory.
    #[error("the archive holds `{path}`, which is not inside `{root}/`")]
    Outside {
        /// The entry's path, as far as it is text.
        path: String,
        /// `name-version`
        root: String,
    },
    /// A link, a device or another special entry.
    #[error("the archive holds `{path}`, which is neither a file nor a directory")]
    Special {
        /// The entry's path.
        path: String,
    },
    /// More bytes than allowed.
    #[error("the archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// More entries than allowed.
    #[error("the archive has more than {0} entries")]
    TooMany(u64),
    /// No `Cargo.toml`, or several that some file system would take for one.
    #[error("the archive must hold exactly one `Cargo.toml`, and holds {0}")]
    Manifests(u32),
    /// The manifest is not text.
    #[error("the manifest in the archive is not UTF-8")]
    ManifestText,
}

/// What an entry turned out to be, with its path below the package's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// A plain file.
    File(PathBuf),
    /// A directory; the empty path is the package's own.
    Directory(PathBuf),
    /// Nothing to unpack (a header that applies to the whole archive).
    Nothing,
}

/// Judges the entries of one archive as they come.
#[derive(Debug)]
pub struct Checker {
    root: String,
    limits: Limits,
    unpacked: u64,
    entries: u64,
    manifests: u32,
}

impl Checker {
    /// For the archive of one version.
    pub fn new(name: &str, version: &str, limits: Limits) -> Self {
        Self { root: format!("{name}-{version}"), limits, unpacked: 0, entries: 0, manifests: 0 }
    }

    /// Judges one entry by its path as stored, its kind and its size in bytes.
    pub fn accept(&mut self, path: &[u8], kind: EntryType, size: u64) -> Result<Accepted, ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ArchiveError::TooMany(self.limits.entries));
        }
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > self.limits.unpacked {
            return Err(ArchiveError::TooLarge(self.limits.unpacked));
        }
        if kind == EntryType::XGlobalHeader {
            return Ok(Accepted::Nothing);
        }
        let shown = || String::from_utf8_lossy(path).into_owned();
        let outside = || ArchiveError::Outside { path: shown(), root: self.root.clone() };
        let text = std::str::from_utf8(path).map_err(|_| outside())?;
        let inner = inside(&self.root, text).ok_or_else(outside)?;
        match kind {
            EntryType::Directory => Ok(Accepted::Directory(inner)),
            EntryType::Regular | EntryType::Continuous if inner.as_os_str().is_empty() => Err(outside()),
            EntryType::Regular | EntryType::Continuous => {
                if inner.to_str().is_some_and(|name| name.eq_ignore_ascii_case("Cargo.toml")) {
                    self.manifests += 1;
                }
                Ok(Accepted::File(inner))
            }
            _ => Err(ArchiveError::Special { path: shown() }),
        }
    }

    /// Judges the archive as a whole, after its last entry. A server insists on it; a client may not, since
    /// old archives of crates.io were never held to it.
    pub fn finish(&self) -> Result<(), ArchiveError> {
        if self.manifests == 1 { Ok(()) } else { Err(ArchiveError::Manifests(self.manifests)) }
    }
}

/// The path below `root`, if `path` is there and takes no way around.
fn inside(root: &str, path: &str) -> Option<PathBuf> {
    if path.contains('\0') {
        return None;
    }
    let mut components = Path::new(path).components();
    if components.next() != Some(Component::Normal(root.as_ref())) {
        return None;
    }
    let mut inner = PathBuf::new();
    for component in components {
        match component {
            Component::Normal(part) => inner.push(part),
            _ => return None,
        }
    }
    Some(inner)
}

/// Reads a whole `.crate` file, holds it to every rule, and returns the text of its manifest.
pub fn manifest_of(
    archive: &[u8],
    name: &str,
    version: &str,
    limits: Limits,
) -> Result<String, ArchiveError> {
    let mut checker = Checker::new(name, version, limits);
    // Headers and padding come on top of the files; without this bound a stream of empty blocks never ends.
    let bound = limits.unpacked.saturating_add(limits.entries.saturating_mul(2048));
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(bound));
    let mut manifest = None;
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path_bytes().into_owned();
        let (kind, size) = (entry.header().entry_type(), entry.size());
        if checker.accept(&path, kind, size)? == Accepted::File("Cargo.toml".into()) {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => ArchiveError::ManifestText,
                _ => ArchiveError::Read(error),
            })?;
            manifest = Some(text);
        }
    }
    checker.finish()?;
    manifest.ok_or(ArchiveError::Manifests(0))
}

/// Makes a `.crate` file of `files` (path below the package's directory, content). The same input gives the
/// same bytes.
pub fn pack(name: &str, version: &str, files: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        // The date that `cargo package` writes; some tools choke on the epoch itself.
        header.set_mtime(1_153_704_088);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("{name}-{version}/{path}"), *bytes)?;
    }
    tar.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, kind: EntryType) -> Result<Accepted, ArchiveError> {
        Checker::new("a", "1.0.0", Limits::PUBLIC).accept(path.as_bytes(), kind, 1)
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(
            one("a-1.0.0/src/lib.rs", EntryType::Regular).unwrap(),
            Accepted::File("src/lib.rs".into())
        );
        assert_eq!(one("a-1.0.0/", EntryType::Directory).unwrap(), Accepted::Directory("".into()));
        for path in
            ["a-1.0.0", "", "/a-1.0.0/x", "a-1.0.1/x", "a-1.0.0/../x", "../a-1.0.0/x", "x", "a-1.0.0/\0"]
        {
            assert!(matches!(one(path, EntryType::Regular), Err(ArchiveError::Outside { .. })), "{path}");
        }
        assert!(
            Checker::new("a", "1.0.0", Limits::PUBLIC)
                .accept(b"a-1.0.0/\xff", EntryType::Regular, 0)
                .is_err()
        );
    }

    #[test]
    fn only_files_and_directories() {
        for kind in
            [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo, EntryType::GNUSparse]
        {
            assert!(matches!(one("a-1.0.0/x", kind), Err(ArchiveError::Special { .. })), "{kind:?}");
        }
    }

    #[test]
    fn one_manifest_of_any_case() {
        let check = |files: &[(&str, &[u8])]| {
            manifest_of(&pack("a", "1.0.0", files).unwrap(), "a", "1.0.0", Limits::PUBLIC)
        };
        assert_eq!(check(&[("Cargo.toml", b"x"), ("sub/Cargo.toml", b"y")]).unwrap(), "x");
        assert!(matches!(check(&[("src/lib.rs", b"")]), Err(ArchiveError::Manifests(0))));
        assert!(matches!(
            check(&[("Cargo.toml", b""), ("cargo.TOML", b"")]),
            Err(ArchiveError::Manifests(2))
        ));
        assert!(matches!(check(&[("Cargo.toml", b"\xff")]), Err(ArchiveError::ManifestText)));
    }

    #[test]
    fn sizes_are_bounded() {
        let archive = pack("a", "1.0.0", &[("Cargo.toml", &[b' '; 4096])]).unwrap();
        let small = Limits { unpacked: 1000, entries: 10 };
        assert!(matches!(manifest_of(&archive, "a", "1.0.0", small), Err(ArchiveError::TooLarge(1000))));
        let few = Limits { unpacked: 1 << 20, entries: 0 };
        assert!(matches!(manifest_of(&archive, "a", "1.0.0", few), Err(ArchiveError::TooMany(0))));
        assert!(manifest_of(&archive[..archive.len() / 2], "a", "1.0.0", Limits::PUBLIC).is_err());
        assert!(manifest_of(b"plain", "a", "1.0.0", Limits::PUBLIC).is_err());
    }

    /// Made by `cargo package` of Cargo 1.95.
    #[test]
    fn archive_of_cargo() {
        let archive = include_bytes!("../tests/golden/sample-0.1.0.crate");
        let manifest = manifest_of(archive, "sample", "0.1.0", Limits::PUBLIC).unwrap();
        assert!(manifest.contains("name = \"sample\""));
    }
}
