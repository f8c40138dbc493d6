//! Names of configuration values, as files and as the environment spell them.

use std::fmt;

/// The path of one configuration value: `build.rustc-wrapper` in a file is `CARGO_BUILD_RUSTC_WRAPPER` in the
/// environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    parts: Vec<String>,
    variable: String,
}

impl Key {
    /// The top of the configuration.
    pub fn root() -> Key {
        Key { parts: Vec::new(), variable: "CARGO".to_owned() }
    }

    /// A value of this table. In the environment its name is in capitals, with `_` for `-`.
    #[must_use]
    pub fn child(&self, name: &str) -> Key {
        self.extended(name, &name.replace('-', "_").to_uppercase())
    }

    /// A value of this table whose name the user chose: the environment spells it exactly as the file does.
    #[must_use]
    pub fn child_exact(&self, name: &str) -> Key {
        self.extended(name, name)
    }

    fn extended(&self, name: &str, in_variable: &str) -> Key {
        let mut key = self.clone();
        key.parts.push(name.to_owned());
        key.variable.push('_');
        key.variable.push_str(in_variable);
        key
    }

    /// The names from the top down.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The environment variable that can set the value.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// Whether the key is made of these names, `*` standing for any one of them.
    pub(super) fn matches(&self, pattern: &[&str]) -> bool {
        self.parts.len() == pattern.len()
            && self.parts.iter().zip(pattern).all(|(part, wanted)| *wanted == "*" || part == wanted)
    }
}

impl From<&str> for Key {
    /// Reads names joined by dots; a name that holds a dot itself is added with [`Key::child`].
    fn from(dotted: &str) -> Key {
        dotted.split('.').fold(Key::root(), |key, part| key.child(part))
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Key {
        key.clone()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let bare =
                !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            if bare {
                f.write_str(part)?;
            } else if part.contains('\'') {
                write!(f, "{part:?}")?;
            } else {
                write!(f, "'{part}'")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        let key = Key::from("target").child("x86_64-unknown-linux-gnu").child("rustflags");
        assert_eq!(key.variable(), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS");
        let key = Key::from("target").child("cfg(unix)").child("runner");
        assert_eq!(key.to_string(), "target.'cfg(unix)'.runner");
        assert_eq!(
            Key::from("profile.dev.package").child_exact("Foo").variable(),
            "CARGO_PROFILE_DEV_PACKAGE_Foo"
        );
    }
}
