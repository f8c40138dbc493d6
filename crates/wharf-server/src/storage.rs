//! The directory: `archives/<prefix>/<name>/<version>.crate` and one record per package in
//! `packages/<prefix>/<name>.json`. An archive is on disk before the record that mentions it, so a record never
//! points at nothing, and a record is replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::fs;
use wharf_wire::index;

/// Why the directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A record is damaged.
    #[error("cannot read the package record {path}: {cause}")]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
}

/// All that is known of one package.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The name in its own case.
    pub name: String,
    /// Logins of those who may publish and yank.
    pub owners: Vec<String>,
    /// From the manifest published last.
    pub description: Option<String>,
    /// Index lines in the order of publishing.
    pub lines: Vec<String>,
}

/// The open directory.
#[derive(Debug)]
pub struct Storage {
    root: PathBuf,
}

impl Storage {
    /// Opens or makes the directory.
    pub fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(&root.join("archives"))?;
        fs::create_dir_all(&root.join("packages"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// Reads every record.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let mut pending = vec![self.root.join("packages")];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory)? {
                if entry.kind.is_dir() {
                    pending.push(entry.path);
                } else if entry.path.extension().is_some_and(|extension| extension == "json") {
                    let bytes = fs::read(&entry.path)?;
                    let record = serde_json::from_slice(&bytes)
                        .map_err(|cause| Error::Record { path: entry.path, cause })?;
                    records.push(record);
                }
            }
        }
        Ok(records)
    }

    /// Writes an archive; it is on disk when this returns.
    pub fn put_archive(&self, name: &str, version: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.archive_path(name, version);
        self.make_parent(&path)?;
        Ok(fs::write_durable(&path, bytes)?)
    }

    /// Reads an archive.
    pub fn archive(&self, name: &str, version: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(fs::read_if_exists(&self.archive_path(name, version))?)
    }

    /// Replaces a package's record; the new one is on disk when this returns.
    pub fn put_record(&self, record: &Record) -> Result<(), Error> {
        let mut path = self.root.join("packages").join(index::path_of(&record.name)).into_os_string();
        path.push(".json");
        let path = PathBuf::from(path);
        self.make_parent(&path)?;
        let bytes = serde_json::to_vec(record).expect("text and lists always become JSON");
        Ok(fs::write_durable(&path, bytes)?)
    }

    fn archive_path(&self, name: &str, version: &str) -> PathBuf {
        self.root.join("archives").join(index::path_of(name)).join(format!("{version}.crate"))
    }

    fn make_parent(&self, path: &Path) -> Result<(), Error> {
        Ok(fs::create_dir_all(path.parent().expect("every path is below the root"))?)
    }
}
