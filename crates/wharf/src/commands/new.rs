//! `new` and `init`

use std::path::Path;

use wharf_ops::new::{self, NewRequest, Note, PackageKind, Place, VersionControl};
use wharf_ops::{Failure, Result};

use crate::cli::{InitArgs, NewArgs, NewOptions};
use crate::session::Session;

/// Makes a package in a new directory.
pub fn new(args: NewArgs, session: &Session) -> Result<()> {
    make(&args.path, args.options, Place::New, session)
}

/// Makes a package in a directory that exists.
pub fn init(args: InitArgs, session: &Session) -> Result<()> {
    make(&args.path, args.options, Place::Existing, session)
}

fn make(path: &Path, options: NewOptions, place: Place, session: &Session) -> Result<()> {
    let NewOptions { vcs, bin, lib, edition, name, registry } = options;
    if bin && lib {
        return Err(Failure::new("a new package cannot be a library and a program at once").help(
            "give one of `--lib` and `--bin`; a package with `src/lib.rs` can have a `src/main.rs` as well",
        ));
    }
    let registry = match registry {
        Some(registry) => Some(registry),
        None => session.config.registries()?.default.map(|default| default.value),
    };
    let request = NewRequest {
        path: session.cwd().join(path),
        place,
        name,
        kind: match (bin, lib) {
            (_, true) => Some(PackageKind::Library),
            (true, _) => Some(PackageKind::Program),
            _ => None,
        },
        edition,
        registry,
        vcs: vcs.as_deref().map(vcs_named).transpose()?,
    };
    let shell = &session.shell;
    new::create(&request, &session.config, &mut |note| match note {
        Note::Status(word, message) => shell.status(word, message),
        Note::Warning(message) => shell.warn(message),
        Note::BrokenWorkspace(failure) => shell.warn_failure(
            "compiling this new package may not work due to invalid workspace configuration",
            &failure,
        ),
        Note::Hint(message) => shell.note(message),
    })
}

fn vcs_named(name: &str) -> Result<VersionControl> {
    VersionControl::named(name)
        .ok_or_else(|| Failure::new(format!("unknown version control system `{name}`")))
}
