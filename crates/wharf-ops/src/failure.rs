//! The one error of every operation: what was attempted, why it failed, what to type next.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;

use wharf_core::lockfile::LockfileError;
use wharf_core::manifest::{ManifestError, Place};

/// Why an operation failed. The chain of causes is kept; advice stands apart from it.
pub struct Failure {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    help: Option<String>,
    exit: Exit,
    silent: bool,
}

/// The status that the process should end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 101, as Cargo ends on any failure of its own.
    Failed,
    /// 1: the command line was wrong.
    Usage,
    /// The status of a program that was run.
    Program(i32),
}

/// Why a file of the user's was refused, and where in it.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The sentence that stands for it in [`Failure::chain`].
    pub sentence: String,
    /// The file.
    pub path: &'a Path,
    /// What is wrong, without the place.
    pub message: &'a str,
    /// Where.
    pub place: Option<&'a Place>,
    /// What can be done about it.
    pub help: Option<&'a str>,
}

/// What every operation returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure told in one sentence: lower case, no full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, help: None, exit: Exit::Failed, silent: false }
    }

    /// A failure that was already reported, with the status to end with.
    pub fn reported(exit: Exit) -> Self {
        Self { message: String::new(), source: None, help: None, exit, silent: true }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Changes the status that the process ends with.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Puts a sentence above this failure, which becomes its cause.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        let (help, exit, silent) = (self.help.clone(), self.exit, self.silent);
        Self { message: message.into(), source: Some(Box::new(Chain(self))), help, exit, silent }
    }

    /// Keeps an error as the cause of this failure.
    #[must_use]
    pub fn because(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(cause));
        self
    }

    /// The failure as an error that other crates can carry.
    pub fn into_error(self) -> Box<dyn StdError + Send + Sync> {
        Box::new(Chain(self))
    }

    /// The status that the process should end with.
    pub fn status(&self) -> Exit {
        self.exit
    }

    /// Whether everything that is to be said has been said.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref().or_else(|| self.refusal()?.help)
    }

    /// The refusal of a manifest or a lockfile among the causes, if there is one: it can show the line.
    pub fn refusal(&self) -> Option<Refusal<'_>> {
        let mut next = self.source.as_deref().map(|error| error as &dyn StdError);
        while let Some(error) = next {
            if let Some(ManifestError { path, message, help, place }) = error.downcast_ref() {
                let (place, help) = (place.as_ref(), help.as_deref());
                return Some(Refusal { sentence: error.to_string(), path, message, place, help });
            }
            if let Some(LockfileError { path, message, help, place }) = error.downcast_ref() {
                let (place, help) = (place.as_ref(), help.as_deref());
                return Some(Refusal { sentence: error.to_string(), path, message, place, help });
            }
            next = error.source();
        }
        None
    }

    /// The sentences from the deed down to the first cause.
    pub fn chain(&self) -> Vec<String> {
        let mut sentences = vec![self.message.clone()];
        let mut next = self.source.as_deref().map(|error| error as &dyn StdError);
        while let Some(error) = next {
            let text = error.to_string();
            // An error that prints its cause itself would be told twice.
            if sentences.last() != Some(&text) {
                sentences.push(text);
            }
            next = error.source();
        }
        sentences
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain().join(": "))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Lets a [`Failure`] be a cause; it is no `Error` itself so that every error can turn into one.
struct Chain(Failure);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Chain {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|error| error as &(dyn StdError + 'static))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let message = error.to_string();
        Self { message, source: Some(Box::new(error)), help: None, exit: Exit::Failed, silent: false }
    }
}

/// Adds a sentence above an error.
pub trait Context<T> {
    /// The sentence is made only when there is an error.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.into().context(message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_keeps_every_cause_once() {
        let io = std::io::Error::other("disk on fire");
        let failure = Failure::from(io).context("cannot read `x`").context("cannot open the workspace");
        assert_eq!(failure.chain(), ["cannot open the workspace", "cannot read `x`", "disk on fire"]);
    }
}
