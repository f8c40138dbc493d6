//! Credential providers: who keeps the token of a registry, and how they are asked (reference, "Credential
//! Providers" and "Credential Provider Protocol").

mod program;
mod stored;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use wharf_core::SourceId;
use wharf_core::source::CRATES_IO;
use wharf_sources::{Token, TokenRequest};

use crate::config::Config;
use crate::connect::registry_named;
use crate::failure::{Failure, Result};

use program::{Answer, Cache, Request};

/// What a token is for: a provider may give one that is good for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading index and archives.
    Read,
    /// Publishing a version.
    Publish {
        /// The package.
        name: String,
        /// The version.
        version: String,
        /// SHA-256 of the archive, in hexadecimal.
        checksum: String,
    },
    /// Taking a version back.
    Yank {
        /// The package.
        name: String,
        /// The version.
        version: String,
    },
    /// Offering a version again.
    Unyank {
        /// The package.
        name: String,
        /// The version.
        version: String,
    },
    /// Showing or changing the owners of a package.
    Owners {
        /// The package.
        name: String,
    },
}

/// What may be told while providers are asked.
#[derive(Clone, Debug)]
pub enum CredentialEvent {
    /// A provider is asked.
    Asked {
        /// The provider with its arguments.
        provider: String,
        /// `get`, `login` or `logout`.
        action: &'static str,
        /// The registry's name.
        registry: String,
    },
    /// Something is odd about the configuration.
    Warning(String),
    /// A token is to be typed.
    Prompt(String),
    /// A deed is done: the word of the status line, and the rest.
    Done(&'static str, String),
    /// What the user should know.
    Note(String),
}

type Listener = Arc<dyn Fn(CredentialEvent) + Send + Sync>;

/// The providers of every registry, and the tokens that they gave to this process.
pub struct Credentials {
    config: Arc<Config>,
    tell: Listener,
    known: Mutex<HashMap<SourceId, Known>>,
}

struct Known {
    token: Token,
    until: Option<SystemTime>,
    for_everything: bool,
}

/// One provider of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Provider {
    name: String,
    args: Vec<String>,
}

impl Provider {
    fn parse(words: &[String]) -> Option<Self> {
        let words: Vec<String> = match words {
            [one] => one.split_whitespace().map(str::to_owned).collect(),
            several => several.to_vec(),
        };
        let (name, args) = words.split_first()?;
        Some(Self { name: name.clone(), args: args.to_vec() })
    }

