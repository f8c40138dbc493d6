//! Turns a resolution and a wish into units, and units into actions: compiler command lines, their environment, and
//! the recipes of their keys.
//!
//! A plan is data. Must not know the file system, the environment or processes: what it needs of them comes in with
//! the [`Request`], and what the actions leave behind comes in through [`wharf_exec::Director`].

pub mod request;
pub mod script;
pub mod unit;

pub use request::{
    CompileKind, CompileTarget, ConfiguredVariable, Diagnostics, FileName, IncrementalPolicy, Intent,
    LibRule, NamedTargets, Names, Request, Runner, Selection, Settings, TargetFilter, TargetInfo, Toolchain,
};
pub use script::{LinkArgFor, ScriptMessage, ScriptOutput};
pub use unit::{Flavor, Mode, OutputFile, Unit, UnitDependency, UnitId};
