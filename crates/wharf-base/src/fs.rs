//! Reading and writing files. There is no other way to do it in Wharf, so every file error names its path.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use crate::trail::{self, Look};

/// A deed on a file that did not work out.
#[derive(Debug, thiserror::Error)]
#[error("cannot {deed} `{}`", path.display())]
pub struct Error {
    /// What was tried, as a verb phrase: `read`, `create directory`.
    pub deed: &'static str,
    /// What it was tried on.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub cause: io::Error,
}

impl Error {
    /// An error for a deed that this module has no function for.
    pub fn new(deed: &'static str, path: &Path, cause: io::Error) -> Error {
        Error { deed, path: path.to_owned(), cause }
    }

    /// Whether the object does not exist (or one of its parents is not a directory).
    pub fn is_not_found(&self) -> bool {
        is_absent(&self.cause)
    }

    /// The kind of the cause.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

/// What the functions of this module return.
pub type Result<T> = std::result::Result<T, Error>;

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn deed<T>(result: io::Result<T>, deed: &'static str, path: &Path) -> Result<T> {
    result.map_err(|cause| Error::new(deed, path, cause))
}

fn noted<T>(result: io::Result<T>, path: &Path, look: Look) -> io::Result<T> {
    trail::note(path, look, result.is_ok());
    result
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    deed(noted(std::fs::read(path), path, Look::Content), "read", path)
}

/// Reads a whole file that must be UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    deed(noted(std::fs::read_to_string(path), path, Look::Content), "read", path)
}

/// Reads a whole file; `None` if it does not exist.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    absent_is_none(read(path))
}

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<std::fs::File> {
    deed(noted(std::fs::File::open(path), path, Look::Content), "open", path)
}

/// Creates or empties a file and writes `bytes` into it. Not atomic: for files that nobody else looks at.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    deed(std::fs::write(path, bytes), "write", path)
}

/// Writes a file so that a reader sees either the old content or the new, never a part: a temporary file in the
/// same directory is renamed over it. A symbolic link at `path` is followed, and the mode of an existing file is
/// kept, as an editor would. The parent directory must exist.
pub fn write_atomic(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let target = if is_link { canonicalize(path)? } else { path.to_owned() };
    let parent = parent(&target);
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        let mode = match std::fs::metadata(&target) {
            Ok(metadata) => metadata.permissions(),
            // The process's umask is applied by the kernel.
            Err(_) => Permissions::from_mode(0o666),
        };
        builder.prefix(".wharf-tmp-").permissions(mode.clone());
        let mut file = builder.tempfile_in(parent)?;
        file.write_all(bytes.as_ref())?;
        if target.exists() {
            file.as_file().set_permissions(mode)?;
        }
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    deed(write(), "write", path)
}

/// [`write_atomic`], and the bytes and the name survive a power cut once this returns. Costs a disk flush or
/// two: for what was promised to somebody else.
pub fn write_durable(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let parent = parent(path);
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".wharf-tmp-").tempfile_in(parent)?;
        file.write_all(bytes.as_ref())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(parent)?.sync_all()
    };
    deed(write(), "write", path)
}

/// [`write_atomic`], unless the file holds these bytes already; tells whether it wrote.
pub fn write_if_changed(path: &Path, bytes: impl AsRef<[u8]>) -> Result<bool> {
    if let Ok(old) = noted(std::fs::read(path), path, Look::Content)
        && old == bytes.as_ref()
    {
        return Ok(false);
    }
    write_atomic(path, bytes)?;
    Ok(true)
}

/// Creates a directory and its parents.
pub fn create_dir_all(path: &Path) -> Result<()> {
    deed(std::fs::create_dir_all(path), "create directory", path)
}

/// Creates one directory, which must not exist.
pub fn create_dir(path: &Path) -> Result<()> {
    deed(std::fs::create_dir(path), "create directory", path)
}

/// Removes a file.
pub fn remove_file(path: &Path) -> Result<()> {
    deed(std::fs::remove_file(path), "remove", path)
}

/// Removes a file or symbolic link; tells whether there was one.
pub fn remove_file_if_exists(path: &Path) -> Result<bool> {
    Ok(absent_is_none(remove_file(path))?.is_some())
}

/// Removes a directory and all in it; a missing one is fine. A symbolic link is removed, not followed.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    absent_is_none(deed(std::fs::remove_dir_all(path), "remove directory", path)).map(drop)
}

