//! `install` and `uninstall`

use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::{GitReference, Package, PartialVersion, SourceId};
use wharf_ops::install::{self, CrateSpec, Freshness, Options, Placing, Tracker};
use wharf_ops::plan::{CompileKind, Intent, TargetFilter};
use wharf_ops::publish::registry::source_of;
use wharf_ops::resolve::{LockPolicy, partial_version};
use wharf_ops::workspace::{PackageSelection, Places, Workspace};
use wharf_ops::{Exit, Failure, Result, normalize};

use crate::cli::{CompileOptions, InstallArgs, RegistryOptions, TargetDir, TargetSelection, UninstallArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::settings::profile;

use super::package::{registry, show};

/// Installs programs.
pub fn install(args: &InstallArgs, session: &Session) -> Result<()> {
    let path = args.path.as_ref().map(|path| session.cwd().join(path));
    // What is installed does not depend on where one stands.
    let home = session.config.cargo_home().to_owned();
    let rooted = session.rooted_at(path.as_deref().unwrap_or(&home))?;
    let root = install::root(&rooted.config, session.cwd(), args.root.as_deref())?;
    if args.list {
        return list(&root, session);
    }
    if args.dry_run {
        rooted.refuse_unstable("--dry-run")?;
    }
    if args.release {
        session.shell.error("unexpected argument `--release`: install builds with it anyway");
        return Err(Failure::reported(Exit::Usage));
    }
    let specs = specs(args)?;
    let origin = origin(args, path, &specs, &rooted)?;
    let installer = Installer { args, session: &rooted, root, origin };
    let installed_anything = match specs.as_slice() {
        [] => installer.one(None)?,
        [one] => installer.one(Some(one))?,
        several => return installer.many(several),
    };
    if installed_anything {
        installer.warn_of_path();
    }
    Ok(())
}

fn list(root: &std::path::Path, session: &Session) -> Result<()> {
    let tracker = Tracker::load(root, &|| {})?;
    for (id, programs) in tracker.all() {
        session.shell.out(format!("{id}:"));
        programs.iter().for_each(|name| session.shell.out(format!("    {name}")));
    }
    Ok(())
}

/// The packages that were named, each once.
fn specs(args: &InstallArgs) -> Result<Vec<CrateSpec>> {
    let common = args.version.as_deref().map(usage(install::parse_version)).transpose()?;
    let mut specs: Vec<CrateSpec> = Vec::new();
    for text in &args.names {
        let (name, version) = match text.split_once('@') {
            Some(("", _)) => return Err(crate::settings::usage("missing crate name before '@'")),
            Some((name, version)) => (name, Some(usage(install::parse_version)(version)?)),
            None => (text.as_str(), None),
        };
        if version.is_some() && common.is_some() {
            return Err(Failure::new("cannot specify both `@<VERSION>` and `--version <VERSION>`"));
        }
        check_name(name)?;
        let spec = CrateSpec { name: name.to_owned(), version: version.or(common.clone()) };
        if specs.last() != Some(&spec) {
            specs.push(spec);
        }
    }
    Ok(specs)
}

/// What is wrong with the value of a flag is wrong with the command line.
fn usage<T>(parse: impl Fn(&str) -> Result<T>) -> impl Fn(&str) -> Result<T> {
    move |text| parse(text).map_err(|failure| failure.exit(Exit::Usage))
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(crate::settings::usage("crate name is empty"));
    }
    if name == "." {
        return Err(
            Failure::new("`.` is no package").help("to install the package of a directory, use `--path .`")
        );
    }
    let Err(error) = wharf_core::PackageName::new(name) else { return Ok(()) };
    let failure = Failure::from(error);
    Err(if let Some(toolchain) = name.strip_prefix('+') {
        failure.help(format!("for a toolchain, write `+{toolchain}` before `install`"))
    } else if name.starts_with("https://") || name.starts_with("http://") {
        failure.help(format!("for a git repository, write `install --git {name}`"))
    } else {
        let version = name.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        match version.filter(|at| *at > 0 && install::parse_version(&name[*at..]).is_ok()) {
            Some(at) => failure.help(format!("for a version, write `{}@{}`", &name[..at], &name[at..])),
            None => failure,
        }
    })
}

