//! Names of packages and features, checked where they enter.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! shared_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

shared_text! {
    /// A package name as its author spelled it (`serde_json`).
    ///
    /// Holds the rule for names in manifests (reference, "The `name` field"): not empty, starts with a
    /// letter, `_` or a non-ASCII XID start character, goes on with XID continue characters or `-`.
    PackageName
}

shared_text! {
    /// The name of a feature. Registries may hold names that a manifest could not declare today, so only
    /// emptiness is refused here; the rule for new names is in [`FeatureName::check_new`].
    FeatureName
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between the quotes.
    #[error("the {what} is empty")]
    Empty {
        /// What kind of name it was to be.
        what: &'static str,
    },
    /// A character that may not stand where it stands.
    #[error("invalid character `{character}` in {what} `{name}`: {rule}")]
    Character {
        /// What kind of name it was to be.
        what: &'static str,
        /// The whole name.
        name: String,
        /// The first offending character.
        character: char,
        /// The rule that it breaks, as advice.
        rule: &'static str,
    },
}

impl PackageName {
    /// Checks `name` against the rule for package names.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        check_identifier(name, "package name")?;
        Ok(Self(name.into()))
    }

    /// The name as a Rust crate name: `-` becomes `_`.
    pub fn crate_name(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl std::str::FromStr for PackageName {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl<'de> Deserialize<'de> for PackageName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(name).map_err(serde::de::Error::custom)
    }
}

impl FeatureName {
    /// Checks that `name` is not empty.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(NameError::Empty { what: "feature name" });
        }
        Ok(Self(name.into()))
    }

    /// Checks the rule for names that a manifest declares (reference, "The `[features]` section"): XID
    /// characters, digits, `-`, `+` and `.`, and no `dep:` prefix or `/`.
    pub fn check_new(name: &str) -> Result<(), NameError> {
        const WHAT: &str = "feature name";
        let mut characters = name.chars();
        let Some(first) = characters.next() else {
            return Err(NameError::Empty { what: WHAT });
        };
        let refuse = |character, rule| {
            Err(NameError::Character { what: WHAT, name: name.to_owned(), character, rule })
        };
        if !(unicode_xid::UnicodeXID::is_xid_start(first) || first == '_' || first.is_ascii_digit()) {
            return refuse(first, "it must start with a letter, a digit or `_`");
        }
        for character in characters {
            let fits = unicode_xid::UnicodeXID::is_xid_continue(character) || "-+.".contains(character);
            if !fits {
                return refuse(character, "only letters, digits, `_`, `-`, `+` and `.` may follow");
            }
        }
        Ok(())
    }
}

impl From<PackageName> for FeatureName {
    fn from(name: PackageName) -> Self {
        Self(name.0)
    }
}

impl<'de> Deserialize<'de> for FeatureName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(name).map_err(serde::de::Error::custom)
    }
}

fn check_identifier(name: &str, what: &'static str) -> Result<(), NameError> {
    let mut characters = name.chars();
    let Some(first) = characters.next() else {
        return Err(NameError::Empty { what });
    };
    let refuse = |character, rule| Err(NameError::Character { what, name: name.to_owned(), character, rule });
    if first.is_ascii_digit() {
        return refuse(first, "it cannot start with a digit");
    }
    if !(unicode_xid::UnicodeXID::is_xid_start(first) || first == '_') {
        return refuse(first, "it must start with a letter or `_`");
    }
    for character in characters {
        if !(unicode_xid::UnicodeXID::is_xid_continue(character) || character == '-') {
            return refuse(character, "only letters, digits, `_` and `-` may follow");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names() {
        for good in ["a", "serde_json", "foo-bar", "_x", "名前"] {
            assert!(PackageName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a b", "a/b", "a.b", "../a"] {
            assert!(PackageName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn feature_names() {
        for good in ["a", "1", "c++20", "v1.2", "_a"] {
            assert!(FeatureName::check_new(good).is_ok(), "{good}");
        }
        for bad in ["", "dep:a", "a/b", "-a", "a?"] {
            assert!(FeatureName::check_new(bad).is_err(), "{bad}");
        }
    }
}
