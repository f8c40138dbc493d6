//! Paths as text: nothing here looks at a file.

use std::path::{Component, Path, PathBuf};

/// Removes `.` and resolves `..` by text alone, keeping a leading `..` of a relative path. `..` above the root stays
/// at the root. The empty result of a relative path is `.`.
pub fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => {
                    out.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => out.push(".."),
            },
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

/// The way from directory `base` to `path`, both absolute or both relative to one place: `relative_to("/a/b", "/a/c")`
/// is `../b`. `None` if there is none, as from a relative to an absolute path.
pub fn relative_to(path: &Path, base: &Path) -> Option<PathBuf> {
    let (path, base) = (normalize(path), normalize(base));
    if path.is_absolute() != base.is_absolute() {
        return path.is_absolute().then_some(path);
    }
    let steps = |path: &Path| -> Vec<_> {
        path.components()
            .filter(|step| *step != Component::CurDir)
            .map(|step| step.as_os_str().to_owned())
            .collect()
    };
    let (path, base) = (steps(&path), steps(&base));
    let common = path.iter().zip(&base).take_while(|(a, b)| a == b).count();
    if base[common..].iter().any(|step| step == "..") {
        return None;
    }
    let mut out: PathBuf = base[common..].iter().map(|_| "..").collect();
    out.extend(&path[common..]);
    Some(if out.as_os_str().is_empty() { PathBuf::from(".") } else { out })
}

/// `path` if it is absolute, else `base` joined with it; normalized either way.
pub fn absolute_from(base: &Path, path: &Path) -> PathBuf {
    normalize(&base.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalized() {
        for (path, want) in
            [("a/./b/../c", "a/c"), ("../a/..", ".."), ("/../a", "/a"), ("a/..", "."), ("../../x", "../../x")]
        {
            assert_eq!(normalize(Path::new(path)), Path::new(want), "{path}");
        }
    }

    #[test]
    fn relative() {
        let way = |path: &str, base: &str| relative_to(Path::new(path), Path::new(base));
        assert_eq!(way("/a/b", "/a/c"), Some("../b".into()));
        assert_eq!(way("/a/b", "/a/b"), Some(".".into()));
        assert_eq!(way("/a", "b"), Some("/a".into()));
        assert_eq!(way("a", "/b"), None);
        assert_eq!(way("a", "../b"), None);
    }
}
