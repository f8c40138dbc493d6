//! Makes manifests ready for the next edition: keys that it no longer knows get the names that it does.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};
use wharf_core::manifest::Edition;

use crate::edit::ManifestFile;
use crate::failure::Result;
use crate::workspace::{PackageSelection, Workspace};

/// Other spellings of tables of dependencies.
const SECTIONS: [(&str, &str); 2] =
    [("dev_dependencies", "dev-dependencies"), ("build_dependencies", "build-dependencies")];
/// Every table of dependencies.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// Other spellings of keys of targets.
const TARGET_KEYS: [(&str, &str); 2] = [("crate_type", "crate-type"), ("proc_macro", "proc-macro")];
/// Targets that there may be several of.
const TARGETS: [&str; 4] = ["bin", "example", "test", "bench"];

/// A manifest that is ready for another edition now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The manifest, relative to the workspace's root.
    pub file: PathBuf,
    /// The edition that it names.
    pub from: Edition,
    /// The one that it is ready for.
    pub to: Edition,
    /// How many changes that took.
    pub fixes: usize,
}

/// Makes the manifests of the selected members ready for the edition after theirs, and the root of a workspace without
/// a package for the newest of these.
///
/// # Errors
/// If a manifest cannot be read or written.
pub fn migrate_manifests(workspace: &Workspace, selection: &PackageSelection) -> Result<Vec<Migration>> {
    let chosen = workspace.select(selection)?.packages;
    let root = ManifestFile::read(workspace.root_manifest())?;
    let mut done = Vec::new();
    if workspace.is_virtual() {
        let newest = chosen.iter().map(|package| package.manifest.edition).max();
        let next = newest.and_then(|from| Some((from, from.next()?)));
        if let Some((from, to)) = next {
            let migration = migrate(workspace, workspace.root_manifest(), (from, to), &root.document)?;
            // It names no edition, so there is nothing to tell unless it changed.
            done.extend(Some(migration).filter(|migration| migration.fixes > 0));
        }
    }
    for package in &chosen {
        let from = package.manifest.edition;
        if let Some(to) = from.next() {
            done.push(migrate(workspace, &package.manifest_path, (from, to), &root.document)?);
        }
    }
    Ok(done)
}

fn migrate(
    workspace: &Workspace,
    path: &Path,
    (from, to): (Edition, Edition),
    root: &DocumentMut,
) -> Result<Migration> {
    let mut manifest = ManifestFile::read(path)?;
    let fixes = if to >= Edition::E2024 { for_2024(&mut manifest.document, root) } else { 0 };
    if fixes > 0 {
        manifest.write()?;
        workspace.loader().forget(path);
    }
    let file = path.strip_prefix(workspace.root()).unwrap_or(path).to_owned();
    Ok(Migration { file, from, to, fixes })
}

/// What 2024 does not know any more: `[project]`, keys with underscores that have another name, and `default-features`
/// that have no effect beside `workspace = true`. Returns how many were changed.
fn for_2024(document: &mut DocumentMut, root: &DocumentMut) -> usize {
    let table = document.as_table_mut();
    let mut fixes = rename(table, "project", "package");
    if let Some(workspace) = child(table, "workspace") {
        fixes += each_dependency(workspace, "dependencies", &mut |_, entry| rename_default(entry));
    }
    if let Some(library) = child(table, "lib") {
        fixes += rename_all(library, &TARGET_KEYS);
    }
    for kind in TARGETS {
        let targets = table.get_mut(kind).and_then(Item::as_array_of_tables_mut);
        fixes += targets
            .into_iter()
            .flat_map(|targets| targets.iter_mut())
            .map(|target| rename_all(target, &TARGET_KEYS))
            .sum::<usize>();
    }
    fixes += dependencies_for_2024(table, root);
    for (_, platform) in child(table, "target").into_iter().flat_map(|platforms| platforms.iter_mut()) {
        if let Some(platform) = platform.as_table_like_mut() {
            fixes += dependencies_for_2024(platform, root);
        }
    }
    fixes
}

fn dependencies_for_2024(parent: &mut dyn TableLike, root: &DocumentMut) -> usize {
    let mut fixes = rename_all(parent, &SECTIONS);
    for section in DEPENDENCIES {
        fixes += each_dependency(parent, section, &mut |name, entry| {
            rename_default(entry) + remove_useless_default(name, entry, root)
        });
    }
    fixes
}

