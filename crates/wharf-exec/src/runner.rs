//! Running the command of one action and keeping what it made.

use std::collections::BTreeMap;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use wharf_base::digest::Digest;
use wharf_base::{fs, process};

use crate::coordinator::Message;
use crate::event::{Failure, Outcome};
use crate::generation;
use crate::graph::{ActionId, Stage};
use crate::look::{self, PlainPath, Sight};
use crate::lookup::{self, Pending, made_output};
use crate::mirror;
use crate::notice;
use crate::record::Record;
use crate::sandbox::{Deed, Left, Stopped};
use crate::scan::{self, Scan};
use crate::shop::{InputsNow, Shop, Ware};
use crate::signatures::Stamp;
use crate::start::{self, Running};
use crate::step::{KeptLine, LineRole, Made, Output, RunOutput, Step, Stream, TreeOutput};
use crate::store::{Blob, Entry};
use crate::sys;
use crate::tree::Manifest;

/// One run of one command.
pub(crate) struct Runner<'a> {
    shop: &'a Shop<'a>,
    action: ActionId,
    pending: &'a Pending,
    sender: &'a Sender<Message>,
    scratch: &'a Path,
    lines: Vec<KeptLine>,
    stdout: Vec<u8>,
    /// The early outputs that were laid, and what was seen of them then.
    early: BTreeMap<String, (Digest, Stamp)>,
    /// The directory to fill, and its number if it was chosen.
    tree: Option<PathBuf>,
    number: Option<u32>,
    /// What was noticed of the command.
    left: Left,
    /// Whether the result must not serve anybody else: it was made of inputs that somebody changed, or in a directory
    /// that no entry can name.
    is_doubtful: bool,
    /// What changed while the command ran: the reason why it runs again the next time.
    changed: Option<PathBuf>,
    trouble: Option<Failure>,
}

/// What a run made, before it is put anywhere.
struct Product {
    lines: Vec<KeptLine>,
    stdout: Option<String>,
    took: Duration,
    outputs: Vec<(String, Digest, u64)>,
    tree: Option<(Manifest, PathBuf)>,
    generation: Option<u32>,
}

/// Runs a command to its end. Its outputs are in place when this returns well.
pub(crate) fn run_action(
    shop: &Shop<'_>,
    action: ActionId,
    mut pending: Pending,
    sender: &Sender<Message>,
) -> Result<(Outcome, Arc<Made>), Failure> {
    if let Some(found) = lookup::find_news(shop, action, &pending)? {
        return Ok(found);
    }
    let mut claim = None;
    let mut is_spare = false;
    let _tree_lock = match pending.step.tree.clone() {
        Some(TreeOutput::Chosen { root, below, variable }) => {
            let (claimed, root) = claim_directory(shop, root, &mut is_spare)?;
            let tree = TreeOutput::Chosen { root, below, variable: variable.clone() };
            let path = generation::path_of(&tree, Some(claimed.number)).unwrap_or_default();
            pending.step.command.env.set(variable, path);
            pending.step.tree = Some(tree);
            claim = Some(claimed);
            None
        }
        Some(TreeOutput::At(path)) => {
            let (lock, waited) = lookup::lock_tree(&path)?;
            if waited && pending.step.cacheable {
                // Another process has just filled the tree, likely with what is wanted, and may be using it.
                drop(lock);
                if let Some(found) = lookup::find(shop, action, &pending.step)? {
                    return Ok(found);
                }
                Some(lookup::lock_tree(&path)?.0)
            } else {
                Some(lock)
            }
        }
        None => None,
    };
    let form = pending.step.incremental.as_ref().filter(|_| pending.incremental);
    let scratch = match form {
        Some(form) => {
            fs::create_dir_all(&form.dir)?;
            shop.scratch.make_beside(&form.dir)?
        }
        None => shop.scratch.make()?,
    };
    let started = Stamp::of(&fs::metadata(scratch.path())?).latest();
    let why = mem::take(&mut pending.why);
    let number = claim.as_ref().map(|claim| claim.number);
    let tree_path = pending.step.tree.as_ref().and_then(|tree| generation::path_of(tree, number));
    if let Some(path) = &tree_path {
        if claim.is_none() {
            shop.ledger.begin(path)?;
        }
        fs::remove_any(path)?;
        fs::create_dir_all(path)?;
    }
    let form = pending.step.incremental.as_ref().filter(|_| pending.incremental);
    let more = form.map_or(&[][..], |form| &form.args);
    let command = Arc::new(pending.step.command.render(scratch.path(), more));
    let incremental = pending.incremental;
    let message = Message::Started { action, why, command: Arc::clone(&command), incremental };
    sender.send(message).ok();

    let mut runner = Runner {
        shop,
        action,
        pending: &pending,
        sender,
        scratch: scratch.path(),
        lines: Vec::new(),
        stdout: Vec::new(),
        early: BTreeMap::new(),
        tree: tree_path,
        number,
        left: Left::default(),
        is_doubtful: is_spare,
        changed: None,
        trouble: None,
    };
    let ran = runner.run(&command);
    // A command that read what another build put there may have failed for that reason alone.
    match shop.inputs_now(action) {
        InputsNow::Overtaken if !matches!(ran, Err(Failure::Interrupted)) => return Err(Failure::Overtaken),
        InputsNow::Changed(path) if ran.is_ok() => {
            sender.send(Message::NotKept { action, path }).ok();
            runner.is_doubtful = true;
        }
        _ => {}
    }
    runner.finish(&command, started, ran?)
}

