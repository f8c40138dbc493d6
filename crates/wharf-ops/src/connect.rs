//! From configuration to open doors: the reader of manifests and the sources of packages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cargo_util_schemas::manifest::{PackageName, TomlDependency};
use wharf_core::SourceId;
use wharf_core::manifest::{AnyManifest, Origin, Patch, TomlDocument};
use wharf_core::source::CRATES_IO;
use wharf_sources::{CratesIoProtocol, HttpOptions, ReadError, SourceOptions, Token};
pub use wharf_sources::{Network, SourceEvent, Sources};

use crate::config::Config;
use crate::disk::PackageDir;
use crate::failure::{Failure, Result};
use crate::workspace::{Loader, RegistryNames};

/// A reader of manifests that knows the registries of the configuration.
pub fn loader(config: &Arc<Config>) -> Result<Arc<Loader>> {
    // Broken indexes are told of now; names that only the environment knows are looked up when they are met.
    for name in config.registry_names()? {
        registry_named(config, &name)?;
    }
    let names: RegistryNames = {
        let config = config.clone();
        Arc::new(move |name| registry_named(&config, name).ok().flatten())
    };
    Ok(Arc::new(Loader::new(config.cargo_home(), names).with_unstable(config.unstable().clone())))
}

/// The registry that configuration or environment calls `name`; crates.io needs no configuration.
pub fn registry_named(config: &Config, name: &str) -> Result<Option<SourceId>> {
    if name == CRATES_IO {
        return Ok(Some(SourceId::crates_io()));
    }
    let Some(index) = config.registry(name)?.index else { return Ok(None) };
    let id = SourceId::for_registry(&index.value).map_err(|error| {
        Failure::from(error)
            .context(format!("invalid index for registry `{name}`, defined in {}", index.definition))
    })?;
    Ok(Some(id.with_registry_name(name)))
}

/// The sources of packages, as configured.
pub fn sources(
    config: &Arc<Config>,
    loader: &Arc<Loader>,
    network: Network,
    events: Box<dyn Fn(SourceEvent) + Send + Sync>,
) -> Result<Sources> {
    let net = config.net()?;
    let http = config.http()?;
    let network = match network {
        Network::Online if net.offline => Network::Offline { because: "net.offline" },
        other => other,
    };
    let user_agent = http
        .user_agent
        .unwrap_or_else(|| format!("cargo/{} (wharf {})", crate::CARGO_VERSION, env!("CARGO_PKG_VERSION")));
    let crates_io =
        if config.registries()?.crates_io_sparse { CratesIoProtocol::Sparse } else { CratesIoProtocol::Git };
    let options = SourceOptions {
        cargo_home: config.cargo_home().to_owned(),
        network,
        http: HttpOptions {
            user_agent,
            proxy: http.proxy,
            timeout: Duration::from_secs(http.timeout),
            low_speed_limit: http.low_speed_limit,
            cainfo: http.cainfo,
            multiplexing: http.multiplexing,
        },
        retries: net.retry,
        retry_pause: config
            .env()
            .get("__CARGO_TEST_FIXED_RETRY_SLEEP_MS")
            .and_then(|pause| pause.parse().ok())
            .map(Duration::from_millis),
        crates_io,
        replacements: config.sources()?.replacements()?,
        tokens: tokens(config.clone()),
    };
    let reader = {
        let loader = loader.clone();
        move |dir: &Path, source: &SourceId| {
            loader
                .load_package(&dir.join("Cargo.toml"), source)
                .map(|package| (*package).clone())
                .map_err(|failure| ReadError::from(failure.into_error()))
        }
    };
    Ok(Sources::new(options, Box::new(reader), events))
}

type TokenSource =
    dyn Fn(&SourceId, &wharf_sources::TokenRequest) -> Result<Option<Token>, ReadError> + Send + Sync;

/// Looks for the token of a registry where configuration, environment and `credentials.toml` keep it.
fn tokens(config: Arc<Config>) -> Box<TokenSource> {
    let found = std::sync::OnceLock::<Result<BTreeMap<SourceId, Token>, String>>::new();
    Box::new(move |source, _| {
        let found = found.get_or_init(|| read_tokens(&config).map_err(|failure| failure.to_string()));
        match found {
            Ok(tokens) => Ok(tokens
                .iter()
                .find(|(id, _)| id.same_place(source) || (id.is_crates_io() && source.is_crates_io()))
                .map(|(_, token)| token.clone())),
            Err(message) => Err(ReadError::from(Failure::new(message.clone()).into_error())),
        }
    })
}

fn read_tokens(config: &Config) -> Result<BTreeMap<SourceId, Token>> {
    let with_credentials = config.with_credentials()?;
    let mut names = with_credentials.registry_names()?;
    names.push(CRATES_IO.to_owned());
    names.extend(names_from_environment(config));
    let mut tokens = BTreeMap::new();
    for name in names {
        let Some(id) = registry_named(&with_credentials, &name)? else { continue };
        if let Some(token) = with_credentials.registry(&name)?.token {
            tokens.insert(id, Token::new(token.value));
        }
    }
    Ok(tokens)
}

/// Registries that only `CARGO_REGISTRIES_<NAME>_INDEX` names.
fn names_from_environment(config: &Config) -> Vec<String> {
    let variables = config.env().variables().keys().filter_map(|name| name.to_str());
    variables
        .filter_map(|name| name.strip_prefix("CARGO_REGISTRIES_")?.strip_suffix("_INDEX"))
        .map(|name| name.to_lowercase().replace('_', "-"))
        .collect()
}

/// `[patch]` of the configuration, read as a manifest's would be.
pub fn config_patches(config: &Config, loader: &Arc<Loader>) -> Result<Vec<Patch>> {
    let mut patch: BTreeMap<String, BTreeMap<PackageName, TomlDependency>> = BTreeMap::new();
    for (source, entries) in config.patches()? {
        let table = patch.entry(source).or_default();
        for (name, entry) in entries {
            let name = PackageName::new(name).map_err(|error| {
                Failure::from(error).context(format!("invalid [patch] entry in {}", entry.definition))
            })?;
            table.insert(name, entry.dependency);
        }
    }
    if patch.is_empty() {
        return Ok(Vec::new());
    }
    let path = config.cwd().join("Cargo.toml");
    let text = "[workspace]";
    let mut document = TomlDocument::read(text, &path, false)?;
    let toml = Arc::make_mut(&mut document.toml);
    toml.patch = Some(patch);
    let source = SourceId::for_path(config.cwd())?;
    let origin = Origin {
        path: &path,
        source: &source,
        inheritable: None,
        registries: &|name| loader.registry(name),
        is_local: false,
        unstable: loader.unstable(),
    };
    match document.into_manifest(&origin, &PackageDir::new(config.cwd()))? {
        AnyManifest::Virtual(manifest) => Ok(manifest.patches),
        AnyManifest::Real(manifest) => Ok(manifest.patches),
    }
}
