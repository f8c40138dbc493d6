//! One entry of a dependency table, read from a manifest and written back.

use std::fmt;
use std::path::{Path, PathBuf};

use toml_edit::{Array, InlineTable, Item, KeyMut, TableLike, Value};
use url::Url;
use wharf_base::paths;
use wharf_core::{GitReference, SourceId, Summary};

use crate::failure::{Context, Failure, Result};
use crate::workspace::Loader;

/// One entry of a dependency table. What is `None` is not written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The package's real name.
    pub name: String,
    /// The key, where it is another name.
    pub rename: Option<String>,
    /// Where the package comes from.
    pub origin: Option<Origin>,
    /// The registry, by its configured name.
    pub registry: Option<String>,
    /// Features, in the order in which they were asked for.
    pub features: Option<Vec<String>>,
    /// `default-features`
    pub default_features: Option<bool>,
    /// `optional`
    pub optional: Option<bool>,
    /// `public` (unstable)
    pub public: Option<bool>,
}

/// Where the package of an entry comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A registry.
    Registry {
        /// The requirement.
        version: String,
    },
    /// A directory.
    Path {
        /// The directory, absolute.
        dir: PathBuf,
        /// The requirement, for when the package is published.
        version: Option<String>,
    },
    /// A git repository.
    Git {
        /// The repository, as written.
        url: String,
        /// The branch, tag or commit.
        reference: GitReference,
        /// The requirement, for when the package is published.
        version: Option<String>,
    },
    /// `workspace.dependencies`
    Workspace,
}

/// The keys that say where a package comes from.
const ORIGIN_KEYS: [&str; 8] = ["version", "base", "path", "git", "branch", "tag", "rev", "workspace"];

impl Origin {
    /// The requirement, if there is one.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Registry { version } => Some(version),
            Self::Path { version, .. } | Self::Git { version, .. } => version.as_deref(),
            Self::Workspace => None,
        }
    }

    /// Whether this is a registry, which cannot do without a version.
    pub fn is_registry(&self) -> bool {
        matches!(self, Self::Registry { .. })
    }

    /// Leaves the requirement out where it need not be stated.
    pub fn clear_version(&mut self) {
        if let Self::Path { version, .. } | Self::Git { version, .. } = self {
            *version = None;
        }
    }

    /// The origin of a version that was found somewhere.
    pub fn of(summary: &Summary) -> Self {
        let id = &summary.id;
        // Build metadata says nothing in a requirement.
        let mut version = id.version().clone();
        version.build = Default::default();
        let version = version.to_string();
        if let Some(dir) = id.source().local_path().filter(|_| id.source().is_path()) {
            return Self::Path { dir, version: Some(version) };
        }
        match id.source().git_reference() {
            Some(reference) => Self::Git {
                url: id.source().url().to_string(),
                reference: reference.clone(),
                version: Some(version),
            },
            None => Self::Registry { version },
        }
    }

    fn fields(&self, dir: &Path) -> Result<Vec<(&'static str, Value)>> {
        let mut fields = Vec::new();
        match self {
            Self::Registry { version } => fields.push(("version", version.into())),
            Self::Path { dir: path, version } => {
                fields.extend(version.as_ref().map(|version| ("version", version.into())));
                fields.push(("path", relative(path, dir)?.into()));
            }
            Self::Git { url, reference, version } => {
                fields.push(("git", url.into()));
                match reference {
                    GitReference::Branch(branch) => fields.push(("branch", branch.into())),
                    GitReference::Tag(tag) => fields.push(("tag", tag.into())),
                    GitReference::Rev(rev) => fields.push(("rev", rev.into())),
                    GitReference::DefaultBranch => {}
                }
                fields.extend(version.as_ref().map(|version| ("version", version.into())));
            }
            Self::Workspace => fields.push(("workspace", true.into())),
        }
        Ok(fields)
    }
}

