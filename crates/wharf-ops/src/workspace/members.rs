//! Finds the members of a workspace and checks that they agree about where they belong.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use wharf_base::trail::{self, Look};
use wharf_base::{fs, paths};
use wharf_core::Package;
use wharf_core::manifest::{WorkspaceRole, WorkspaceTable};

use super::loader::is_excluded;
use super::{Loaded, Workspace};
use crate::failure::{Context, Failure, Result};

/// Where the search for members stands.
struct Search<'a> {
    /// What the root lists.
    listed: HashSet<&'a Path>,
    met: HashSet<PathBuf>,
    /// The same in the order in which they were met.
    found: Vec<PathBuf>,
}

impl Workspace {
    pub(super) fn find_members(&mut self, has_root: bool) -> Result<()> {
        if !has_root {
            self.members.push(self.current_manifest.clone());
            self.default_members.push(self.current_manifest.clone());
            self.member_ids
                .extend(self.package_at(&self.current_manifest).map(|package| package.id().clone()));
            return Ok(());
        }
        let table = self.table()?;
        let listed = self.expand(table.members.as_deref().unwrap_or_default())?;
        let root = self.root_manifest.clone();
        let mut search = Search {
            listed: listed.iter().map(|(manifest, _)| manifest.as_path()).collect(),
            met: HashSet::new(),
            found: Vec::new(),
        };
        for (manifest, pattern) in &listed {
            self.add_member(manifest, false, &mut search)
                .context(|| format!("cannot load the workspace member `{pattern}`"))?;
        }
        self.add_member(&root, false, &mut search)?;
        self.members = search.found;
        self.default_members = self.settle_default_members(&table, &listed)?;
        let ids: Vec<_> = self.members().map(|package| package.id().clone()).collect();
        self.member_ids.extend(ids);
        Ok(())
    }

    fn table(&self) -> Result<WorkspaceTable> {
        let none = || {
            Failure::new(format!(
                "`{}` is to be the root of a workspace, but has no `[workspace]` table",
                self.root_manifest.display()
            ))
            .help("add the table there, or correct `package.workspace` of the member")
        };
        match self.root_any() {
            Loaded::Virtual(root) => Ok(root.workspace.clone()),
            Loaded::Real(root) => match &root.manifest.workspace {
                WorkspaceRole::Root(table) => Ok(table.clone()),
                WorkspaceRole::Member { .. } => Err(none()),
            },
        }
    }

    fn settle_default_members(
        &mut self,
        table: &WorkspaceTable,
        listed: &[(PathBuf, String)],
    ) -> Result<Vec<PathBuf>> {
        let Some(patterns) = &table.default_members else {
            return Ok(if self.is_virtual() {
                self.members.clone()
            } else {
                vec![self.current_manifest.clone()]
            });
        };
        // The list counts only for commands started in the root.
        if self.current_manifest != self.root_manifest {
            return Ok(vec![self.current_manifest.clone()]);
        }
        let mut chosen = Vec::new();
        for (manifest, pattern) in self.expand(patterns)? {
            if !self.members.contains(&manifest) {
                // Members may be excluded again, and stay in the list of defaults.
                if listed.iter().any(|(path, _)| *path == manifest) && self.excludes(&manifest)? {
                    continue;
                }
                return Err(Failure::new(format!(
                    "`{}` is listed in `default-members` (as `{pattern}`), but is no member of the workspace at `{}`",
                    manifest.display(),
                    self.root_manifest.display()
                ))
                .help("add it to `workspace.members`"));
            }
            chosen.push(manifest);
        }
        Ok(chosen)
    }

    fn excludes(&self, manifest: &Path) -> Result<bool> {
        let root = self.loader.document(&self.root_manifest)?;
        Ok(is_excluded(&root, &self.root_manifest, manifest))
    }

    /// Turns the patterns of a list into manifests, each with the pattern that it came from.
    fn expand(&self, patterns: &[String]) -> Result<Vec<(PathBuf, String)>> {
        let root = self.root().to_owned();
        let mut manifests = Vec::new();
        for pattern in patterns {
            let whole = root.join(pattern);
            let mut paths = Vec::new();
            if let Some(text) = whole.to_str().filter(|_| is_glob(pattern)) {
                note_directories(&whole);
                let entries = glob::glob(text)
                    .context(|| format!("cannot read the pattern `{pattern}` of the workspace"))?;
                for entry in entries {
                    paths.push(entry.context(|| format!("cannot look through `{pattern}`"))?);
                }
            }
            let from_glob = !paths.is_empty();
            if !from_glob {
                paths.push(whole);
            }
            for path in paths {
                // Systems and editors leave files of their own anywhere.
                if from_glob && !fs::is_dir(&path) {
                    continue;
                }
                let manifest = paths::normalize(&path.join("Cargo.toml"));
                manifests.push((manifest, pattern.clone()));
            }
        }
        Ok(manifests)
    }

