//! Finding and reading the files, and reading `--config`.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use wharf_base::fs;

use super::{ConfigError, Definition, Env, Key, Kind, Result, Value};

/// Reads configuration for one directory; gathers the names of the files and what to warn of.
pub(super) struct Loader<'a> {
    cwd: &'a Path,
    cargo_home: &'a Path,
    env: &'a Env,
    pub(super) files: Vec<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// One entry of `include`.
struct Include {
    path: PathBuf,
    optional: bool,
    definition: Definition,
}

impl<'a> Loader<'a> {
    pub(super) fn new(cwd: &'a Path, cargo_home: &'a Path, env: &'a Env) -> Loader<'a> {
        Loader { cwd, cargo_home, env, files: Vec::new(), warnings: Vec::new() }
    }

    /// The files of the directories from the current one upwards, and of `$CARGO_HOME`; the nearest wins.
    pub(super) fn discover(&mut self) -> Result<Value> {
        let mut root = Value::table(Definition::Default);
        // Cargo's own tests fence off the directories above their sandbox with this variable.
        let stop = self.env.get("__CARGO_TEST_ROOT").map(PathBuf::from);
        let mut seen = BTreeSet::new();
        let mut directories = Vec::new();
        for ancestor in self.cwd.ancestors() {
            directories.push(ancestor.join(".cargo"));
            if stop.as_deref() == Some(ancestor) {
                break;
            }
        }
        directories.push(self.cargo_home.to_owned());
        for directory in directories {
            let canonical = fs::canonicalize(&directory).unwrap_or_else(|_| directory.clone());
            if !seen.insert(canonical) {
                continue;
            }
            if let Some(path) = self.find(&directory, "config") {
                let value = self.file(&path, Definition::File(path.clone()), &mut BTreeSet::new())?;
                root.merge(value, false, &Key::root())?;
            }
        }
        Ok(root)
    }

    /// `credentials.toml` in `$CARGO_HOME`.
    pub(super) fn credentials(&mut self) -> Result<Value> {
        let Some(path) = self.find(self.cargo_home, "credentials") else {
            return Ok(Value::table(Definition::Default));
        };
        let mut value = self.file(&path, Definition::File(path.clone()), &mut BTreeSet::new())?;
        // The file was once a bare `token = "…"`, for crates.io.
        if let Kind::Table(table) = &mut value.kind
            && let Some(token) = table.remove("token")
        {
            let mut registry = Value::table(token.definition.clone());
            if let Kind::Table(entries) = &mut registry.kind {
                entries.insert("token".to_owned(), token);
            }
            table.entry("registry".to_owned()).or_insert(registry);
        }
        Ok(value)
    }

    /// The values of `--config`, later ones over earlier ones.
    pub(super) fn arguments(&mut self, arguments: &[String]) -> Result<Value> {
        let mut root = Value::table(Definition::Argument(None));
        for argument in arguments {
            let path = self.cwd.join(argument);
            let value = if !argument.is_empty() && fs::metadata(&path).is_ok() {
                self.file(&path, Definition::Argument(Some(path.clone())), &mut BTreeSet::new())?
            } else {
                let value = parse_argument(argument)?;
                self.with_includes(value, &mut BTreeSet::new())?
            };
            root.merge(value, true, &Key::root())?;
        }
        Ok(root)
    }

    /// The file of this name, without or with `.toml`; the older form without wins when both are there.
    fn find(&mut self, directory: &Path, name: &str) -> Option<PathBuf> {
        let old = directory.join(name);
        let new = directory.join(format!("{name}.toml"));
        let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        match (identity(&old), identity(&new)) {
            (None, None) => None,
            (None, Some(_)) => Some(new),
            (Some(_), None) => {
                self.warnings
                    .push(format!("`{}` has an outdated name: rename it to `{name}.toml`", old.display()));
                Some(old)
            }
            (Some(first), Some(second)) => {
                // A link between the two serves old and new versions of Cargo at once.
                if first != second {
                    self.warnings.push(format!(
                        "both `{}` and `{}` exist; using `{}`",
                        old.display(),
                        new.display(),
                        old.display()
                    ));
                }
                Some(old)
            }
        }
    }

    fn file(&mut self, path: &Path, definition: Definition, seen: &mut BTreeSet<PathBuf>) -> Result<Value> {
        if !seen.insert(path.to_owned()) {
            return Err(ConfigError::IncludeCycle { path: path.to_owned() });
        }
        self.files.push(path.to_owned());
        let text =
            fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
        let table: toml::Table = text
            .parse()
            .map_err(|cause| ConfigError::Parse { path: path.to_owned(), cause: Box::new(cause) })?;
        let value = Value::from_toml(toml::Value::Table(table), &definition, &Key::root())?;
        self.with_includes(value, seen)
    }

    /// Replaces `include` by what the files hold; the including file wins over them.
    fn with_includes(&mut self, mut value: Value, seen: &mut BTreeSet<PathBuf>) -> Result<Value> {
        let Kind::Table(table) = &mut value.kind else { return Ok(value) };
        let Some(list) = table.remove("include") else { return Ok(value) };
        let mut root = Value::table(value.definition.clone());
        for include in includes(list, self.cwd)? {
            if include.optional && fs::metadata(&include.path).is_err() {
                continue;
            }
            let definition = match &value.definition {
                Definition::Argument(_) => Definition::Argument(Some(include.path.clone())),
                _ => Definition::File(include.path.clone()),
            };
            let included = self
                .file(&include.path, definition, seen)
                .and_then(|included| root.merge(included, true, &Key::root()));
            if let Err(cause) = included {
                let Include { path, definition, .. } = include;
                return Err(ConfigError::Include { path, definition, cause: Box::new(cause) });
            }
        }
        root.merge(value, true, &Key::root())?;
        Ok(root)
    }
}

fn includes(list: Value, cwd: &Path) -> Result<Vec<Include>> {
    const EXPECTED: &str = "an array of paths or of tables with `path` and `optional`";
    let key = Key::root().child("include");
    let mismatch = |value: &Value| value.mismatch(&key, EXPECTED);
    let Kind::List(items) = &list.kind else { return Err(mismatch(&list)) };
    let mut includes = Vec::new();
    for item in items {
        let (path, optional) = match &item.kind {
            Kind::String(path) => (path, false),
            Kind::Table(table) => {
                let path = table
                    .get("path")
                    .ok_or_else(|| ConfigError::invalid(&key, &item.definition, "an entry has no `path`"))?;
                let path = path.as_str().ok_or_else(|| path.mismatch(&key.child("path"), "a string"))?;
                let optional = match table.get("optional") {
                    None => false,
                    Some(Value { kind: Kind::Boolean(optional), .. }) => *optional,
                    Some(other) => return Err(other.mismatch(&key.child("optional"), "a boolean")),
                };
                (&path.to_owned(), optional)
            }
            _ => return Err(mismatch(item)),
        };
        check_include(path).map_err(|reason| ConfigError::invalid(&key, &item.definition, reason))?;
        // An include is relative to the file that names it, not to the parent of `.cargo` as other paths are.
        let base = item.definition.file().and_then(Path::parent).unwrap_or(cwd);
        includes.push(Include {
            path: wharf_base::paths::absolute_from(base, Path::new(path)),
            optional,
            definition: item.definition.clone(),
        });
    }
    Ok(includes)
}

fn check_include(path: &str) -> Result<(), String> {
    if Path::new(path).extension().is_none_or(|extension| extension != "toml") {
        return Err(format!("`{path}` does not end in `.toml`"));
    }
    if path.contains(['*', '?', '[', ']']) {
        return Err(format!("`{path}` is a pattern; name each file"));
    }
    if path.contains(['{', '}']) {
        return Err(format!("`{path}` holds braces, which are reserved"));
    }
    Ok(())
}

/// Reads `KEY=VALUE`: one dotted key and one value, nothing else that TOML would allow.
fn parse_argument(argument: &str) -> Result<Value> {
    let refuse =
        |reason: &str| ConfigError::Argument { argument: argument.to_owned(), reason: reason.to_owned() };
    let document: toml_edit::DocumentMut = argument.parse().map_err(|cause: toml_edit::TomlError| {
        refuse(&format!("it is neither an existing file nor `KEY=VALUE`: {}", cause.message()))
    })?;
    check_shape(&document).map_err(refuse)?;
    let table: toml::Table = argument
        .parse()
        .map_err(|cause: toml::de::Error| refuse(&format!("it is not `KEY=VALUE`: {}", cause.message())))?;
    if let Some(key) = secret_key(&table) {
        return Err(refuse(&format!("`{key}` is a secret and cannot be given on the command line")));
    }
    Value::from_toml(toml::Value::Table(table), &Definition::Argument(None), &Key::root())
}

fn check_shape(document: &toml_edit::DocumentMut) -> Result<(), &'static str> {
    const DECORATED: &str = "comments and line ends are not allowed";
    let blank = |decor: &toml_edit::Decor| {
        [decor.prefix(), decor.suffix()]
            .into_iter()
            .flatten()
            .all(|text| text.as_str().is_none_or(|text| text.trim().is_empty()))
    };
    if document.trailing().as_str().is_some_and(|text| !text.trim().is_empty()) {
        return Err(DECORATED);
    }
    let mut table = document.as_table();
    loop {
        let mut entries = table.iter();
        let (Some((name, item)), None) = (entries.next(), entries.next()) else {
            return Err("it must set exactly one key, as in `build.jobs=4`");
        };
        let key = table.key(name);
        if key.is_some_and(|key| !blank(key.leaf_decor()) || !blank(key.dotted_decor())) {
            return Err(DECORATED);
        }
        match item {
            toml_edit::Item::Table(next) if next.is_dotted() => table = next,
            toml_edit::Item::Value(value) if value.is_inline_table() => {
                return Err("an inline table is not allowed; use a dotted key");
            }
            toml_edit::Item::Value(value) => {
                return if blank(value.decor()) { Ok(()) } else { Err(DECORATED) };
            }
            _ => return Err("it must be a dotted key and a value, as in `build.jobs=4`"),
        }
    }
}

/// The key of a secret that the table sets: secrets on a command line are seen by every user of the machine.
fn secret_key(table: &toml::Table) -> Option<String> {
    let secret =
        |table: &toml::Value| ["token", "secret-key"].into_iter().find(|name| table.get(name).is_some());
    if let Some(name) = table.get("registry").and_then(secret) {
        return Some(format!("registry.{name}"));
    }
    let registries = table.get("registries")?.as_table()?;
    registries.iter().find_map(|(registry, table)| Some(format!("registries.{registry}.{}", secret(table)?)))
}
