//! The web API of a registry (reference, "Web API"): publishing, yanking, owners and search.

use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method};
use url::Url;
use wharf_base::fs;
use wharf_core::SourceId;
use wharf_wire::api::{
    self, Done, Failure, Found, Owners, OwnersChanged, OwnersRequest, Published, User, Warnings,
};
use wharf_wire::{NewCrate, publish};

use crate::error::{AuthProblem, SourceError};
use crate::options::{Token, TokenRequest};
use crate::sources::Sources;

/// How much of an unexpected answer is shown.
const SHOWN_BODY: usize = 2048;

/// Whether a request needs a token.
#[derive(Clone, Debug)]
pub enum ApiToken {
    /// Only if the registry wants one for everything.
    IfRequired,
    /// One from configuration.
    Configured,
    /// This one.
    Given(Token),
}

/// The web API of one registry.
pub struct Api<'a> {
    sources: &'a Sources,
    base: String,
    token: Option<Token>,
    registry: SourceId,
}

/// A body, and of which kind.
enum Body {
    None,
    Json(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Sources {
    /// Opens the web API of a registry. Its `config.json` is asked for as it is now.
    ///
    /// # Errors
    /// If the registry cannot be reached, has no web API, or a token is needed and there is none.
    pub fn api(&self, registry: &SourceId, token: ApiToken) -> Result<Api<'_>, SourceError> {
        let config = self.registry_config(registry)?;
        let base = config.as_ref().and_then(|config| config.api.clone());
        let Some(base) = base else {
            let reason = "has no web API, so nothing can be published, yanked or asked there";
            return Err(SourceError::Unsupported { origin: registry.clone(), reason });
        };
        let token = match token {
            ApiToken::IfRequired if !config.is_some_and(|config| config.auth_required) => None,
            ApiToken::IfRequired | ApiToken::Configured => Some(self.configured_token(registry)?),
            ApiToken::Given(token) => Some(token),
        };
        Ok(Api {
            sources: self,
            base: base.trim_end_matches('/').to_owned(),
            token,
            registry: registry.clone(),
        })
    }

    fn configured_token(&self, registry: &SourceId) -> Result<Token, SourceError> {
        let found = (self.options().tokens)(registry, &TokenRequest::default())
            .map_err(|cause| SourceError::Token { registry: registry.clone(), cause: Arc::from(cause) })?;
        found.ok_or_else(|| SourceError::Auth {
            registry: registry.clone(),
            problem: AuthProblem::Missing,
            login_url: None,
        })
    }
}

impl Api<'_> {
    /// The host, for messages.
    pub fn host(&self) -> &str {
        &self.base
    }

    /// Whether this is the web API of crates.io.
    pub fn is_crates_io(&self) -> bool {
        Url::parse(&self.base).is_ok_and(|url| url.host_str() == Some("crates.io"))
    }