    /// Adds a manifest and, by way of its path dependencies, what lies below the workspace's root.
    fn add_member(&mut self, manifest: &Path, by_dependency: bool, search: &mut Search<'_>) -> Result<()> {
        if search.met.contains(manifest) {
            return Ok(());
        }
        if by_dependency
            && !search.listed.contains(manifest)
            && !manifest.starts_with(self.root())
            && self.loader.root_of(manifest)?.as_deref() != Some(&self.root_manifest)
        {
            return Ok(());
        }
        if self.excludes(manifest)? {
            return Ok(());
        }
        search.met.insert(manifest.to_owned());
        search.found.push(manifest.to_owned());
        let dependencies: Vec<(PathBuf, String)> = match self.read(manifest)? {
            Loaded::Virtual(_) => Vec::new(),
            Loaded::Real(package) => package
                .manifest
                .summary
                .dependencies
                .iter()
                .filter(|dependency| dependency.source().is_path())
                .filter_map(|dependency| {
                    Some((dependency.source().local_path()?, dependency.name().to_string()))
                })
                .collect(),
        };
        for (dir, name) in dependencies {
            let below = paths::normalize(&dir.join("Cargo.toml"));
            self.add_member(&below, true, search)
                .context(|| format!("cannot load the dependency `{name}` of `{}`", manifest.display()))?;
        }
        Ok(())
    }

    pub(super) fn check(&self, has_root: bool) -> Result<()> {
        if !has_root {
            return Ok(());
        }
        self.check_roots()?;
        self.check_names()?;
        self.check_membership()
    }

    fn check_roots(&self) -> Result<()> {
        let roots: Vec<&PathBuf> =
            self.members.iter().filter(|path| is_root(self.packages.get(*path))).collect();
        if roots.len() > 1 {
            let list: Vec<String> =
                roots.iter().filter_map(|path| path.parent()).map(|dir| dir.display().to_string()).collect();
            return Err(Failure::new(format!(
                "a workspace has one root, but these members have a `[workspace]` table too:\n  {}",
                list.join("\n  ")
            ))
            .help("remove the `[workspace]` table of all but one, or `exclude` the others"));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        let mut seen: BTreeMap<&str, &Package> = BTreeMap::new();
        for package in self.members() {
            if let Some(other) = seen.get(package.name().as_str()) {
                return Err(Failure::new(format!(
                    "two packages named `{}` in this workspace:\n- {}\n- {}",
                    package.name(),
                    other.manifest_path.display(),
                    package.manifest_path.display()
                ))
                .help("rename one of them, or `exclude` it"));
            }
            seen.insert(package.name().as_str(), package);
        }
        Ok(())
    }

    fn check_membership(&self) -> Result<()> {
        for member in &self.members {
            let root = self.loader.root_of(member)?;
            if root.as_ref() == Some(&self.root_manifest) {
                continue;
            }
            return Err(match root {
                Some(root) => Failure::new(format!(
                    "member `{}` belongs to another workspace\nwanted by: {}\nbelongs to: {}",
                    member.display(),
                    self.root_manifest.display(),
                    root.display()
                )),
                None => Failure::new(format!(
                    "member `{}` does not lie below the root `{}`, and does not point to it",
                    member.display(),
                    self.root_manifest.display()
                ))
                .help("state `package.workspace` in the member"),
            });
        }
        if self.members.contains(&self.current_manifest) || self.is_virtual() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "the package lies in a workspace that does not count it among its members:\npackage:   {}\nworkspace: {}",
            self.current_manifest.display(),
            self.root_manifest.display()
        ))
        .help(
            "add it to `workspace.members` of the root, add it to `workspace.exclude`, or give it an empty \
             `[workspace]` table of its own",
        ))
    }
}

/// Notes the directories that a pattern makes one look through: a name that is new in one of them may be a member.
fn note_directories(pattern: &Path) {
    let mut directories = vec![PathBuf::new()];
    let mut is_fixed = true;
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if name == "**" {
            // Any directory below: more than is worth noting.
            return trail::spoil();
        }
        is_fixed &= !is_glob(&name);
        let mut below = Vec::new();
        for directory in directories {
            if is_fixed {
                below.push(directory.join(part));
                continue;
            }
            trail::note(&directory, Look::Entries, fs::exists(&directory));
            let found = directory.join(part).to_str().and_then(|text| glob::glob(text).ok());
            below.extend(found.into_iter().flatten().filter_map(std::result::Result::ok));
        }
        directories = below;
    }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn is_root(manifest: Option<&Loaded>) -> bool {
    match manifest {
        Some(Loaded::Virtual(_)) => true,
        Some(Loaded::Real(package)) => matches!(package.manifest.workspace, WorkspaceRole::Root(_)),
        None => false,
    }
}
