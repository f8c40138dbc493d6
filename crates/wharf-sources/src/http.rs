//! HTTP with patience: one client for index and API, one for archives, and the rules for trying again.

use std::error::Error as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::options::{HttpOptions, SourceOptions};

/// No pause is longer than this, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How much of an unexpected answer is shown.
const SHOWN_BODY: usize = 1024;

/// The clients, made at their first use.
#[derive(Default)]
pub(crate) struct Http {
    tls: OnceLock<rustls::ClientConfig>,
    texts: OnceLock<Client>,
    archives: OnceLock<Client>,
}

impl Http {
    /// The client for index files and the API, whose answers may be compressed on the way.
    pub fn texts(&self, options: &HttpOptions) -> Result<Client, SourceError> {
        self.client(&self.texts, options, true)
    }

    /// The client for archives: their bytes must arrive as they are, even if a server labels them as compressed.
    pub fn archives(&self, options: &HttpOptions) -> Result<Client, SourceError> {
        self.client(&self.archives, options, false)
    }

    fn client(
        &self,
        slot: &OnceLock<Client>,
        options: &HttpOptions,
        gzip: bool,
    ) -> Result<Client, SourceError> {
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let tls = match self.tls.get() {
            Some(tls) => tls,
            None => {
                let made = tls(options)?;
                self.tls.get_or_init(|| made)
            }
        };
        let made = build(options, tls.clone(), gzip)?;
        Ok(slot.get_or_init(|| made).clone())
    }
}

fn build(options: &HttpOptions, tls: rustls::ClientConfig, gzip: bool) -> Result<Client, SourceError> {
    let mut builder = Client::builder()
        .user_agent(&options.user_agent)
        .connect_timeout(options.timeout)
        .tls_backend_preconfigured(tls)
        // A window of the usual 64 KiB makes every archive wait for round trips.
        .http2_initial_stream_window_size(2 << 20)
        .http2_initial_connection_window_size(16 << 20)
        .tcp_nodelay(true);
    if options.low_speed_limit > 0 {
        builder = builder.read_timeout(options.timeout);
    }
    if !gzip {
        builder = builder.no_gzip();
    }
    if !options.multiplexing {
        builder = builder.http1_only();
    }
    if let Some(proxy) = &options.proxy {
        let text = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
        let proxy = reqwest::Proxy::all(text)
            .map_err(|error| SourceError::Http { reason: format!("invalid proxy `{proxy}`: {error}") })?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| SourceError::Http { reason: chain(&error) })
}

/// Certificates to trust: `http.cainfo`, else the system's, which honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn tls(options: &HttpOptions) -> Result<rustls::ClientConfig, SourceError> {
    let mut roots = rustls::RootCertStore::empty();
    match &options.cainfo {
        Some(path) => {
            use rustls::pki_types::pem::PemObject;
            let bad = |reason: String| SourceError::Http {
                reason: format!("cannot read certificates in `{}`: {reason}", path.display()),
            };
            let certificates = rustls::pki_types::CertificateDer::pem_file_iter(path)
                .map_err(|error| bad(error.to_string()))?
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| bad(error.to_string()))?;
            roots.add_parsable_certificates(certificates);
        }
        // Broken certificates of the system are passed over, as every other client does.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Http { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match options.multiplexing {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}

/// What to do about an answer.
pub(crate) enum Outcome<T> {
    /// It is what was wanted.
    Done(T),
    /// It is final, and an error.
    Failed(SourceError),
    /// Trying again may help.
    Passing {
        /// What to return when no tries are left.
        error: SourceError,
        /// How long the server asked to wait.
        pause: Option<Duration>,
    },
}

impl<T> Outcome<T> {
    /// What a failed exchange means.
    pub fn of_error(url: &str, error: reqwest::Error) -> Self {
        let hopeless = error.is_builder() || error.is_redirect() || is_bad_certificate(&error);
        let error = SourceError::Network { url: url.to_owned(), cause: Arc::new(error.without_url()) };
        if hopeless { Self::Failed(error) } else { Self::Passing { error, pause: None } }
    }

