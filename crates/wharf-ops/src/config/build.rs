//! `[build]`.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Key, Kind, Result, Sourced, Value};

/// `[build]`, and what the environment says in its place. Paths are absolute.
#[derive(Clone, Debug, Default)]
pub struct BuildConfig {
    /// `build.jobs`
    pub jobs: Option<Sourced<Jobs>>,
    /// `RUSTC`, else `build.rustc`: a path, or a name to look up.
    pub rustc: Option<PathBuf>,
    /// `RUSTC_WRAPPER`, else `build.rustc-wrapper`; an empty one is none.
    pub rustc_wrapper: Option<PathBuf>,
    /// `RUSTC_WORKSPACE_WRAPPER`, else `build.rustc-workspace-wrapper`; an empty one is none.
    pub rustc_workspace_wrapper: Option<PathBuf>,
    /// `RUSTDOC`, else `build.rustdoc`.
    pub rustdoc: Option<PathBuf>,
    /// `build.target`: triples, and absolute paths of `.json` specifications.
    pub target: Vec<String>,
    /// `CARGO_TARGET_DIR`, else `build.target-dir`.
    pub target_dir: Option<PathBuf>,
    /// `build.build-dir`, with its placeholders.
    pub build_dir: Option<Sourced<String>>,
    /// `build.incremental`, or `CARGO_INCREMENTAL` (`1` is on, anything else off).
    pub incremental: Option<bool>,
    /// `build.artifact-dir` (unstable)
    pub artifact_dir: Option<PathBuf>,
    /// `build.dep-info-basedir`
    pub dep_info_basedir: Option<PathBuf>,
    /// `build.warnings` (`None` when not stated).
    pub warnings: Option<Warnings>,
}

/// How many jobs run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// `default`: one for each processor.
    Default,
    /// So many, never 0.
    Exactly(u32),
    /// Fewer than there are processors by so many, at least one.
    AllBut(u32),
}

impl Jobs {
    /// Reads a number or `default`.
    ///
    /// # Errors
    /// In words, if it is neither, or 0.
    pub fn parse(text: &str) -> Result<Jobs, String> {
        match (text, text.parse::<i32>()) {
            ("default", _) => Ok(Jobs::Default),
            (_, Ok(number)) => Jobs::from_number(number.into()),
            _ => Err(format!("`{text}` is neither a number nor `default`")),
        }
    }

    fn from_number(number: i64) -> Result<Jobs, String> {
        let size =
            u32::try_from(number.unsigned_abs()).map_err(|_| format!("`{number}` jobs are out of range"))?;
        match number {
            0 => Err("0 jobs cannot do anything".to_owned()),
            1.. => Ok(Jobs::Exactly(size)),
            _ => Ok(Jobs::AllBut(size)),
        }
    }

    /// The number on a machine with so many processors.
    pub fn count(self, processors: usize) -> usize {
        match self {
            Jobs::Default => processors.max(1),
            Jobs::Exactly(count) => count as usize,
            Jobs::AllBut(count) => processors.saturating_sub(count as usize).max(1),
        }
    }
}

/// What becomes of the compiler's warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Warnings {
    /// They are shown.
    #[default]
    Warn,
    /// They are hidden.
    Allow,
    /// They are shown, and the command fails.
    Deny,
}

/// What the placeholders of `build.build-dir` stand for.
#[derive(Clone, Copy, Debug)]
pub struct TemplateRoots<'a> {
    /// `{workspace-root}`
    pub workspace_root: &'a Path,
    /// `{cargo-cache-home}`
    pub cargo_cache_home: &'a Path,
    /// `{workspace-path-hash}`
    pub workspace_path_hash: &'a str,
}

const KEYS: &[&str] = &[
    "analysis",
    "artifact-dir",
    "build-dir",
    "dep-info-basedir",
    "incremental",
    "jobs",
    "pipelining",
    "rustc",
    "rustc-workspace-wrapper",
    "rustc-wrapper",
    "rustdoc",
    "rustdocflags",
    "rustflags",
    "sbom",
    "target",
    "target-dir",
    "warnings",
];

