//! The sparse protocol (reference, "Sparse Protocol"): index files by HTTP, and the handshake with registries that
//! want a token for everything.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, WWW_AUTHENTICATE};
use reqwest::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use tokio::sync::{OnceCell, Semaphore};
use url::Url;
use wharf_base::fs;
use wharf_core::SourceId;
use wharf_wire::RegistryConfig;

use crate::context::Context;
use crate::error::{AuthProblem, SourceError};
use crate::event::SourceEvent;
use crate::http::{Outcome, Retry};
use crate::index_cache::Validator;
use crate::options::{Token, TokenRequest};

const CONFIG: &str = "config.json";
/// More requests at once than this only wait in the server's queue.
const IN_FLIGHT: usize = 64;

/// A sparse registry.
pub(crate) struct Sparse {
    source: SourceId,
    /// The URL that file paths are appended to; ends with a slash.
    base: String,
    /// Where the cached `config.json` lies.
    config_path: PathBuf,
    config: OnceCell<Result<Arc<RegistryConfig>, SourceError>>,
    auth: Mutex<Auth>,
    in_flight: Semaphore,
}

/// What is known of the registry's wish for tokens.
#[derive(Default)]
struct Auth {
    required: bool,
    request: TokenRequest,
    token: Option<Token>,
}

/// What the registry said about one file.
pub(crate) enum Answer {
    /// Its content.
    File { bytes: Vec<u8>, validator: Validator },
    /// It is as it was.
    NotModified,
    /// There is none.
    NotFound,
    /// Not without a token, or not with this one.
    Unauthorized { challenges: Vec<String> },
}

impl Sparse {
    pub fn new(source: SourceId, index_dir: PathBuf) -> Result<Self, SourceError> {
        let base = source.url().to_string();
        if !base.ends_with('/') {
            let reason = "the url of a sparse registry must end with `/`";
            return Err(SourceError::RegistryUrl { url: format!("sparse+{base}"), reason });
        }
        Ok(Self {
            source,
            base,
            config_path: index_dir.join(CONFIG),
            config: OnceCell::new(),
            auth: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
        })
    }

    /// `config.json` as it was last time.
    pub fn cached_config(&self) -> Option<RegistryConfig> {
        RegistryConfig::parse(&fs::read_if_exists(&self.config_path).ok()??).ok()
    }

    /// `config.json` as it is now: fetched once, or, without a network, as it was last time.
    pub async fn config(&self, context: &Context) -> Result<Arc<RegistryConfig>, SourceError> {
        self.config.get_or_init(|| self.load_config(context)).await.clone()
    }

    /// `config.json` as it is now if that is known already, else as it was last time, else fetched.
    pub async fn known_config(&self, context: &Context) -> Result<Arc<RegistryConfig>, SourceError> {
        if self.config.get().is_none()
            && let Some(config) = self.cached_config()
        {
            self.auth().required = config.auth_required;
            return Ok(Arc::new(config));
        }
        self.config(context).await
    }

    async fn load_config(&self, context: &Context) -> Result<Arc<RegistryConfig>, SourceError> {
        let cached = self.cached_config();
        if let (false, Some(cached)) = (context.is_online(), &cached) {
            return Ok(Arc::new(cached.clone()));
        }
        context.need_network(|| format!("the index of {}", self.source))?;
        context.tell(SourceEvent::UpdatingIndex { source: self.source.clone() });
        // Known from last time: spares the refusal.
        self.auth().required = cached.is_some_and(|config| config.auth_required);
        let mut answer = self.get(context, CONFIG, &Validator::Unknown).await?;
        if let Answer::Unauthorized { challenges } = &answer
            && !self.auth().required
        {
            {
                let mut auth = self.auth();
                auth.required = true;
                auth.request.login_url = first_login_url(challenges);
                auth.request.challenges.clone_from(challenges);
            }
            answer = self.get(context, CONFIG, &Validator::Unknown).await?;
        }
        let bad = |reason: String| SourceError::RegistryConfig { registry: self.source.clone(), reason };
        let bytes = match answer {
            Answer::File { bytes, .. } => bytes,
            Answer::NotFound => return Err(bad(format!("`{}{CONFIG}` does not exist", self.base))),
            Answer::NotModified => return Err(bad("the server says that it did not change".to_owned())),
            Answer::Unauthorized { .. } => return Err(self.rejected()),
        };
        let config = RegistryConfig::parse(&bytes).map_err(|error| bad(error.to_string()))?;
        self.auth().required = config.auth_required;
        // A cache that cannot be written costs time, not correctness.
        context.write_while_locked(|| drop(write_with_dirs(&self.config_path, &bytes)));
        Ok(Arc::new(config))
    }

    /// One index file. The token goes with it if the registry wants one.
    pub async fn file(
        &self,
        context: &Context,
        path: &str,
        validator: &Validator,
    ) -> Result<Answer, SourceError> {
        self.config(context).await?;
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        context.index_started();
        let answer = self.get(context, path, validator).await;
        context.index_done();
        match answer? {
            Answer::Unauthorized { .. } => Err(self.rejected()),
            answer => Ok(answer),
        }
    }

