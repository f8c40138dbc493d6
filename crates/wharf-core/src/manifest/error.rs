//! Why a manifest was refused, and where in the text.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a `Cargo.toml` was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.describe())]
pub struct ManifestError {
    /// The manifest.
    pub path: PathBuf,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is, when it could be found.
    pub place: Option<Place>,
}

/// A stretch of a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The whole text, to draw a snippet from.
    pub text: Arc<str>,
    /// Byte range.
    pub span: Range<usize>,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Character within that line, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte range in `text`.
    pub fn new(text: Arc<str>, span: Range<usize>) -> Self {
        let start = (0..=span.start.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        Self { text, span, line, column }
    }
}

impl ManifestError {
    fn describe(&self) -> String {
        let path = self.path.display();
        match &self.place {
            Some(place) => {
                format!("cannot read manifest `{path}:{}:{}`: {}", place.line, place.column, self.message)
            }
            None => format!("cannot read manifest `{path}`: {}", self.message),
        }
    }
}

/// What is wrong, before its place is known: `keys` lead to the offending entry.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) keys: Vec<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, keys: Vec::new() }
    }

    #[must_use]
    pub(crate) fn at<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Finds the place of `keys` by reading the text once more, this time with positions: only errors
    /// pay for them.
    pub(crate) fn locate(self, path: &Path, text: &Arc<str>) -> ManifestError {
        let place = find(text, &self.keys).map(|span| Place::new(text.clone(), span));
        ManifestError { path: path.to_owned(), message: self.message, help: self.help, place }
    }
}

/// The byte range of the deepest part of `keys` that is there.
fn find(text: &str, keys: &[String]) -> Option<Range<usize>> {
    use toml::de::{DeTable, DeValue};

    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = Some(document.get_ref());
    let mut array = None;
    for key in keys {
        if let Some(items) = array.take() {
            let items: &toml::de::DeArray<'_> = items;
            // `=name` means the entry with that name.
            let named = |item: &&toml::Spanned<DeValue<'_>>| {
                let name = item.get_ref().get("name").and_then(|name| name.get_ref().as_str());
                name == key.strip_prefix('=')
            };
            let item = items.iter().find(named);
            let Some(item) = item else { break };
            found = Some(item.span());
            match item.get_ref() {
                DeValue::Table(inner) => table = Some(inner),
                DeValue::Array(inner) => array = Some(inner),
                _ => break,
            }
            continue;
        }
        let Some((name, value)) = table.take().and_then(|table| table.get_key_value(key.as_str())) else {
            break;
        };
        match value.get_ref() {
            DeValue::Table(inner) => {
                found = Some(name.span());
                table = Some(inner);
            }
            DeValue::Array(inner) => {
                found = Some(value.span());
                array = Some(inner);
            }
            _ => {
                found = Some(value.span());
                break;
            }
        }
    }
    found
}
