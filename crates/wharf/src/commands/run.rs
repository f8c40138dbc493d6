//! `run`

use wharf_ops::plan::{Intent, LibRule, NamedTargets, Names, TargetFilter};
use wharf_ops::{Failure, Result, programs};

use crate::cli::{RunArgs, TargetSelection};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::settings::profile;

/// Builds a program and becomes it.
pub fn run(args: &RunArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let packages = settle::one_package(&args.package, &opened)?;
    let selected = opened.workspace.select(&packages)?.packages;
    let flags = TargetSelection {
        bin: args.targets.bin.clone(),
        example: args.targets.example.clone(),
        ..TargetSelection::default()
    };
    for (flag, names) in [("--bin", &flags.bin), ("--example", &flags.example)] {
        if let Some(pattern) = names.iter().find(|name| name.contains(['*', '?', '[', ']'])) {
            return Err(Failure::new(format!("`run` runs one program, but `{flag} {pattern}` is a pattern"))
                .help("name the program in full"));
        }
    }
    let targets = match settle::targets(&flags, &opened)? {
        TargetFilter::Default { .. } => {
            let defaults: Vec<_> =
                selected.iter().filter_map(|package| package.manifest.default_run.clone()).collect();
            match defaults.as_slice() {
                [one] => single_program(one),
                _ => TargetFilter::Default { skip_missing_features: false },
            }
        }
        only => only,
    };
    programs::check_runnable(&selected, &targets)?;
    let typed = Typed {
        packages,
        targets,
        features: &args.features,
        intent: Intent::Build,
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    let settled = settle::settle(typed, &mut opened, session)?;
    let built = super::compile::build(&opened, &settled, session)?;
    let mut program = programs::runnable(&built.prepared.plan, &built.summary)?;
    let relative = programs::shown_from(&program.path, session.cwd()).to_owned();
    let relative =
        if relative.components().count() == 1 { std::path::Path::new(".").join(relative) } else { relative };
    if program.command.program == program.path {
        program.command.program = relative.into_os_string();
    }
    program.command.cwd = Some(session.cwd().to_owned());
    let shown = program.command.clone().args(args.args.iter().cloned());
    session.shell.status("Running", format!("`{shown}`"));
    session.shell.progress_done();
    Err(programs::become_program(&program.command, &args.args))
}

fn single_program(name: &str) -> TargetFilter {
    TargetFilter::Only(Box::new(NamedTargets {
        all: false,
        lib: LibRule::No,
        bins: Names::Just(vec![name.to_owned()]),
        examples: Names::Just(Vec::new()),
        tests: Names::Just(Vec::new()),
        benches: Names::Just(Vec::new()),
    }))
}
