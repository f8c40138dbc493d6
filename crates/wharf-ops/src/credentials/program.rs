//! Providers that are programs of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use wharf_core::{SourceId, SourceKind};
use wharf_sources::TokenRequest;

use super::{DisplayName, Operation};
use crate::config::Config;
use crate::failure::{Failure, Result};

/// The version of the protocol.
const PROTOCOL: u32 = 1;

/// What a provider is asked, as it is sent.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Request<'a> {
    v: u32,
    registry: Registry<'a>,
    #[serde(flatten)]
    pub action: Action<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
}

#[derive(Clone, Debug, Serialize)]
struct Registry<'a> {
    #[serde(rename = "index-url")]
    index_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    headers: &'a [String],
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Action<'a> {
    Get(Get<'a>),
    Login {
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        #[serde(rename = "login-url", skip_serializing_if = "Option::is_none")]
        login_url: Option<String>,
    },
    Logout,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Get<'a> {
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vers: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cksum: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub fn get(source: &SourceId, operation: &'a Operation, asked: &'a TokenRequest) -> Self {
        let (word, name, vers, cksum) = match operation {
            Operation::Read => ("read", None, None, None),
            Operation::Publish { name, version, checksum } => {
                ("publish", Some(name.as_str()), Some(version.as_str()), Some(checksum.as_str()))
            }
            Operation::Yank { name, version } => ("yank", Some(name.as_str()), Some(version.as_str()), None),
            Operation::Unyank { name, version } => {
                ("unyank", Some(name.as_str()), Some(version.as_str()), None)
            }
            Operation::Owners { name } => ("owners", Some(name.as_str()), None, None),
        };
        let action = Action::Get(Get { operation: word, name, vers, cksum });
        Self { v: PROTOCOL, registry: Registry::of(source, &asked.challenges), action, args: &[] }
    }

    pub fn login(source: &SourceId, token: Option<String>, login_url: Option<&str>) -> Self {
        let action = Action::Login { token, login_url: login_url.map(str::to_owned) };
        Self { v: PROTOCOL, registry: Registry::of(source, &[]), action, args: &[] }
    }

    pub fn logout(source: &SourceId) -> Self {
        Self { v: PROTOCOL, registry: Registry::of(source, &[]), action: Action::Logout, args: &[] }
    }

    pub fn kind(&self) -> &'static str {
        match &self.action {
            Action::Get(_) => "get",
            Action::Login { .. } => "login",
            Action::Logout => "logout",
        }
    }
}

impl<'a> Registry<'a> {
    fn of(source: &SourceId, headers: &'a [String]) -> Self {
        let name =
            Some(source.display_name()).filter(|_| source.registry_name().is_some() || source.is_crates_io());
        Self { index_url: index_url(source), name, headers }
    }
}

/// The URL of an index as configuration writes it.
fn index_url(source: &SourceId) -> String {
    match source.kind() {
        SourceKind::SparseRegistry if !source.url().as_str().starts_with("sparse+") => {
            format!("sparse+{}", source.url())
        }
        _ => source.url().to_string(),
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A token.
    Get { token: String, cache: Cache, for_everything: bool },
    /// It is done.
    Done,
    /// The provider does not serve this registry.
    NotMine,
    /// It does, and has nothing.
    NotFound,
    /// It cannot do this.
    NotSupported,
}

/// How long a token may be used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cache {
    /// Once.
    Never,
    /// Until the process ends.
    Session,
    /// Until then.
    Until(SystemTime),
}

#[derive(Deserialize)]
struct Hello {
    v: Vec<u32>,
}