/// Chooses the directory of a tree. Where the store has no room for one, it gets one in the target directory, which
/// the flag tells: what depends on its name then serves nobody else.
fn claim_directory(
    shop: &Shop<'_>,
    root: PathBuf,
    is_spare: &mut bool,
) -> fs::Result<(generation::Claim, PathBuf)> {
    match generation::claim(&root) {
        Ok(claim) => Ok((claim, root)),
        Err(error) => {
            shop.tell_trouble(error);
            *is_spare = true;
            let spare = shop.spare.join(root.file_name().unwrap_or_default());
            Ok((generation::claim(&spare)?, spare))
        }
    }
}

impl Runner<'_> {
    /// Runs the process; lines go out as they come.
    fn run(&mut self, command: &Arc<process::Command>) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let start_error = |cause| Failure::Start { command: Arc::clone(command), cause };
        let private: Vec<&Path> = [self.scratch].into_iter().chain(self.tree.as_deref()).collect();
        let mut running = start::start(self.shop, &self.pending.step, command, &private, self.scratch)
            .map_err(start_error)?;
        if let Some(lacking) = running.lacking {
            self.sender.send(Message::NotConfined(lacking)).ok();
        }
        let id = running.pid;
        self.shop.children.add(id);
        let mut unfinished = [Vec::new(), Vec::new()];
        let children = &self.shop.children;
        let give_up = || children.is_stopping() && sys::has_ended(id);
        let read = running.read(give_up, |stream, bytes| {
            if stream == Stream::Out && self.pending.step.capture_stdout {
                self.stdout.extend_from_slice(bytes);
            }
            let rest = &mut unfinished[stream as usize];
            rest.extend_from_slice(bytes);
            split_lines(rest, |line| self.take_line(stream, line));
        });
        for (stream, rest) in [Stream::Out, Stream::Err].into_iter().zip(&unfinished) {
            if !rest.is_empty() {
                self.take_line(stream, rest);
            }
        }
        self.shop.children.remove(id);
        let status = sys::reap(id).and_then(|status| read.map(|()| status)).map_err(start_error)?;
        if self.shop.children.is_stopping() {
            return Err(Failure::Interrupted);
        }
        self.leave(running, status.success());
        if !status.success() {
            return Err(Failure::Status { command: Arc::clone(command), status });
        }
        match self.trouble.take() {
            Some(trouble) => Err(trouble),
            None => Ok(begun.elapsed()),
        }
    }

    /// Tells what the command was refused. What it did well without is remembered with the result, except for the
    /// sockets to local services, which name lookups try on every machine.
    fn leave(&mut self, running: Running, succeeded: bool) {
        self.left = running.leave();
        for stopped in mem::take(&mut self.left.stopped) {
            if succeeded {
                if stopped.deed == Deed::LocalSocket {
                    continue;
                }
                self.lines.push(KeptLine { stream: Stream::Err, text: Stopped::to_line(&stopped) });
            }
            self.sender.send(Message::Stopped { action: self.action, stopped }).ok();
        }
    }

    fn take_line(&mut self, stream: Stream, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        match self.shop.director.line(self.action, stream, &text) {
            LineRole::Drop => {}
            LineRole::Early => {
                if let Err(failure) = self.lay_early() {
                    self.trouble.get_or_insert(failure);
                }
            }
            role @ (LineRole::Keep | LineRole::Pass) => {
                let shown = self.pending.step.shown(&text);
                if role == LineRole::Keep {
                    self.lines.push(KeptLine { stream, text: text.into_owned() });
                }
                self.sender.send(Message::Line { action: self.action, stream, text: shown }).ok();
            }
        }
    }

    /// Puts the early outputs in place and lets dependents start. Their scratch names stay: the command goes on
    /// using them.
    fn lay_early(&mut self) -> Result<(), Failure> {
        let step = &self.pending.step;
        let mut outputs = BTreeMap::new();
        for output in step.outputs.iter().filter(|output| output.early) {
            let file = self.scratch.join(&output.name);
            let metadata = match fs::metadata(&file) {
                Ok(metadata) => metadata,
                Err(error) if error.is_not_found() && output.optional => continue,
                Err(error) => return Err(error.into()),
            };
            let digest = Digest::of_file(&file)?;
            if step.cacheable {
                fs::set_mode(&file, if output.executable { 0o555 } else { 0o444 })?;
            }
            let ware = Ware { digest, executable: output.executable, marks: &[], checkout: None };
            for dest in &output.dests {
                self.shop.lay(&ware, &file, dest)?;
            }
            self.early.insert(output.name.clone(), (digest, Stamp::of(&metadata)));
            outputs.insert(output.name.clone(), made_output(output, digest, metadata.len()));
        }
        let made = Made {
            stage: Stage::Early,
            outputs,
            tree: None,
            tree_path: None,
            tree_copy: None,
            stdout: None,
            lines: Arc::from([]),
            took: Duration::ZERO,
        };
        if self.shop.slots[self.action.0].early.set(Arc::new(made)).is_ok() {
            self.sender.send(Message::Early(self.action)).ok();
        }
        Ok(())
    }

    /// Puts everything in place, and keeps it if it may be found again.
    fn finish(
        mut self,
        command: &Arc<process::Command>,
        started: i64,
        took: Duration,
    ) -> Result<(Outcome, Arc<Made>), Failure> {
        let (shop, step) = (self.shop, &self.pending.step);
        let stdout = mem::take(&mut self.stdout);
        let stdout = step.capture_stdout.then(|| String::from_utf8_lossy(&stdout).into_owned());
        let lines = mem::take(&mut self.lines);
        let mut product =
            Product { lines, stdout, took, outputs: Vec::new(), tree: None, generation: self.number };
        // First of all: from here on nobody must see a path that an older directory takes the place of.
        if let (Some(tree), Some(path)) = (&step.tree, self.tree.take()) {
            self.settle_tree(tree, path, &mut product)?;
        }
        self.settle_texts()?;
        let mut sight = self.sight(started, &product)?;
        let mut scan = step.checkout.as_ref().map(Scan::new);
        let mut blobs = Vec::new();
        for output in &step.outputs {
            let file = self.scratch.join(&output.name);
            match fs::metadata(&file) {
                Ok(metadata) => {
                    let marks = scan.as_mut().map(|scan| scan.file(&file)).transpose()?.unwrap_or_default();
                    let (digest, blob) = self.place(output, (&file, &metadata), marks, sight.is_some())?;
                    product.outputs.push((output.name.clone(), digest, metadata.len()));
                    match blob {
                        Some(blob) => blobs.push((output.name.clone(), blob)),
                        // All or nothing.
                        None => sight = None,
                    }
                }
                Err(error) if error.is_not_found() && output.optional => {
                    for dest in &output.dests {
                        fs::remove_file_if_exists(&dest.path)?;
                    }
                }
                Err(error) if error.is_not_found() => {
                    let (command, output) = (Arc::clone(command), output.name.clone());
                    return Err(Failure::MissingOutput { command, output });
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let (Some(sight), Some(mut scan)) = (&mut sight, scan) {
            scan.lines(&product.lines);
            scan.text(product.stdout.as_deref().unwrap_or_default().as_bytes());
            if let Some((manifest, path)) = &product.tree {
                scan.tree(manifest, path)?;
            }
            sight
                .env
                .iter()
                .filter_map(|seen| seen.value.as_ref())
                .for_each(|value| scan.text(value.as_bytes()));
            sight.held = scan.held().into_iter().map(PlainPath).collect();
            notice::tie(step, &self.left, sight);
        }
        self.keep(sight, &product, blobs);
        shop.laid.note(shop.name(self.action), step);
        let tree_copy = match (&step.tree_copy, &product.tree) {
            (Some(copy), Some((manifest, path))) => {
                shop.tolerate(mirror::fill(copy, manifest, path, &shop.signatures)).flatten()
            }
            _ => None,
        };
        let made = Arc::new(Made { tree_copy, ..product.made(step) });
        shop.slots[self.action.0].whole.set(Arc::clone(&made)).ok();
        Ok((Outcome::Ran, made))
    }

    /// Sees what is in the tree now. Where its place was chosen, an older directory that holds the same takes its
    /// place: paths that dependents hold stay what they were.
    fn settle_tree(&self, tree: &TreeOutput, path: PathBuf, product: &mut Product) -> Result<(), Failure> {
        let signatures = &self.shop.signatures;
        let manifest = Manifest::scan(&path, signatures)?;
        let (TreeOutput::Chosen { root, .. }, Some(number)) = (tree, self.number) else {
            self.shop.ledger.put(&path, &manifest.digest(), || Ok(()))?;
            product.tree = Some((manifest, path));
            return Ok(());
        };
        let older = generation::same_as(tree, &manifest, number, signatures)?;
        let place = older.and_then(|older| Some((older, generation::path_of(tree, Some(older))?)));
        let Some((older, place)) = place else {
            generation::mark(root, number, manifest.digest())?;
            product.tree = Some((manifest, path));
            return Ok(());
        };
        if let Some(stdout) = &mut product.stdout {
            *stdout = stdout.replace(&*path.to_string_lossy(), &place.to_string_lossy());
        }
        fs::remove_any(&root.join(number.to_string()))?;
        product.generation = Some(older);
        product.tree = Some((manifest, place));
        Ok(())
    }

    /// Takes the scratch directory's path out of the texts that name it.
    fn settle_texts(&self) -> fs::Result<()> {
        for name in self.pending.step.checkout.iter().flat_map(|checkout| &checkout.texts) {
            let path = self.scratch.join(name);
            let Some(bytes) = fs::read_if_exists(&path)? else { continue };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            fs::write(&path, scan::without_scratch(&text, self.scratch))?;
        }
        Ok(())
    }

    /// What the command read; `None` if the result cannot be found again.
    fn sight(&mut self, started: i64, product: &Product) -> Result<Option<Sight>, Failure> {
        let step = &self.pending.step;
        if !step.cacheable || self.is_doubtful {
            return Ok(None);
        }
        let run = RunOutput {
            scratch: self.scratch,
            tree: product.tree.as_ref().map(|(_, path)| path.as_path()),
            stdout: product.stdout.as_deref(),
            lines: &product.lines,
        };
        let mut observed = self.shop.director.observe(self.action, step, &run)?;
        let seen = notice::add(step, &self.left, &mut observed, started)
            .and_then(|()| look::look_after_run(step, &observed, &self.shop.signatures, started));
        match seen {
            Ok(sight) => Ok(Some(sight)),
            Err(path) => {
                self.changed = Some(path.clone());
                self.sender.send(Message::NotKept { action: self.action, path }).ok();
                Ok(None)
            }
        }
    }

    /// Puts one output into the store, if it is to be kept, and in its places.
    fn place(
        &self,
        output: &Output,
        (file, metadata): (&Path, &std::fs::Metadata),
        marks: Vec<u64>,
        keep: bool,
    ) -> Result<(Digest, Option<Blob>), Failure> {
        let laid = self.early.get(&output.name).filter(|(_, stamp)| {
            stamp.modified() == Stamp::of(metadata).modified() && stamp.size() == metadata.len()
        });
        let digest = match laid {
            Some((digest, _)) => *digest,
            None => Digest::of_file(file)?,
        };
        // What cannot be kept is put in its place all the same.
        let put = || self.shop.tolerate(self.shop.store.put(file, digest, output.executable, false));
        let blob = keep.then(put).flatten().map(|blob| Blob { marks: marks.clone(), ..blob });
        let checkout = self.pending.step.checkout.as_ref();
        let ware = Ware { digest, executable: output.executable, marks: &marks, checkout };
        let source = match &blob {
            Some(blob) => &self.shop.store.path(&digest, blob.executable),
            None => file,
        };
        for dest in &output.dests {
            if laid.is_some() {
                self.shop.note(&dest.path, digest)?;
            } else {
                self.shop.lay(&ware, source, dest)?;
            }
        }
        Ok((digest, blob))
    }

    /// Writes the entry and the record. The entry comes last: what it names must be there.
    fn keep(&self, sight: Option<Sight>, product: &Product, outputs: Vec<(String, Blob)>) {
        let (shop, step) = (self.shop, &self.pending.step);
        if !step.cacheable {
            return;
        }
        let record = Record {
            recipe: step.recipe.clone(),
            inputs: step.inputs.clone(),
            sight: sight.clone().unwrap_or_else(|| Sight::unlike(self.changed.as_deref())),
            edited: self.pending.edited,
        };
        // It only says why something is built again.
        shop.records.write(shop.name(self.action), &record).ok();
        let Some(sight) = sight else { return };
        let tree = match &product.tree {
            Some((manifest, path)) => match shop.tolerate(shop.store.put_tree(manifest, path)) {
                Some(blobs) => Some((manifest.clone(), blobs)),
                None => return,
            },
            None => None,
        };
        let entry = Entry {
            boot: shop.store.boot(),
            sight,
            outputs,
            tree,
            generation: product.generation,
            stdout: product.stdout.clone(),
            lines: product.lines.clone(),
            took: product.took,
            used: 0,
        };
        let keys = self.pending.keys();
        // What was changed beside the outputs is nowhere else: of the keys, only the narrowest may lead here.
        let wider = if self.left.wrote.is_empty() { 0 } else { keys.len() - 1 };
        for key in &keys[wider..] {
            if shop.tolerate(shop.store.insert(key, &entry)).is_none() {
                return;
            }
        }
    }
}

impl Product {
    fn made(self, step: &Step) -> Made {
        let Product { lines, stdout, took, outputs, tree, generation: _ } = self;
        let (tree, tree_path) = tree.unzip();
        let find = |name: &str| step.outputs.iter().find(|output| output.name == name);
        let outputs = outputs
            .into_iter()
            .filter_map(|(name, digest, size)| Some((made_output(find(&name)?, digest, size), name)))
            .map(|(made, name)| (name, made))
            .collect();
        Made {
            stage: Stage::Whole,
            outputs,
            tree: tree.map(|tree| tree.digest()),
            tree_path,
            tree_copy: None,
            stdout: stdout.map(Arc::from),
            lines: lookup::shown(step, lines),
            took,
        }
    }
}

/// Hands over all whole lines and leaves the rest.
fn split_lines(bytes: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    let mut begin = 0;
    while let Some(length) = bytes[begin..].iter().position(|byte| *byte == b'\n') {
        take(&bytes[begin..begin + length]);
        begin += length + 1;
    }
    bytes.drain(..begin);
}