    async fn get(&self, context: &Context, path: &str, validator: &Validator) -> Result<Answer, SourceError> {
        let url = format!("{}{path}", self.base);
        let client = context.http.texts(&context.options.http)?;
        let mut headers = HeaderMap::new();
        headers.insert("cargo-protocol", HeaderValue::from_static("version=1"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
        let condition = match validator {
            Validator::Etag(value) => Some((IF_NONE_MATCH, value)),
            Validator::LastModified(value) => Some((IF_MODIFIED_SINCE, value)),
            Validator::Object(_) | Validator::Unknown => None,
        };
        if let Some((name, value)) = condition
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
        if let Some(token) = self.authorization(context)? {
            headers.insert(AUTHORIZATION, token);
        }
        let mut retry = Retry::new(&context.options, context.events(), &url);
        loop {
            let request = client.get(&url).headers(headers.clone());
            let outcome = attempt(request, &url).await;
            if let Some(result) = retry.settle(outcome).await {
                return result;
            }
        }
    }

    /// The header that authorizes a request, if the registry wants one.
    pub fn authorization(&self, context: &Context) -> Result<Option<HeaderValue>, SourceError> {
        let mut auth = self.auth();
        if !auth.required {
            return Ok(None);
        }
        if auth.token.is_none() {
            let ask = || (context.options.tokens)(&self.source, &auth.request);
            // A token may come from a program that takes its time, or asks the user.
            let token = tokio::task::block_in_place(ask)
                .map_err(|cause| SourceError::Token { registry: self.source.clone(), cause: cause.into() })?;
            let missing = self.problem(AuthProblem::Missing, auth.request.login_url.clone());
            auth.token = Some(token.ok_or(missing)?);
        }
        let token = auth.token.as_ref().expect("it was just put there");
        header(&self.source, token).map(Some)
    }

    fn auth(&self) -> std::sync::MutexGuard<'_, Auth> {
        self.auth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn rejected(&self) -> SourceError {
        let (problem, login_url) = {
            let auth = self.auth();
            let problem = if auth.required { AuthProblem::Rejected } else { AuthProblem::Missing };
            (problem, auth.request.login_url.clone())
        };
        self.problem(problem, login_url)
    }

    fn problem(&self, problem: AuthProblem, login_url: Option<Url>) -> SourceError {
        SourceError::Auth { registry: self.source.clone(), problem, login_url }
    }
}

async fn attempt(request: RequestBuilder, url: &str) -> Outcome<Answer> {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Outcome::of_error(url, error),
    };
    match response.status().as_u16() {
        200 => {}
        304 => return Outcome::Done(Answer::NotModified),
        // All three mean that the registry does not have it (reference, "Nonexistent Crates").
        404 | 410 | 451 => return Outcome::Done(Answer::NotFound),
        401 => {
            let challenges = texts(response.headers(), &WWW_AUTHENTICATE);
            return Outcome::Done(Answer::Unauthorized { challenges });
        }
        _ => return Outcome::of_status(url, response).await,
    }
    let validator = validator_of(response.headers());
    match response.bytes().await {
        Ok(bytes) => Outcome::Done(Answer::File { bytes: bytes.into(), validator }),
        Err(error) => Outcome::of_error(url, error),
    }
}

/// The header for a registry whose index needs no token, but whose archives do.
pub(crate) fn read_token(context: &Context, registry: &SourceId) -> Result<HeaderValue, SourceError> {
    let ask = || (context.options.tokens)(registry, &TokenRequest::default());
    let token = tokio::task::block_in_place(ask)
        .map_err(|cause| SourceError::Token { registry: registry.clone(), cause: cause.into() })?;
    let missing =
        || SourceError::Auth { registry: registry.clone(), problem: AuthProblem::Missing, login_url: None };
    header(registry, &token.ok_or_else(missing)?)
}

fn header(registry: &SourceId, token: &Token) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::from_str(token.expose()).map_err(|_| {
        let cause: crate::ReadError = "the token holds characters that no header can".into();
        SourceError::Token { registry: registry.clone(), cause: cause.into() }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Writes a file of the cache, making its directory at need.
pub(crate) fn write_with_dirs(path: &std::path::Path, bytes: &[u8]) -> fs::Result<()> {
    match fs::write_atomic(path, bytes) {
        Err(error) if error.is_not_found() => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write_atomic(path, bytes)
        }
        result => result,
    }
}

fn validator_of(headers: &HeaderMap) -> Validator {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match (text(ETAG), text(LAST_MODIFIED)) {
        (Some(etag), _) => Validator::Etag(etag),
        (None, Some(date)) => Validator::LastModified(date),
        (None, None) => Validator::Unknown,
    }
}

fn texts(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Vec<String> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
}

fn first_login_url(challenges: &[String]) -> Option<Url> {
    challenges.iter().find_map(|text| login_url(text))
}

/// `login_url` of a challenge with the `Cargo` scheme (RFC 7235: `Cargo login_url="…"`).
fn login_url(challenge: &str) -> Option<Url> {
    let start = challenge
        .match_indices(|c: char| c.is_ascii_alphabetic())
        .map(|(at, _)| at)
        .find(|at| challenge.get(*at..*at + 6).is_some_and(|word| word.eq_ignore_ascii_case("cargo ")))?;
    let rest = &challenge[start + 6..];
    let at = rest.to_ascii_lowercase().find("login_url")?;
    let value = rest[at + "login_url".len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split([',', ' ']).next()?,
    };
    Url::parse(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_urls_in_challenges() {
        let url = |text| login_url(text).map(String::from);
        assert_eq!(url(r#"Cargo login_url="https://e.com/me""#), Some("https://e.com/me".into()));
        assert_eq!(url(r#"Basic realm="x", cargo login_url=https://e.com/"#), Some("https://e.com/".into()));
        assert_eq!(url(r#"Basic realm="x""#), None);
        assert_eq!(url("Cargo"), None);
        assert_eq!(url(r#"Cargo login_url="/me""#), None);
    }
}
