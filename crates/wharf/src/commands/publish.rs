//! `publish`, `yank` and `owner`

use std::time::Duration;

use wharf_core::Version;
use wharf_ops::config::Key;
use wharf_ops::connect::{self, Api, ApiToken, Network, Sources, Token};
use wharf_ops::credentials::Operation;
use wharf_ops::publish::registry::{RegistryChoice, source_of};
use wharf_ops::publish::{self, Upload};
use wharf_ops::workspace::find_manifest;
use wharf_ops::{Context, Failure, Result, Workspace, package, settings};

use crate::cli::{OwnerArgs, PublishArgs, RegistryOptions, YankArgs};
use crate::open::{Opened, Told};
use crate::session::Session;

use super::package::{registry, request, show, verify};

/// Uploads packages.
pub fn publish(args: &PublishArgs, session: &Session) -> Result<()> {
    let options = &args.packaging;
    let mut opened = Opened::new(session, &options.manifest, options.target_dir.path.as_ref())?;
    if args.token.is_some() {
        session.shell.warn("`publish --token` is deprecated in favor of `login` and environment variables");
    }
    let mut request = request(options, &opened, session)?;
    request.dry_run = args.dry_run;
    let mut tell = |note| show(note, session);
    let Some(publishing) = publish::plan(&opened.workspace, &request, &mut tell)? else { return Ok(()) };
    if publishing.choice.is_none() {
        connect::refuse_replaced_crates_io(&session.config)?;
    }
    refuse_bare_index(args.token.as_deref(), publishing.choice.as_ref(), !args.dry_run)?;
    let registries = opened.registries(session, false)?;
    registries.registry_config(&publishing.registry)?;
    let credentials = connect::credentials(&session.config, opened.listener(session));
    let token = |operation: &Operation| match &args.token {
        Some(token) => Ok(ApiToken::Given(Token::new(token))),
        None => connect::api_token(&credentials, &publishing.registry, operation),
    };
    {
        let early = if args.dry_run { ApiToken::IfRequired } else { token(&Operation::Read)? };
        let api = registries.api(&publishing.registry, early)?;
        publishing.check(&registries, &api, args.dry_run, &mut tell)?;
    }
    registries.release();
    request.registry.clone_from(&publishing.choice);
    let chosen = publishing.packages.clone();
    let packaged = package::assemble(&opened.workspace, &opened.sources, &request, chosen, &mut tell)?;
    if request.verify {
        verify(&mut opened, &packaged, options, session)?;
    }
    opened.sources.release();
    let fresh_sources = || opened.registries(session, true);
    let upload = Upload {
        workspace: &opened.workspace,
        publishing: &publishing,
        packaged: &packaged,
        token: &token,
        dry_run: args.dry_run,
        wait: wait(session)?,
        fresh_sources: &fresh_sources,
    };
    publish::upload(&upload, &registries, &mut tell)
}

/// How long the index is waited for; only nightly Cargo lets users choose.
fn wait(session: &Session) -> Result<Duration> {
    if !session.has_unstable("publish-timeout") {
        return Ok(publish::WAIT);
    }
    let seconds = session.config.get_number::<u64>(Key::from("publish.timeout"))?;
    Ok(seconds.map_or(publish::WAIT, |seconds| Duration::from_secs(seconds.value)))
}

/// A token of the configuration belongs to a name, and an index has none.
fn refuse_bare_index(stated: Option<&str>, choice: Option<&RegistryChoice>, is_needed: bool) -> Result<()> {
    if is_needed && stated.is_none() && matches!(choice, Some(RegistryChoice::Index(_))) {
        return Err(Failure::new("command-line argument --index requires --token to be specified"));
    }
    Ok(())
}