    fn shown(&self) -> String {
        std::iter::once(&self.name).chain(&self.args).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl Credentials {
    /// Nobody is asked yet.
    pub fn new(config: Arc<Config>, tell: Listener) -> Self {
        Self { config, tell, known: Mutex::default() }
    }

    /// The token for an operation on a registry; `None` if no provider has one.
    ///
    /// # Errors
    /// If a provider fails.
    pub fn token(
        &self,
        source: &SourceId,
        operation: &Operation,
        asked: &TokenRequest,
    ) -> Result<Option<Token>> {
        let named = self.named(source)?;
        if let Some(token) = self.remembered(&named, operation) {
            return Ok(Some(token));
        }
        self.check_provider_is_chosen(&named, operation)?;
        self.token_for_command(source, operation, asked)
    }

    /// As [`Credentials::token`] for what a user asked for by name, such as publishing: any provider will do.
    ///
    /// # Errors
    /// If a provider fails.
    pub fn token_for_command(
        &self,
        source: &SourceId,
        operation: &Operation,
        asked: &TokenRequest,
    ) -> Result<Option<Token>> {
        let source = self.named(source)?;
        if let Some(token) = self.remembered(&source, operation) {
            return Ok(Some(token));
        }
        let request = Request::get(&source, operation, asked);
        let Some(answer) = self.ask(&source, &request, &[])? else { return Ok(None) };
        let Answer::Get { token, cache, for_everything } = answer else {
            return Err(Failure::new(format!(
                "a credential provider of `{}` answered something else than it was asked",
                source.display_name()
            )));
        };
        let token = Token::new(token);
        let until = match cache {
            Cache::Never => return Ok(Some(token)),
            Cache::Session => None,
            Cache::Until(until) => Some(until),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(source, Known { token: token.clone(), until, for_everything });
        Ok(Some(token))
    }

    fn remembered(&self, source: &SourceId, operation: &Operation) -> Option<Token> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(source)?;
        let is_fresh = found.until.is_none_or(|until| until > SystemTime::now());
        let fits = found.for_everything || *operation == Operation::Read;
        (is_fresh && fits).then(|| found.token.clone())
    }

    /// Hands a token to the provider of a registry; without a token the provider gets it where it can.
    ///
    /// # Errors
    /// If the provider fails or cannot keep tokens.
    pub fn login(
        &self,
        source: &SourceId,
        token: Option<String>,
        login_url: Option<&str>,
        args: &[String],
    ) -> Result<()> {
        let source = self.named(source)?;
        let request = Request::login(&source, token, login_url);
        self.ask(&source, &request, args)?.map(drop).ok_or_else(|| nobody(&source))
    }

    /// Lets the provider of a registry forget its token.
    ///
    /// # Errors
    /// If the provider fails.
    pub fn logout(&self, source: &SourceId, args: &[String]) -> Result<()> {
        let source = self.named(source)?;
        let shown = source.display_name();
        let Some(_) = self.ask(&source, &Request::logout(&source), args)? else {
            (self.tell)(CredentialEvent::Done("Logout", format!("not currently logged in to `{shown}`")));
            return Ok(());
        };
        Ok(())
    }

    /// A registry by the name that configuration has for it.
    fn named(&self, source: &SourceId) -> Result<SourceId> {
        if source.is_crates_io() {
            return Ok(SourceId::crates_io());
        }
        if source.registry_name().is_some() {
            return Ok(source.clone());
        }
        for name in self.config.registry_names()? {
            if let Some(id) = registry_named(&self.config, &name)?
                && id.same_place(source)
            {
                return Ok(id);
            }
        }
        Ok(source.clone())
    }

    /// Asks the providers one after the other until one has an answer. `None` if all of them know the registry, or
    /// none does, but nobody has what is wanted.
    fn ask(&self, source: &SourceId, request: &Request<'_>, args: &[String]) -> Result<Option<Answer>> {
        let providers = self.providers(source)?;
        let mut handled = false;
        for provider in &providers {
            let mut provider = provider.clone();
            provider.args.extend_from_slice(args);
            (self.tell)(CredentialEvent::Asked {
                provider: provider.shown(),
                action: request.kind(),
                registry: source.display_name(),
            });
            let failed = |failure: Failure| {
                failure.context(format!(
                    "credential provider `{}` failed action `{}`",
                    provider.shown(),
                    request.kind()
                ))
            };
            match self.ask_one(source, &provider, request).map_err(failed)? {
                Answer::NotMine => {}
                Answer::NotFound => handled = true,
                Answer::NotSupported => {
                    return Err(failed(Failure::new("requested operation not supported")));
                }
                answer => return Ok(Some(answer)),
            }
        }
        if handled { Ok(None) } else { Err(nobody(source)) }
    }

    fn ask_one(&self, source: &SourceId, provider: &Provider, request: &Request<'_>) -> Result<Answer> {
        match provider.name.as_str() {
            "cargo:token" => stored::ask(&self.config, source, request, &*self.tell),
            "cargo:token-from-stdout" => program::from_stdout(&self.config, source, &provider.args, request),
            // Keychains that Wharf has no access to, and the unstable tokens, have nothing to say here.
            "cargo:wincred" | "cargo:macos-keychain" | "cargo:libsecret" | "cargo:paseto" => {
                Ok(Answer::NotMine)
            }
            name if name.starts_with("cargo:") => Err(Failure::new(format!(
                "`{name}` is not a built-in credential provider; there are `cargo:token` and \
                 `cargo:token-from-stdout`"
            ))),
            name => program::ask(&self.config, name, &provider.args, request),
        }
    }

    /// The providers of a registry, in the order in which they are asked.
    fn providers(&self, source: &SourceId) -> Result<Vec<Provider>> {
        let own = match source.registry_name() {
            Some(name) => self.config.registry(name)?.credential_provider,
            None => None,
        };
        if let Some(own) = own {
            let provider = Provider::parse(&own.value).ok_or_else(|| {
                Failure::new(format!("`credential-provider` of `{}` is empty", source.display_name()))
            })?;
            self.warn_of_unused_token(source, &provider)?;
            return Ok(vec![self.resolved(provider, Some(&own.definition))?]);
        }
        let global = self.config.registries()?.global_credential_providers;
        if global.is_empty() {
            return Ok(vec![Provider { name: "cargo:token".to_owned(), args: Vec::new() }]);
        }
        // The last one of the list takes precedence.
        global
            .iter()
            .rev()
            .filter_map(|text| Provider::parse(std::slice::from_ref(text)))
            .map(|provider| self.resolved(provider, None))
            .collect()
    }

    /// A registry that wants a token for everything is never given one that the user did not think of.
    fn check_provider_is_chosen(&self, source: &SourceId, operation: &Operation) -> Result<()> {
        let own = match source.registry_name() {
            Some(name) => self.config.registry(name)?.credential_provider,
            None => None,
        };
        let is_chosen = own.is_some() || !self.config.registries()?.global_credential_providers.is_empty();
        if is_chosen || *operation != Operation::Read {
            return Ok(());
        }
        Err(Failure::new("authenticated registries require a credential-provider to be configured").help(
            "see https://doc.rust-lang.org/cargo/reference/registry-authentication.html for the choices",
        ))
    }

    fn warn_of_unused_token(&self, source: &SourceId, provider: &Provider) -> Result<()> {
        if provider.name == "cargo:token" {
            return Ok(());
        }
        let config = self.config.with_credentials()?;
        let name = source.display_name();
        if let Some(token) = config.registry(&name)?.token {
            (self.tell)(CredentialEvent::Warning(format!(
                "registry `{name}` has a token configured in {} that will be ignored because this registry is \
                 configured to use credential-provider `{}`",
                token.definition,
                provider.shown()
            )));
        }
        Ok(())
    }

    /// Follows `[credential-alias]`, and makes a relative path of a program absolute.
    fn resolved(
        &self,
        provider: Provider,
        definition: Option<&crate::config::Definition>,
    ) -> Result<Provider> {
        if let Some(alias) = self.config.credential_alias(&provider.name)? {
            if provider.name.starts_with("cargo:") {
                (self.tell)(CredentialEvent::Warning(format!(
                    "credential-alias `{}` is ignored, because it would hide a built-in credential provider",
                    provider.name
                )));
                return Ok(provider);
            }
            let mut found = Provider::parse(&alias).ok_or_else(|| {
                Failure::new(format!("credential-alias `{}` must not be empty", provider.name))
            })?;
            found.args.extend(provider.args);
            return Ok(found);
        }
        let is_path = provider.name.contains(['/', '\\']) && !provider.name.starts_with("cargo:");
        if let (true, Some(definition)) = (is_path, definition) {
            let root = definition.root(self.config.cwd());
            let path = wharf_base::paths::absolute_from(root, provider.name.as_ref());
            return Ok(Provider { name: path.display().to_string(), args: provider.args });
        }
        Ok(provider)
    }
}

fn nobody(source: &SourceId) -> Failure {
    Failure::new(format!("no credential provider can handle registry `{}`", source.display_name()))
}

/// How registries are called in messages and tables.
trait DisplayName {
    fn display_name(&self) -> String;
}

impl DisplayName for SourceId {
    fn display_name(&self) -> String {
        match self.registry_name() {
            _ if self.is_crates_io() => CRATES_IO.to_owned(),
            Some(name) => name.to_owned(),
            None => self.url().to_string(),
        }
    }
}
