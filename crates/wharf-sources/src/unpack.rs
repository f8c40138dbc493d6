//! Unpacks `.crate` archives into the place and form that Cargo gives them, and nowhere else.

use std::collections::HashSet;
use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::bufread::GzDecoder;
use tar::EntryType;
use wharf_base::fs;

use crate::error::ArchiveError;

/// The file that says that a package is wholly unpacked.
pub(crate) const MARKER: &str = ".cargo-ok";
/// What it says, since Cargo 1.71.
const MARKED: &str = "{\"v\":1}";

/// An archive may unpack to this many bytes, or this many times its own size if that is more.
const ALWAYS_ALLOWED: u64 = 512 << 20;
const HIGHEST_RATIO: u64 = 20;

/// The time that Cargo gives to files which it generated, whatever the archive says: old archives hold one that zip
/// tools refuse.
const GENERATED_TIME: u64 = 1_153_704_088;
const GENERATED: [&str; 3] = ["Cargo.lock", "Cargo.toml", ".cargo_vcs_info.json"];

/// Files are written in pieces of at most this size; nearly all fit in one.
const BUFFER: usize = 256 << 10;

/// Whether a package lies in `dir`, whole.
pub(crate) fn is_unpacked(dir: &Path) -> bool {
    fs::read(&dir.join(MARKER)).is_ok_and(|text| text == MARKED.as_bytes())
}

/// Unpacks an archive into `dir`, whose last part must be the directory that all entries lie in. What was in `dir`
/// is removed.
pub(crate) fn unpack(archive: &[u8], dir: &Path) -> Result<(), ArchiveError> {
    match std::fs::create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_any(dir)?;
            fs::create_dir(dir)?;
        }
        Err(_) => fs::create_dir_all(dir)?,
    }
    let limit = ALWAYS_ALLOWED.max(archive.len() as u64 * HIGHEST_RATIO);
    let limited = Limited { inner: GzDecoder::new(archive), left: limit };
    let mut writer = TreeWriter::new(dir);
    unpack_entries(limited, &mut writer).map_err(|error| match error {
        ArchiveError::Damaged(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
            ArchiveError::TooLarge { limit }
        }
        error => error,
    })?;
    fs::write(&dir.join(MARKER), MARKED)?;
    Ok(())
}

fn unpack_entries(input: impl Read, writer: &mut TreeWriter<'_>) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(input);
    for entry in archive.entries().map_err(ArchiveError::Damaged)? {
        let mut entry = entry.map_err(ArchiveError::Damaged)?;
        let path = entry.path().map_err(ArchiveError::Damaged)?.into_owned();
        let header = entry.header();
        let kind = header.entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let inside = writer.inside(&path)?;
        match kind {
            EntryType::Directory => writer.directory(&inside)?,
            EntryType::Regular | EntryType::Continuous => {
                let executable = header.mode().is_ok_and(|mode| mode & 0o100 != 0);
                let time = header.mtime().unwrap_or(0);
                if inside.as_os_str().is_empty() || inside.file_name().is_some_and(|name| name == MARKER) {
                    continue;
                }
                writer.file(&inside, &mut entry, executable, time)?;
            }
            other => {
                return Err(ArchiveError::Kind { path: path.display().to_string(), what: called(other) });
            }
        }
    }
    Ok(())
}

fn called(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        _ => "of an unknown kind",
    }
}

/// Writes files below one directory with as few system calls as will do.
struct TreeWriter<'a> {
    root: &'a Path,
    prefix: &'a std::ffi::OsStr,
    known: HashSet<PathBuf>,
    buffer: Vec<u8>,
}

impl<'a> TreeWriter<'a> {
    fn new(root: &'a Path) -> Self {
        let prefix = root.file_name().unwrap_or_default();
        Self { root, prefix, known: HashSet::from([PathBuf::new()]), buffer: vec![0; BUFFER] }
    }

    /// The path of an entry below the root. Everything must lie in there by its mere spelling: nothing in the
    /// directory is a link, so no spelling leads out of it.
    fn inside(&self, path: &Path) -> Result<PathBuf, ArchiveError> {
        let outside = || ArchiveError::Outside {
            path: path.display().to_string(),
            prefix: self.prefix.to_string_lossy().into_owned(),
        };
        let mut components = path.components().filter(|part| *part != Component::CurDir);
        if components.next() != Some(Component::Normal(self.prefix)) {
            return Err(outside());
        }
        let mut inside = PathBuf::new();
        for part in components {
            match part {
                Component::Normal(name) => inside.push(name),
                _ => return Err(outside()),
            }
        }
        Ok(inside)
    }

