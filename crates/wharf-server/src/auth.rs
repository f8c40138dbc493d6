//! Who is calling. Only this module makes a [`Caller`].

use sha2::{Digest, Sha256};
use wharf_wire::api;

/// A secret and whose it is.
#[derive(Clone)]
pub struct Token {
    secret: [u8; 32],
    login: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Token {
    /// A token; only a digest of `secret` is kept.
    pub fn new(secret: &str, login: impl Into<String>) -> Self {
        Self { secret: Sha256::digest(secret).into(), login: login.into() }
    }
}

/// Someone who may act in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    login: String,
}

impl Caller {
    /// The process itself, which needs no token: tests and administration.
    pub fn local(login: impl Into<String>) -> Self {
        Self { login: login.into() }
    }

    /// The name by which the caller is known.
    pub fn login(&self) -> &str {
        &self.login
    }
}

/// Finds out who sent an `Authorization` header. Without configured tokens everybody is `anonymous`.
pub(crate) fn caller(tokens: &[Token], header: Option<&str>) -> Option<Caller> {
    if tokens.is_empty() {
        return Some(Caller::local("anonymous"));
    }
    let digest: [u8; 32] = Sha256::digest(api::token_of(header?)).into();
    // Digests are compared, so the time that a comparison takes tells nothing about the secret.
    let token = tokens.iter().find(|token| token.secret == digest)?;
    Some(Caller { login: token.login.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_every_form() {
        let tokens = [Token::new("s3cret", "ann")];
        assert_eq!(caller(&tokens, Some("s3cret")).unwrap().login(), "ann");
        assert_eq!(caller(&tokens, Some("Bearer s3cret")).unwrap().login(), "ann");
        assert_eq!(caller(&tokens, Some("other")), None);
        assert_eq!(caller(&tokens, None), None);
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }
}
