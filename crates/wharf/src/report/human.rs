//! The sentences of a build report.

use std::error::Error as _;
use std::ffi::OsStr;
use std::path::Path;

use wharf_core::Profile;
use wharf_exec::{Change, Failure, FileChange, Stream};
use wharf_ops::narrate::Counts;
use wharf_ops::plan::{Mode, Plan, Unit};

use crate::shell::Verbosity;

/// A command as verbose output shows it: Cargo's variables only with `-vv`.
pub(super) fn command(command: &wharf_ops::Command, verbosity: Verbosity) -> String {
    if verbosity == Verbosity::VeryVerbose {
        return format!("`{command:#}`");
    }
    format!("`{command}`")
}

/// Why a unit is done again.
pub(super) fn reason(why: &[Change], unit: &Unit) -> String {
    let Some(first) = why.first() else { return "an earlier result does not serve".to_owned() };
    match first {
        Change::NeverBuilt => "never built here".to_owned(),
        Change::AlwaysRuns => "it always runs".to_owned(),
        Change::Recipe { name, old: None, .. } => format!("{name} is new"),
        Change::Recipe { name, new: None, .. } => format!("{name} is gone"),
        Change::Recipe { name, .. } => format!("{name} changed"),
        Change::Input { name, .. } => format!("the dependency {name} was rebuilt"),
        Change::File { path, change } => {
            let path = path.strip_prefix(unit.package.root()).unwrap_or(path);
            // All of the package was looked at, and which file it is was not kept.
            if path.as_os_str().is_empty() {
                return "something in the package has changed".to_owned();
            }
            let path = path.display();
            match change {
                FileChange::Content => format!("the file `{path}` has changed"),
                FileChange::Appeared => format!("the file `{path}` is new"),
                FileChange::Vanished => format!("the file `{path}` is missing"),
            }
        }
        Change::Env { name, .. } => {
            format!("the environment variable {} changed", name.to_string_lossy())
        }
        Change::ResultLost => "its result is no longer in the store".to_owned(),
    }
}

