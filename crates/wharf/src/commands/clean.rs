//! `clean`

use wharf_ops::clean::{self, CleanNote, CleanPackages, Cleaned, Cleaner};
use wharf_ops::plan::CompileKind;
use wharf_ops::{Failure, Result, settings};

use crate::cli::CleanArgs;
use crate::open::{Opened, human_bytes};
use crate::session::Session;
use crate::settings::compile::{list_if_empty, refuse_empty_target};
use crate::settings::profile;
use crate::shell::Verbosity;

/// Removes what builds have made.
pub fn run(args: &CleanArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.target_dir.path.as_ref())?;
    list_if_empty(&args.package, &opened)?;
    refuse_empty_target(&args.target)?;
    let mut specs = args.package.clone();
    if args.workspace {
        specs.extend(opened.workspace.members().map(|member| member.name().to_string()));
    }
    let profile = profile(args.profile.as_deref(), args.release, "dev")?;
    let is_profile_stated = args.release || args.profile.is_some();

    let is_verbose = session.shell.verbosity() >= Verbosity::Verbose;
    let mut notes = |note: CleanNote| match note {
        CleanNote::Removing(path) if is_verbose => session.shell.status("Removing", path.display()),
        CleanNote::WouldRemove(path) if is_verbose => session.shell.out(path.display()),
        CleanNote::Removing(_) | CleanNote::WouldRemove(_) => {}
        CleanNote::Inaccessible(path, reason) => {
            session.shell.warn(format!("cannot access {}: {reason}", path.display()));
        }
    };
    let mut cleaner = Cleaner::new(args.dry_run, &mut notes);
    cleaner.trash = session.env().wharf_home(session.cwd()).ok().filter(|home| home.is_dir());
    let target_dir = opened.workspace.target_dir().to_owned();
    let build_dir = settings::build_dir(&session.config, &opened.workspace)?;
    if args.doc {
        if !specs.is_empty() {
            return Err(Failure::new("--doc cannot be used with -p"));
        }
        cleaner.remove(&target_dir.join("doc"))?;
    } else {
        let profile_dir = clean::profile_dir(&opened.workspace, &session.config, &profile)?;
        if specs.is_empty() {
            let mut dirs = vec![target_dir, build_dir];
            dirs.dedup();
            for dir in dirs {
                let dir = if is_profile_stated { dir.join(&profile_dir) } else { dir };
                cleaner.remove(&dir)?;
            }
        } else {
            let (toolchain, kinds) = opened.toolchain(session, &args.target)?;
            // Without `--target` it is the host's artifacts that go, whatever platform the configuration builds for.
            let kinds = if args.target.is_empty() { vec![CompileKind::Host] } else { kinds };
            let request = CleanPackages {
                specs: &specs,
                kinds: &kinds,
                profile_dir: &profile_dir,
                build_dir: &build_dir,
            };
            let (workspace, sources) = (&opened.workspace, &opened.sources);
            let ignored =
                clean::packages(workspace, sources, (&toolchain, &opened.resolve), &request, &mut cleaner)?;
            for spec in ignored {
                let part = if spec.partial_version().is_some() { "version" } else { "url" };
                session.shell.warn(format!(
                    "the {part} in `-p {spec}` is ignored: every `{}` is cleaned",
                    spec.name()
                ));
            }
        }
    }
    let cleaned = cleaner.cleaned;
    session.shell.status(if args.dry_run { "Summary" } else { "Removed" }, summary(cleaned));
    if args.dry_run {
        session.shell.warn("no files deleted due to --dry-run");
    }
    Ok(())
}

/// Directories are worth a word only when nothing else was removed.
fn summary(cleaned: Cleaned) -> String {
    let Cleaned { files, directories, bytes } = cleaned;
    let what = match (files, directories) {
        (0, 0) => "0 files".to_owned(),
        (0, 1) => "1 directory".to_owned(),
        (0, many) => format!("{many} directories"),
        (1, _) => "1 file".to_owned(),
        (many, _) => format!("{many} files"),
    };
    if bytes == 0 { what } else { format!("{what}, {} total", human_bytes(bytes)) }
}