impl Entry {
    /// An entry that has a name so far.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rename: None,
            origin: None,
            registry: None,
            features: None,
            default_features: None,
            optional: None,
            public: None,
        }
    }

    /// An entry for a version that was found somewhere.
    pub fn of(summary: &Summary) -> Self {
        Self { origin: Some(Origin::of(summary)), ..Self::new(summary.id.name().as_str()) }
    }

    /// The key in the manifest.
    pub fn key(&self) -> &str {
        self.rename.as_deref().unwrap_or(&self.name)
    }

    /// The requirement, if there is one.
    pub fn version(&self) -> Option<&str> {
        self.origin.as_ref().and_then(Origin::version)
    }

    /// Asks for more features.
    pub fn extend_features(&mut self, more: &[String]) {
        let features = self.features.get_or_insert_default();
        for feature in more {
            if !features.contains(feature) {
                features.push(feature.clone());
            }
        }
    }

    /// The source that the package comes from; `None` where the workspace has to be asked.
    ///
    /// # Errors
    /// If the registry is not configured, or a URL is none.
    pub fn source(&self, loader: &Loader) -> Result<Option<SourceId>> {
        Ok(Some(match &self.origin {
            Some(Origin::Workspace) => return Ok(None),
            Some(Origin::Path { dir, .. }) => SourceId::for_path(dir)?,
            Some(Origin::Git { url, reference, .. }) => {
                let url = Url::parse(url).context(|| format!("`{url}` is not a URL"))?;
                SourceId::for_git(url, reference.clone())
            }
            Some(Origin::Registry { .. }) | None => match &self.registry {
                None => SourceId::crates_io(),
                Some(name) => loader.registry(name).ok_or_else(|| {
                    Failure::new(format!("no index is configured for the registry `{name}`"))
                        .help(format!("add `index` to `[registries.{name}]` of the configuration"))
                })?,
            },
        }))
    }

    /// Reads an entry of a manifest in `dir`.
    ///
    /// # Errors
    /// If it has the wrong shape, or does not say where the package comes from.
    pub fn read(key: &str, item: &Item, dir: &Path) -> Result<Self> {
        if let Some(version) = item.as_str() {
            let origin = Origin::Registry { version: without_build(version) };
            return Ok(Self { origin: Some(origin), ..Self::new(key) });
        }
        let table = item.as_table_like().ok_or_else(|| {
            Failure::new(format!("the dependency `{key}` is neither a version nor a table"))
        })?;
        let fields = Fields { key, table };
        if table.contains_key("default_features") {
            return Err(Failure::new(format!(
                "`default_features` of the dependency `{key}` is out of use and is not edited"
            ))
            .help("write `default-features`"));
        }
        let package = fields.text("package")?;
        Ok(Self {
            rename: package.is_some().then(|| key.to_owned()),
            name: package.unwrap_or_else(|| key.to_owned()),
            origin: Some(fields.origin(dir)?),
            registry: fields.text("registry")?,
            features: fields.features()?,
            default_features: fields.flag("default-features"),
            optional: fields.flag("optional"),
            public: fields.flag("public"),
        })
    }

    /// The entry as a new one is written in a manifest in `dir`: as short as it can be.
    ///
    /// # Errors
    /// If a path cannot be written as text.
    pub fn to_item(&self, dir: &Path) -> Result<Item> {
        let is_plain = self.public != Some(true)
            && self.optional != Some(true)
            && self.features.is_none()
            && self.default_features != Some(false)
            && self.registry.is_none()
            && self.rename.is_none();
        match &self.origin {
            Some(Origin::Registry { version }) if is_plain => return Ok(toml_edit::value(version)),
            Some(Origin::Workspace) if is_plain => {
                let mut table = InlineTable::new();
                table.set_dotted(true);
                table.insert("workspace", true.into());
                return Ok(toml_edit::value(table));
            }
            _ => {}
        }
        let mut table = InlineTable::new();
        if let Some(origin) = &self.origin {
            for (key, value) in origin.fields(dir)? {
                table.insert(key, value);
            }
        }
        if table.contains_key("version")
            && let Some(registry) = &self.registry
        {
            table.insert("registry", registry.into());
        }
        if self.rename.is_some() {
            table.insert("package", (&self.name).into());
        }
        if let Some(flag) = self.default_features {
            table.insert("default-features", flag.into());
        }
        if let Some(features) = &self.features {
            table.insert("features", Array::from_iter(features).into());
        }
        for (key, flag) in [("optional", self.optional), ("public", self.public)] {
            if let Some(flag) = flag {
                table.insert(key, flag.into());
            }
        }
        Ok(toml_edit::value(table))
    }

    /// Changes an entry of a manifest in `dir` into this one, keeping what can be kept of its form.
    ///
    /// # Errors
    /// If a path cannot be written as text.
    pub(super) fn update(&self, dir: &Path, mut key: KeyMut<'_>, item: &mut Item) -> Result<()> {
        let is_small = item.is_str() || item.as_table_like().is_some_and(|table| table.len() == 1);
        if is_small {
            let mut new = self.to_item(dir)?;
            if let (Item::Value(old), Item::Value(new)) = (&*item, &mut new) {
                *new.decor_mut() = old.decor().clone();
            }
            *item = new;
            return Ok(());
        }
        let Some(table) = item.as_table_like_mut() else {
            return Err(Failure::new(format!("the dependency `{}` is not a table", key.get())));
        };
        if let Some(origin) = &self.origin {
            write_origin(origin, table, dir)?;
            if *origin == Origin::Workspace {
                table.set_dotted(true);
                key.fmt();
                for key in ["registry", "registry-index", "package", "default-features"] {
                    table.remove(key);
                }
            }
        }
        let registry = self.registry.as_ref().filter(|_| table.contains_key("version"));
        set(table, "registry", registry.map(Value::from));
        if self.rename.is_some() {
            set(table, "package", Some((&self.name).into()));
        }
        set(table, "default-features", self.default_features.map(Value::from));
        let features = self.features.as_ref().map(|more| merged_features(table, more));
        // A dotted key holds one value and no more.
        if features.is_some() || self.optional.is_some() || self.public.is_some() {
            table.set_dotted(false);
        }
        set(table, "features", features);
        set(table, "optional", self.optional.map(Value::from));
        set(table, "public", self.public.map(Value::from));
        Ok(())
    }
}

