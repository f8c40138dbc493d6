//! One index file in memory: its bytes, where each version's line is in them, and what was parsed so far.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_core::summary::SharedSummary;
use wharf_core::{PackageName, Version};
use wharf_wire::index::{LineHead, Summaries, quick_version};

use crate::index_cache::{self, Validator};

/// All that a registry says about one name. Lines are parsed when somebody asks for them.
#[derive(Debug)]
pub(crate) struct IndexFile {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    validator: Validator,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    /// The version as the line spells it.
    spelled: Range<usize>,
    line: Range<usize>,
    /// `None` inside when the line is of no use.
    summary: OnceLock<Option<SharedSummary>>,
}

/// Turns lines into summaries; shared by all files of a registry, which have most of their words in common.
pub(crate) type Converter = Mutex<Summaries>;

impl IndexFile {
    /// A file that says that there is nothing.
    pub fn empty() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new(), validator: Validator::Unknown }
    }

    /// Reads a cache file; `None` if it is not one.
    pub fn from_cache(bytes: Vec<u8>) -> Option<Self> {
        let cached = index_cache::parse(&bytes)?;
        let entries = cached
            .entries
            .iter()
            .filter_map(|(version, line)| Entry::new(&bytes, version, line))
            .collect::<Vec<_>>();
        let validator = Validator::parse(cached.validator);
        Some(Self::sorted(bytes, entries, validator))
    }

    /// Reads a file as the registry gives it. Lines that make no sense are passed over; `None` if that is all
    /// of them, because then it is not an index file at all.
    pub fn from_registry(bytes: Vec<u8>, validator: Validator) -> Option<Self> {
        let mut entries = Vec::new();
        let mut lines = 0;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            lines += 1;
            if let Some(version) = quick_version(line) {
                entries.extend(Entry::new(&bytes, version, line));
            } else if let Ok(head) = LineHead::parse(line) {
                // The version may be spelled with escapes, so it cannot always be pointed at.
                let found = find(line, head.vers.as_str()).unwrap_or("");
                entries.extend(Entry::new(&bytes, found, line));
            }
        }
        if lines > 0 && entries.is_empty() {
            return None;
        }
        Some(Self::sorted(bytes, entries, validator))
    }

    fn sorted(bytes: Vec<u8>, mut entries: Vec<Entry>, validator: Validator) -> Self {
        entries.sort_by(|a, b| a.version.cmp(&b.version));
        Self { bytes, entries, validator }
    }

    /// What tells whether the registry has something newer.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// The bytes of the cache file for this.
    pub fn to_cache(&self) -> Vec<u8> {
        // Cargo keeps the order of the index; here the lines are in that order as their places are.
        let mut ordered: Vec<&Entry> = self.entries.iter().collect();
        ordered.sort_by_key(|entry| entry.line.start);
        let parts = ordered.iter().map(|entry| {
            let spelled = std::str::from_utf8(&self.bytes[entry.spelled.clone()]);
            (spelled.expect("it was a string slice"), &self.bytes[entry.line.clone()])
        });
        index_cache::render(&self.validator, parts)
    }

    /// The usable summaries of exactly this name whose version is wanted, oldest first.
    pub fn matching(
        &self,
        name: &PackageName,
        converter: &Converter,
        wanted: &dyn Fn(&Version) -> bool,
    ) -> Vec<SharedSummary> {
        self.entries
            .iter()
            .filter(|entry| wanted(&entry.version))
            .filter_map(|entry| self.summary(entry, converter))
            .filter(|summary| summary.id.name() == name)
            .collect()
    }

    /// The newest summary that is wanted and not yanked.
    pub fn newest(&self, converter: &Converter, wanted: &dyn Fn(&Version) -> bool) -> Option<SharedSummary> {
        self.entries
            .iter()
            .rev()
            .filter(|entry| wanted(&entry.version))
            .filter_map(|entry| self.summary(entry, converter))
            .find(|summary| !summary.yanked)
    }

    fn summary(&self, entry: &Entry, converter: &Converter) -> Option<SharedSummary> {
        entry
            .summary
            .get_or_init(|| {
                let mut converter = converter.lock().unwrap_or_else(PoisonError::into_inner);
                // An entry from the future, or one that was published broken, is as good as absent.
                converter.parse(&self.bytes[entry.line.clone()]).ok().map(Arc::new)
            })
            .clone()
    }
}

impl Entry {
    fn new(bytes: &[u8], version: &str, line: &[u8]) -> Option<Self> {
        Some(Self {
            version: Version::parse(version).ok()?,
            spelled: place(bytes, version.as_bytes()),
            line: place(bytes, line),
            summary: OnceLock::new(),
        })
    }
}

/// Where `part`, a slice of `whole`, begins and ends in it.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// The first place in `line` that reads `text`.
fn find<'a>(line: &'a [u8], text: &str) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?;
    let start = line.find(&format!("\"{text}\""))? + 1;
    line.get(start..start + text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_core::SourceId;

    fn line(version: &str, extra: &str) -> String {
        format!(r#"{{"name":"a","vers":"{version}","deps":[],"cksum":"00","features":{{}}{extra}}}"#)
    }

    fn versions(file: &IndexFile) -> Vec<String> {
        let converter = Mutex::new(Summaries::new(SourceId::crates_io()));
        let name = PackageName::new("a").unwrap();
        file.matching(&name, &converter, &|_| true)
            .iter()
            .map(|found| found.id.version().to_string())
            .collect()
    }

    #[test]
    fn cache_and_registry_agree() {
        let odd = r#"{"vers":"1.5.0","name":"a","deps":[],"cksum":"00","features":{},"yanked":true}"#;
        let text =
            [line("2.0.0", ""), line("1.0.0", r#","v":9"#), odd.into(), "{}".into(), line("1.10.0", "")];
        let file = IndexFile::from_registry(text.join("\n").into(), Validator::Unknown).unwrap();
        assert_eq!(versions(&file), ["1.5.0", "1.10.0", "2.0.0"]);
        let cache = file.to_cache();
        assert!(
            String::from_utf8_lossy(&cache).find("2.0.0") < String::from_utf8_lossy(&cache).find("1.0.0")
        );
        let again = IndexFile::from_cache(cache.clone()).unwrap();
        assert_eq!(versions(&again), versions(&file));
        assert_eq!(again.to_cache(), cache);
    }

    #[test]
    fn a_page_for_browsers_is_no_index() {
        assert!(IndexFile::from_registry(b"<html>\n</html>".to_vec(), Validator::Unknown).is_none());
        assert!(IndexFile::from_registry(Vec::new(), Validator::Unknown).is_some());
    }
}