    fn directory(&mut self, inside: &Path) -> Result<(), ArchiveError> {
        if self.known.contains(inside) {
            return Ok(());
        }
        if let Some(parent) = inside.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(&self.root.join(inside))?;
        self.known.insert(inside.to_owned());
        Ok(())
    }

    fn file(
        &mut self,
        inside: &Path,
        content: &mut impl Read,
        executable: bool,
        time: u64,
    ) -> Result<(), ArchiveError> {
        if let Some(parent) = inside.parent() {
            self.directory(parent)?;
        }
        let path = self.root.join(inside);
        // The process's umask is applied by the kernel.
        let mode = if executable { 0o777 } else { 0o666 };
        let failed = |deed, cause| ArchiveError::File(fs::Error::new(deed, &path, cause));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&path)
            .map_err(|cause| failed("create", cause))?;
        loop {
            let count = fill(content, &mut self.buffer).map_err(ArchiveError::Damaged)?;
            file.write_all(&self.buffer[..count]).map_err(|cause| failed("write", cause))?;
            if count < self.buffer.len() {
                break;
            }
        }
        let generated = GENERATED.iter().any(|name| inside == Path::new(name));
        set_time(&file, if generated { GENERATED_TIME } else { time });
        Ok(())
    }
}

/// Reads until the buffer is full or nothing is left.
fn fill(content: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Sets the modification time in seconds. Zero means unset to many tools, so it becomes one, as in Cargo. A file
/// system that keeps no times is no reason to fail.
fn set_time(file: &File, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(1));
    drop(file.set_times(FileTimes::new().set_modified(time).set_accessed(time)));
}

/// Gives an error once more bytes come than are left.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::QuotaExceeded)?;
        Ok(count)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    /// An archive of entries: path, kind, content or link target, mode.
    pub(crate) fn archive(entries: &[(&str, EntryType, &str, u32)]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for (path, kind, content, mode) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_mtime(5);
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name(content).unwrap();
                header.set_size(0);
            } else {
                header.set_size(content.len() as u64);
            }
            header.set_cksum();
            let body = if header.size().unwrap() == 0 { "" } else { content };
            builder.append(&header, body.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn files_as_cargo_leaves_them() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("a-1.0.0");
        let bytes = archive(&[
            ("a-1.0.0/Cargo.toml", EntryType::Regular, "[package]", 0o644),
            ("a-1.0.0/.cargo-ok", EntryType::Regular, "lie", 0o644),
            ("a-1.0.0/src/deep/x.rs", EntryType::Regular, "x", 0o600),
            ("a-1.0.0/run.sh", EntryType::Regular, "#!", 0o755),
        ]);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("left over"), "").unwrap();
        unpack(&bytes, &dir).unwrap();
        assert!(is_unpacked(&dir));
        assert!(!dir.join("left over").exists());
        let file = |name: &str| std::fs::metadata(dir.join(name)).unwrap();
        assert_eq!(file("Cargo.toml").mtime(), 1_153_704_088);
        assert_eq!(file("src/deep/x.rs").mtime(), 5);
        assert_eq!(file("src/deep/x.rs").permissions().mode() & 0o111, 0);
        assert_eq!(file("run.sh").permissions().mode() & 0o100, 0o100);
        assert_eq!(std::fs::read_to_string(dir.join("src/deep/x.rs")).unwrap(), "x");
    }

    #[test]
    fn nothing_leaves_the_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("a-1.0.0");
        for (path, kind, content) in [
            ("a-1.0.0/../b", EntryType::Regular, "x"),
            ("/a-1.0.0/b", EntryType::Regular, "x"),
            ("b-1.0.0/b", EntryType::Regular, "x"),
            ("b", EntryType::Regular, "x"),
            ("a-1.0.0/link", EntryType::Symlink, "/etc"),
            ("a-1.0.0/link", EntryType::Link, "a-1.0.0/b"),
            ("a-1.0.0/pipe", EntryType::Fifo, ""),
        ] {
            let error = unpack(&archive(&[(path, kind, content, 0o644)]), &dir).unwrap_err();
            let fits = matches!(error, ArchiveError::Outside { .. } | ArchiveError::Kind { .. });
            assert!(fits, "{path} {kind:?}: {error}");
            assert!(!is_unpacked(&dir));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("a-1.0.0");
        let bytes = archive(&[("a-1.0.0/Cargo.toml", EntryType::Regular, "[package]", 0o644)]);
        assert!(matches!(unpack(&bytes[..bytes.len() / 2], &dir), Err(ArchiveError::Damaged(_))));
        assert!(matches!(unpack(b"<html>", &dir), Err(ArchiveError::Damaged(_))));
    }

    #[test]
    fn bombs_are_limited() {
        let mut limited = Limited { inner: io::repeat(0), left: 100 };
        let error = io::copy(&mut limited, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    }
}