/// Where packages come from.
enum Origin {
    Registry(SourceId),
    Git(SourceId),
    Directory { dir: PathBuf, from_cwd: bool },
}

fn origin(
    args: &InstallArgs,
    path: Option<PathBuf>,
    specs: &[CrateSpec],
    session: &Session,
) -> Result<Origin> {
    if let Some(url) = &args.git {
        let url = url.parse().map_err(|error| Failure::new(format!("invalid url `{url}`: {error}")))?;
        let reference = match (&args.branch, &args.tag, &args.rev) {
            (Some(branch), _, _) => GitReference::Branch(branch.clone()),
            (None, Some(tag), _) => GitReference::Tag(tag.clone()),
            (None, None, Some(rev)) => GitReference::Rev(rev.clone()),
            (None, None, None) => GitReference::DefaultBranch,
        };
        return Ok(Origin::Git(SourceId::for_git(url, reference)));
    }
    if let Some(dir) = path {
        return Ok(Origin::Directory { dir: normalize(&dir), from_cwd: false });
    }
    if specs.is_empty() {
        return Ok(Origin::Directory { dir: session.cwd().to_owned(), from_cwd: true });
    }
    let options = RegistryOptions { index: args.index.clone(), registry: args.registry.clone() };
    let choice = registry(&options, session)?;
    let loader = wharf_ops::connect::loader(&session.config)?;
    Ok(Origin::Registry(source_of(&loader, choice.as_ref())?))
}

struct Installer<'a> {
    args: &'a InstallArgs,
    session: &'a Session,
    root: PathBuf,
    origin: Origin,
}