/// Removes whatever is there: a file, a link or a directory with all in it; tells whether there was anything.
pub fn remove_any(path: &Path) -> Result<bool> {
    match absent_is_none(symlink_metadata(path))? {
        None => Ok(false),
        Some(metadata) if metadata.is_dir() => remove_dir_all(path).map(|()| true),
        Some(_) => remove_file_if_exists(path),
    }
}

/// Renames `from` to `to`, replacing a file that is there.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    deed(std::fs::rename(from, to), "rename to", to)
}

/// Metadata, following symbolic links.
pub fn metadata(path: &Path) -> Result<Metadata> {
    deed(noted(std::fs::metadata(path), path, Look::Content), "look at", path)
}

/// Metadata of the path itself, even if it is a symbolic link.
pub fn symlink_metadata(path: &Path) -> Result<Metadata> {
    deed(noted(std::fs::symlink_metadata(path), path, Look::Link), "look at", path)
}

/// Whether there is anything at a path, links followed.
pub fn exists(path: &Path) -> bool {
    noted(std::fs::metadata(path), path, Look::Kind).is_ok()
}

/// Whether there is a file at a path, links followed.
pub fn is_file(path: &Path) -> bool {
    noted(std::fs::metadata(path), path, Look::Kind).is_ok_and(|metadata| metadata.is_file())
}

/// Whether there is a directory at a path, links followed.
pub fn is_dir(path: &Path) -> bool {
    noted(std::fs::metadata(path), path, Look::Kind).is_ok_and(|metadata| metadata.is_dir())
}

/// Sets the permission bits (`0o7777`).
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    deed(std::fs::set_permissions(path, Permissions::from_mode(mode)), "set the mode of", path)
}

/// One entry of a directory.
#[derive(Debug, Clone)]
pub struct DirEntry {
    /// The name inside the directory.
    pub name: OsString,
    /// The directory joined with the name.
    pub path: PathBuf,
    /// The kind of the entry itself, symbolic links not followed.
    pub kind: std::fs::FileType,
}

/// The entries of a directory, sorted by name.
pub fn read_dir(path: &Path) -> Result<Vec<DirEntry>> {
    let list = || -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            entries.push(DirEntry { name: entry.file_name(), path: entry.path(), kind: entry.file_type()? });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    };
    deed(noted(list(), path, Look::Entries), "list", path)
}

/// Makes a symbolic link at `link` that points to `target`.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    deed(std::os::unix::fs::symlink(target, link), "link", link)
}

/// Where a symbolic link points to, as written in it.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    deed(noted(std::fs::read_link(path), path, Look::Link), "read the link", path)
}

/// The absolute path without symbolic links, `.` and `..`.
pub fn canonicalize(path: &Path) -> Result<PathBuf> {
    deed(noted(std::fs::canonicalize(path), path, Look::Resolved), "resolve", path)
}

/// Makes `to` a second name of the file `from`. `to` must not exist.
pub fn hard_link(from: &Path, to: &Path) -> Result<()> {
    deed(std::fs::hard_link(from, to), "link", to)
}

/// How the names of files begin that are about to be put in a place. One that stays was left by a killed process.
pub const DRAFT_PREFIX: &str = ".wharf-new-";

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// A copy that shares blocks until one side is written.
    Reflink,
    /// A second name of the same file.
    HardLink,
    /// A full copy.
    Copy,
}

/// A file beside the place that it is for. Dropped before it is put there, it is removed.
#[derive(Debug)]
pub struct Draft {
    near: PathBuf,
    to: PathBuf,
    placed: Placed,
}

impl Draft {
    /// Puts it in its place. Whatever is there is replaced, never written through.
    pub fn put(self) -> Result<Placed> {
        rename(&self.near, &self.to)?;
        // Dropping removes what is left: renaming one link of a file over another one does nothing at all.
        Ok(self.placed)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        std::fs::remove_file(&self.near).ok();
    }
}

/// The content of `from` beside `to`, made in the cheapest way: reflink, else hard link, else copy.
pub fn draft(from: &Path, to: &Path) -> Result<Draft> {
    let mut draft = Draft { near: beside(to), to: to.to_owned(), placed: Placed::Reflink };
    if !reflink(from, &draft.near) {
        draft.placed = match std::fs::hard_link(from, &draft.near) {
            Ok(()) => Placed::HardLink,
            Err(_) => copy_over(from, &draft.near)?,
        };
    }
    Ok(draft)
}

