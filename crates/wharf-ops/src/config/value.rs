//! Configuration values that remember where they were set, and how two of them become one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{ConfigError, Key};

/// Where a value was set. The order is that of precedence: what compares greater wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Nowhere: it is a default.
    Default,
    /// In a configuration file that was discovered, or in one that such a file includes.
    File(PathBuf),
    /// In this environment variable.
    Environment(String),
    /// On the command line, by `--config`: in the argument itself, or in the file that it names.
    Argument(Option<PathBuf>),
}

impl Definition {
    /// The directory to which relative paths of the value belong: the parent of the directory that holds the
    /// file (`.cargo`), and the current directory for values that are in no file.
    pub fn root<'a>(&'a self, cwd: &'a Path) -> &'a Path {
        match self {
            Self::File(file) | Self::Argument(Some(file)) => {
                file.parent().and_then(Path::parent).unwrap_or(Path::new("/"))
            }
            Self::Default | Self::Environment(_) | Self::Argument(None) => cwd,
        }
    }

    /// The file that holds the value, if one does.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) | Self::Argument(Some(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::Environment(_) => 2,
            Self::Argument(_) => 3,
        }
    }

    pub(super) fn outranks(&self, other: &Definition) -> bool {
        self.rank() > other.rank()
    }
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(file) | Self::Argument(Some(file)) => write!(f, "`{}`", file.display()),
            Self::Environment(name) => write!(f, "environment variable `{name}`"),
            Self::Argument(None) => f.write_str("a `--config` argument"),
        }
    }
}

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it was set.
    pub definition: Definition,
}

impl<T> Sourced<T> {
    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: change(self.value), definition: self.definition }
    }
}

impl Sourced<String> {
    /// The value as a path, relative to the place of its definition.
    pub fn path(&self, cwd: &Path) -> PathBuf {
        self.definition.root(cwd).join(&self.value)
    }

    /// The value as a program: with a slash it is a path like any other, without one a name to look up in `PATH`.
    pub fn program(&self, cwd: &Path) -> PathBuf {
        if self.value.contains('/') { self.path(cwd) } else { PathBuf::from(&self.value) }
    }
}

/// What a value holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    String(String),
    /// An array.
    List(Vec<Value>),
    /// A table.
    Table(BTreeMap<String, Value>),
}

/// One configuration value of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it holds.
    pub kind: Kind,
    /// Where it was set; for a table or an array that several places fill, the first of them.
    pub definition: Definition,
}

/// Arrays that name a program and its arguments: a later definition replaces the earlier one as a whole.
const REPLACED_LISTS: &[&[&str]] = &[
    &["credential-alias", "*"],
    &["doc", "browser"],
    &["host", "runner"],
    &["registries", "*", "credential-provider"],
    &["registry", "credential-provider"],
    &["target", "*", "runner"],
];

pub(super) fn is_replaced_list(key: &Key) -> bool {
    REPLACED_LISTS.iter().any(|pattern| key.matches(pattern))
}

impl Value {
    /// An empty table.
    pub(super) fn table(definition: Definition) -> Value {
        Value { kind: Kind::Table(BTreeMap::new()), definition }
    }

    /// Takes over parsed TOML, all of it set at one place.
    pub(super) fn from_toml(
        toml: toml::Value,
        definition: &Definition,
        key: &Key,
    ) -> Result<Value, ConfigError> {
        let kind = match toml {
            toml::Value::Boolean(value) => Kind::Boolean(value),
            toml::Value::Integer(value) => Kind::Integer(value),
            toml::Value::String(value) => Kind::String(value),
            toml::Value::Array(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| Value::from_toml(item, definition, key))
                    .collect::<Result<_, _>>()?,
            ),
            toml::Value::Table(table) => {
                let mut entries = BTreeMap::new();
                for (name, item) in table {
                    let value = Value::from_toml(item, definition, &key.child(&name))?;
                    entries.insert(name, value);
                }
                Kind::Table(entries)
            }
            toml::Value::Float(_) | toml::Value::Datetime(_) => {
                return Err(ConfigError::Type {
                    key: key.to_string(),
                    expected: "a string, integer, boolean, array or table",
                    found: if matches!(toml, toml::Value::Float(_)) { "a float" } else { "a date" },
                    definition: definition.clone(),
                });
            }
        };
        Ok(Value { kind, definition: definition.clone() })
    }

    /// The value as TOML, the places forgotten.
    pub fn to_toml(&self) -> toml::Value {
        match &self.kind {
            Kind::Boolean(value) => toml::Value::Boolean(*value),
            Kind::Integer(value) => toml::Value::Integer(*value),
            Kind::String(value) => toml::Value::String(value.clone()),
            Kind::List(items) => toml::Value::Array(items.iter().map(Value::to_toml).collect()),
            Kind::Table(table) => toml::Value::Table(
                table.iter().map(|(name, value)| (name.clone(), value.to_toml())).collect(),
            ),
        }
    }

    /// What it is, with an article, for sentences.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Boolean(_) => "a boolean",
            Kind::Integer(_) => "an integer",
            Kind::String(_) => "a string",
            Kind::List(_) => "an array",
            Kind::Table(_) => "a table",
        }
    }

    /// The entries of a table; `None` for any other kind.
    pub fn as_table(&self) -> Option<&BTreeMap<String, Value>> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text of a string; `None` for any other kind.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn mismatch(&self, key: &Key, expected: &'static str) -> ConfigError {
        ConfigError::Type {
            key: key.to_string(),
            expected,
            found: self.describe(),
            definition: self.definition.clone(),
        }
    }

    /// Puts `other` into this value. Tables are merged, arrays joined; of two plain values the one of higher rank
    /// stays, and of two equals `other` if `override_equal`.
    pub(super) fn merge(&mut self, other: Value, override_equal: bool, key: &Key) -> Result<(), ConfigError> {
        let wins = override_equal || other.definition.outranks(&self.definition);
        match (&mut self.kind, other.kind) {
            (Kind::Table(mine), Kind::Table(theirs)) => {
                for (name, value) in theirs {
                    match mine.entry(name) {
                        std::collections::btree_map::Entry::Vacant(entry) => {
                            entry.insert(value);
                        }
                        std::collections::btree_map::Entry::Occupied(mut entry) => {
                            let key = key.child(entry.key());
                            entry.get_mut().merge(value, override_equal, &key)?;
                        }
                    }
                }
            }
            (Kind::List(mine), Kind::List(theirs)) => {
                if is_replaced_list(key) {
                    if wins {
                        *mine = theirs;
                        self.definition = other.definition;
                    }
                } else {
                    // The definition of higher precedence comes last: the compiler lets the last flag win.
                    let at = if override_equal { mine.len() } else { 0 };
                    mine.splice(at..at, theirs);
                    mine.sort_by_key(|item| item.definition.rank());
                }
            }
            (Kind::Table(_) | Kind::List(_), kind) | (_, kind @ (Kind::Table(_) | Kind::List(_))) => {
                let other = Value { kind, definition: other.definition };
                return Err(ConfigError::Merge {
                    key: key.to_string(),
                    first: self.describe(),
                    first_definition: self.definition.clone(),
                    second: other.describe(),
                    second_definition: other.definition,
                });
            }
            (mine, theirs) => {
                if wins {
                    *mine = theirs;
                    self.definition = other.definition;
                }
            }
        }
        Ok(())
    }
}