impl Config {
    /// `[build]`, and the variables that go before it.
    ///
    /// # Errors
    /// If a value has the wrong kind or makes no sense.
    pub fn build(&self) -> Result<BuildConfig> {
        let table = Key::from("build");
        self.warn_unused(&table, KEYS)?;
        let key = |name: &str| table.child(name);
        let path = |name: &str| Ok(self.get_path(key(name))?.map(|found| found.value));
        let wrapper = |variable, name| -> Result<Option<PathBuf>> {
            let tool = self.tool(variable, &key(name))?;
            Ok(tool.filter(|path| !path.as_os_str().is_empty()))
        };
        let choices = [("warn", Warnings::Warn), ("allow", Warnings::Allow), ("deny", Warnings::Deny)];
        Ok(BuildConfig {
            jobs: self.jobs(&key("jobs"))?,
            rustc: self.tool("RUSTC", &key("rustc"))?,
            rustc_wrapper: wrapper("RUSTC_WRAPPER", "rustc-wrapper")?,
            rustc_workspace_wrapper: wrapper("RUSTC_WORKSPACE_WRAPPER", "rustc-workspace-wrapper")?,
            rustdoc: self.tool("RUSTDOC", &key("rustdoc"))?,
            target: self.build_target(&key("target"))?,
            target_dir: self.target_dir(&key("target-dir"))?,
            build_dir: self.get_string(key("build-dir"))?,
            incremental: match self.env().get("CARGO_INCREMENTAL") {
                Some(text) => Some(text == "1"),
                None => self.get_bool(key("incremental"))?.map(|found| found.value),
            },
            artifact_dir: path("artifact-dir")?,
            dep_info_basedir: path("dep-info-basedir")?,
            warnings: self.get_choice(&key("warnings"), &choices)?.map(|found| found.value),
        })
    }

    /// A program that a plain variable names before the configuration does; there, relative means relative to the
    /// current directory.
    fn tool(&self, variable: &str, key: &Key) -> Result<Option<PathBuf>> {
        match self.env().get_os(variable) {
            Some(value) if value.as_encoded_bytes().contains(&b'/') => Ok(Some(self.cwd().join(value))),
            Some(value) => Ok(Some(PathBuf::from(value))),
            None => Ok(self.get_program(key)?.map(|found| found.value)),
        }
    }

    fn jobs(&self, key: &Key) -> Result<Option<Sourced<Jobs>>> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        let jobs = match &value.kind {
            Kind::Integer(number) => Jobs::from_number(*number),
            Kind::String(text) => Jobs::parse(text),
            _ => return Err(value.mismatch(key, "a number or `default`")),
        };
        let jobs = jobs.map_err(|reason| ConfigError::invalid(key, &value.definition, reason))?;
        Ok(Some(Sourced { value: jobs, definition: value.definition }))
    }

    fn build_target(&self, key: &Key) -> Result<Vec<String>> {
        const EXPECTED: &str = "a target triple or an array of them";
        let Some(value) = self.get(key)? else { return Ok(Vec::new()) };
        let absolute = |text: &str, definition: &super::Definition| match text.ends_with(".json") {
            true => definition.root(self.cwd()).join(text).to_string_lossy().into_owned(),
            false => text.to_owned(),
        };
        match &value.kind {
            Kind::String(text) => Ok(vec![absolute(text, &value.definition)]),
            Kind::List(items) => {
                let text = |item: &Value| match item.as_str() {
                    Some(text) => Ok(absolute(text, &item.definition)),
                    None => Err(item.mismatch(key, EXPECTED)),
                };
                items.iter().map(text).collect()
            }
            _ => Err(value.mismatch(key, EXPECTED)),
        }
    }

    fn target_dir(&self, key: &Key) -> Result<Option<PathBuf>> {
        let empty = |definition: &super::Definition| {
            ConfigError::invalid(key, definition, "the target directory is empty")
        };
        if let Some(directory) = self.env().get_os("CARGO_TARGET_DIR") {
            if directory.is_empty() {
                return Err(empty(&super::Definition::Environment("CARGO_TARGET_DIR".to_owned())));
            }
            return Ok(Some(self.cwd().join(directory)));
        }
        let Some(text) = self.get_string(key)? else { return Ok(None) };
        if text.value.is_empty() {
            return Err(empty(&text.definition));
        }
        Ok(Some(text.path(self.cwd())))
    }
}

impl BuildConfig {
    /// `build.build-dir` with its placeholders filled in, absolute.
    ///
    /// # Errors
    /// If it is empty, or holds a placeholder that does not exist.
    pub fn build_dir(&self, cwd: &Path, roots: &TemplateRoots<'_>) -> Result<Option<PathBuf>> {
        let Some(template) = &self.build_dir else { return Ok(None) };
        let refuse = |reason: String| {
            Err(ConfigError::invalid(&Key::from("build.build-dir"), &template.definition, reason))
        };
        if template.value.is_empty() {
            return refuse("the build directory is empty".to_owned());
        }
        let filled = template
            .value
            .replace("{workspace-root}", &roots.workspace_root.to_string_lossy())
            .replace("{cargo-cache-home}", &roots.cargo_cache_home.to_string_lossy())
            .replace("{workspace-path-hash}", roots.workspace_path_hash);
        if let Some((_, rest)) = filled.split_once('{')
            && let Some((name, _)) = rest.split_once('}')
        {
            return refuse(format!(
                "`{{{name}}}` is not a placeholder; there are `{{workspace-root}}`, `{{cargo-cache-home}}` and \
                 `{{workspace-path-hash}}`"
            ));
        }
        if filled.contains(['{', '}']) {
            return refuse(format!("`{}` holds a brace without its partner", template.value));
        }
        Ok(Some(template.definition.root(cwd).join(filled)))
    }
}
