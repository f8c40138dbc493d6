//! Configuration as text, for people who ask what is in force and why (`config get`).

use toml_edit::{Array, InlineTable};

use super::{Config, ConfigError, Definition, Key, Kind, Result, Value};

impl Config {
    /// Reads a key as the command line spells it: dotted, with quotes around names that need them.
    ///
    /// # Errors
    /// If it is no key.
    pub fn parse_key(&self, text: &str) -> Result<Key> {
        let parts = toml_edit::Key::parse(text).map_err(|cause| ConfigError::Argument {
            argument: text.to_owned(),
            reason: format!("it is no key: {}", cause.message()),
        })?;
        Ok(parts.iter().fold(Key::root(), |key, part| key.child(part.get())))
    }

    /// The value of a key with the place of every part of it; the environment is asked for this key alone.
    ///
    /// # Errors
    /// If the way to the key leads through something that is no table.
    pub fn inspect(&self, key: &Key) -> Result<Option<Value>> {
        let stored = self.stored(key)?;
        // No variable holds a table, and that of the top would be `CARGO`, the path of the program.
        if key.parts().is_empty() || stored.is_some_and(|value| value.as_table().is_some()) {
            return Ok(stored.cloned());
        }
        let is_list = stored.is_some_and(|value| matches!(value.kind, Kind::List(_)));
        if !is_list || super::value::is_replaced_list(key) {
            return self.get(key.clone());
        }
        let mut value = stored.cloned();
        if let (Some(Value { kind: Kind::List(items), .. }), Some((text, definition))) =
            (&mut value, self.environment_says(key))
        {
            items.extend(
                text.split_whitespace().map(|word| Value {
                    kind: Kind::String(word.to_owned()),
                    definition: definition.clone(),
                }),
            );
            items.sort_by_key(|item| item.definition.rank());
        }
        Ok(value)
    }

    /// The variables of the environment that configuration could come from, sorted.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = self.env().variables().iter();
        variables
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_string_lossy())))
            .filter(|(name, _)| name.starts_with("CARGO_"))
            .map(|(name, value)| (name.to_owned(), value.into_owned()))
            .collect()
    }
}

impl Value {
    /// A line of TOML for each plain value, every key written in full below `key`. `origins` adds where each was set.
    pub fn lines(&self, key: &Key, origins: bool) -> Vec<String> {
        let name: Vec<String> =
            key.parts().iter().map(|part| toml_edit::Key::new(part).display_repr().into_owned()).collect();
        let name = name.join(".");
        match &self.kind {
            Kind::Table(table) => {
                table.iter().flat_map(|(name, value)| value.lines(&key.child(name), origins)).collect()
            }
            Kind::List(items) if origins => {
                let mut lines = vec![format!("{name} = [")];
                lines.extend(
                    items.iter().map(|item| format!("    {}, # {}", item.to_edit(), place(&item.definition))),
                );
                lines.push("]".to_owned());
                lines
            }
            _ if origins => vec![format!("{name} = {} # {}", self.to_edit(), place(&self.definition))],
            _ => vec![format!("{name} = {}", self.to_edit())],
        }
    }

    fn to_edit(&self) -> toml_edit::Value {
        match &self.kind {
            Kind::Boolean(value) => (*value).into(),
            Kind::Integer(value) => (*value).into(),
            Kind::String(value) => value.as_str().into(),
            Kind::List(items) => items.iter().map(Value::to_edit).collect::<Array>().into(),
            Kind::Table(table) => {
                table.iter().map(|(name, value)| (name, value.to_edit())).collect::<InlineTable>().into()
            }
        }
    }
}

fn place(definition: &Definition) -> String {
    match definition {
        Definition::File(path) | Definition::Argument(Some(path)) => path.display().to_string(),
        Definition::Argument(None) => "--config cli option".to_owned(),
        other => other.to_string(),
    }
}