/// A file of its own with the content of `from` and this mode beside `to`: reflink, else copy.
pub fn draft_copy(from: &Path, to: &Path, mode: u32) -> Result<Draft> {
    draft_edited(from, to, mode, |_| Ok(()))
}

/// As [`draft_copy`], and writes to the copy.
///
/// # Errors
/// If either file cannot be reached, or the edit fails.
pub fn draft_edited(
    from: &Path,
    to: &Path,
    mode: u32,
    edit: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<Draft> {
    let mut draft = Draft { near: beside(to), to: to.to_owned(), placed: Placed::Reflink };
    if !reflink(from, &draft.near) {
        draft.placed = copy_over(from, &draft.near)?;
    }
    set_mode(&draft.near, mode)?;
    edit(&draft.near).map_err(|error| Error::new("change the copy", to, error))?;
    Ok(draft)
}

/// Puts the content of `from` at `to` in the cheapest way: reflink, else hard link, else copy. Whatever is at `to`
/// is replaced, never written through. With a hard link the two share mode and time.
pub fn place(from: &Path, to: &Path) -> Result<Placed> {
    draft(from, to)?.put()
}

/// Puts a file of its own with the content and mode of `from` at `to`: reflink, else copy. Whatever is at `to` is
/// replaced, never written through.
pub fn copy(from: &Path, to: &Path) -> Result<Placed> {
    let mut draft = Draft { near: beside(to), to: to.to_owned(), placed: Placed::Reflink };
    if !reflink(from, &draft.near) {
        draft.placed = copy_over(from, &draft.near)?;
    }
    draft.put()
}

/// As [`copy`], with another mode, which the file has from the moment it is there.
pub fn copy_with_mode(from: &Path, to: &Path, mode: u32) -> Result<Placed> {
    draft_edited(from, to, mode, |_| Ok(()))?.put()
}

/// A name in the same directory that nobody else uses: several processes may put the same file there at one moment.
/// The time is in it because a killed process leaves such a file, perhaps a second name of one that must not be
/// written to, and process ids come again.
fn beside(to: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static BEGAN: LazyLock<u128> = LazyLock::new(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
    });
    let mut name = OsString::from(DRAFT_PREFIX);
    name.push(to.file_name().unwrap_or_default());
    let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    name.push(format!(".{process}-{:x}-{next}", *BEGAN));
    to.with_file_name(name)
}

fn copy_over(from: &Path, to: &Path) -> Result<Placed> {
    deed(std::fs::copy(from, to), "copy to", to)?;
    Ok(Placed::Copy)
}

/// Pairs of devices between which a reflink failed, so that it is not tried for each file anew.
static NO_REFLINK: LazyLock<Mutex<BTreeSet<(u64, u64)>>> = LazyLock::new(Mutex::default);

fn reflink(from: &Path, to: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let (Some(source), Some(target)) = (device(from), device(parent(to))) else { return false };
    let refused = || NO_REFLINK.lock().unwrap_or_else(PoisonError::into_inner);
    if source != target || refused().contains(&(source, target)) {
        return false;
    }
    let linked = reflink_copy::reflink(from, to)
        .and_then(|()| std::fs::set_permissions(to, std::fs::metadata(from)?.permissions()))
        .is_ok();
    if !linked {
        refused().insert((source, target));
    }
    linked
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn absent_is_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_never_writes_through_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second, spot) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        write(&first, "one").unwrap();
        write(&second, "two").unwrap();
        for deed in [place, copy] {
            place(&first, &spot).unwrap();
            deed(&second, &spot).unwrap();
            assert_eq!(read_to_string(&first).unwrap(), "one");
            assert_eq!(read_to_string(&spot).unwrap(), "two");
        }
    }

    #[test]
    fn write_atomic_keeps_mode_and_follows_links() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("real"), dir.path().join("link"));
        write(&file, "old").unwrap();
        set_mode(&file, 0o640).unwrap();
        symlink(&file, &link).unwrap();
        assert!(write_if_changed(&link, "new").unwrap());
        assert!(!write_if_changed(&link, "new").unwrap());
        assert!(symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn errors_name_deed_and_path() {
        let error = read(Path::new("/nonexistent/x")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read `/nonexistent/x`");
        assert!(error.is_not_found());
    }

    #[test]
    fn removal_of_the_missing_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        remove_dir_all(&dir.path().join("x")).unwrap();
        assert!(!remove_file_if_exists(&dir.path().join("x")).unwrap());
        assert!(!remove_any(&dir.path().join("x")).unwrap());
    }
}