/// Yanks a version.
pub fn yank(args: &YankArgs, session: &Session) -> Result<()> {
    let (name, version) = match args.name.as_deref().and_then(|name| name.split_once('@')) {
        Some((_, version)) if args.version.is_some() => {
            return Err(Failure::new(format!("cannot specify both `@{version}` and `--version`")));
        }
        Some(("", version)) => return Err(Failure::new(format!("missing crate name for `@{version}`"))),
        Some((name, version)) => (Some(name), Some(version)),
        None => (args.name.as_deref(), args.version.as_deref()),
    };
    let version = version.ok_or_else(|| Failure::new("`--version` is required"))?;
    if let Err(error) = Version::parse(version) {
        let failure = Failure::from(error).context(format!("invalid version `{version}`"));
        return Err(match version.strip_prefix('v') {
            Some(rest) => failure.help(format!("try changing the version to `{rest}`")),
            None => failure,
        });
    }
    let name = name_or_current(name, session)?;
    let operation = {
        let (name, version) = (name.clone(), version.to_owned());
        if args.undo { Operation::Unyank { name, version } } else { Operation::Yank { name, version } }
    };
    with_api(&args.registry, args.token.as_deref(), &operation, session, |api| {
        publish::yank(api, &name, version, args.undo, &mut |note| show(note, session))
    })
}

/// Shows and changes owners.
pub fn owner(args: &OwnerArgs, session: &Session) -> Result<()> {
    let name = name_or_current(args.name.as_deref(), session)?;
    let operation = Operation::Owners { name: name.clone() };
    with_api(&args.registry, args.token.as_deref(), &operation, session, |api| {
        let at = api.host();
        if !args.add.is_empty() {
            let message = api
                .add_owners(&name, &args.add)
                .context(|| format!("failed to invite owners to crate `{name}` on registry at {at}"))?;
            session.shell.status("Owner", message);
        }
        if !args.remove.is_empty() {
            session.shell.status("Owner", format!("removing {:?} from crate {name}", args.remove));
            api.remove_owners(&name, &args.remove)
                .context(|| format!("failed to remove owners from crate `{name}` on registry at {at}"))?;
        }
        if args.list {
            let owners = api
                .owners(&name)
                .context(|| format!("failed to list owners of crate `{name}` on registry at {at}"))?;
            for owner in owners {
                match &owner.name {
                    Some(name) => session.shell.out(format!("{} ({name})", owner.login)),
                    None => session.shell.out(&owner.login),
                }
            }
        }
        Ok(())
    })
}

fn name_or_current(name: Option<&str>, session: &Session) -> Result<String> {
    if let Some(name) = name {
        return Ok(name.to_owned());
    }
    let loader = connect::loader(&session.config)?;
    let places = settings::places(&session.config, None, None)?;
    let workspace = Workspace::open(loader, &find_manifest(session.cwd())?, &places)?;
    Ok(workspace.current()?.name().to_string())
}

fn with_api(
    options: &RegistryOptions,
    stated: Option<&str>,
    operation: &Operation,
    session: &Session,
    deed: impl FnOnce(&Api<'_>) -> Result<()>,
) -> Result<()> {
    let config = &session.config;
    let loader = connect::loader(config)?;
    let choice = registry(options, session)?;
    if choice.is_none() {
        connect::refuse_replaced_crates_io(config)?;
    }
    let source = source_of(&loader, choice.as_ref())?;
    let network = match session.access()?.offline {
        Some(because) => Network::Offline { because },
        None => Network::Online,
    };
    refuse_bare_index(stated, choice.as_ref(), true)?;
    let told = Told::default();
    let sources: Sources = connect::unreplaced_sources(config, &loader, network, told.listener(session))?;
    sources.registry_config(&source)?;
    let token = match stated {
        Some(token) => ApiToken::Given(Token::new(token)),
        None => {
            let credentials = connect::credentials(config, told.listener(session));
            connect::api_token(&credentials, &source, operation)?
        }
    };
    let api = sources.api(&source, token)?;
    sources.release();
    deed(&api)
}
