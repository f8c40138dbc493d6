//! `[profile.*]` of the configuration, `CARGO_PROFILE_*` included.

use std::collections::BTreeMap;

use cargo_util_schemas::manifest::TomlProfile;

use super::{Config, ConfigError, Definition, Key, Kind, Result, Value};

/// How the environment's text for a setting is to be understood.
#[derive(Clone, Copy)]
enum Form {
    /// A boolean or number where it looks like one, else text.
    Any,
    Text,
    Boolean,
    Integer,
}

/// The settings of a profile and the form of each.
const SETTINGS: &[(&str, Form)] = &[
    ("codegen-backend", Form::Text),
    ("codegen-units", Form::Integer),
    ("debug", Form::Any),
    ("debug-assertions", Form::Boolean),
    ("dir-name", Form::Text),
    ("incremental", Form::Boolean),
    ("inherits", Form::Text),
    ("lto", Form::Any),
    ("opt-level", Form::Any),
    ("overflow-checks", Form::Boolean),
    ("panic", Form::Text),
    ("rpath", Form::Boolean),
    ("split-debuginfo", Form::Text),
    ("strip", Form::Any),
];

/// What else may stand in the table of a profile.
const OTHER_KEYS: &[&str] = &["build-override", "package", "rustflags", "trim-paths", "hint-mostly-unused"];

impl Config {
    /// What the configuration says of one profile; `None` if nothing.
    ///
    /// # Errors
    /// If a setting has the wrong kind.
    pub fn profile(&self, name: &str) -> Result<Option<TomlProfile>> {
        let key = Key::from("profile").child(name);
        let (table, definition) = self.profile_table(&key)?;
        if table.is_empty() {
            return Ok(None);
        }
        let profile = toml::Value::Table(table).try_into().map_err(|cause: toml::de::Error| {
            ConfigError::invalid(&key, &definition, cause.to_string().trim_end())
        })?;
        Ok(Some(profile))
    }

    /// What the configuration says of all profiles that it names, of the built-in ones, and of `others`: the
    /// environment alone cannot tell the name of a profile.
    ///
    /// # Errors
    /// As [`Config::profile`].
    pub fn profiles<'a>(
        &self,
        others: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, TomlProfile>> {
        let mut names = self.names("profile")?;
        names.extend(["dev", "release", "test", "bench"].map(str::to_owned));
        names.extend(others.into_iter().map(str::to_owned));
        let mut profiles = BTreeMap::new();
        for name in names {
            if let Some(profile) = self.profile(&name)? {
                profiles.insert(name, profile);
            }
        }
        Ok(profiles)
    }

    fn profile_table(&self, key: &Key) -> Result<(toml::Table, Definition)> {
        let stored = self.stored(key)?;
        let definition = stored.map_or(Definition::Default, |value| value.definition.clone());
        let known: Vec<&str> =
            SETTINGS.iter().map(|(name, _)| *name).chain(OTHER_KEYS.iter().copied()).collect();
        self.warn_unused(key, &known)?;
        let mut table = match stored.map(Value::to_toml) {
            Some(toml::Value::Table(table)) => table,
            _ => toml::Table::new(),
        };
        for (name, form) in SETTINGS {
            if let Some(value) = self.profile_setting(&key.child(name), *form)? {
                table.insert((*name).to_owned(), value.to_toml());
            }
        }
        if self.has_overrides(key) {
            let (overrides, _) = self.profile_table(&key.child("build-override"))?;
            if !overrides.is_empty() {
                table.insert("build-override".to_owned(), toml::Value::Table(overrides));
            }
        }
        let packages = key.child("package");
        let mut package_table = toml::Table::new();
        for name in self.names(&packages)? {
            let (settings, _) = self.profile_table(&packages.child_exact(&name))?;
            package_table.insert(name, toml::Value::Table(settings));
        }
        if !package_table.is_empty() {
            table.insert("package".to_owned(), toml::Value::Table(package_table));
        }
        Ok((table, definition))
    }

    /// Overrides have none of their own, so the walk ends there.
    fn has_overrides(&self, key: &Key) -> bool {
        key.parts().len() == 2
    }

    fn profile_setting(&self, key: &Key, form: Form) -> Result<Option<Value>> {
        let wrap = |kind, definition| Value { kind, definition };
        Ok(match form {
            Form::Any => self.get(key)?,
            Form::Text => {
                self.get_string(key)?.map(|found| wrap(Kind::String(found.value), found.definition))
            }
            Form::Boolean => {
                self.get_bool(key)?.map(|found| wrap(Kind::Boolean(found.value), found.definition))
            }
            Form::Integer => {
                self.get_integer(key)?.map(|found| wrap(Kind::Integer(found.value), found.definition))
            }
        })
    }
}