fn write_origin(origin: &Origin, table: &mut dyn TableLike, dir: &Path) -> Result<()> {
    let mut fields = origin.fields(dir)?;
    // Beside a path that stands already, a version is an afterthought.
    fields.sort_by_key(|(key, _)| *key == "version");
    for key in ORIGIN_KEYS {
        if !fields.iter().any(|(field, _)| *field == key) {
            table.remove(key);
        }
    }
    for (key, value) in fields {
        set(table, key, Some(value));
    }
    Ok(())
}

/// The features of the table and more; sorted if they were.
fn merged_features(table: &dyn TableLike, more: &[String]) -> Value {
    let existing = table.get("features").and_then(Item::as_array);
    let mut features: Vec<String> =
        existing.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let was_sorted = features.is_sorted();
    for feature in more {
        if !features.contains(feature) {
            features.push(feature.clone());
        }
    }
    if was_sorted {
        features.sort();
    }
    Array::from_iter(features).into()
}

/// Writes a value in the form of the one that it takes the place of; `None` takes the key out.
fn set(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    let Some(mut value) = value else {
        table.remove(key);
        return;
    };
    let place = table.entry(key).or_insert(Item::None);
    if let Some(existing) = place.as_value() {
        *value.decor_mut() = existing.decor().clone();
    }
    *place = Item::Value(value);
}

/// A requirement without build metadata, which requirements do not look at.
fn without_build(version: &str) -> String {
    version.split('+').next().unwrap_or(version).to_owned()
}

fn relative(path: &Path, dir: &Path) -> Result<String> {
    let relative = paths::relative_to(path, dir).unwrap_or_else(|| path.to_owned());
    let text = relative.to_str().ok_or_else(|| {
        Failure::new(format!("the path `{}` is not Unicode, as a manifest has to be", relative.display()))
    })?;
    Ok(text.replace('\\', "/"))
}

/// The fields of one entry.
struct Fields<'a> {
    key: &'a str,
    table: &'a dyn TableLike,
}

impl Fields<'_> {
    fn wrong(&self, field: &str, wanted: &str) -> Failure {
        Failure::new(format!("`{field}` of the dependency `{}` is not {wanted}", self.key))
    }

    fn text(&self, field: &str) -> Result<Option<String>> {
        let Some(item) = self.table.get(field) else { return Ok(None) };
        let text = item.as_str().ok_or_else(|| self.wrong(field, "a string"))?;
        Ok(Some(text.to_owned()))
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.table.get(field).and_then(Item::as_bool)
    }

    fn features(&self) -> Result<Option<Vec<String>>> {
        let Some(item) = self.table.get("features") else { return Ok(None) };
        let wrong = || self.wrong("features", "a list of strings");
        let list = item.as_array().ok_or_else(wrong)?;
        let texts = list.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong));
        texts.collect::<Result<_>>().map(Some)
    }

    fn origin(&self, dir: &Path) -> Result<Origin> {
        let version = self.text("version")?.map(|version| without_build(&version));
        if let Some(url) = self.text("git")? {
            let reference = match (self.text("branch")?, self.text("tag")?, self.text("rev")?) {
                (_, _, Some(rev)) => GitReference::Rev(rev),
                (_, Some(tag), None) => GitReference::Tag(tag),
                (Some(branch), None, None) => GitReference::Branch(branch),
                (None, None, None) => GitReference::DefaultBranch,
            };
            return Ok(Origin::Git { url, reference, version });
        }
        if let Some(path) = self.text("path")? {
            return Ok(Origin::Path { dir: paths::normalize(&dir.join(path)), version });
        }
        if let Some(version) = version {
            return Ok(Origin::Registry { version });
        }
        match self.table.get("workspace") {
            Some(item) => match item.as_bool() {
                Some(true) => Ok(Origin::Workspace),
                Some(false) => Err(Failure::new(format!("`{}.workspace = false` means nothing", self.key))
                    .help("leave it out, and state a version")),
                None => Err(self.wrong("workspace", "true")),
            },
            None => Err(Failure::new(format!(
                "the dependency `{}` has no version, path, git repository or workspace to come from",
                self.key
            ))),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(Origin::Registry { version }) => write!(f, "{}@{version}", self.name),
            Some(Origin::Path { dir, .. }) => write!(f, "{}@{}", self.name, dir.display()),
            Some(Origin::Git { url, .. }) => write!(f, "{}@{url}", self.name),
            Some(Origin::Workspace) | None => f.write_str(self.key()),
        }
    }
}
