//! Index files as they are sent: whole and ready-made, so that a read is one lookup.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256};

/// One file of the index.
#[derive(Clone, Debug)]
pub struct IndexFile {
    /// The lines.
    pub bytes: Arc<[u8]>,
    /// A strong entity tag of the bytes, with its quotes.
    pub etag: Arc<str>,
}

impl IndexFile {
    /// Joins index lines to a file.
    pub fn of_lines<'l>(lines: impl IntoIterator<Item = &'l str>) -> Self {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend(line.as_bytes());
            bytes.push(b'\n');
        }
        Self::of_bytes(bytes)
    }

    /// A file of these bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..16]));
        Self { bytes: bytes.into(), etag: etag.into() }
    }

    /// Whether an `If-None-Match` header names this file. Compared weakly: a proxy that compresses makes
    /// tags weak.
    pub fn matches(&self, if_none_match: &str) -> bool {
        if_none_match
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == &*self.etag)
    }
}

/// All files, by the lower-case name of the package.
#[derive(Debug, Default)]
pub struct Index(RwLock<HashMap<String, IndexFile>>);

impl Index {
    /// The file of the package with this lower-case name.
    pub fn get(&self, lower: &str) -> Option<IndexFile> {
        self.0.read().expect("nothing panics while it holds the index").get(lower).cloned()
    }

    /// Puts a file in place; the next read sees it.
    pub fn put(&self, lower: String, file: IndexFile) {
        self.0.write().expect("nothing panics while it holds the index").insert(lower, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let file = IndexFile::of_lines(["{}"]);
        assert_eq!(&*file.bytes, b"{}\n");
        assert!(file.matches(&file.etag));
        assert!(file.matches(&format!("\"x\", W/{}", file.etag)));
        assert!(!file.matches("\"x\""));
    }
}