impl Installer<'_> {
    fn many(&self, specs: &[CrateSpec]) -> Result<()> {
        let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
        for spec in specs {
            match self.one(Some(spec)) {
                Ok(_) => succeeded.push(spec.name.as_str()),
                Err(failure) => {
                    self.session.shell.failure(&failure);
                    failed.push(spec.name.as_str());
                }
            }
        }
        let mut summary = Vec::new();
        if !succeeded.is_empty() {
            summary.push(format!("Successfully installed {}!", succeeded.join(", ")));
        }
        if !failed.is_empty() {
            summary.push(format!("Failed to install {} (see error(s) above).", failed.join(", ")));
        }
        self.session.shell.status("Summary", summary.join(" "));
        if !succeeded.is_empty() {
            self.warn_of_path();
        }
        if failed.is_empty() { Ok(()) } else { Err(Failure::new("some crates failed to install")) }
    }

    fn warn_of_path(&self) {
        let bin = self.root.join("bin");
        let path = self.session.env().get_filled("PATH").map(ToOwned::to_owned).unwrap_or_default();
        if !std::env::split_paths(&path).any(|dir| dir == bin) {
            self.session.shell.warn(format!(
                "be sure to add `{}` to your PATH to be able to run the installed binaries",
                bin.display()
            ));
        }
    }

    /// Installs one package; tells whether there is now something to run.
    fn one(&self, spec: Option<&CrateSpec>) -> Result<bool> {
        let Self { args, session, .. } = self;
        let places = Places { target_dir: self.stated_target_dir()?, lockfile: None };
        let mut opened = Opened::bare(session, &places)?;
        let compiler = opened.compiler(session)?;
        let rustc = (!args.ignore_rust_version).then(|| partial_version(&compiler.version));
        let filter = self.filter();
        let options = Options {
            version_req: spec.and_then(|spec| spec.version.as_ref()).map(ToString::to_string),
            features: settle::cli_features(&args.features)?,
            profile: self.profile()?,
            target: self.target(session, &compiler.host)?,
            rustc: compiler.verbose_version.clone(),
        };
        let Some(package) = self.find(spec, &opened, rustc.as_ref(), (&filter, &options))? else {
            return Ok(true);
        };
        if matches!(self.origin, Origin::Directory { from_cwd: true, .. }) {
            self.refuse_cwd(&package)?;
        }
        let temporary = self.open_workspace(&mut opened, &package, &places)?;
        let tracked = self.tracked_package(&opened, package)?;
        self.check_targets(&tracked, &filter)?;
        if args.no_track {
            install::untracked_duplicates(&self.root, &tracked, &filter, args.force)?;
        } else if self.is_fresh(&tracked, &filter, &options)? {
            return Ok(true);
        }
        session.shell.status("Installing", tracked.id());
        let programs = match self.build(&mut opened, &filter, &options) {
            Ok(programs) => programs,
            Err(failure) => {
                let dir = opened.workspace.target_dir().display().to_string();
                if let Some(temporary) = temporary {
                    // What was made can be looked at, and used again.
                    let _ = temporary.keep();
                }
                session.shell.failure(&failure);
                session.shell.error(format!(
                    "failed to compile `{}`, intermediate artifacts can be found at `{dir}`",
                    tracked.id()
                ));
                return Err(Failure::reported(Exit::Failed));
            }
        };
        if programs.is_empty() {
            self.tell_of_features(&tracked, &filter)?;
            return Ok(false);
        }
        let placing = Placing {
            root: &self.root,
            package: &tracked,
            filter: &filter,
            options: &options,
            force: args.force,
            no_track: args.no_track,
            dry_run: args.dry_run,
            is_transient: !matches!(self.origin, Origin::Directory { .. }),
        };
        install::place(&placing, &programs, &mut |note| show(note, session))?;
        Ok(true)
    }

    fn stated_target_dir(&self) -> Result<Option<PathBuf>> {
        let cwd = self.session.cwd();
        if let Some(dir) = &self.args.target_dir.path {
            return Ok(Some(cwd.join(dir)));
        }
        if let Some(dir) = self.session.env().get_filled("CARGO_TARGET_DIR") {
            return Ok(Some(cwd.join(dir)));
        }
        Ok(self.session.config.build()?.target_dir)
    }

    fn filter(&self) -> TargetFilter {
        use wharf_ops::plan::{LibRule, NamedTargets, Names};
        let names = |all: bool, named: &[String]| if all { Names::All } else { Names::Just(named.to_vec()) };
        let args = self.args;
        settle::filter(NamedTargets {
            all: false,
            lib: LibRule::No,
            bins: names(args.bins, &args.bin),
            examples: names(args.examples, &args.example),
            tests: Names::Just(Vec::new()),
            benches: Names::Just(Vec::new()),
        })
    }

    fn profile(&self) -> Result<String> {
        profile(self.args.profile.as_deref(), false, if self.args.debug { "dev" } else { "release" })
    }

    fn target(&self, session: &Session, host: &str) -> Result<String> {
        let configured = session.config.build()?.target;
        let targets = if self.args.target.is_empty() { &configured } else { &self.args.target };
        let kinds = wharf_ops::toolchain::compile_kinds(targets, host, session.allows_unstable())?;
        match kinds.as_slice() {
            [] | [CompileKind::Host] => Ok(host.to_owned()),
            [CompileKind::Target(target)] => Ok(target.short_name().to_owned()),
            _ => Err(Failure::new("only one `--target` argument is supported")),
        }
    }

    /// The package; `None` if it is installed already.
    fn find(
        &self,
        spec: Option<&CrateSpec>,
        opened: &Opened,
        rustc: Option<&PartialVersion>,
        (filter, options): (&TargetFilter, &Options),
    ) -> Result<Option<Arc<Package>>> {
        let sources = &opened.sources;
        let from = (sources, &**opened.workspace.loader());
        match (&self.origin, spec) {
            (Origin::Git(source), spec) => install::in_git(sources, source, spec, rustc).map(Some),
            (Origin::Directory { dir, from_cwd }, spec) => {
                install::in_directory(opened.workspace.loader(), dir, spec, rustc, *from_cwd).map(Some)
            }
            (Origin::Registry(_), None) => {
                Err(Failure::new("must specify a crate to install").help("or use --path or --git"))
            }
            (Origin::Registry(source), Some(spec)) => {
                // One version alone that is there already needs no look at the registry.
                if spec.version.as_ref().is_some_and(install::is_exact)
                    && let Ok(package) = install::in_registry(from, source, spec, None, Freshness::Cached)
                    && !self.args.no_track
                    && self.is_fresh(&package, filter, options).unwrap_or(false)
                {
                    return Ok(None);
                }
                install::in_registry(from, source, spec, rustc, Freshness::Current).map(Some)
            }
        }
    }

    fn is_fresh(&self, package: &Package, filter: &TargetFilter, options: &Options) -> Result<bool> {
        let waiting =
            || self.session.shell.status_note("Blocking", "waiting for file lock on crate metadata");
        let tracker = Tracker::load(&self.root, &waiting)?;
        let programs = install::program_names(package, filter);
        if !tracker.compare(package, &programs, options, self.args.force)?.is_fresh {
            return Ok(false);
        }
        self.session.shell.status(
            "Ignored",
            format!("package `{}` is already installed, use --force to override", package.id()),
        );
        Ok(true)
    }

    fn refuse_cwd(&self, package: &Package) -> Result<()> {
        let advice = "use `install --path .` instead, or `build` to simply build the package";
        if package.manifest.edition == wharf_core::Edition::E2015 {
            self.session.shell.warn(format!(
                "installing the package of the current directory without `--path` is deprecated: {advice}"
            ));
            return Ok(());
        }
        Err(Failure::new("the package of the current directory is not installed without `--path`")
            .help(advice))
    }

    /// Makes the package's workspace the one that is worked in. What comes from elsewhere is built in a directory that
    /// is gone afterwards.
    fn open_workspace(
        &self,
        opened: &mut Opened,
        package: &Arc<Package>,
        places: &Places,
    ) -> Result<Option<tempfile::TempDir>> {
        let mut places = places.clone();
        let mut temporary = None;
        if !matches!(self.origin, Origin::Directory { .. }) && places.target_dir.is_none() {
            let dir = tempfile::Builder::new().prefix("cargo-install").tempdir()?;
            places.target_dir = Some(dir.path().to_owned());
            temporary = Some(dir);
        }
        let loader = opened.workspace.loader().clone();
        let lockfile = self.session.config.resolver()?.lockfile_path;
        places.lockfile = lockfile.filter(|_| self.session.allows_unstable());
        opened.workspace = match &self.origin {
            Origin::Registry(_) => Workspace::ephemeral(loader, package.clone(), &places),
            Origin::Git(_) | Origin::Directory { .. } => {
                Workspace::open(loader, &package.manifest_path, &places)?
            }
        };
        opened.resolve.only_needed = true;
        if matches!(self.origin, Origin::Registry(_)) {
            opened.resolve.prefer_rust_version = Some(false);
        }
        let is_locked = opened.resolve.lock != LockPolicy::Update || places.lockfile.is_some();
        opened.resolve.lock = if is_locked { LockPolicy::Preview } else { LockPolicy::Ignore };
        if is_locked && !opened.workspace.lockfile().exists() {
            if let Some(path) = &places.lockfile {
                return Err(Failure::new(format!(
                    "no Cargo.lock file found in the requested path {}",
                    path.display()
                )));
            }
            self.session.shell.warn(format!("no Cargo.lock file published in {}", package.id()));
        }
        Ok(temporary)
    }

    /// The package as it is remembered: from git by its repository, else as its workspace has it.
    fn tracked_package(&self, opened: &Opened, package: Arc<Package>) -> Result<Arc<Package>> {
        match &self.origin {
            Origin::Git(_) => Ok(package),
            _ => opened.workspace.current().cloned(),
        }
    }

    fn check_targets(&self, package: &Package, filter: &TargetFilter) -> Result<()> {
        if filter.is_specific() || package.manifest.targets.iter().any(|target| target.is_bin()) {
            return Ok(());
        }
        Err(Failure::new(format!(
            "there is nothing to install in `{}`, because it has no binaries",
            package.id()
        ))
        .help("only programs are installed; to use a library, add it to a package with `add`"))
    }

    fn build(&self, opened: &mut Opened, filter: &TargetFilter, options: &Options) -> Result<Vec<PathBuf>> {
        let args = self.args;
        let compile = CompileOptions {
            jobs: args.jobs.clone(),
            target: args.target.clone(),
            target_dir: TargetDir { path: args.target_dir.path.clone() },
            cache: args.cache,
            timings: args.timings.clone(),
            message_format: args.message_format.clone(),
            ..CompileOptions::default()
        };
        let selection = TargetSelection {
            bin: args.bin.clone(),
            example: args.example.clone(),
            ..TargetSelection::default()
        };
        settle::targets(&selection, opened)?;
        let current = opened.workspace.current()?.id().to_spec().to_string();
        let typed = Typed {
            packages: PackageSelection::Named(vec![current]),
            targets: filter.clone(),
            features: &args.features,
            intent: Intent::Build,
            profile: options.profile.clone(),
            keep_going: args.keep_going,
            compile: &compile,
            ignore_rust_version: args.ignore_rust_version,
            root_args: Vec::new(),
            root_crate_types: Vec::new(),
            document_private_items: false,
            artifact_dir: None,
        };
        let settled = settle::settle(typed, opened, self.session)?;
        let built = super::compile::build(opened, &settled, self.session)?;
        let plan = &built.prepared.plan;
        Ok(plan.binaries().into_iter().filter_map(|unit| plan.executable(unit).cloned()).collect())
    }

    fn tell_of_features(&self, package: &Package, filter: &TargetFilter) -> Result<()> {
        if filter.is_specific() && !(self.args.bin.is_empty() && self.args.example.is_empty()) {
            return Err(Failure::new("no binaries are available for install using the selected features"));
        }
        let programs: Vec<_> = package
            .manifest
            .targets
            .iter()
            .filter(|target| target.is_bin() || target.is_exe_example())
            .collect();
        let Some(first) = programs.first() else { return Ok(()) };
        let lines: Vec<String> = programs
            .iter()
            .map(|target| {
                let features: Vec<String> =
                    target.required_features.iter().map(|feature| format!("`{feature}`")).collect();
                format!("  `{}` requires {}", target.name, features.join(", "))
            })
            .collect();
        self.session.shell.warn(format!(
            "none of the package's binaries are available with the selected features\n{}\nturn them on with, for \
             example, `--features=\"{}\"`",
            lines.join("\n"),
            first.required_features.join(" ")
        ));
        Ok(())
    }
}

