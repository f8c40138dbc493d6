//! `add` and `remove`

use std::sync::Arc;

use wharf_core::source::CRATES_IO;
use wharf_core::{DepKind, FeatureValue, GitReference, Package};
use wharf_ops::edit::{
    self, AddRequest, CrateSpec, FeatureList, Location, Note, RemoveRequest, Section, WantedDependency,
};
use wharf_ops::resolve::{LockListener, LockPolicy, Unlock, resolve_workspace};
use wharf_ops::{Failure, Result};

use crate::cli::{AddArgs, OnePackage, RemoveArgs, SectionOptions};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::one_package;
use crate::shell::style::{ERROR, GOOD};
use crate::shell::{Shell, Verbosity};

/// How many features are listed before their number has to do.
const LISTED: usize = 30;

/// Adds dependencies to a manifest, and to the lockfile.
pub fn add(args: &AddArgs, session: &Session) -> Result<()> {
    if args.base.is_some() {
        session.refuse_unstable("--base")?;
        return Err(Failure::new("`--base` is not available"));
    }
    let mut opened = Opened::new(session, &args.manifest, None)?;
    let package = edited(&args.package, &opened)?;
    let dependencies = dependencies(args, session)?;
    if package.manifest.rust_version.is_none() {
        // Without a compiler, versions are taken whatever compiler they ask for.
        let _ = opened.compiler(session);
    }
    let request = AddRequest {
        package,
        dependencies,
        section: section(&args.section),
        dry_run: args.dry_run,
        ignore_rust_version: args.ignore_rust_version,
        rustc: opened.resolve.rustc.clone(),
        lock: opened.resolve.lock,
    };
    let shell = &session.shell;
    edit::add(&opened.workspace, &opened.sources, &request, &mut |note| match note {
        Note::Adding(added) => shell.status("Adding", added),
        Note::AddingFeature(name) => shell.status("Adding", format!("feature `{name}`")),
        Note::Features(list) => show_features(&list, shell),
        Note::Warning(message) => shell.warn(message),
    })?;
    if args.dry_run {
        shell.warn("nothing is written: this is a dry run");
        opened.resolve.lock = preview(opened.resolve.lock);
    }
    opened.reopen(session)?;
    let _ = opened.compiler(session);
    resolve_workspace(&opened.workspace, &opened.sources, &opened.resolve, &Unlock::Nothing)?;
    Ok(())
}

/// Removes dependencies from a manifest, what they leave behind in the root manifest, and them from the lockfile.
pub fn remove(args: &RemoveArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, None)?;
    let package = edited(&args.package, &opened)?;
    let request = RemoveRequest {
        package,
        dependencies: args.dependencies.clone(),
        section: section(&args.section),
        dry_run: args.dry_run,
    };
    let shell = &session.shell;
    edit::remove(&opened.workspace, &request, &mut |what| shell.status("Removing", what))?;
    if args.dry_run {
        shell.warn("nothing is written: this is a dry run");
        return Ok(());
    }
    edit::prune_workspace(&opened.workspace)?;
    opened.reopen(session)?;
    let _ = opened.compiler(session);
    let resolved = {
        // What is removed was told already.
        let mut quiet = opened.resolve.clone();
        quiet.lock_changed = LockListener(Arc::new(|_| {}));
        resolve_workspace(&opened.workspace, &opened.sources, &quiet, &Unlock::Nothing)?
    };
    if edit::prune_patches(&opened.workspace, &resolved.whole)? {
        opened.reopen(session)?;
        resolve_workspace(&opened.workspace, &opened.sources, &opened.resolve, &Unlock::Nothing)?;
    }
    Ok(())
}

/// What a dry run may do to the lockfile.
fn preview(lock: LockPolicy) -> LockPolicy {
    match lock {
        LockPolicy::Update => LockPolicy::Preview,
        other => other,
    }
}

/// The one package whose manifest is edited.
fn edited(package: &OnePackage, opened: &Opened) -> Result<Arc<Package>> {
    let selection = one_package(package, opened)?;
    let selected = opened.workspace.select(&selection)?;
    if let Some(spec) = selected.outside.first() {
        return Err(Failure::new(format!(
            "there is no package `{spec}` in the workspace `{}`",
            opened.workspace.root().display()
        )));
    }
    match selected.packages.as_slice() {
        [one] => Ok(one.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|package| package.name().as_str()).collect();
            Err(Failure::new("it is not clear which package is to be edited")
                .help(format!("name one with `-p`: {}", names.join(", "))))
        }
    }
}

fn section(options: &SectionOptions) -> Section {
    let kind = match (options.dev, options.build) {
        (true, _) => DepKind::Development,
        (_, true) => DepKind::Build,
        _ => DepKind::Normal,
    };
    Section { kind, platform: options.target.clone() }
}

