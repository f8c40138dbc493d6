//! Index files as Cargo 1.95 keeps them on disk: a header with the version of the format and of the index schema,
//! the validator that the server gave, then version and line of every entry, each ended by a zero byte.

use wharf_wire::index::MAX_SCHEMA;

/// The version of the format.
const FORMAT: u8 = 3;

/// A cached index file, borrowed from its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cached<'a> {
    /// What tells whether the server has something newer.
    pub validator: &'a str,
    /// Version and line of each entry, in the order of the index.
    pub entries: Vec<(&'a str, &'a [u8])>,
}

/// What tells whether the server has something newer, as the cache spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validator {
    /// An entity tag.
    Etag(String),
    /// A date.
    LastModified(String),
    /// A git blob or commit.
    Object(String),
    /// The server gave none: nothing proves the cached file current.
    Unknown,
}

impl Validator {
    /// Reads the form in the cache file.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("etag", value)) => Self::Etag(value.trim().to_owned()),
            Some(("last-modified", value)) => Self::LastModified(value.trim().to_owned()),
            Some(_) => Self::Unknown,
            None if text == "Unknown" || text.is_empty() => Self::Unknown,
            None => Self::Object(text.to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Etag(value) => format!("etag: {value}"),
            Self::LastModified(value) => format!("last-modified: {value}"),
            Self::Object(object) => object.clone(),
            Self::Unknown => "Unknown".to_owned(),
        }
    }
}

/// Reads a cache file; `None` if it is of another format, or cut short.
pub(crate) fn parse(bytes: &[u8]) -> Option<Cached<'_>> {
    let rest = bytes.strip_prefix(&[FORMAT])?.strip_prefix(&MAX_SCHEMA.to_le_bytes())?;
    // Every part is ended by a zero byte, the last one too.
    let rest = rest.strip_suffix(&[0])?;
    let mut parts = rest.split(|byte| *byte == 0);
    let validator = std::str::from_utf8(parts.next()?).ok()?;
    let mut entries = Vec::new();
    while let Some(version) = parts.next() {
        entries.push((std::str::from_utf8(version).ok()?, parts.next()?));
    }
    Some(Cached { validator, entries })
}

/// Writes a cache file.
pub(crate) fn render<'a>(
    validator: &Validator,
    entries: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Vec<u8> {
    let size: usize = entries.clone().map(|(version, line)| version.len() + line.len() + 2).sum();
    let validator = validator.text();
    let mut bytes = Vec::with_capacity(size + validator.len() + 6);
    bytes.push(FORMAT);
    bytes.extend(MAX_SCHEMA.to_le_bytes());
    bytes.extend(validator.as_bytes());
    bytes.push(0);
    for (version, line) in entries {
        bytes.extend(version.as_bytes());
        bytes.push(0);
        bytes.extend(line);
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    // As cargo 1.95 wrote it, shortened to one version.
    const CARGOS: &[u8] = b"\x03\x02\0\0\0etag: \"abc\"\x001.0.0\0{\"name\":\"a\",\"vers\":\"1.0.0\"}\0";

    #[test]
    fn bytes_are_cargos() {
        let cached = parse(CARGOS).unwrap();
        assert_eq!(Validator::parse(cached.validator), Validator::Etag("\"abc\"".to_owned()));
        assert_eq!(cached.entries.len(), 1);
        let again = render(&Validator::parse(cached.validator), cached.entries.iter().copied());
        assert_eq!(again, CARGOS);
    }

    #[test]
    fn anything_else_is_no_cache() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"\x02\x02\0\0\0x\0"), None);
        assert_eq!(parse(b"\x03\x03\0\0\0x\0"), None);
        for end in 1..CARGOS.len() {
            let cut = parse(&CARGOS[..end]);
            assert!(cut.is_none_or(|cached| cached.entries.is_empty()), "cut at {end}");
        }
    }

    #[test]
    fn validators() {
        for text in ["etag: W/\"x\"", "last-modified: Wed, 01 Jan 2025 00:00:10 GMT", "Unknown", "0123abcd"] {
            assert_eq!(Validator::parse(text).text(), text);
        }
    }
}
