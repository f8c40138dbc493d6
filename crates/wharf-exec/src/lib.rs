//! Runs a graph of actions and keeps what they made.
//!
//! An action is a function of its inputs: its key is a digest of everything that can change its result, and the entry
//! under that key names the outputs. *Fresh* and *cached* are one idea, that the key has an entry. Timestamps prove
//! nothing here; they only spare hashing a file again.
//!
//! Knows processes, files and digests. Must not know packages, rustc, HTTP or the terminal.

mod collect;
mod coordinator;
mod event;
mod flight;
mod generation;
mod graph;
mod ledger;
mod look;
mod lookup;
mod mirror;
mod notice;
mod options;
mod pool;
mod record;
mod roots;
mod runner;
mod sandbox;
mod scan;
mod scratch;
mod shop;
mod signals;
mod signatures;
mod start;
mod step;
mod store;
mod sweep;
mod sys;
mod tree;
mod trial;

use wharf_base::sealed;

pub use collect::{Collected, Usage, Verified};
pub use coordinator::{RunError, run};
pub use event::{ActionResult, Change, Event, Failure, FileChange, Outcome, Summary};
pub use graph::{Action, ActionId, Cost, Graph, Need, Stage};
pub use options::{Jobserver, Options};
pub use sandbox::{Confinement, Deed, Lacking, Noticed, Stopped};
pub use step::{
    Arg, Checkout, Command, Dest, Director, Done, Incremental, Input, KeptLine, LineRole, Made, MadeOutput,
    Observed, Output, Place, Recipe, RunOutput, Step, StepError, Stream, TreeCopy, TreeOutput, TreeWatch,
    Undeclared,
};
pub use store::Store;
pub use sys::{disk_size, new_session};
