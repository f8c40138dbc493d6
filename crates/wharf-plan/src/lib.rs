//! Turns a resolution and a wish into units, and units into actions: compiler command lines, their environment, and
//! the recipes of their keys.
//!
//! A plan is data. Must not know the file system, the environment or processes: what it needs of them comes in with
//! the [`Request`], and what the actions leave behind comes in through [`wharf_exec::Director`].

mod args;
mod checkout;
mod closure;
mod collide;
pub mod cost;
pub mod dep_info;
mod deps;
mod director;
mod draft;
mod env;
pub mod error;
pub mod files;
mod hash;
mod lend;
mod lto;
pub mod plan;
pub mod request;
pub mod results;
mod roots;
pub mod sandbox;
pub mod script;
mod share;
#[cfg(test)]
mod tests;
pub mod unit;

pub use cost::{Costs, KnownCost};
pub use dep_info::DepInfo;
pub use env::is_session_variable;
pub use error::{Notice, PlanError};
pub use files::Layout;
pub use plan::{Plan, plan};
pub use request::{
    CompileKind, CompileTarget, ConfiguredVariable, Diagnostics, FileName, Fixer, IncrementalPolicy, Intent,
    LibRule, NamedTargets, Names, Request, Runner, Selection, Settings, TargetFilter, TargetInfo, Toolchain,
};
pub use results::DoctestOptions;
pub use sandbox::{Grant, Sandbox, SandboxLevel, is_refused_variable};
pub use script::{LinkArgFor, ScriptContext, ScriptError, ScriptMessage, ScriptOutput};
pub use unit::{Flavor, Mode, OutputFile, Unit, UnitDependency, UnitId};
