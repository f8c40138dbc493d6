//! Paths as text: nothing here asks the file system.

use std::path::{Component, Path, PathBuf};

/// Takes `.` and `name/..` out of a path without looking at links.
pub fn normalize(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                let can_pop = matches!(result.components().next_back(), Some(Component::Normal(_)));
                if can_pop {
                    result.pop();
                } else if !result.has_root() {
                    result.push("..");
                }
            }
            other => result.push(other),
        }
    }
    result
}

/// The way from the directory `base` to `path`, both absolute and normalised; `path` itself where there
/// is none (another drive).
pub fn relative(path: &Path, base: &Path) -> PathBuf {
    let mut to = path.components().peekable();
    let mut from = base.components().peekable();
    if to.peek() != from.peek() {
        return path.to_owned();
    }
    while let (Some(a), Some(b)) = (to.peek(), from.peek()) {
        if a != b {
            break;
        }
        to.next();
        from.next();
    }
    let mut result: PathBuf = from.map(|_| Component::ParentDir).collect();
    result.extend(to);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots() {
        for (path, want) in [
            ("/a/./b/../c", "/a/c"),
            ("../x/../y", "../y"),
            ("/..", "/"),
            ("../../a", "../../a"),
            ("./src//lib.rs", "src/lib.rs"),
            ("a/..", ""),
        ] {
            assert_eq!(normalize(Path::new(path)), Path::new(want), "{path}");
        }
    }

    #[test]
    fn ways() {
        for (path, base, want) in
            [("/w/README.md", "/w/a", "../README.md"), ("/w/a/x", "/w/a", "x"), ("/x/y", "/w", "../x/y")]
        {
            assert_eq!(relative(Path::new(path), Path::new(base)), Path::new(want));
        }
    }
}
