//! The first of two steps: TOML becomes a [`TomlManifest`], and what it needs from elsewhere is known.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::manifest::TomlManifest;

use super::error::{ManifestError, Place};
use super::{AnyManifest, Files, Inheritable, Unstable};
use crate::source::SourceId;

/// A `Cargo.toml` whose syntax and shape are right, and nothing else is known of.
#[derive(Clone, Debug)]
pub struct TomlDocument {
    /// The absolute path of the manifest.
    pub path: PathBuf,
    /// The text as it was read.
    pub text: Arc<str>,
    /// What it says.
    pub toml: Arc<TomlManifest>,
    /// Keys that mean nothing, as dotted paths; empty unless asked for.
    pub unused_keys: BTreeSet<String>,
}

/// Where a manifest comes from, and what its reader may ask about the world.
pub struct Origin<'a> {
    /// The absolute path of `Cargo.toml`.
    pub path: &'a Path,
    /// The source of the package that it describes.
    pub source: &'a SourceId,
    /// What the workspace root offers for inheritance; `None` when no root was looked for.
    pub inheritable: Option<&'a Inheritable>,
    /// The index of a registry that configuration names.
    pub registries: &'a dyn Fn(&str) -> Option<SourceId>,
    /// Whether somebody edits this manifest (a member or path package): warnings and unused keys are
    /// collected only then.
    pub is_local: bool,
    /// Which of Cargo's unstable features may be used.
    pub unstable: &'a Unstable,
}

impl TomlDocument {
    /// Reads TOML. `unused_keys` asks for keys that mean nothing, at the cost of some time.
    ///
    /// # Errors
    /// Syntax errors and values of the wrong shape, with their place.
    pub fn read(text: impl Into<Arc<str>>, path: &Path, unused_keys: bool) -> Result<Self, ManifestError> {
        let text = text.into();
        let mut unused = BTreeSet::new();
        let parsed: Result<TomlManifest, toml::de::Error> = if unused_keys {
            toml::Deserializer::parse(&text).and_then(|deserializer| {
                serde_ignored::deserialize(deserializer, |key| {
                    unused.insert(dotted(&key));
                })
            })
        } else {
            toml::from_str(&text)
        };
        match parsed {
            Ok(toml) => Ok(Self { path: path.to_owned(), text, toml: Arc::new(toml), unused_keys: unused }),
            Err(error) => {
                let (message, help) = explain(error.message());
                let place = error.span().map(|span| Place::new(text.clone(), span));
                Err(ManifestError { path: path.to_owned(), message, help, place })
            }
        }
    }

    /// Whether there is a `[workspace]` table.
    pub fn is_workspace_root(&self) -> bool {
        self.toml.workspace.is_some()
    }

    /// Whether there is a `[package]` table.
    pub fn has_package(&self) -> bool {
        self.toml.package().is_some()
    }

    /// `package.workspace`: where the root is, as written.
    pub fn workspace_pointer(&self) -> Option<&str> {
        self.toml.package().and_then(|package| package.workspace.as_deref())
    }

    /// What members inherit, if this is a workspace root.
    pub fn inheritable(&self) -> Option<Arc<Inheritable>> {
        self.toml.workspace.as_ref().map(|_| {
            Arc::new(Inheritable {
                manifest: Some(self.toml.clone()),
                root: self.path.parent().unwrap_or(Path::new("/")).to_owned(),
            })
        })
    }

    /// Whether something is inherited, so that [`Origin::inheritable`] must be given. A root inherits
    /// from itself and needs nothing.
    pub fn needs_workspace(&self) -> bool {
        !self.is_workspace_root() && super::inherit::inherits(&self.toml)
    }

    /// The second step: checks, fills in defaults, discovers targets and resolves inheritance.
    ///
    /// # Errors
    /// Whatever Cargo 1.95 refuses in a manifest.
    pub fn into_manifest(self, origin: &Origin<'_>, files: &dyn Files) -> Result<AnyManifest, ManifestError> {
        let (path, text) = (self.path.clone(), self.text.clone());
        super::reader::read(self, origin, files).map_err(|problem| problem.locate(&path, &text))
    }
}

impl AnyManifest {
    /// Both steps at once.
    ///
    /// # Errors
    /// As [`TomlDocument::read`] and [`TomlDocument::into_manifest`].
    pub fn parse(text: &str, origin: &Origin<'_>, files: &dyn Files) -> Result<Self, ManifestError> {
        TomlDocument::read(text, origin.path, origin.is_local)?.into_manifest(origin, files)
    }
}

/// What a parser says in words for people, and what to do about it.
fn explain(message: &str) -> (String, Option<String>) {
    let mut message = message.trim_end().to_owned();
    if let Some(at) = message.find("expected struct ") {
        message.replace_range(at.., "expected a table");
    }
    let help = if message.contains("major version number")
        || message.contains("minor version number")
        || message.contains("patch version number")
    {
        "a version is three numbers, as in `1.2.3`"
    } else if message.contains("duplicate key") {
        "each key and table may be there once: put the two together"
    } else if message.contains("unclosed") || message.contains("invalid basic string") {
        "close what was opened; strings are `\"like this\"`, tables `[like this]`"
    } else if message.contains("expected a table") {
        "write it as a table: `[name]` on a line of its own, its keys below"
    } else if message.contains("expected a string") {
        "put the value into quotes"
    } else {
        return (message, None);
    };
    (message, Some(help.to_owned()))
}

fn dotted(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path::{Map, NewtypeStruct, NewtypeVariant, Root, Seq, Some};

    let join = |parent: &serde_ignored::Path<'_>, part: &str| {
        let mut text = dotted(parent);
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(part);
        text
    };
    match path {
        Root => String::new(),
        Seq { parent, index } => join(parent, &index.to_string()),
        Map { parent, key } => join(parent, key),
        Some { parent } | NewtypeStruct { parent } | NewtypeVariant { parent } => dotted(parent),
    }
}
