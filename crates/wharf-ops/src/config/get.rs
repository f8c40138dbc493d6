//! Single values, by key, with the environment taken into account.

use std::path::PathBuf;
use std::str::FromStr;

use super::value::is_replaced_list;
use super::{Config, ConfigError, Definition, Key, Kind, Result, Sourced, Value};

/// A program, resolved as [`Config::get_program`] does, and its arguments.
pub type ProgramAndArgs = (PathBuf, Vec<String>);

impl Config {
    /// The value in files and arguments, the environment left out.
    pub(super) fn stored(&self, key: &Key) -> Result<Option<&Value>> {
        if let Some(credentials) = &self.credentials
            && let Some(value) = descend(credentials, key)?
        {
            return Ok(Some(value));
        }
        descend(&self.root, key)
    }

    /// The environment's say on a key.
    pub(super) fn environment_says(&self, key: &Key) -> Option<(&str, Definition)> {
        let text = self.env.get(key.variable());
        if text.is_none()
            && let Some(actual) = self.misspelled.get(key.variable())
        {
            self.warn(format!(
                "environment variable `{actual}` is ignored: for `{key}` it must be spelled `{}`",
                key.variable()
            ));
        }
        text.map(|text| (text, Definition::Environment(key.variable().to_owned())))
    }

    /// The value of a key, whatever it holds. A variable of the environment is read as a boolean or a number where
    /// it looks like one.
    pub fn get(&self, key: impl Into<Key>) -> Result<Option<Value>> {
        let key = key.into();
        let stored = self.stored(&key)?;
        let Some((text, definition)) = self.environment_says(&key) else { return Ok(stored.cloned()) };
        match stored {
            Some(Value { kind: Kind::List(_), .. }) => {
                let list = self.get_list(&key)?;
                Ok(list.map(|Sourced { value, definition }| {
                    let item = |text| Value { kind: Kind::String(text), definition: definition.clone() };
                    Value {
                        kind: Kind::List(value.into_iter().map(item).collect()),
                        definition: definition.clone(),
                    }
                }))
            }
            Some(value) if !definition.outranks(&value.definition) => Ok(Some(value.clone())),
            _ => {
                let kind = match (text, text.parse::<i64>()) {
                    ("true", _) => Kind::Boolean(true),
                    ("false", _) => Kind::Boolean(false),
                    (_, Ok(number)) => Kind::Integer(number),
                    _ => Kind::String(text.to_owned()),
                };
                Ok(Some(Value { kind, definition }))
            }
        }
    }