    /// What an unexpected status means. Reads the body, to show it.
    pub async fn of_status(url: &str, response: Response) -> Self {
        let status = response.status();
        let pause = match status.as_u16() {
            429 | 503 => retry_after(response.headers()),
            _ => None,
        };
        let passing = status.is_server_error() || status.as_u16() == 429;
        let body = match response.bytes().await {
            Ok(bytes) => readable(&bytes),
            Err(_) => String::new(),
        };
        let error = SourceError::Status { url: url.to_owned(), status: status.as_u16(), body };
        if passing { Self::Passing { error, pause } } else { Self::Failed(error) }
    }
}

/// Tries one request until it is done, final, or out of tries. Between tries it waits: half a second to one and a
/// half at first, then longer, never more than ten seconds; or as long as the server asks for.
pub(crate) struct Retry<'a> {
    options: &'a SourceOptions,
    events: &'a (dyn Fn(SourceEvent) + Send + Sync),
    url: &'a str,
    failures: u32,
}

impl<'a> Retry<'a> {
    pub fn new(
        options: &'a SourceOptions,
        events: &'a (dyn Fn(SourceEvent) + Send + Sync),
        url: &'a str,
    ) -> Self {
        Self { options, events, url, failures: 0 }
    }

    /// Takes what a try gave. `None` means, after a pause: try again.
    pub async fn settle<T>(&mut self, outcome: Outcome<T>) -> Option<Result<T, SourceError>> {
        let (error, asked) = match outcome {
            Outcome::Done(value) => return Some(Ok(value)),
            Outcome::Failed(error) => return Some(Err(error)),
            Outcome::Passing { error, pause } => (error, pause),
        };
        if self.failures >= self.options.retries {
            return Some(Err(error));
        }
        // The try that just failed counts as one that is left, as Cargo counts.
        let remaining = self.options.retries - self.failures;
        self.failures += 1;
        (self.events)(SourceEvent::Retrying { url: self.url.to_owned(), reason: chain(&error), remaining });
        let pause = asked.or(self.options.retry_pause).unwrap_or_else(|| growing_pause(self.failures));
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        None
    }
}

fn growing_pause(failures: u32) -> Duration {
    if failures <= 1 {
        // Clients that failed together should not come back together.
        let jitter = RandomState::new().hash_one(failures) % 1000;
        return Duration::from_millis(500 + jitter);
    }
    Duration::from_millis(500 + u64::from(failures - 1) * 3000).min(LONGEST_PAUSE)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, time::OffsetDateTime::now_utc())
}

fn parse_retry_after(text: &str, now: time::OffsetDateTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let when =
        time::OffsetDateTime::parse(text.trim(), &time::format_description::well_known::Rfc2822).ok()?;
    (when - now).try_into().ok()
}

fn is_bad_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
            && let Some(tls) = inner.downcast_ref::<rustls::Error>()
        {
            return matches!(tls, rustls::Error::InvalidCertificate(_));
        }
        cause = error.source();
    }
    false
}

fn readable(bytes: &[u8]) -> String {
    let end = bytes.len().min(SHOWN_BODY);
    let text = String::from_utf8_lossy(&bytes[..end]);
    let text = text.trim();
    // A page made for browsers says nothing in a terminal.
    if text.starts_with('<') || text.contains('\0') { String::new() } else { text.to_owned() }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_that_servers_ask_for() {
        let now = time::OffsetDateTime::from_unix_timestamp(1_735_689_600).unwrap();
        let parse = |text| parse_retry_after(text, now);
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse("Wed, 01 Jan 2025 00:00:10 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(parse("Fri, 01 Jan 2000 00:00:00 GMT"), None);
        assert_eq!(parse("-1"), None);
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        assert!((500..1500).contains(&growing_pause(1).as_millis()));
        assert_eq!(growing_pause(2).as_millis(), 3500);
        assert_eq!(growing_pause(9), LONGEST_PAUSE);
    }
}
