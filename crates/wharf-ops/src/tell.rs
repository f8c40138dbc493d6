//! What long operations say while they are at it.

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A status word and what it is about.
    Status(&'static str, String),
    /// The same, only for those who want to know more.
    Verbose(&'static str, String),
    /// A warning.
    Warning(String),
    /// A remark.
    Remark(String),
    /// What one could do.
    Help(String),
}

/// Takes what is said.
pub type Tell<'a> = &'a mut dyn FnMut(Note);
