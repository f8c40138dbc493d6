//! What each unit's object files must hold so that link-time optimisation can happen where it was asked for.

use wharf_core::profile::Lto as Wanted;
use wharf_core::{CrateType, Target};

use crate::unit::{Mode, Unit, UnitId};

/// What the compiler is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lto {
    /// Optimise here; with the mode's name, if it has one.
    Run(Option<String>),
    /// No optimisation of this kind, not even within one crate.
    Off,
    /// Bitcode for a later optimisation, and no machine code.
    OnlyBitcode,
    /// Both, for uses of both kinds.
    ObjectAndBitcode,
    /// Machine code alone.
    OnlyObject,
}

impl Lto {
    /// The arguments after `-C`.
    pub fn flags(&self) -> Vec<String> {
        match self {
            Self::Run(None) => vec!["lto".to_owned()],
            Self::Run(Some(name)) => vec![format!("lto={name}")],
            Self::Off => vec!["lto=off".to_owned(), "embed-bitcode=no".to_owned()],
            Self::ObjectAndBitcode => Vec::new(),
            Self::OnlyBitcode => vec!["linker-plugin-lto".to_owned()],
            Self::OnlyObject => vec!["embed-bitcode=no".to_owned()],
        }
    }
}

fn can_run(kind: &CrateType) -> bool {
    matches!(kind, CrateType::Bin | CrateType::Staticlib | CrateType::Cdylib)
}

fn needs_object(types: &[CrateType]) -> bool {
    types.iter().any(|kind| can_run(kind) || kind.is_dynamic())
}

fn when_object_is_needed(types: &[CrateType]) -> Lto {
    // A dylib cannot take part, so bitcode in it would only take space.
    if types.iter().all(|kind| *kind == CrateType::Dylib) { Lto::OnlyObject } else { Lto::ObjectAndBitcode }
}

fn of_root(unit: &Unit) -> Lto {
    match unit.profile.lto {
        Wanted::ThinLocal => Lto::OnlyObject,
        Wanted::Off => Lto::Off,
        Wanted::Fat | Wanted::Named(_) => {
            let types = unit.target.crate_types();
            if unit.is_for_host() {
                Lto::OnlyObject
            } else if needs_object(&types) {
                when_object_is_needed(&types)
            } else {
                Lto::OnlyBitcode
            }
        }
    }
}

fn crate_types(mode: Mode, target: &Target) -> Vec<CrateType> {
    match mode {
        Mode::Test | Mode::Doctest => vec![CrateType::Bin],
        _ => target.crate_types(),
    }
}

fn of_unit(unit: &Unit, parent: &Lto) -> Lto {
    let types = crate_types(unit.mode, &unit.target);
    if unit.is_for_host() {
        return Lto::OnlyObject;
    }
    if types.iter().all(can_run) {
        return match &unit.profile.lto {
            Wanted::Named(name) => Lto::Run(Some(name.clone())),
            Wanted::Off => Lto::Off,
            Wanted::Fat => Lto::Run(None),
            Wanted::ThinLocal => Lto::OnlyObject,
        };
    }
    match (parent, needs_object(&types)) {
        (Lto::Run(_), false) => Lto::OnlyBitcode,
        (Lto::Run(_) | Lto::OnlyBitcode, true) => when_object_is_needed(&types),
        (Lto::Off, _) => Lto::Off,
        (_, false) | (Lto::OnlyObject | Lto::ObjectAndBitcode, true) => parent.clone(),
    }
}

fn merged(new: Lto, old: &Lto) -> Lto {
    match (new, old) {
        (Lto::Run(name), _) => Lto::Run(name),
        (_, Lto::Run(name)) => Lto::Run(name.clone()),
        (Lto::OnlyBitcode, Lto::OnlyBitcode) => Lto::OnlyBitcode,
        (Lto::OnlyObject, Lto::OnlyObject) => Lto::OnlyObject,
        (Lto::Off, _) | (_, Lto::Off) => Lto::Off,
        _ => Lto::ObjectAndBitcode,
    }
}

/// One answer for each unit.
pub(crate) fn lto(units: &[Unit], roots: &[UnitId]) -> Vec<Lto> {
    let mut answers: Vec<Option<Lto>> = vec![None; units.len()];
    for root in roots {
        let mut waiting = vec![(*root, of_root(&units[root.0]))];
        while let Some((id, parent)) = waiting.pop() {
            let new = of_unit(&units[id.0], &parent);
            let answer = match &answers[id.0] {
                None => new,
                Some(old) => {
                    let answer = merged(new, old);
                    if answer == *old {
                        continue;
                    }
                    answer
                }
            };
            waiting.extend(units[id.0].dependencies.iter().map(|edge| (edge.unit, answer.clone())));
            answers[id.0] = Some(answer);
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or(Lto::OnlyObject)).collect()
}