    /// Searches for packages; at most `limit` of them are given, the best first.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses to search.
    pub fn search(&self, query: &str, limit: u32) -> Result<Found, SourceError> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let path = format!("{}?q={query}&per_page={limit}", api::SEARCH);
        let answer = self.exchange(Method::GET, &path, Body::None)?;
        self.read(&path, &answer)
    }

    /// Uploads a package. Gives what the registry did not like, but took.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses it.
    pub fn publish(&self, described: &NewCrate, archive: &[u8]) -> Result<Warnings, SourceError> {
        let body = Body::Bytes(publish::encode(described, archive));
        let answer = self.exchange(Method::PUT, api::PUBLISH, body)?;
        let bytes = if answer.is_empty() { b"{}".as_slice() } else { &answer };
        self.read::<Published>(api::PUBLISH, bytes).map(|published| published.warnings)
    }

    /// Yanks a version, or takes that back.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses it.
    pub fn yank(&self, name: &str, version: &str, undo: bool) -> Result<(), SourceError> {
        let (method, path) = match undo {
            true => (Method::PUT, api::unyank(name, version)),
            false => (Method::DELETE, api::yank(name, version)),
        };
        let answer = self.exchange(method, &path, Body::None)?;
        self.done(&path, self.read::<Done>(&path, &answer)?.ok)
    }

    /// The owners of a package.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses to tell.
    pub fn owners(&self, name: &str) -> Result<Vec<User>, SourceError> {
        let path = api::owners(name);
        let answer = self.exchange(Method::GET, &path, Body::None)?;
        self.read::<Owners>(&path, &answer).map(|owners| owners.users)
    }

    /// Asks people to become owners; gives what the registry says to that.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses it.
    pub fn add_owners(&self, name: &str, users: &[String]) -> Result<String, SourceError> {
        self.change_owners(Method::PUT, name, users)
    }

    /// Makes people no owners any more.
    ///
    /// # Errors
    /// If the registry cannot be reached, or refuses it.
    pub fn remove_owners(&self, name: &str, users: &[String]) -> Result<(), SourceError> {
        self.change_owners(Method::DELETE, name, users).map(drop)
    }

    fn change_owners(&self, method: Method, name: &str, users: &[String]) -> Result<String, SourceError> {
        let path = api::owners(name);
        let request = OwnersRequest { users: users.to_vec() };
        let body = serde_json::to_vec(&request).expect("a list of strings always becomes JSON");
        let answer = self.exchange(method, &path, Body::Json(body))?;
        let changed: OwnersChanged = self.read(&path, &answer)?;
        self.done(&path, changed.ok)?;
        Ok(changed.msg)
    }

    fn done(&self, path: &str, ok: bool) -> Result<(), SourceError> {
        if ok {
            return Ok(());
        }
        Err(self.refused(path, 200, "it did not do it, and did not say why".to_owned()))
    }

    fn refused(&self, path: &str, status: u16, reason: String) -> SourceError {
        SourceError::Api { url: format!("{}{path}", self.base), status, reason }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, SourceError> {
        serde_json::from_slice(bytes)
            .map_err(|error| self.refused(path, 200, format!("the answer cannot be understood: {error}")))
    }

    fn exchange(&self, method: Method, path: &str, body: Body) -> Result<Vec<u8>, SourceError> {
        let url = format!("{}{path}", self.base);
        if let Some(file) = Url::parse(&url).ok().filter(|url| url.scheme() == "file") {
            return self.file_exchange(&file, body);
        }
        self.sources.need_network(|| format!("an answer of `{url}`"))?;
        let client = self.sources.api_client()?;
        let (status, answer) = self.sources.block_on(self.send(client, method, &url, body))??;
        if let Some(failure) = Failure::parse(&answer) {
            let reasons: Vec<String> = failure.errors.into_iter().map(|error| error.detail).collect();
            return Err(self.refused(path, status, reasons.join(", ")));
        }
        if !(200..300).contains(&status) {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(SHOWN_BODY)]).trim().to_owned();
            let reason = if text.is_empty() { "the answer is empty".to_owned() } else { text };
            return Err(self.refused(path, status, reason));
        }
        Ok(answer)
    }

    async fn send(
        &self,
        client: Client,
        method: Method,
        url: &str,
        body: Body,
    ) -> Result<(u16, Vec<u8>), SourceError> {
        let mut request = client.request(method, url).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| SourceError::Http {
                reason: format!(
                    "the token for {} holds characters that a header cannot carry",
                    self.registry
                ),
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match body {
            Body::None => request,
            Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes),
            Body::Bytes(bytes) => request.header(CONTENT_TYPE, "application/octet-stream").body(bytes),
        };
        let failed = |error: reqwest::Error| SourceError::Network {
            url: url.to_owned(),
            cause: Arc::new(error.without_url()),
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(failed)?;
        Ok((status, bytes.to_vec()))
    }

    /// A directory that stands for a registry, as tests and mirrors have them: uploads are kept, answers lie ready.
    fn file_exchange(&self, url: &Url, body: Body) -> Result<Vec<u8>, SourceError> {
        let path = url
            .to_file_path()
            .map_err(|()| SourceError::RegistryUrl { url: url.to_string(), reason: "it is not a path" })?;
        match body {
            Body::Bytes(bytes) => {
                fs::write(&path, bytes)?;
                Ok(Vec::new())
            }
            Body::None | Body::Json(_) => Ok(fs::read(&path)?),
        }
    }
}