fn switch(on: bool, off: bool) -> Option<bool> {
    match (on, off) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// From flags to dependencies; those of `--features` go to the dependency that they name.
fn dependencies(args: &AddArgs, session: &Session) -> Result<Vec<WantedDependency>> {
    if let Some(toolchain) = args.crates.iter().find_map(|name| name.strip_prefix('+')) {
        return Err(Failure::new(format!(
            "invalid character `+` in the name of a dependency: `+{toolchain}`"
        ))
        .help(format!("to choose the toolchain `{toolchain}`, write `+{toolchain}` before the command")));
    }
    let registry = match &args.registry {
        Some(name) => Some(name.clone()),
        None => session.config.registries()?.default.map(|default| default.value),
    };
    let template = WantedDependency {
        location: location(args, session),
        rename: args.rename.clone(),
        default_features: switch(args.default_features, args.no_default_features),
        optional: switch(args.optional, args.no_optional),
        public: switch(args.public, args.no_public),
        registry: registry.filter(|name| name != CRATES_IO),
        ..WantedDependency::default()
    };
    let mut texts: Vec<&str> = Vec::new();
    for text in &args.crates {
        if !texts.contains(&text.as_str()) {
            texts.push(text);
        }
    }
    let mut features: Vec<Option<Vec<String>>> = vec![None; texts.len().max(1)];
    for feature in args.features.iter().flat_map(|list| list.split([' ', ',', '\t', '\n'])) {
        if !feature.is_empty() {
            let (index, feature) = owner(feature, &texts)?;
            features[index].get_or_insert_default().push(feature);
        }
    }
    if texts.len() > 1 && args.rename.is_some() {
        return Err(Failure::new("`--rename` takes one dependency, and there are several"));
    }
    if texts.is_empty() {
        return Ok(vec![WantedDependency { features: features.remove(0), ..template }]);
    }
    let with_features = texts.into_iter().zip(features);
    with_features
        .map(|(text, features)| {
            Ok(WantedDependency { spec: Some(CrateSpec::parse(text)?), features, ..template.clone() })
        })
        .collect()
}

fn location(args: &AddArgs, session: &Session) -> Option<Location> {
    if let Some(path) = &args.path {
        return Some(Location::Path(wharf_ops::normalize(&session.cwd().join(path))));
    }
    let reference = match (&args.branch, &args.tag, &args.rev) {
        (Some(branch), ..) => GitReference::Branch(branch.clone()),
        (_, Some(tag), _) => GitReference::Tag(tag.clone()),
        (.., Some(rev)) => GitReference::Rev(rev.clone()),
        _ => GitReference::DefaultBranch,
    };
    args.git.clone().map(|url| Location::Git { url, reference })
}

/// Whose feature one is, by its place among `crates`.
fn owner(feature: &str, crates: &[&str]) -> Result<(usize, String)> {
    match FeatureValue::parse(feature) {
        FeatureValue::Feature(_) if crates.len() > 1 => {
            let forms: Vec<String> = crates.iter().map(|name| format!("`{name}/{feature}`")).collect();
            Err(Failure::new(format!("it is not clear which dependency the feature `{feature}` is of"))
                .help(format!("write {}", forms.join(" or "))))
        }
        FeatureValue::Feature(_) => Ok((0, feature.to_owned())),
        FeatureValue::Dep { .. } => Err(Failure::new(format!(
            "`{feature}` is not a feature of a dependency: `dep:` has no meaning here"
        ))),
        FeatureValue::DepFeature { feature: name, .. } if crates.is_empty() => {
            Err(Failure::new(format!("`{feature}` names a dependency, which is yet to be found out"))
                .help(format!("write `{name}`")))
        }
        FeatureValue::DepFeature { feature: name, .. } if name.as_str().contains('/') => {
            Err(Failure::new(format!("there is more than one `/` in the feature `{feature}`")))
        }
        FeatureValue::DepFeature { dep, feature: name, .. } => {
            let index = crates.iter().position(|text| *text == dep.as_str());
            index.map(|index| (index, name.to_string())).ok_or_else(|| {
                Failure::new(format!("the feature `{name}` is for `{dep}`, which is not among what is added"))
            })
        }
    }
}

/// Which features are on and off, below the line of their dependency.
fn show_features(list: &FeatureList, shell: &Shell) {
    let FeatureList { on, off, version } = list;
    if shell.verbosity() == Verbosity::Quiet || (on.is_empty() && off.is_empty()) {
        return;
    }
    let as_of = version.as_ref().map(|version| format!(" as of v{version}")).unwrap_or_default();
    let line = |text: String| shell.err(format!("{:13}{text}", ""));
    line(format!("Features{as_of}:"));
    if on.len() <= LISTED {
        on.iter().for_each(|name| line(format!("{GOOD}+{GOOD:#} {name}")));
    } else {
        line(format!("{} activated features", on.len()));
    }
    if on.len() + off.len() <= LISTED {
        off.iter().for_each(|name| line(format!("{ERROR}-{ERROR:#} {name}")));
    } else {
        line(format!("{} deactivated features", off.len()));
    }
}
