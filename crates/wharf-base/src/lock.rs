//! Advisory locks on files (`flock`), shared with every other process that takes them.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{Error, Result};

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
    path: PathBuf,
}

impl Lock {
    /// The locked file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the locked file: whoever holds a lock may remove its file, and then others
    /// lock another one.
    pub fn is_current(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else { return true };
        match (file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(held), Ok(there)) => held.ino() == there.ino() && held.dev() == there.dev(),
            _ => false,
        }
    }

    /// The locked file itself, if there is a real lock: for those who leave a word in it.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Whether there is a real lock behind this: not on a file system that has none or cannot be written.
    pub fn is_real(&self) -> bool {
        self.file.is_some()
    }
}

/// Locks `path`, creating the file and its directory if need be. If somebody else holds it, `waiting` is called
/// once, and then this waits.
///
/// On a read-only file system, and on one without locks, the result holds nothing ([`Lock::is_real`]): what cannot
/// be written needs no protection, and refusing to work there would help nobody.
pub fn acquire(path: &Path, mode: Mode, waiting: impl FnOnce()) -> Result<Lock> {
    let Some(file) = open(path)? else { return Ok(Lock { file: None, path: path.to_owned() }) };
    match attempt(&file, mode) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waiting();
            let locked = match mode {
                Mode::Shared => file.lock_shared(),
                Mode::Exclusive => file.lock(),
            };
            locked.map_err(|cause| Error::new("lock", path, cause))?;
        }
        Err(TryLockError::Error(cause)) if is_unsupported(&cause) => {
            return Ok(Lock { file: None, path: path.to_owned() });
        }
        Err(TryLockError::Error(cause)) => return Err(Error::new("lock", path, cause)),
    }
    Ok(Lock { file: Some(file), path: path.to_owned() })
}

/// Locks `path` if nobody holds it in the way; `None` if somebody does.
pub fn try_acquire(path: &Path, mode: Mode) -> Result<Option<Lock>> {
    let Some(file) = open(path)? else { return Ok(Some(Lock { file: None, path: path.to_owned() })) };
    match attempt(&file, mode) {
        Ok(()) => Ok(Some(Lock { file: Some(file), path: path.to_owned() })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) if is_unsupported(&cause) => {
            Ok(Some(Lock { file: None, path: path.to_owned() }))
        }
        Err(TryLockError::Error(cause)) => Err(Error::new("lock", path, cause)),
    }
}

fn attempt(file: &File, mode: Mode) -> std::result::Result<(), TryLockError> {
    match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut opened = options.open(path);
    if let (Err(error), Some(parent)) = (&opened, path.parent())
        && error.kind() == io::ErrorKind::NotFound
    {
        opened = std::fs::create_dir_all(parent).and_then(|()| options.open(path));
    }
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            // An existing lock file that may only be read can still be locked.
            Ok(File::open(path).ok())
        }
        Err(cause) => Err(Error::new("open the lock file", path, cause)),
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ENOLCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusive_excludes_and_shared_shares() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/lock");
        let first = acquire(&path, Mode::Shared, || panic!("nobody holds it")).unwrap();
        let second = try_acquire(&path, Mode::Shared).unwrap();
        assert!(second.is_some());
        assert!(try_acquire(&path, Mode::Exclusive).unwrap().is_none());
        drop((first, second));
        assert!(try_acquire(&path, Mode::Exclusive).unwrap().is_some_and(|lock| lock.is_real()));
    }

    #[test]
    fn waiting_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = acquire(&path, Mode::Exclusive, || ()).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| acquire(&path, Mode::Exclusive, || told.send(()).unwrap()).unwrap());
            heard.recv().unwrap();
            drop(held);
        });
    }
}
