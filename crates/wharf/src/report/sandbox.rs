//! The sentences about the sandbox.

use wharf_exec::{Deed, Lacking, Stopped};
use wharf_ops::plan::{Mode, Unit};
use wharf_ops::sandbox::GRANTS;

/// What is missing of the sandbox on this machine.
pub(super) fn lacks(lacking: Lacking) -> String {
    let what = match lacking {
        Lacking { files: true, network: true } => "confine build scripts and procedural macros",
        Lacking { files: true, network: false } => {
            "keep build scripts and procedural macros from writing files"
        }
        Lacking { files: false, .. } => "keep build scripts and procedural macros off the network",
    };
    format!("this system has no means to {what}; they run without")
}

/// Who was stopped, doing what, and how to allow it.
pub(super) fn stopped(unit: &Unit, stopped: &[Stopped], succeeded: bool, grant: &str) -> String {
    let who = match unit.mode {
        Mode::RunScript => format!("the build script of `{}`", unit.id()),
        _ => format!("the compiler of `{}`, or a procedural macro in it,", unit.id()),
    };
    if stopped.is_empty() {
        return format!(
            "{who} ran in a sandbox, which may be why permission was denied; `WHARF_SANDBOX=off` runs it outside\n\
             if that helps, allow `{}` in `{GRANTS}` what it needs: `network = true` or `write = [\"PATH\"]`",
            unit.id().name()
        );
    }
    let end = if succeeded { ", which did without" } else { "" };
    let mut lines = vec![format!("the sandbox stopped {who}{end}")];
    for Stopped { program, deed } in stopped {
        let wanted = match deed {
            Deed::Network => "tried to connect to the network".to_owned(),
            Deed::LocalSocket => "tried to connect to another process of this machine".to_owned(),
            Deed::Write(path) => format!("tried to write to `{}`", path.display()),
        };
        lines.push(match program.as_str() {
            "" => format!("  it {wanted}"),
            program => format!("  it {wanted}: `{program}`"),
        });
    }
    lines.push(format!(
        "if it has good reason to, allow it in `{GRANTS}` beside the workspace's `Cargo.toml`:"
    ));
    lines.push("  [grants]".to_owned());
    lines.push(format!("  {grant}"));
    lines.join("\n")
}

/// Variables that a compiler did not get.
pub(super) fn refused_variables(unit: &Unit, names: &[String]) -> String {
    format!(
        "the build script of `{}` sets `{}` for compilers, which did not get it: it decides what code they load and \
         which programs they run",
        unit.id(),
        names.join("`, `")
    )
}