/// What it means that the build cache does not work.
pub(super) fn store_trouble(error: &dyn std::error::Error) -> String {
    let mut text = format!("the build cache cannot be used as it should: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text + "; what is built now may have to be built again"
}

/// The unit in parentheses: `lib`, `bin "x"`, `lib test`, `build script`.
pub(super) fn described(unit: &Unit) -> String {
    let target = &unit.target;
    let kind = match target.kind.description() {
        "build-script" => return "build script".to_owned(),
        "integration-test" => format!("test \"{}\"", target.name),
        "lib" => "lib".to_owned(),
        kind => format!("{kind} \"{}\"", target.name),
    };
    match unit.mode {
        Mode::Test | Mode::Check { test: true } if !target.is_test() && !target.is_bench() => {
            format!("{kind} test")
        }
        Mode::Doc => format!("{kind} doc"),
        _ => kind,
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `` `foo` (lib) generated 2 warnings (1 duplicate) ``; `plan` tells who gave them, and so who can correct the code.
pub(super) fn warnings_of(unit: &Unit, counts: Counts, plan: &Plan) -> String {
    let mut text = format!(
        "`{}` ({}) generated {}",
        unit.id().name(),
        described(unit),
        counted(counts.warnings, "warning")
    );
    if counts.duplicates == counts.warnings {
        text.push_str(&format!(" ({})", if counts.duplicates == 1 { "1 duplicate" } else { "duplicates" }));
        return text.replace("(duplicates)", &format!("({} duplicates)", counts.duplicates));
    }
    if counts.duplicates > 0 {
        text.push_str(&format!(" ({})", counted(counts.duplicates, "duplicate")));
    }
    if counts.fixable > 0 && unit.is_local() {
        let mut flags = match unit.target.kind.description() {
            "lib" => "--lib".to_owned(),
            "integration-test" => format!("--test \"{}\"", unit.target.name),
            "build-script" => String::new(),
            kind => format!("--{kind} \"{}\"", unit.target.name),
        };
        flags.push_str(&format!(" -p {}", unit.id().name()));
        if matches!(unit.mode, Mode::Test | Mode::Check { test: true }) && !unit.target.is_test() {
            flags.push_str(" --tests");
        }
        let (command, lints) = fix_command(plan);
        text.push_str(&format!(
            " (run `{command} {}{lints}` to apply {})",
            flags.trim_start(),
            counted(counts.fixable, "suggestion")
        ));
    }
    text
}

/// What corrects code, and the arguments that it ends with. Clippy gets those for itself in a variable, each with a
/// mark after it.
fn fix_command(plan: &Plan) -> (&'static str, String) {
    let wrapper = plan.toolchain().workspace_wrapper.as_deref().and_then(Path::file_stem);
    if wrapper.is_none_or(|name| name != "clippy-driver") {
        return ("cargo fix", String::new());
    }
    let lints = plan.settings().base_env.get(OsStr::new("CLIPPY_ARGS"));
    let lints =
        lints.map(|lints| lints.to_string_lossy().replace("__CLIPPY_HACKERY__", " ")).unwrap_or_default();
    let lints = lints.trim_end();
    ("cargo clippy --fix", if lints.is_empty() { String::new() } else { format!(" -- {lints}") })
}

/// `` could not compile `foo` (lib) due to 2 previous errors; 1 warning emitted ``
pub(super) fn failure_of(unit: &Unit, counts: Counts) -> String {
    if unit.mode == Mode::RunScript {
        return format!("failed to run custom build command for `{}`", unit.id());
    }
    let verb = if unit.mode == Mode::Doc { "document" } else { "compile" };
    let mut text = format!("could not {verb} `{}` ({})", unit.id().name(), described(unit));
    if counts.errors > 0 {
        text.push_str(&format!(" due to {}", counted(counts.errors, "previous error")));
    }
    if counts.warnings > 0 {
        let joint = if counts.errors > 0 { "; " } else { " due to " };
        text.push_str(&format!("{joint}{} emitted", counted(counts.warnings, "warning")));
    }
    text
}

/// The causes of a failure, unless the diagnostics have told them.
pub(super) fn causes(
    failure: &Failure,
    written: &[(Stream, String)],
    counts: Counts,
    verbosity: Verbosity,
) -> Vec<String> {
    if counts.errors > 0 && verbosity < Verbosity::Verbose && matches!(failure, Failure::Status { .. }) {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Caused by:".to_owned()];
    let top = match failure {
        Failure::Status { command, status } => {
            let how = wharf_ops::describe_status(status);
            let mut text = format!("process didn't exit successfully: `{command}` ({how})");
            for (stream, title) in [(Stream::Out, "stdout"), (Stream::Err, "stderr")] {
                let lines: Vec<&str> =
                    written.iter().filter(|(to, _)| *to == stream).map(|(_, line)| line.as_str()).collect();
                if !lines.is_empty() {
                    text.push_str(&format!("\n--- {title}\n{}", lines.join("\n")));
                }
            }
            text
        }
        other => other.to_string(),
    };
    lines.extend(indented(&top));
    let mut cause = failure.source();
    while let Some(error) = cause {
        if error.to_string() != top {
            lines.extend([String::new(), "Caused by:".to_owned()]);
            lines.extend(indented(&error.to_string()));
        }
        cause = error.source();
    }
    lines
}

fn indented(text: &str) -> Vec<String> {
    text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect()
}

/// `` `dev` profile [unoptimized + debuginfo] target(s) in 0.52s ``
pub(super) fn finished(profile: &Profile) -> String {
    let optimized = if profile.opt_level == "0" { "unoptimized" } else { "optimized" };
    let mut about = optimized.to_owned();
    if profile.debuginfo.is_on() {
        about.push_str(" + debuginfo");
    }
    format!("`{}` profile [{about}] target(s)", profile.name)
}

/// A compiler message whose `rendered` text has no colours; `None` if there is nothing to remove.
pub(super) fn without_colors(json: &str) -> Option<String> {
    if !json.contains("\\u001b") {
        return None;
    }
    let mut value: serde_json::Value = serde_json::from_str(json).ok()?;
    let rendered = value.get_mut("rendered")?;
    let plain = anstream::adapter::strip_str(rendered.as_str()?).to_string();
    *rendered = serde_json::Value::String(plain);
    Some(value.to_string())
}