/// Does something to each dependency that is a table, and adds up what came of it.
fn each_dependency(
    parent: &mut dyn TableLike,
    section: &str,
    deed: &mut dyn FnMut(&str, &mut dyn TableLike) -> usize,
) -> usize {
    let mut fixes = 0;
    for (name, entry) in child(parent, section).into_iter().flat_map(|entries| entries.iter_mut()) {
        if let Some(entry) = entry.as_table_like_mut() {
            fixes += deed(name.get(), entry);
        }
    }
    fixes
}

fn rename_default(entry: &mut dyn TableLike) -> usize {
    rename(entry, "default_features", "default-features")
}

/// An inherited dependency cannot do without default features that the workspace has on.
fn remove_useless_default(name: &str, entry: &mut dyn TableLike, root: &DocumentMut) -> usize {
    let says = |entry: &dyn TableLike, key: &str, word: bool| {
        entry.get(key).and_then(Item::as_bool).is_some_and(|said| said == word)
    };
    let inherited = root.get("workspace").and_then(|it| it.get("dependencies")).and_then(|it| it.get(name));
    let is_off_there = inherited.and_then(Item::as_table_like).is_some_and(|inherited| {
        says(inherited, "default-features", false) || says(inherited, "default_features", false)
    });
    let is_useless =
        says(entry, "workspace", true) && says(entry, "default-features", false) && !is_off_there;
    if is_useless {
        entry.remove("default-features");
    }
    usize::from(is_useless)
}

fn rename_all(parent: &mut dyn TableLike, names: &[(&str, &str)]) -> usize {
    names.iter().map(|(old, new)| rename(parent, old, new)).sum()
}

/// Gives an entry another name, comments around it included. If there is one of that name already it has always been
/// the one that counts, and the other goes.
fn rename(parent: &mut dyn TableLike, old: &str, new: &str) -> usize {
    let Some(key) = parent.key(old).cloned() else { return 0 };
    let Some(item) = parent.remove(old) else { return 0 };
    if !parent.contains_key(new) {
        parent.insert(new, item);
        if let Some(mut renamed) = parent.key_mut(new) {
            *renamed.leaf_decor_mut() = key.leaf_decor().clone();
            *renamed.dotted_decor_mut() = key.dotted_decor().clone();
        }
    }
    1
}

fn child<'t>(parent: &'t mut dyn TableLike, name: &str) -> Option<&'t mut dyn TableLike> {
    parent.get_mut(name).and_then(Item::as_table_like_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, fixes: usize, after: &str) {
        let mut document: DocumentMut = before.parse().unwrap();
        let root = document.clone();
        assert_eq!(for_2024(&mut document, &root), fixes);
        assert_eq!(document.to_string(), after);
    }

    #[test]
    fn project_becomes_package() {
        check("# a\n[ project ] # b\nname = 'x' # c\n", 1, "# a\n[ package ] # b\nname = 'x' # c\n");
        check("[package]\nname = 'x'\n[project]\nname = 'y'\n", 1, "[package]\nname = 'x'\n");
    }

    #[test]
    fn underscores_go() {
        check(
            "[lib]\nname = 'x'\n# a\ncrate_type = [] # b\n",
            1,
            "[lib]\nname = 'x'\n# a\ncrate-type = [] # b\n",
        );
        check(
            "[[bin]]\nproc_macro = false\n[[bin]]\ncrate_type = []\n",
            2,
            "[[bin]]\nproc-macro = false\n[[bin]]\ncrate-type = []\n",
        );
        check(
            "[target.'cfg(x)'.dev_dependencies]\na = { default_features = true }\n[build_dependencies]\nb = '1'\n",
            3,
            "[target.'cfg(x)'.dev-dependencies]\na = { default-features = true }\n[build-dependencies]\nb = '1'\n",
        );
        check(
            "[dependencies]\na_b = '1'\n[features]\ndefault_features = []\n",
            0,
            "[dependencies]\na_b = '1'\n[features]\ndefault_features = []\n",
        );
    }

    #[test]
    fn defaults_that_have_no_effect_go() {
        let workspace =
            "[workspace.dependencies]\non = '1'\noff = { version = '1', default-features = false }\n";
        let own = |entry: &str| format!("{workspace}[dependencies]\n{entry}\n");
        check(
            &own("on = { workspace = true, default-features = false }"),
            1,
            &own("on = { workspace = true}"),
        );
        let same = |entry: &str| check(&own(entry), 0, &own(entry));
        same("off = { workspace = true, default-features = false }");
        same("on = { workspace = true, default-features = true }");
        same("on = { version = '1', default-features = false }");
    }
}
