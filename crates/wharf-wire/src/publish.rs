//! The body of a publish request (reference, "Publish"): two lengths, JSON and the archive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the client says about the package that it publishes. The manifest inside the archive says it too, and
/// where the two differ the manifest is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewCrate {
    /// The package's name.
    pub name: String,
    /// The version.
    pub vers: String,
    /// Dependencies of every kind.
    pub deps: Vec<NewDependency>,
    /// Features with values of every form.
    #[serde(default)]
    pub features: BTreeMap<String, Vec<String>>,
    /// Authors, as in the manifest.
    #[serde(default)]
    pub authors: Vec<String>,
    /// One sentence.
    pub description: Option<String>,
    /// URL of the documentation.
    pub documentation: Option<String>,
    /// URL of the project.
    pub homepage: Option<String>,
    /// The text of the readme file.
    pub readme: Option<String>,
    /// The readme's path in the archive.
    pub readme_file: Option<String>,
    /// Free words to be found by.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Words from the registry's own list.
    #[serde(default)]
    pub categories: Vec<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// The licence text's path in the archive.
    pub license_file: Option<String>,
    /// URL of the repository.
    pub repository: Option<String>,
    /// Long out of use; always sent.
    #[serde(default)]
    pub badges: BTreeMap<String, BTreeMap<String, String>>,
    /// The native library that the package claims.
    pub links: Option<String>,
    /// The lowest supported toolchain.
    #[serde(default)]
    pub rust_version: Option<String>,
}

/// One dependency as a publish request spells it; the index spells some of it differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewDependency {
    /// Whether it is off unless a feature asks for it.
    pub optional: bool,
    /// Whether its default features are asked for.
    pub default_features: bool,
    /// The package's real name.
    pub name: String,
    /// Features asked for.
    pub features: Vec<String>,
    /// The version requirement.
    pub version_req: String,
    /// The platform.
    pub target: Option<String>,
    /// `normal`, `dev` or `build`.
    pub kind: String,
    /// Index URL of the registry that it comes from; absent means the one that is published to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The key in the manifest when the dependency is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explicit_name_in_toml: Option<String>,
    /// What to build of an artifact dependency (unstable).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Vec<String>>,
    /// The target of an artifact dependency (unstable).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindep_target: Option<String>,
    /// Whether an artifact dependency is a library too (unstable).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lib: bool,
}

/// Why a publish body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// A length points past the end.
    #[error("the publish request ends in the middle of its {part}")]
    Short {
        /// The part that is cut off.
        part: &'static str,
    },
    /// Something follows the archive.
    #[error("the publish request goes on for {0} bytes after the archive")]
    Trailing(usize),
    /// The JSON is not that of a package.
    #[error("cannot read the metadata of the publish request: {0}")]
    Json(#[from] serde_json::Error),
}

/// Puts metadata and archive into one body.
pub fn encode(metadata: &NewCrate, archive: &[u8]) -> Vec<u8> {
    let json = serde_json::to_vec(metadata).expect("strings, flags and lists always become JSON");
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut body = Vec::with_capacity(8 + json.len() + archive.len());
    body.extend(length(&json));
    body.extend(&json);
    body.extend(length(archive));
    body.extend(archive);
    body
}

/// Takes a body apart.
pub fn decode(body: &[u8]) -> Result<(NewCrate, &[u8]), BodyError> {
    let (json, rest) = part(body, "metadata")?;
    let (archive, rest) = part(rest, "archive")?;
    if !rest.is_empty() {
        return Err(BodyError::Trailing(rest.len()));
    }
    Ok((serde_json::from_slice(json)?, archive))
}

fn part<'b>(bytes: &'b [u8], part: &'static str) -> Result<(&'b [u8], &'b [u8]), BodyError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BodyError::Short { part })?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BodyError::Short { part })?;
    rest.split_at_checked(length).ok_or(BodyError::Short { part })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sent by cargo 1.95 for a package with dependencies of every kind; the archive is cut off.
    const GOLDEN: &str = include_str!("../tests/golden/publish-cargo-1.95.json");

    #[test]
    fn metadata_of_cargo_survives() {
        let parsed: NewCrate = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), GOLDEN.trim_end());
        let body = encode(&parsed, b"archive");
        assert_eq!(decode(&body).unwrap(), (parsed, &b"archive"[..]));
        for end in 0..body.len() {
            assert!(decode(&body[..end]).is_err());
        }
        let longer = [&body[..], b"x"].concat();
        assert!(matches!(decode(&longer), Err(BodyError::Trailing(1))));
    }
}
