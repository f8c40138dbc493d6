//! Registries whose index is a git repository (reference, "Git Protocol"). The clone lies where Cargo has it; files
//! are read from its objects, no work tree is made.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use wharf_base::process;
use wharf_core::SourceId;
use wharf_wire::RegistryConfig;

use crate::context::Context;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::git::{self, Fetch, Repository};
use crate::sources::Freshness;

/// The commit that the index stands at.
const HEAD: &str = "refs/remotes/origin/HEAD";

/// The clone of a git index.
pub(crate) struct GitIndex {
    source: SourceId,
    repository: Repository,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    updated: bool,
    reader: Option<BlobReader>,
}

impl GitIndex {
    pub fn new(source: SourceId, dir: PathBuf) -> Self {
        Self { source, repository: Repository::with_work_tree(dir), state: Mutex::default() }
    }

    /// A file of the index with the id of its blob; `None` if there is none. With [`Freshness::Cached`] the
    /// registry is asked only if the clone does not have the file.
    pub fn read(
        &self,
        context: &Context,
        path: &str,
        freshness: Freshness,
    ) -> Result<Option<(String, Vec<u8>)>, SourceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if freshness == Freshness::Current || !self.repository.exists() {
            self.update(&mut state, context)?;
        }
        let found = self.blob(&mut state, path)?;
        if found.is_some() || state.updated || !context.is_online() {
            return Ok(found);
        }
        self.update(&mut state, context)?;
        self.blob(&mut state, path)
    }

    /// `config.json`.
    pub fn config(&self, context: &Context) -> Result<RegistryConfig, SourceError> {
        let bad = |reason: String| SourceError::RegistryConfig { registry: self.source.clone(), reason };
        let (_, bytes) = self
            .read(context, "config.json", Freshness::Cached)?
            .ok_or_else(|| bad("the index has no such file".to_owned()))?;
        RegistryConfig::parse(&bytes).map_err(|error| bad(error.to_string()))
    }

    fn update(&self, state: &mut State, context: &Context) -> Result<(), SourceError> {
        if state.updated {
            return Ok(());
        }
        if !context.is_online() {
            if self.repository.exists() {
                return Ok(());
            }
            return context.need_network(|| format!("the index of {}", self.source));
        }
        context.tell(SourceEvent::UpdatingIndex { source: self.source.clone() });
        if !self.repository.exists() {
            self.repository.init()?;
        }
        let refspecs = [format!("+HEAD:{HEAD}")];
        let fetch = Fetch { refspecs: &refspecs, tags: false, shallow: context.options.shallow.index };
        git::fetch(context, &self.repository, self.source.url().as_str(), &fetch)?;
        *state = State { updated: true, reader: None };
        Ok(())
    }

    fn blob(&self, state: &mut State, path: &str) -> Result<Option<(String, Vec<u8>)>, SourceError> {
        if !self.repository.exists() {
            return Ok(None);
        }
        let reader = match &mut state.reader {
            Some(reader) => reader,
            slot => slot.insert(BlobReader::start(&self.repository)?),
        };
        let found = reader.read(&format!("{HEAD}:{path}"));
        found.map_err(|cause| {
            state.reader = None;
            let command = self.repository.command(["cat-file", "--batch"]).to_string();
            process::Error::Start { command, cause }.into()
        })
    }
}

/// A running `git cat-file --batch`: one process for all files.
struct BlobReader {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl BlobReader {
    fn start(repository: &Repository) -> Result<Self, SourceError> {
        let command = repository.command(["cat-file", "--batch"]);
        let mut child = command
            .to_std()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|cause| process::Error::Start { command: command.to_string(), cause })?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        Ok(Self { child, input, output })
    }

    fn read(&mut self, object: &str) -> std::io::Result<Option<(String, Vec<u8>)>> {
        // A line break would be a second question.
        if object.contains('\n') {
            return Ok(None);
        }
        let input = self.input.as_mut().expect("it is there until the reader is dropped");
        writeln!(input, "{object}")?;
        input.flush()?;
        let mut header = String::new();
        if self.output.read_line(&mut header)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        // `<object> <type> <size>`, or `<what was asked> missing`.
        let mut words = header.trim_end().rsplitn(3, ' ');
        let (size, kind, id) = (words.next(), words.next(), words.next());
        let (Some(Ok(size)), Some(kind), Some(id)) = (size.map(str::parse::<usize>), kind, id) else {
            return Ok(None);
        };
        let mut content = vec![0; size + 1];
        self.output.read_exact(&mut content)?;
        content.pop();
        Ok((kind == "blob").then(|| (id.to_owned(), content)))
    }
}

impl Drop for BlobReader {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        drop(self.child.wait());
    }
}
