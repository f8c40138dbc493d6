//! From configuration to open doors: the reader of manifests and the sources of packages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cargo_util_schemas::manifest::{PackageName, TomlDependency};
use wharf_core::SourceId;
use wharf_core::manifest::{AnyManifest, Origin, Patch, TomlDocument};
use wharf_core::source::CRATES_IO;
pub use wharf_sources::{Api, ApiToken, Found, Network, SourceEvent, Sources, Token};
use wharf_sources::{CratesIoProtocol, HttpOptions, ReadError, Shallow, SourceOptions};

use crate::config::Config;
use crate::credentials::{CredentialEvent, Credentials, Operation};
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
    let replacements = config.sources()?.replacements()?;
    sources_with(config, loader, network, events, replacements)
}

/// The sources of packages without the replacements of the configuration: what is published, yanked or owned is so
/// in a registry itself, not in one that stands for it.
pub fn unreplaced_sources(
    config: &Arc<Config>,
    loader: &Arc<Loader>,
    network: Network,
    events: Box<dyn Fn(SourceEvent) + Send + Sync>,
) -> Result<Sources> {
    let replacements = config.builtin_sources().replacements()?;
    sources_with(config, loader, network, events, replacements)
}

/// Refuses to take crates.io for granted where the configuration has something else in its place.
pub fn refuse_replaced_crates_io(config: &Config) -> Result<()> {
    let crates_io = SourceId::crates_io();
    let replaced = config.sources()?.replacements()?.remove(&crates_io);
    let builtin = config.builtin_sources().replacements()?.remove(&crates_io);
    if replaced == builtin {
        return Ok(());
    }
    let Some(other) = replaced else { return Ok(()) };
    Err(match other.registry_name().filter(|_| other.is_remote_registry()) {
        Some(name) => Failure::new(format!("crates-io is replaced with remote registry {name}"))
            .help(format!("include `--registry {name}` or `--registry crates-io`")),
        None => Failure::new(format!("crates-io is replaced with non-remote-registry source {other}"))
            .help("include `--registry crates-io` to use crates.io"),
    })
}

fn sources_with(
    config: &Arc<Config>,
    loader: &Arc<Loader>,
    network: Network,
    events: Box<dyn Fn(SourceEvent) + Send + Sync>,
    replacements: BTreeMap<SourceId, SourceId>,
) -> Result<Sources> {
    let events: SourceListener = events.into();
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
        shallow: Shallow {
            index: config.has_unstable_value("git", "shallow-index"),
            packages: config.has_unstable_value("git", "shallow-deps"),
        },
        replacements,
        tokens: tokens(config.clone(), events.clone()),
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
    Ok(Sources::new(options, Box::new(reader), Box::new(move |event| events(event))))
}

type SourceListener = Arc<dyn Fn(SourceEvent) + Send + Sync>;

/// The credential providers; what they say to the user goes the way of all events.
pub fn credentials(config: &Arc<Config>, events: Box<dyn Fn(SourceEvent) + Send + Sync>) -> Credentials {
    credentials_with(config.clone(), events.into())
}

/// The token for something that is done through the web API.
pub fn api_token(credentials: &Credentials, source: &SourceId, operation: &Operation) -> Result<ApiToken> {
    let found = credentials.token_for_command(source, operation, &wharf_sources::TokenRequest::default())?;
    found.map(ApiToken::Given).ok_or_else(|| {
        Failure::new(format!("no token found for {source}"))
            .help("get one with `login`, or set it in the environment")
    })
}

/// Asks the credential providers for tokens that read.
fn tokens(config: Arc<Config>, events: SourceListener) -> Box<wharf_sources::TokenProvider> {
    let credentials = credentials_with(config, events);
    Box::new(move |source, request| {
        credentials.token(source, &Operation::Read, request).map_err(|failure| failure.into_error())
    })
}

fn credentials_with(config: Arc<Config>, events: SourceListener) -> Credentials {
    let tell = move |event| match event {
        CredentialEvent::Asked { provider, action, registry } => {
            events(SourceEvent::AskingProvider { provider, action, registry });
        }
        CredentialEvent::Warning(text)
        | CredentialEvent::Prompt(text)
        | CredentialEvent::Note(text)
        | CredentialEvent::Done(_, text) => events(SourceEvent::Warning { text }),
    };
    Credentials::new(config, Arc::new(tell))
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
