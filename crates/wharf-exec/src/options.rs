//! How a run is to go, and the jobserver that limits it.

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use wharf_base::digest::Digest;

use crate::graph::ActionId;
use crate::sys;

/// How a run is to go.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the run keeps its own files: signatures, records and scratch directories. One directory for each target
    /// directory, best inside it, so that outputs can be moved and linked.
    pub state: PathBuf,
    /// Who says how many commands may run at once.
    pub jobserver: Jobserver,
    /// Whether what does not depend on a failed action goes on.
    pub keep_going: bool,
    /// Names the request among those of the target directory: when the same one leads to other actions than before,
    /// what the earlier ones laid is removed. `None` for one that is not remembered.
    pub request: Option<Digest>,
    /// Actions whose results should be there already, with all that they need. If one of them is not found, the run
    /// ends before anything was run or told: see [`Summary::given_up`](crate::Summary::given_up).
    pub trial: Vec<ActionId>,
}

/// A pool of tokens shared with all child processes that understand it: a running command holds one. The first one is
/// implied.
#[derive(Debug, Clone)]
pub struct Jobserver {
    pub(crate) client: jobserver::Client,
}

impl Jobserver {
    /// A pool of its own that lets this many commands run at once.
    ///
    /// # Errors
    /// If no pipe can be made.
    pub fn new(jobs: NonZeroUsize) -> io::Result<Jobserver> {
        Ok(Jobserver { client: jobserver::Client::new(jobs.get() - 1)? })
    }

    /// The pool that this process was started under (`CARGO_MAKEFLAGS`, `MAKEFLAGS`), if any. To be called at the
    /// very start of the process, before it opens files: the environment names open descriptors by number.
    pub fn inherit() -> Option<Jobserver> {
        sys::inherited_jobserver().map(|client| Jobserver { client })
    }
}
