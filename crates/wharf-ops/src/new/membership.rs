//! A new package joins the workspace around it.

use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table};
use wharf_base::{fs, paths};

use super::{NewRequest, Note};
use crate::failure::{Context, Failure, Result};

/// Adds the package to the nearest manifest above, if that is the root of a workspace, and lets the package inherit
/// what the workspace offers. A manifest above that cannot be read is left alone: it need not have to do with this.
pub(super) fn join(
    request: &NewRequest,
    package: &Path,
    manifest: &mut DocumentMut,
    tell: &mut dyn FnMut(Note),
) -> Result<()> {
    let above = package.ancestors().skip(1).map(|dir| dir.join("Cargo.toml")).find(|path| path.is_file());
    let Some(root_path) = above else { return Ok(()) };
    let Some(mut root) =
        fs::read_to_string(&root_path).ok().and_then(|text| text.parse::<DocumentMut>().ok())
    else {
        return Ok(());
    };
    let root_dir = root_path.parent().unwrap_or(Path::new("/"));
    let member = member_name(package, root_dir)?;
    if is_excluded(&root, &member)? {
        return Ok(());
    }
    if let Some(keys) = root.get("workspace").and_then(|table| table.get("package")).and_then(Item::as_table)
    {
        inherit(request, manifest, keys);
    }
    if root.get("workspace").and_then(|table| table.get("lints")).is_some() {
        let mut lints = Table::new();
        lints["workspace"] = toml_edit::value(true);
        manifest["lints"] = Item::Table(lints);
    }
    if add(&mut root, &member)? {
        fs::write_atomic(&root_path, root.to_string())?;
        let name = member.rsplit('/').next().unwrap_or(&member);
        let message = format!("`{name}` as member of workspace at `{}`", root_dir.display());
        tell(Note::Status("Adding", message));
    }
    Ok(())
}

/// The path of the package as `members` spells it.
fn member_name(package: &Path, root: &Path) -> Result<String> {
    let relative = paths::relative_to(package, root).unwrap_or_else(|| package.to_owned());
    let text = relative.to_str().ok_or_else(|| {
        Failure::new(format!("the path `{}` is not Unicode, as a manifest has to be", relative.display()))
    })?;
    Ok(text.to_owned())
}

fn is_excluded(root: &DocumentMut, member: &str) -> Result<bool> {
    let excluded = root.get("workspace").and_then(|table| table.get("exclude")).and_then(Item::as_array);
    for path in excluded.into_iter().flatten() {
        let path =
            path.as_str().ok_or_else(|| Failure::new(format!("invalid non-string exclude path `{path}`")))?;
        if path == member {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Replaces what the workspace states for all its packages, except where the user asked for something else.
fn inherit(request: &NewRequest, manifest: &mut DocumentMut, keys: &Table) {
    let Some(package) = manifest["package"].as_table_mut() else { return };
    for (key, _) in keys {
        let is_stated = match key {
            "edition" => request.edition.is_some(),
            "publish" => request.registry.is_some(),
            _ => false,
        };
        if is_stated {
            continue;
        }
        let mut table = Table::new();
        table.set_dotted(true);
        table["workspace"] = toml_edit::value(true);
        // Removed first, so that inherited keys stand at the end, in the workspace's order.
        package.remove(key);
        package.insert(key, Item::Table(table));
    }
}

/// Adds the member unless a pattern has it already; tells whether it did.
fn add(root: &mut DocumentMut, member: &str) -> Result<bool> {
    let Some(workspace) = root.get_mut("workspace") else { return Ok(false) };
    let Some(members) = workspace.get_mut("members").and_then(Item::as_array_mut) else {
        workspace["members"] = toml_edit::value(Array::from_iter([member]));
        return Ok(true);
    };
    for pattern in members.iter() {
        let text =
            pattern.as_str().ok_or_else(|| Failure::new(format!("invalid non-string member `{pattern}`")))?;
        let pattern = glob::Pattern::new(text).context(|| format!("invalid member pattern `{text}`"))?;
        if pattern.matches(member) {
            return Ok(false);
        }
    }
    let was_sorted = members.iter().map(|member| member.as_str()).is_sorted();
    members.push(member);
    if was_sorted {
        members.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    Ok(true)
}
