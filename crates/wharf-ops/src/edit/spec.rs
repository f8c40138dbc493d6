//! What people type to name a package: `serde` or `serde@1.0`.

use wharf_core::{PackageName, VersionReq};

use crate::failure::{Context, Failure, Result};

/// A package by name, and perhaps the versions that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateSpec {
    /// The name.
    pub name: PackageName,
    /// What follows the `@`, as typed.
    pub version: Option<String>,
}

impl CrateSpec {
    /// Reads `name` or `name@requirement`.
    ///
    /// # Errors
    /// If the name is none, or the requirement is malformed; a slip that can be guessed comes with its correction.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((name, version)) = text.split_once('@') else {
            let name = PackageName::new(text).map_err(|error| {
                let failure = Failure::from(error);
                match with_at(text) {
                    Some(guess) => failure.help(format!(
                        "if this is meant to be a package name followed by a version, insert an `@` like `{guess}`"
                    )),
                    None => failure,
                }
            })?;
            return Ok(Self { name, version: None });
        };
        let name = PackageName::new(name)?;
        if let Err(error) = VersionReq::parse(version) {
            let failure =
                Failure::from(error).context(format!("invalid version requirement `{version}` for `{name}`"));
            return Err(match version.strip_prefix('v') {
                Some(rest) => failure.help(format!("write `{name}@{rest}`")),
                None => failure,
            });
        }
        Ok(Self { name, version: Some(version.to_owned()) })
    }

    /// The requirement, parsed.
    ///
    /// # Errors
    /// Never for what [`CrateSpec::parse`] returned.
    pub fn requirement(&self) -> Result<Option<VersionReq>> {
        let parse = |text: &String| {
            VersionReq::parse(text).context(|| format!("invalid version requirement `{text}`"))
        };
        self.version.as_ref().map(parse).transpose()
    }
}

/// The text with an `@` where a name ends and a version may begin, if that makes sense.
fn with_at(text: &str) -> Option<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))?;
    let guess = format!("{}@{}", &text[..end], &text[end..]);
    CrateSpec::parse(&guess).is_ok().then_some(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions() {
        let spec = CrateSpec::parse("serde@1.0").unwrap();
        assert_eq!((spec.name.as_str(), spec.version.as_deref()), ("serde", Some("1.0")));
        assert!(CrateSpec::parse("serde").unwrap().version.is_none());
        assert!(CrateSpec::parse("serde@").is_err());
        assert!(CrateSpec::parse("").is_err());
    }

    #[test]
    fn slips_come_with_a_correction() {
        let advice = |text| CrateSpec::parse(text).unwrap_err().advice().unwrap_or_default().to_owned();
        assert!(advice("serde=1.0").contains("`serde@=1.0`"));
        assert!(advice("serde@v1.0").contains("`serde@1.0`"));
    }
}