/// Removes installed programs.
pub fn uninstall(args: &UninstallArgs, session: &Session) -> Result<()> {
    if args.package.iter().any(String::is_empty) {
        return Err(Failure::new("\"--package <SPEC>\" requires a SPEC format value"));
    }
    let specs: Vec<&String> = args.specs.iter().chain(&args.package).collect();
    if specs.len() > 1 && !args.bin.is_empty() {
        return Err(Failure::new("--bin names a program of one package, but several packages were named"));
    }
    let root = install::root(&session.config, session.cwd(), args.root.as_deref())?;
    let mut tell = |note| show(note, session);
    match specs.as_slice() {
        [one] => install::uninstall(&root, one, &args.bin, &mut tell),
        [] => {
            let loader = wharf_ops::connect::loader(&session.config)?;
            let package = install::in_directory(&loader, session.cwd(), None, None, false)?;
            let tracker = Tracker::load(&root, &|| {})?;
            install::uninstall_id(&root, tracker, package.id(), &args.bin, &mut tell)
        }
        several => {
            let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
            for spec in several {
                match install::uninstall(&root, spec, &args.bin, &mut tell) {
                    Ok(()) => succeeded.push(spec.as_str()),
                    Err(failure) => {
                        session.shell.failure(&failure);
                        failed.push(spec.as_str());
                    }
                }
            }
            let mut summary = Vec::new();
            if !succeeded.is_empty() {
                summary.push(format!("Successfully uninstalled {}!", succeeded.join(", ")));
            }
            if !failed.is_empty() {
                summary.push(format!("Failed to uninstall {} (see error(s) above).", failed.join(", ")));
            }
            session.shell.status("Summary", summary.join(" "));
            if failed.is_empty() { Ok(()) } else { Err(Failure::new("some packages failed to uninstall")) }
        }
    }
}
