//! `login` and `logout`: hands tokens to the credential provider of a registry.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use wharf_core::SourceId;
use wharf_sources::{SourceError, Sources};

use crate::config::Config;
use crate::connect::registry_named;
use crate::credentials::Credentials;
use crate::failure::{Failure, Result};

/// What `login` is asked.
#[derive(Clone, Debug, Default)]
pub struct LoginRequest {
    /// `--registry`
    pub registry: Option<String>,
    /// The token, if it was typed.
    pub token: Option<String>,
    /// What stands after `--`, for the provider.
    pub args: Vec<String>,
}

/// The registry that a command means when it may name one: `--registry`, else `registry.default`, else crates.io.
///
/// # Errors
/// If the configuration does not know the name.
pub fn chosen_registry(config: &Config, name: Option<&str>) -> Result<SourceId> {
    let default = config.registries()?.default;
    let name = name.map(str::to_owned).or(default.map(|default| default.value));
    let Some(name) = name else { return Ok(SourceId::crates_io()) };
    registry_named(config, &name)?.ok_or_else(|| {
        Failure::new(format!("registry index was not found in any configuration: `{name}`"))
            .help(format!("add `registries.{name}.index` to the configuration"))
    })
}

/// Gets a token from the command line or standard input and hands it to the provider.
///
/// # Errors
/// If the registry cannot be asked, or the provider fails.
pub fn login(
    config: &Arc<Config>,
    sources: &Sources,
    credentials: &Credentials,
    request: LoginRequest,
) -> Result<()> {
    let registry = chosen_registry(config, request.registry.as_deref())?;
    let login_url = match sources.registry_config(&registry) {
        Ok(Some(known)) => match &known.api {
            Some(api) => Some(format!("{}/me", api.trim_end_matches('/'))),
            None => return Err(without_api(&registry)),
        },
        Ok(None) => None,
        // A registry that answers nobody says where tokens are made.
        Err(SourceError::Auth { login_url, .. }) => login_url.map(String::from),
        Err(error) => return Err(error.into()),
    };
    let token = match request.token {
        Some(token) => Some(token),
        None => piped_token()?,
    };
    credentials.login(&registry, token, login_url.as_deref(), &request.args)
}

/// A token would be of no use there.
fn without_api(registry: &SourceId) -> Failure {
    let name = registry.registry_name().unwrap_or(registry.url().as_str());
    Failure::new(format!("registry `{name}` does not support API commands"))
        .help("its index names no `api`: packages can only be downloaded from it")
}

/// The first line of standard input, if that is no terminal and the line is not empty.
fn piped_token() -> Result<Option<String>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Ok(None);
    }
    let mut line = String::new();
    input
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::new("cannot read the token from standard input").because(error))?;
    let token = line.trim_end_matches(['\n', '\r']);
    Ok(Some(token.to_owned()).filter(|token| !token.trim().is_empty()))
}

/// Lets the provider forget the token.
///
/// # Errors
/// If the provider fails.
pub fn logout(config: &Config, credentials: &Credentials, registry: Option<&str>) -> Result<()> {
    credentials.logout(&chosen_registry(config, registry)?, &[])
}
