//! Makes what was noticed of a command a part of what its result rests on.

use std::path::{Path, PathBuf};

use wharf_base::paths::normalize;

use crate::look::{PlainPath, Sight};
use crate::sandbox::{Glimpse, Left};
use crate::step::{Observed, Step};

/// Adds what the command opened to what it says that it read. If something has become another thing since the command
/// opened it, the path is the error.
pub(crate) fn add(step: &Step, left: &Left, observed: &mut Observed, started: i64) -> Result<(), PathBuf> {
    observed.made.extend(left.wrote.iter().cloned());
    let bases = bases(step);
    for (path, glimpse) in &left.read {
        if glimpse.was_temporary(path, started) {
            continue;
        }
        if !glimpse.is_still_so(path, started) {
            return Err(path.clone());
        }
        let kept = below_any(path, &bases).unwrap_or_else(|| path.clone());
        match glimpse {
            Glimpse::Names(_) => observed.listed.push(kept),
            Glimpse::Missing | Glimpse::File(_) => observed.paths.push(kept),
        }
    }
    Ok(())
}

/// Ties a result to its checkout if the command opened what another checkout has another one of.
pub(crate) fn tie(step: &Step, left: &Left, sight: &mut Sight) {
    if left.is_local {
        sight.beyond = None;
    }
    let Some(checkout) = &step.checkout else { return };
    let bases = bases(step);
    for path in left.read.keys().filter(|path| below_any(path, &bases).is_none()) {
        let plain = normalize(path);
        for root in checkout.roots.iter().filter(|root| plain.starts_with(root)) {
            let held = PlainPath(root.clone());
            if !sight.held.contains(&held) {
                sight.held.push(held);
            }
        }
    }
}

/// The directory that relative paths start in, by both of its names: what results keep of paths below it is the same
/// in every checkout.
fn bases(step: &Step) -> Vec<PathBuf> {
    let here = &step.command.cwd;
    let is_placeless = step.checkout.as_ref().is_some_and(|checkout| checkout.root == *here);
    if !is_placeless {
        return Vec::new();
    }
    let real = here.canonicalize().ok().filter(|real| real != here);
    [here.clone()].into_iter().chain(real).collect()
}

fn below_any(path: &Path, bases: &[PathBuf]) -> Option<PathBuf> {
    // A path may leave the directory after it has entered it.
    let is_inside = |base: &&PathBuf| normalize(path).starts_with(base);
    bases.iter().filter(is_inside).find_map(|base| path.strip_prefix(base).ok().map(Path::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_a_directory() {
        let bases = [PathBuf::from("/w/a")];
        let below = |path: &str| below_any(Path::new(path), &bases);
        assert_eq!(below("/w/a/x/../y"), Some("x/../y".into()));
        assert_eq!(below("/w/a/../b/y"), None);
        assert_eq!(below("/w/ab"), None);
        assert_eq!(below("/w/b/../a/y"), None, "not as it is written");
    }
}
