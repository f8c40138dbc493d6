//! Units that would write the same file.

use std::collections::HashMap;
use std::path::PathBuf;

use wharf_core::PackageId;

use crate::error::{Notice, PlanError};
use crate::request::CompileKind;
use crate::unit::{Mode, OutputFile, Unit, UnitId};

/// Tells collisions; those of documentation that was asked for are errors.
pub(crate) fn collisions(
    units: &[Unit],
    outputs: &[Vec<OutputFile>],
    notices: &mut Vec<Notice>,
) -> Result<(), PlanError> {
    let mut files: HashMap<&PathBuf, UnitId> = HashMap::new();
    let mut documented: HashMap<(String, CompileKind, bool), UnitId> = HashMap::new();
    for (index, unit) in units.iter().enumerate() {
        if unit.mode == Mode::RunScript {
            continue;
        }
        if unit.mode == Mode::Doc && unit.is_primary {
            let place = (unit.target.crate_name(), unit.kind.clone(), unit.target.is_lib());
            if let Some(other) = documented.insert(place, UnitId(index)) {
                let other = &units[other.0];
                return Err(PlanError::DocCollision {
                    what: unit.target.kind.description(),
                    name: unit.target.name.clone(),
                    package: unit.id().clone(),
                    other_what: other.target.kind.description(),
                    other: other.id().clone(),
                });
            }
        }
        for file in &outputs[index] {
            for path in [Some(&file.path), file.uplifted.as_ref()].into_iter().flatten() {
                if let Some(other) = files.insert(path, UnitId(index)) {
                    notices.push(Notice::Collision {
                        path: path.clone(),
                        first: described(&units[other.0]),
                        second: described(unit),
                        is_doc: unit.mode == Mode::Doc,
                    });
                }
            }
        }
    }
    Ok(())
}

fn described(unit: &Unit) -> (&'static str, String, PackageId) {
    (unit.target.kind.description(), unit.target.name.clone(), unit.id().clone())
}