    /// A text.
    ///
    /// # Errors
    /// Like all functions of this kind: if the value is something else; the error names the key and the place.
    pub fn get_string(&self, key: impl Into<Key>) -> Result<Option<Sourced<String>>> {
        self.typed(&key.into(), "a string", |kind| match kind {
            Kind::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// `true` or `false`.
    pub fn get_bool(&self, key: impl Into<Key>) -> Result<Option<Sourced<bool>>> {
        self.typed(&key.into(), "a boolean", |kind| match kind {
            Kind::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// A whole number.
    pub fn get_integer(&self, key: impl Into<Key>) -> Result<Option<Sourced<i64>>> {
        self.typed(&key.into(), "an integer", |kind| match kind {
            Kind::Integer(value) => Some(*value),
            _ => None,
        })
    }

    /// A whole number that fits `T`.
    pub fn get_number<T: TryFrom<i64>>(&self, key: impl Into<Key>) -> Result<Option<Sourced<T>>> {
        let key = key.into();
        let Some(Sourced { value, definition }) = self.get_integer(&key)? else { return Ok(None) };
        match T::try_from(value) {
            Ok(value) => Ok(Some(Sourced { value, definition })),
            Err(_) => Err(ConfigError::invalid(&key, &definition, format!("`{value}` is out of range"))),
        }
    }

    /// A path, absolute: relative ones belong to the place of their definition.
    pub fn get_path(&self, key: impl Into<Key>) -> Result<Option<Sourced<PathBuf>>> {
        let text = self.get_string(key)?;
        Ok(text.map(|text| Sourced { value: text.path(&self.cwd), definition: text.definition }))
    }

    /// A program: an absolute path, or a name to look up in `PATH`.
    pub fn get_program(&self, key: impl Into<Key>) -> Result<Option<Sourced<PathBuf>>> {
        let text = self.get_string(key)?;
        Ok(text.map(|text| Sourced { value: text.program(&self.cwd), definition: text.definition }))
    }

    /// An array of texts, or one text of words apart by blanks (the only form that the environment has). All
    /// definitions are joined, that of higher precedence last; where the array is a program with its arguments,
    /// the definition of the highest precedence stands alone.
    pub fn get_list(&self, key: impl Into<Key>) -> Result<Option<Sourced<Vec<String>>>> {
        const EXPECTED: &str = "a string or an array of strings";
        let key = key.into();
        let mut items: Vec<Sourced<String>> = Vec::new();
        let stored = self.stored(&key)?;
        match stored {
            None => {}
            Some(Value { kind: Kind::String(text), definition }) => items.extend(words(text, definition)),
            Some(Value { kind: Kind::List(values), .. }) => {
                for value in values {
                    let text = value.as_str().ok_or_else(|| value.mismatch(&key, EXPECTED))?;
                    items.push(Sourced { value: text.to_owned(), definition: value.definition.clone() });
                }
            }
            Some(other) => return Err(other.mismatch(&key, EXPECTED)),
        }
        let mut definition = stored.map(|value| value.definition.clone());
        if let Some((text, environment)) = self.environment_says(&key) {
            let alone = is_replaced_list(&key);
            let wins = definition.as_ref().is_none_or(|definition| environment.outranks(definition));
            if alone && wins {
                items.clear();
            }
            if wins || !alone {
                items.extend(words(text, &environment));
                items.sort_by_key(|item| item.definition.rank());
            }
            if wins {
                definition = Some(environment);
            }
        }
        let Some(definition) = definition else { return Ok(None) };
        Ok(Some(Sourced { value: items.into_iter().map(|item| item.value).collect(), definition }))
    }

    /// A program and its arguments, as an array or as words.
    pub fn get_command(&self, key: impl Into<Key>) -> Result<Option<Sourced<ProgramAndArgs>>> {
        let key = key.into();
        let Some(Sourced { value, definition }) = self.get_list(&key)? else { return Ok(None) };
        let mut words = value.into_iter();
        let Some(program) = words.next() else {
            return Err(ConfigError::invalid(&key, &definition, "the program is missing"));
        };
        let program = Sourced { value: program, definition };
        let path = program.program(&self.cwd);
        Ok(Some(Sourced { value: (path, words.collect()), definition: program.definition }))
    }

    /// One of several words.
    pub(super) fn get_choice<T: Copy>(&self, key: &Key, choices: &[(&str, T)]) -> Result<Option<Sourced<T>>> {
        let Some(Sourced { value, definition }) = self.get_string(key)? else { return Ok(None) };
        match choices.iter().find(|(word, _)| *word == value) {
            Some((_, choice)) => Ok(Some(Sourced { value: *choice, definition })),
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
                let reason = format!("`{value}` is not one of {}", words.join(", "));
                Err(ConfigError::invalid(key, &definition, reason))
            }
        }
    }

    /// The names in a table; the environment is not asked, since it cannot tell where a name ends.
    pub fn names(&self, key: impl Into<Key>) -> Result<Vec<String>> {
        let key = key.into();
        match self.stored(&key)? {
            None => Ok(Vec::new()),
            Some(Value { kind: Kind::Table(table), .. }) => Ok(table.keys().cloned().collect()),
            Some(other) => Err(other.mismatch(&key, "a table")),
        }
    }

    /// Warns of the names in a table that nothing asks for.
    pub(super) fn warn_unused(&self, key: &Key, known: &[&str]) -> Result<()> {
        if let Some(value) = self.stored(key)? {
            let table = value.as_table().ok_or_else(|| value.mismatch(key, "a table"))?;
            for (name, value) in table {
                if !known.contains(&name.as_str()) {
                    self.warn(format!("unused config key `{}` in {}", key.child(name), value.definition));
                }
            }
        }
        Ok(())
    }

    fn typed<T: FromStr>(
        &self,
        key: &Key,
        expected: &'static str,
        take: impl Fn(&Kind) -> Option<T>,
    ) -> Result<Option<Sourced<T>>> {
        let stored = self.stored(key)?;
        if let Some((text, definition)) = self.environment_says(key)
            && stored.is_none_or(|value| definition.outranks(&value.definition))
        {
            return match text.parse() {
                Ok(value) => Ok(Some(Sourced { value, definition })),
                Err(_) => Err(ConfigError::invalid(key, &definition, format!("`{text}` is not {expected}"))),
            };
        }
        let Some(value) = stored else { return Ok(None) };
        match take(&value.kind) {
            Some(taken) => Ok(Some(Sourced { value: taken, definition: value.definition.clone() })),
            None => Err(value.mismatch(key, expected)),
        }
    }
}

fn words(text: &str, definition: &Definition) -> Vec<Sourced<String>> {
    text.split_whitespace()
        .map(|word| Sourced { value: word.to_owned(), definition: definition.clone() })
        .collect()
}

fn descend<'a>(root: &'a Value, key: &Key) -> Result<Option<&'a Value>> {
    let mut value = root;
    let mut path = Key::root();
    for part in key.parts() {
        let Kind::Table(table) = &value.kind else { return Err(value.mismatch(&path, "a table")) };
        let Some(next) = table.get(part) else { return Ok(None) };
        path = path.child(part);
        value = next;
    }
    Ok(Some(value))
}
