//! `$WHARF_HOME/toolchains.json`: what compilers answered, by what they were and what they were asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::digest::Digest;
use wharf_base::fs;

use super::identity::Signature;

/// Changes when a reader of the old form would misunderstand the new one.
const VERSION: u32 = 1;
/// Beyond this, the older half is forgotten.
const LIMIT: usize = 400;

/// What a run of the compiler wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// Counts answers, so that the oldest can be found.
    next: u64,
    /// Answers by the digest of question and compiler.
    answers: BTreeMap<String, (u64, Answer)>,
    /// Digests of files, each true while the file has this signature.
    digests: BTreeMap<PathBuf, (Signature, Digest)>,
}

/// The remembered answers. Losing them costs time only, so nothing here fails.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    content: Content,
    changed: bool,
}

impl Memory {
    pub(super) fn load(wharf_home: &Path) -> Memory {
        let path = wharf_home.join("toolchains.json");
        let content = fs::read_if_exists(&path)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice::<Content>(&bytes).ok())
            .filter(|content| content.version == VERSION)
            .unwrap_or_else(|| Content { version: VERSION, ..Content::default() });
        Memory { path, content, changed: false }
    }

    pub(super) fn save(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        if self.content.answers.len() > LIMIT {
            let oldest = self.content.next.saturating_sub(LIMIT as u64 / 2);
            self.content.answers.retain(|_, (number, _)| *number >= oldest);
        }
        if let Some(parent) = self.path.parent()
            && fs::create_dir_all(parent).is_ok()
            && let Ok(bytes) = serde_json::to_vec(&self.content)
        {
            // A process that saved meanwhile loses what it added, and will ask again.
            let _ = fs::write_atomic(&self.path, bytes);
        }
    }

    pub(super) fn answer(&self, key: &Digest) -> Option<&Answer> {
        self.content.answers.get(&key.to_hex()).map(|(_, answer)| answer)
    }

    pub(super) fn remember(&mut self, key: &Digest, answer: Answer) {
        self.content.answers.insert(key.to_hex(), (self.content.next, answer));
        self.content.next += 1;
        self.changed = true;
    }

    /// The digest of a file's content, read only if its signature changed.
    pub(super) fn file_digest(&mut self, path: &Path) -> fs::Result<Digest> {
        let signature = Signature::of(path)?;
        if let Some((known, digest)) = self.content.digests.get(path)
            && *known == signature
        {
            return Ok(*digest);
        }
        let digest = Digest::of_file(path)?;
        self.content.digests.insert(path.to_owned(), (signature, digest));
        self.changed = true;
        Ok(digest)
    }
}
