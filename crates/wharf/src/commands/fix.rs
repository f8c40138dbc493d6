//! `fix`

use std::sync::Arc;

use wharf_ops::fix::{self, Allowed, FeatureLoss, FeatureLosses, Migration, Wish};
use wharf_ops::plan::{Intent, TargetFilter};
use wharf_ops::{Failure, Result};

use crate::cli::FixArgs;
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Settled, Typed};
use crate::settings::profile;

/// Where the change of resolvers is described.
const GUIDE: &str = "https://doc.rust-lang.org/edition-guide/rust-2021/default-cargo-resolver.html";

/// Applies what the compiler suggests.
pub fn run(args: &FixArgs, session: &Session) -> Result<()> {
    if session.has_unstable("fix-edition") {
        return Err(Failure::new("`-Z fix-edition` has no effect here: use `--edition`"));
    }
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let mut settled = settle::settle(typed(args, &opened, session)?, &mut opened, session)?;
    let allowed = Allowed { no_vcs: args.allow_no_vcs, dirty: args.allow_dirty, staged: args.allow_staged };
    fix::check_version_control(&session.config, allowed)?;
    if args.edition {
        migrate(&mut opened, &settled, session)?;
    }
    let wish = Wish { edition: args.edition, idioms: args.edition_idioms, broken_code: args.broken_code };
    let settings = Arc::make_mut(&mut settled.request.settings);
    let fixing = fix::fixing(&opened.workspace, &session.config, &settled.toolchain, settings, wish)?;
    settings.fixer = Some(fixing.fixer.clone());
    // Nobody else should compile what is half done.
    settled.request.run.alone = true;
    super::compile::build(&opened, &settled, session).map(drop)
}

fn typed<'a>(args: &'a FixArgs, opened: &Opened, session: &Session) -> Result<Typed<'a>> {
    let mut targets = settle::targets(&args.targets, opened)?;
    // An edition is for everything in a package.
    if matches!(targets, TargetFilter::Default { .. }) && (args.edition || args.edition_idioms) {
        targets = TargetFilter::everything();
    }
    // As with `check`, this profile means `cfg(test)`.
    let test = args.compile.profile.as_deref() == Some("test");
    Ok(Typed {
        packages: settle::packages(&args.packages, opened, session)?,
        targets,
        features: &args.features,
        intent: Intent::Check { test },
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    })
}

/// Makes the manifests ready for the next edition, and tells what else it brings.
fn migrate(opened: &mut Opened, settled: &Settled, session: &Session) -> Result<()> {
    let scope = &settled.request.scope;
    for Migration { file, from, to, fixes } in fix::migrate_manifests(&opened.workspace, &scope.packages)? {
        let file = file.display();
        let (from, to) = (from.as_str(), to.as_str());
        session.shell.status("Migrating", format!("{file} from {from} edition to {to}"));
        if fixes > 0 {
            session.shell.status("Fixed", crate::report::fix::count(&file.to_string(), fixes));
        }
    }
    let (workspace, sources) = (&opened.workspace, &opened.sources);
    let losses = fix::feature_losses(workspace, sources, &settled.toolchain, &opened.resolve, scope)?;
    if let Some(losses) = losses {
        tell_losses(&losses, session);
    }
    opened.reopen(session)
}

fn tell_losses(losses: &FeatureLosses, session: &Session) {
    let FeatureLosses { always, with_dev } = losses;
    let mut text = format!(
        "edition 2021 comes with version 2 of the feature resolver ({GUIDE}), which turns fewer features on.\n\
         These packages will be built without features that they have now:\n"
    );
    let list = |losses: &[FeatureLoss]| losses.iter().map(loss).collect::<String>();
    text.push_str(&list(always));
    if !with_dev.is_empty() {
        text.push_str("\nand where dev-dependencies are built too:\n");
        text.push_str(&list(with_dev));
    }
    session.shell.note(text);
}

fn loss(loss: &FeatureLoss) -> String {
    let features: Vec<&str> = loss.features.iter().map(|name| name.as_str()).collect();
    let whom = if loss.for_host { " (as host dependency)" } else { "" };
    format!("\n  {}{whom}: {}", loss.package, features.join(", "))
}
