//! `[registries]`, `[registry]` and `credentials.toml`.

use std::path::Path;

use url::Url;

use super::{Config, ConfigError, Definition, Key, Result, Sourced};

/// One registry: `[registries.<name>]`, or `[registry]` for crates.io.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// `index`, a relative `file:` URL made absolute; may begin with `sparse+`.
    pub index: Option<Sourced<String>>,
    /// `token`; never to be shown.
    pub token: Option<Sourced<String>>,
    /// `credential-provider`: one command, or the name of a built-in one with its arguments.
    pub credential_provider: Option<Sourced<Vec<String>>>,
    /// `secret-key` (unstable)
    pub secret_key: Option<Sourced<String>>,
    /// `protocol`, for `crates-io` alone.
    pub protocol: Option<Sourced<String>>,
}

/// What holds for all registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistriesConfig {
    /// `registry.default`: the registry that commands use when none is named.
    pub default: Option<Sourced<String>>,
    /// `registry.global-credential-providers`, the last one first asked.
    pub global_credential_providers: Vec<String>,
    /// Whether crates.io is reached by the sparse protocol (`registries.crates-io.protocol`).
    pub crates_io_sparse: bool,
}

impl Config {
    /// What holds for all registries.
    ///
    /// # Errors
    /// If a value has the wrong kind, or an old key is in use that means nothing any more.
    pub fn registries(&self) -> Result<RegistriesConfig> {
        let old = Key::from("registry.index");
        if let Some(found) = self.get_string(&old)? {
            let reason = "this key is no longer supported; replace crates.io with a `[source]` table";
            return Err(ConfigError::invalid(&old, &found.definition, reason));
        }
        let protocols = [("sparse", true), ("git", false)];
        let protocol = self.get_choice(&Key::from("registries.crates-io.protocol"), &protocols)?;
        let providers = self.get_list("registry.global-credential-providers")?;
        Ok(RegistriesConfig {
            default: self.get_string("registry.default")?,
            global_credential_providers: providers.map(|found| found.value).unwrap_or_default(),
            crates_io_sparse: protocol.is_none_or(|found| found.value),
        })
    }

    /// The registries that files name; a registry that only the environment knows is found by [`Config::registry`].
    ///
    /// # Errors
    /// If `registries` is no table.
    pub fn registry_names(&self) -> Result<Vec<String>> {
        self.names("registries")
    }

    /// What is said of one registry; `crates-io` takes `[registry]` as well. Tokens of `credentials.toml` are there
    /// only after [`Config::load_credentials`].
    ///
    /// # Errors
    /// If a value has the wrong kind or the index is no URL.
    pub fn registry(&self, name: &str) -> Result<RegistryConfig> {
        let own = Key::from("registries").child(name);
        let mut registry = self.registry_table(&own)?;
        if name == wharf_core::source::CRATES_IO {
            let general = self.registry_table(&Key::from("registry"))?;
            registry.token = registry.token.or(general.token);
            registry.credential_provider = registry.credential_provider.or(general.credential_provider);
            registry.secret_key = registry.secret_key.or(general.secret_key);
        }
        Ok(registry)
    }

    fn registry_table(&self, table: &Key) -> Result<RegistryConfig> {
        let key = |name: &str| table.child(name);
        let index = match self.get_string(key("index"))? {
            Some(index) => Some(self.index_url(&key("index"), index)?),
            None => None,
        };
        Ok(RegistryConfig {
            index,
            token: self.get_string(key("token"))?,
            credential_provider: self.get_list(key("credential-provider"))?,
            secret_key: self.get_string(key("secret-key"))?,
            protocol: self.get_string(key("protocol"))?,
        })
    }

    /// The command that `[credential-alias]` gives to a name of a credential provider.
    ///
    /// # Errors
    /// If the value has the wrong kind.
    pub fn credential_alias(&self, name: &str) -> Result<Option<Vec<String>>> {
        let list = self.get_list(Key::from("credential-alias").child(name))?;
        Ok(list.map(|found| found.value))
    }

    fn index_url(&self, key: &Key, index: Sourced<String>) -> Result<Sourced<String>> {
        let Sourced { value, definition } = index;
        let refuse = |reason: String| ConfigError::invalid(key, &definition, reason);
        let (prefix, text) = match value.strip_prefix("sparse+") {
            Some(rest) => ("sparse+", rest),
            None => ("", value.as_str()),
        };
        let mut url = Url::parse(text).map_err(|cause| refuse(format!("`{value}` is no URL: {cause}")))?;
        // A `file:` URL without a leading slash is relative to where it stands.
        if url.scheme() == "file" && !text.trim_start_matches("file:").starts_with('/') {
            url = relative_file_url(&definition, self.cwd(), text)
                .ok_or_else(|| refuse(format!("`{value}` is no URL of a file")))?;
        }
        if url.password().is_some() {
            return Err(refuse("a URL of a registry must not hold a password".to_owned()));
        }
        Ok(Sourced { value: format!("{prefix}{url}"), definition })
    }
}

fn relative_file_url(definition: &Definition, cwd: &Path, text: &str) -> Option<Url> {
    let path = definition.root(cwd).join(text.strip_prefix("file:")?);
    Url::from_file_path(wharf_base::paths::normalize(&path)).ok()
}
