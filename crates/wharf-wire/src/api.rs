//! Requests, responses and errors of the web API (reference, "Web API"). Paths are relative to `api` of
//! `config.json`; clients send the token bare in `Authorization`.

use serde::{Deserialize, Serialize};

/// Where a package is published to, by `PUT`.
pub const PUBLISH: &str = "/api/v1/crates/new";
/// Where packages are searched, by `GET` with `q` and `per_page`.
pub const SEARCH: &str = "/api/v1/crates";
/// The page where a person gets a token.
pub const ME: &str = "/me";

/// The path that yanks a version, by `DELETE`.
pub fn yank(name: &str, version: &str) -> String {
    format!("/api/v1/crates/{name}/{version}/yank")
}

/// The path that takes a yank back, by `PUT`.
pub fn unyank(name: &str, version: &str) -> String {
    format!("/api/v1/crates/{name}/{version}/unyank")
}

/// The path of a package's owners: `GET`, `PUT` and `DELETE`.
pub fn owners(name: &str) -> String {
    format!("/api/v1/crates/{name}/owners")
}

/// The value of `WWW-Authenticate` in a 401. `login_url` must be absolute: Cargo gives up on a relative one
/// even with a valid token.
pub fn challenge(login_url: &str) -> String {
    format!("Cargo login_url=\"{login_url}\"")
}

/// The token in an `Authorization` header. Cargo sends it bare; other tools put `Bearer` before it.
pub fn token_of(header: &str) -> &str {
    let header = header.trim();
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => header,
    }
}

/// The reply to a publish request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// What the client should tell its user.
    #[serde(default)]
    pub warnings: Warnings,
}

/// What a registry did not like but took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warnings {
    /// Categories that were ignored.
    #[serde(default)]
    pub invalid_categories: Vec<String>,
    /// Badges that were ignored.
    #[serde(default)]
    pub invalid_badges: Vec<String>,
    /// Sentences to be shown as they are.
    #[serde(default)]
    pub other: Vec<String>,
}

/// The reply to a yank and its reverse. Cargo stops at `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Always true in a success.
    pub ok: bool,
}

/// The body of a change of owners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersRequest {
    /// Logins.
    pub users: Vec<String>,
}

/// The reply to a change of owners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersChanged {
    /// Always true in a success.
    pub ok: bool,
    /// A sentence for the user. Cargo requires it in the reply to `PUT`.
    #[serde(default)]
    pub msg: String,
}

/// The owners of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Everyone who may publish and yank.
    pub users: Vec<User>,
}

/// One owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The registry's own number for the user.
    #[serde(default)]
    pub id: u32,
    /// The name that is used in requests.
    pub login: String,
    /// The name that is shown.
    #[serde(default)]
    pub name: Option<String>,
}

/// The reply to a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// One page of packages, best first.
    pub crates: Vec<FoundCrate>,
    /// About all pages.
    pub meta: FoundMeta,
}

/// One package in a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCrate {
    /// Its name.
    pub name: String,
    /// Its highest version.
    pub max_version: String,
    /// One sentence.
    #[serde(default)]
    pub description: Option<String>,
}

/// About all pages of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundMeta {
    /// How many packages match.
    pub total: u32,
}

/// The body of every failure. Cargo shows it even under status 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// At least one.
    pub errors: Vec<FailureDetail>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDetail {
    /// A sentence for the user.
    pub detail: String,
}

impl Failure {
    /// A failure with one reason.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { errors: vec![FailureDetail { detail: detail.into() }] }
    }

    /// The failure in a response body, if it is one.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|failure: &Self| !failure.errors.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_client() {
        assert_eq!(token_of("abc"), "abc");
        assert_eq!(token_of("Bearer abc"), "abc");
        assert_eq!(token_of("bearer  abc "), "abc");
    }

    #[test]
    fn bodies_of_crates_io() {
        let body = br#"{"errors":[{"detail":"crate `x` does not exist"}]}"#;
        assert_eq!(Failure::parse(body).unwrap().errors[0].detail, "crate `x` does not exist");
        assert_eq!(Failure::parse(br#"{"errors":[]}"#), None);
        assert_eq!(Failure::parse(b"<html>"), None);
        let found: Found = serde_json::from_str(
            r#"{"crates":[{"id":"a","name":"a","max_version":"1.0.0","description":null}],"meta":{"total":1,"next_page":null}}"#,
        )
        .unwrap();
        assert_eq!(found.crates[0].max_version, "1.0.0");
        let published: Published = serde_json::from_str("{}").unwrap();
        assert_eq!(published, Published::default());
    }
}