#[derive(Deserialize)]
enum Reply {
    Ok(Success),
    Err(Refusal),
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Success {
    Get {
        token: String,
        #[serde(default)]
        cache: String,
        #[serde(default)]
        expiration: Option<i64>,
        #[serde(default)]
        operation_independent: bool,
    },
    Login,
    Logout,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Refusal {
    UrlNotSupported,
    NotFound,
    OperationNotSupported,
    Other {
        #[serde(default)]
        message: String,
        #[serde(default, rename = "caused-by")]
        causes: Vec<String>,
    },
    #[serde(other)]
    Unknown,
}

impl Reply {
    fn settle(self) -> Result<Answer> {
        match self {
            Self::Ok(Success::Get { token, cache, expiration, operation_independent }) => {
                let cache = match (cache.as_str(), expiration) {
                    ("session", _) => Cache::Session,
                    ("expires", Some(seconds)) => {
                        let seconds = u64::try_from(seconds).unwrap_or(0);
                        Cache::Until(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
                    }
                    _ => Cache::Never,
                };
                Ok(Answer::Get { token, cache, for_everything: operation_independent })
            }
            Self::Ok(Success::Login | Success::Logout) => Ok(Answer::Done),
            Self::Err(Refusal::UrlNotSupported) => Ok(Answer::NotMine),
            Self::Err(Refusal::NotFound) => Ok(Answer::NotFound),
            Self::Err(Refusal::OperationNotSupported) => Ok(Answer::NotSupported),
            Self::Err(Refusal::Other { message, causes }) => {
                let mut sentences = causes.into_iter().rev().map(Failure::new);
                let first = sentences.next();
                let inner =
                    first.map(|first| sentences.fold(first, |inner, outer| inner.context(outer.to_string())));
                Err(match inner {
                    Some(inner) => inner.context(message),
                    None => Failure::new(message),
                })
            }
            Self::Ok(Success::Unknown) | Self::Err(Refusal::Unknown) => {
                Err(Failure::new("the provider sent an answer that is not part of the protocol"))
            }
        }
    }
}

/// Asks a program by the protocol: it says which versions it speaks, is sent one line, and answers with one.
pub(super) fn ask(config: &Config, program: &str, args: &[String], request: &Request<'_>) -> Result<Answer> {
    let mut command = std::process::Command::new(program);
    command.arg("--cargo-plugin").stdin(Stdio::piped()).stdout(Stdio::piped()).env_clear();
    command.envs(&**config.env().variables()).env("CARGO", own_path());
    let mut child = command
        .spawn()
        .map_err(|error| Failure::new(format!("cannot run credential process `{program}`")).because(error))?;
    let mut input = child.stdin.take();
    let mut output = BufReader::new(child.stdout.take().ok_or_else(|| Failure::new("its output is closed"))?);
    let mut exchange = || -> Result<Answer> {
        let hello: Hello = receive(&mut output)?;
        if !hello.v.contains(&PROTOCOL) {
            return Err(Failure::new(format!(
                "credential provider supports protocol versions {:?}, while Wharf supports [{PROTOCOL}]",
                hello.v
            )));
        }
        let request = Request { args, ..request.clone() };
        let mut line = serde_json::to_string(&request)
            .map_err(|error| Failure::new("cannot write the request").because(error))?;
        line.push('\n');
        let sent = input.as_mut().map(|input| input.write_all(line.as_bytes()).and_then(|()| input.flush()));
        if let Some(Err(error)) = sent {
            return Err(Failure::new("cannot send the request").because(error));
        }
        receive::<Reply>(&mut output)?.settle()
    };
    let answer = exchange();
    if answer.is_err() {
        // It may wait for something that will not come.
        drop(child.kill());
    }
    // The end of its input tells it to end.
    drop(input.take());
    let status = child.wait().map_err(|error| {
        Failure::new(format!("cannot wait for credential process `{program}`")).because(error)
    })?;
    let answer = answer?;
    if !status.success() {
        return Err(Failure::new(format!("credential process `{program}` failed with {status}")));
    }
    Ok(answer)
}

fn receive<T: for<'de> Deserialize<'de>>(output: &mut impl BufRead) -> Result<T> {
    let mut line = String::new();
    output
        .read_line(&mut line)
        .map_err(|error| Failure::new("cannot read from the provider").because(error))?;
    serde_json::from_str(&line).map_err(|error| {
        Failure::new(format!("cannot understand the provider's line `{}`", line.trim_end())).because(error)
    })
}

fn own_path() -> std::ffi::OsString {
    std::env::current_exe().map(Into::into).unwrap_or_else(|_| "cargo".into())
}

/// `cargo:token-from-stdout`: a program that only prints the token.
pub(super) fn from_stdout(
    config: &Config,
    source: &SourceId,
    args: &[String],
    request: &Request<'_>,
) -> Result<Answer> {
    let Action::Get(get) = &request.action else { return Ok(Answer::NotSupported) };
    let Some((program, args)) = args.split_first() else {
        return Err(Failure::new("`cargo:token-from-stdout` needs the program that prints the token"));
    };
    let index = index_url(source);
    let name = source.registry_name().unwrap_or_default();
    let fill = |text: &String| text.replace("{index_url}", &index).replace("{action}", get.operation);
    let output = std::process::Command::new(program)
        .args(args.iter().map(fill))
        .env_clear()
        .envs(&**config.env().variables())
        .env("CARGO", own_path())
        .env("CARGO_REGISTRY_INDEX_URL", &index)
        .env("CARGO_REGISTRY_NAME_OPT", name)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cannot run `{program}`")).because(error))?;
    if !output.status.success() {
        return Err(Failure::new(format!("process `{program}` failed with {}", output.status)));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|error| Failure::new(format!("process `{program}` printed no text")).because(error))?;
    let token = text.strip_suffix('\n').unwrap_or(&text);
    let token = token.strip_suffix('\r').unwrap_or(token);
    if token.contains('\n') {
        return Err(Failure::new(format!(
            "process `{program}` printed several lines; one token is expected"
        )));
    }
    if token.is_empty() {
        return Err(Failure::new(format!("process `{program}` printed nothing; a token is expected")));
    }
    Ok(Answer::Get { token: token.to_owned(), cache: Cache::Session, for_everything: false })
}
