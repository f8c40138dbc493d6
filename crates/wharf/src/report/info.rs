//! What there is to know of a package, for people.

use std::fmt::Write as _;
use std::path::Path;

use anstyle::Style;
use wharf_core::dependency::Requirement;
use wharf_core::{DepKind, SourceId};
use wharf_ops::info::{Info, State};

use crate::shell::style::{CONTEXT, ERROR, GOOD, HELP, OFF, SUMMARY, WARNING};
use crate::shell::{Shell, Verbosity};

/// How many features are listed before their number has to do.
const LISTED: usize = 30;

/// Shows a package, and what can be asked next.
pub fn show(info: &Info, cwd: &Path, shell: &Shell) {
    let is_verbose = shell.verbosity() >= Verbosity::Verbose;
    let mut text = String::new();
    header(info, cwd, &mut text);
    features(info, is_verbose, &mut text);
    if is_verbose {
        for kind in [DepKind::Normal, DepKind::Build] {
            dependencies(info, kind, cwd, &mut text);
        }
    }
    shell.out_raw(text.as_bytes());
    if info.is_used {
        let id = info.package.id();
        let (name, version) = (id.name(), id.version());
        shell.note(format!(
            "to see how you depend on {name}, run `{HELP}cargo tree --invert {name}@{version}{HELP:#}`"
        ));
    }
}

fn header(info: &Info, cwd: &Path, text: &mut String) {
    let id = info.package.id();
    let about = &info.package.manifest.description;
    let is_crates_io = id.source().is_crates_io();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let keywords: Vec<String> = about.keywords.iter().map(|keyword| format!("#{keyword}")).collect();
    match keywords.is_empty() {
        true => line(format!("{GOOD}{}{GOOD:#}", id.name())),
        false => line(format!("{GOOD}{}{GOOD:#} {CONTEXT}{}{CONTEXT:#}", id.name(), keywords.join(" "))),
    }
    if let Some(description) = &about.description {
        line(description.trim_end().to_owned());
    }
    let latest = info.latest.as_ref().filter(|latest| *latest != id.version());
    let note = match (latest, is_crates_io) {
        (Some(latest), true) => format!(" {WARNING}(latest {latest}){WARNING:#}"),
        (Some(latest), false) => format!(
            " {WARNING}(latest {latest} {WARNING:#}{CONTEXT}from {}{CONTEXT:#}{WARNING}){WARNING:#}",
            place(id.source(), cwd)
        ),
        (None, true) => String::new(),
        (None, false) => format!(" {CONTEXT}(from {}){CONTEXT:#}", place(id.source(), cwd)),
    };
    line(format!("{GOOD}version:{GOOD:#} {}{note}", id.version()));
    let unknown = |style: Style| format!("{style}unknown{style:#}");
    let license = about.license.clone().unwrap_or_else(|| unknown(ERROR));
    line(format!("{GOOD}license:{GOOD:#} {license}"));
    let rust = info.package.manifest.rust_version.as_ref();
    let rust = rust.map_or_else(|| unknown(WARNING), |version| version.to_string());
    line(format!("{GOOD}rust-version:{GOOD:#} {rust}"));
    let docs = || is_crates_io.then(|| format!("https://docs.rs/{}/{}", id.name(), id.version()));
    let page = is_crates_io.then(|| format!("https://crates.io/crates/{}/{}", id.name(), id.version()));
    let links = [
        ("documentation", about.documentation.clone().or_else(docs)),
        ("homepage", about.homepage.clone()),
        ("repository", about.repository.clone()),
        ("crates.io", page),
    ];
    for (title, link) in links {
        if let Some(link) = link {
            line(format!("{GOOD}{title}:{GOOD:#} {link}"));
        }
    }
}

/// A source as it is best understood from here.
fn place(source: &SourceId, cwd: &Path) -> String {
    match source.local_path().filter(|_| source.is_path()) {
        Some(path) => {
            Path::new(".").join(wharf_ops::relative_to(&path, cwd).unwrap_or(path)).display().to_string()
        }
        None => source.to_string(),
    }
}

fn style(state: State) -> Style {
    match state {
        State::Chosen | State::Implied => Style::new(),
        State::Off => OFF,
    }
}

fn mark(state: State) -> String {
    match state {
        State::Chosen => format!(" {GOOD}+{GOOD:#}"),
        State::Implied | State::Off => "  ".to_owned(),
    }
}

fn features(info: &Info, is_verbose: bool, text: &mut String) {
    let margin = info.features.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    if margin == 0 {
        return;
    }
    let off = info.features.iter().filter(|(_, state, _)| *state == State::Off).count();
    let on = info.features.len() - off;
    let lists_on = is_verbose || on <= LISTED;
    let lists_off = is_verbose || on + off <= LISTED;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{GOOD}features:{GOOD:#}");
    for (name, state, values) in &info.features {
        let is_listed = if *state == State::Off { lists_off } else { lists_on };
        if is_listed {
            let style = style(*state);
            let values: Vec<String> = values.iter().map(|value| format!("{style}{value}{style:#}")).collect();
            let _ = writeln!(
                text,
                "{}{style}{name: <margin$}{style:#} = [{}]",
                mark(*state),
                values.join(", "),
                name = name.as_str()
            );
        }
    }
    if !lists_on {
        let _ = writeln!(text, "  {SUMMARY}{on} activated features{SUMMARY:#}");
    }
    if !lists_off {
        let _ = writeln!(text, "  {SUMMARY}{off} deactivated features{SUMMARY:#}");
    }
}

fn dependencies(info: &Info, kind: DepKind, cwd: &Path, text: &mut String) {
    let dependencies = info.dependencies(kind);
    if dependencies.is_empty() {
        return;
    }
    let _ = writeln!(text, "{GOOD}{}:{GOOD:#}", kind.table());
    for (dependency, state) in dependencies {
        let style = style(state);
        let origin = match dependency.source().is_registry() {
            true => format!("@{}", requirement(dependency.req())),
            false => format!(" ({})", place(dependency.source(), cwd)),
        };
        let _ = writeln!(text, "{}{style}{}{origin}{style:#}", mark(state), dependency.name());
    }
}

/// `1.0` for `^1.0`: that is what people write.
fn requirement(requirement: &Requirement) -> String {
    let text = requirement.to_string();
    let is_one = requirement.written().is_some_and(|written| written.comparators.len() == 1);
    match text.strip_prefix('^') {
        Some(rest) if is_one => rest.to_owned(),
        _ => text,
    }
}
