//! The one loop that owns the state of a run: it says what may start, and tells the caller what happened. All other
//! threads look up one action, or run one command, and send messages.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Scope, available_parallelism};
use std::time::{Duration, Instant};

use wharf_base::{fs, process};

use crate::event::{ActionResult, Change, Event, Failure, Outcome, Summary};
use crate::flight::{self, Flight, Flights, Waiting};
use crate::graph::{ActionId, Graph, Stage};
use crate::ledger::Ledger;
use crate::lookup::{Pending, Verdict, look_up, look_up_again};
use crate::options::Options;
use crate::pool::{CloseOnDrop, Queue, Ranked};
use crate::record::Records;
use crate::roots;
use crate::runner::run_action;
use crate::sandbox::{Lacking, Stopped};
use crate::scratch::Scratch;
use crate::shop::{Children, Shop};
use crate::signals;
use crate::signatures::Signatures;
use crate::step::{Director, Made, Slot, Stream};
use crate::store::Store;
use crate::sweep::Laid;
use crate::trial::Trial;

/// How often the caller hears a tick while commands run, and an interrupt is looked for.
const TICK: Duration = Duration::from_millis(100);

/// How long children may take to end after an interrupt before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// Why a run could not begin or end as it should, whatever its actions did.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The graph holds a circle.
    #[error("the actions wait for each other in a circle")]
    Circle,
    /// The jobserver does not work.
    #[error("cannot get a token from the jobserver")]
    Jobserver(#[source] io::Error),
    /// A file of Wharf's own could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
}

/// What other threads tell the coordinator.
pub(crate) enum Message {
    LookedUp { action: ActionId, verdict: Result<Verdict, Failure>, took: Duration },
    Started { action: ActionId, why: Vec<Change>, command: Arc<process::Command>, incremental: bool },
    Early(ActionId),
    Line { action: ActionId, stream: Stream, text: String },
    NotKept { action: ActionId, path: PathBuf },
    NotConfined(Lacking),
    Stopped { action: ActionId, stopped: Stopped },
    StoreTrouble(Arc<fs::Error>),
    Ended { action: ActionId, result: Result<(Outcome, Arc<Made>), Failure>, took: Duration },
    Token(io::Result<jobserver::Acquired>),
    Panicked(Box<dyn Any + Send>),
}

/// Brings all outputs of a graph to their places, running what must be run. Blocks until everything has ended; all
/// events come from the calling thread.
///
/// # Errors
/// If the graph is not a graph, or the run's own files cannot be used. Actions that fail are told in the summary.
pub fn run(
    graph: &Graph,
    director: &dyn Director,
    store: &Store,
    options: &Options,
    events: &mut dyn FnMut(Event),
) -> Result<Summary, RunError> {
    let remaining = graph.remaining().ok_or(RunError::Circle)?;
    let (sender, inbox) = channel();
    let _used = store.enter();
    let shop = Shop {
        graph,
        director,
        store,
        signatures: Signatures::load(&options.state.join("signatures"), store.boot()),
        records: Records::new(options.state.join("units")),
        scratch: Scratch::new(options.state.join("scratch")),
        ledger: Ledger::join(&options.state),
        laid: Laid::new(options.state.parent().unwrap_or(&options.state).to_owned()),
        flights: Flights::new(store.root().join("locks/run")),
        spare: options.state.join("out"),
        trouble: Mutex::new(sender.clone()),
        slots: graph.actions.iter().map(|_| Slot::default()).collect(),
        children: Children::default(),
        jobserver: options.jobserver.client.clone(),
        told_lacking: AtomicBool::new(false),
    };
    let (queue, waiting) = (Queue::default(), Waiting::default());
    let summary = std::thread::scope(|scope| {
        let _closers = (CloseOnDrop(&queue), flight::CloseOnDrop(&waiting));
        let coordinator = Coordinator {
            shop: &shop,
            queue: &queue,
            waiting: &waiting,
            has_waited: false,
            scope,
            sender,
            inbox,
            events,
            trial: Trial::new(graph, &options.trial),
            keep_going: options.keep_going,
            remaining,
            dependents: graph.dependents(),
            unmet: graph.actions.iter().map(|action| action.needs.len()).collect(),
            results: vec![ActionResult::Skipped; graph.actions.len()],
            early: vec![false; graph.actions.len()],
            lookups: 0,
            threads: 0,
            most_threads: None,
            ready: BinaryHeap::new(),
            pending: HashMap::new(),
            running: 0,
            tokens: Vec::new(),
            asked: 0,
            helper: None,
            watch: None,
            stopping: false,
            interrupted: None,
            overtaken: false,
            store_trouble: false,
        };
        coordinator.run()
    })?;
    let target = options.state.parent().unwrap_or(&options.state);
    let made = shop.slots.iter().filter_map(|slot| slot.whole.get()).map(|made| &**made);
    shop.tolerate(roots::register(store, target, made));
    // It spares hashing in the next run, no more.
    shop.signatures.save().ok();
    let Shop { laid, ledger, .. } = shop;
    if let Some(request) = options.request.filter(|_| summary.is_success()) {
        // What is not removed now is removed another time.
        laid.settle(&options.state, request, ledger).ok();
    }
    Ok(summary)
}

struct Coordinator<'scope, 'env, 'run> {
    shop: &'scope Shop<'env>,
    queue: &'scope Queue,
    /// Actions that others are running; they count as lookups.
    waiting: &'scope Waiting,
    /// Whether there is a thread that waits.
    has_waited: bool,
    scope: &'scope Scope<'scope, 'env>,
    sender: Sender<Message>,
    inbox: Receiver<Message>,
    events: &'run mut dyn FnMut(Event),
    /// Until it is known that what is on trial need not be made.
    trial: Option<Trial>,
    keep_going: bool,
    /// For each action, the cost of the longest path from it to the end.
    remaining: Vec<u64>,
    dependents: Vec<Vec<(ActionId, Stage)>>,
    /// For each action, how many of its needs are not met.
    unmet: Vec<usize>,
    results: Vec<ActionResult>,
    /// Which actions' early outputs are in place.
    early: Vec<bool>,
    /// Lookups that wait or are being made.
    lookups: usize,
    /// Threads of the pool.
    threads: usize,
    most_threads: Option<usize>,
    /// Commands that wait for a token.
    ready: BinaryHeap<Ranked>,
    pending: HashMap<usize, Pending>,
    running: usize,
    tokens: Vec<jobserver::Acquired>,
    /// Tokens asked for and not yet here.
    asked: usize,
    /// Asks for tokens; made when a second command wants to run.
    helper: Option<jobserver::HelperThread>,
    /// Made when the first command wants to run.
    watch: Option<signals::Watch>,
    /// Nothing new is started.
    stopping: bool,
    interrupted: Option<Instant>,
    overtaken: bool,
    store_trouble: bool,
}

impl<'scope, 'env> Coordinator<'scope, 'env, '_>
where
    'env: 'scope,
{
    fn run(mut self) -> Result<Summary, RunError> {
        for index in 0..self.unmet.len() {
            if self.unmet[index] == 0 {
                self.enqueue(ActionId(index));
            }
        }
        loop {
            while let Ok(message) = self.inbox.try_recv() {
                self.take(message)?;
            }
            if self.trial.is_none() {
                self.start_ready()?;
            }
            if self.lookups == 0 && self.running == 0 && (self.ready.is_empty() || self.trial.is_some()) {
                break;
            }
            // With no command running there is nobody to listen to, so this thread is one of the pool. For a build
            // with nothing to do it is often the only one.
            if self.running == 0
                && let Some(action) = self.queue.try_pop()
            {
                let begun = Instant::now();
                let verdict = look_up(self.shop, action);
                self.looked_up(action, verdict, begun.elapsed());
                continue;
            }
            if self.running > 0 && self.lookups > 0 && self.threads == 0 {
                self.add_thread();
            }
            match self.inbox.recv_timeout(TICK) {
                Ok(message) => self.take(message)?,
                Err(RecvTimeoutError::Timeout) if self.running > 0 => self.tell(Event::Tick),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the coordinator holds a sender"),
            }
            self.check_interrupt();
        }
        let (interrupted, overtaken) = (self.interrupted.is_some(), self.overtaken);
        let given_up = self.trial.filter(|_| !self.stopping).map(|trial| trial.found());
        Ok(Summary { results: self.results, interrupted, overtaken, given_up })
    }

    /// While something is on trial the caller hears nothing: nothing may have happened in the end.
    fn tell(&mut self, event: Event) {
        match &mut self.trial {
            Some(trial) => trial.hold(event),
            None => (self.events)(event),
        }
    }

    fn end_trial(&mut self) {
        for event in self.trial.take().into_iter().flat_map(Trial::into_held) {
            (self.events)(event);
        }
    }

    fn take(&mut self, message: Message) -> Result<(), RunError> {
        match message {
            Message::LookedUp { action, verdict, took } => self.looked_up(action, verdict, took),
            Message::Started { action, why, command, incremental } => {
                self.tell(Event::Started { action, why, command, incremental });
            }
            Message::Early(action) => {
                self.tell(Event::Early { action });
                self.early[action.0] = true;
                self.meet(action, Stage::Early);
            }
            Message::Line { action, stream, text } => {
                self.tell(Event::Line { action, stream, line: text, replayed: false });
            }
            Message::NotKept { action, path } => self.tell(Event::NotKept { action, path }),
            Message::NotConfined(lacking) => self.tell(Event::NotConfined(lacking)),
            Message::Stopped { action, stopped } => self.tell(Event::Stopped { action, stopped }),
            Message::StoreTrouble(error) => {
                if !std::mem::replace(&mut self.store_trouble, true) {
                    self.tell(Event::StoreTrouble { error });
                }
            }
            Message::Ended { action, result, took } => {
                self.running -= 1;
                match result {
                    Ok((outcome, made)) => {
                        if outcome != Outcome::Ran {
                            self.replay(action, &made);
                        }
                        let took = if outcome == Outcome::Ran { made.took } else { took };
                        self.finished(action, outcome, made, took);
                    }
                    Err(failure) => self.failed(action, failure, took),
                }
            }
            Message::Token(token) => {
                self.asked -= 1;
                self.tokens.push(token.map_err(RunError::Jobserver)?);
            }
            Message::Panicked(panic) => {
                self.shop.children.stop(libc::SIGKILL);
                resume_unwind(panic);
            }
        }
        Ok(())
    }

    /// An action whose needs are met goes to the lookups.
    fn enqueue(&mut self, action: ActionId) {
        if self.stopping {
            return;
        }
        self.lookups += 1;
        let crowded = self.queue.push((self.remaining[action.0], Reverse(action.0)));
        // A few waiting lookups are left to this thread while no command runs.
        if crowded && self.lookups > 2 {
            self.add_thread();
        }
    }

    fn add_thread(&mut self) {
        // Asked only when it matters: the answer is read from several files.
        let most = *self
            .most_threads
            .get_or_insert_with(|| available_parallelism().map_or(1, |count| count.get().clamp(2, 16) - 1));
        if self.threads >= most {
            return;
        }
        self.threads += 1;
        let (shop, queue, sender) = (self.shop, self.queue, self.sender.clone());
        self.scope.spawn(move || {
            while let Some(action) = queue.pop() {
                let begun = Instant::now();
                let message = match catch_unwind(AssertUnwindSafe(|| look_up(shop, action))) {
                    Ok(verdict) => Message::LookedUp { action, verdict, took: begun.elapsed() },
                    Err(panic) => Message::Panicked(panic),
                };
                sender.send(message).ok();
            }
        });
    }

    fn looked_up(&mut self, action: ActionId, verdict: Result<Verdict, Failure>, took: Duration) {
        self.lookups -= 1;
        match verdict {
            Ok(Verdict::Hit(outcome, made)) => {
                self.replay(action, &made);
                self.finished(action, outcome, made, took);
                if self.trial.as_mut().is_some_and(|trial| trial.passes(action)) {
                    self.end_trial();
                }
            }
            Ok(Verdict::Miss(_)) if self.stopping => {}
            Ok(Verdict::Miss(pending)) => {
                self.pending.insert(action.0, *pending);
                self.ready.push((self.remaining[action.0], Reverse(action.0)));
            }
            Err(failure) => self.failed(action, failure, took),
        }
    }

    fn replay(&mut self, action: ActionId, made: &Made) {
        for line in made.lines.iter() {
            if let Some(stopped) = Stopped::of_line(&line.text) {
                self.tell(Event::Stopped { action, stopped });
                continue;
            }
            let (stream, line) = (line.stream, line.text.clone());
            self.tell(Event::Line { action, stream, line, replayed: true });
        }
    }

    fn finished(&mut self, action: ActionId, outcome: Outcome, made: Arc<Made>, took: Duration) {
        self.results[action.0] = ActionResult::Done(outcome, Arc::clone(&made));
        self.tell(Event::Finished { action, outcome, made, took });
        if !self.early[action.0] {
            self.meet(action, Stage::Early);
        }
        self.meet(action, Stage::Whole);
    }

    fn failed(&mut self, action: ActionId, failure: Failure, took: Duration) {
        self.end_trial();
        // A child that ended by the signal that everybody got has not failed.
        self.check_interrupt();
        if self.overtaken || matches!(failure, Failure::Overtaken) {
            self.overtaken = true;
            self.stop();
            return;
        }
        let failure = if self.interrupted.is_some() { Failure::Interrupted } else { failure };
        let failure = Arc::new(failure);
        self.results[action.0] = ActionResult::Failed(Arc::clone(&failure));
        self.tell(Event::Failed { action, failure, took });
        if !self.keep_going {
            self.stop();
        }
    }

    fn meet(&mut self, action: ActionId, stage: Stage) {
        for (dependent, waits_for) in std::mem::take(&mut self.dependents[action.0]) {
            if waits_for != stage {
                self.dependents[action.0].push((dependent, waits_for));
                continue;
            }
            self.unmet[dependent.0] -= 1;
            if self.unmet[dependent.0] == 0 {
                self.enqueue(dependent);
            }
        }
    }

    /// From now on nothing is started.
    fn stop(&mut self) {
        self.stopping = true;
        self.lookups -= self.queue.clear() + self.waiting.clear();
        self.ready.clear();
        self.pending.clear();
    }

    fn check_interrupt(&mut self) {
        match (self.interrupted, &self.watch) {
            (None, Some(watch)) if watch.interrupted() => {
                self.interrupted = Some(Instant::now());
                self.shop.children.stop(libc::SIGTERM);
                self.stop();
            }
            (Some(since), _) if since.elapsed() > GRACE => self.shop.children.stop(libc::SIGKILL),
            _ => {}
        }
    }

    /// Starts commands as far as tokens go, asks for what is lacking and gives back what is too much.
    fn start_ready(&mut self) -> Result<(), RunError> {
        while !self.ready.is_empty() {
            if self.running > self.tokens.len() {
                self.ask_for_tokens()?;
                break;
            }
            let Some((_, Reverse(index))) = self.ready.pop() else { break };
            let pending = self.pending.remove(&index).expect("a ready action has its step");
            let shared = pending.step.cacheable && !pending.has_waited;
            match shared.then(|| self.shop.flights.try_take(&pending.flight)) {
                Some(None) => self.wait_for(ActionId(index), pending),
                flight => self.start(ActionId(index), pending, flight.flatten())?,
            }
        }
        if self.ready.is_empty() {
            // The first command holds the token that this process was started with.
            self.tokens.truncate(self.running.saturating_sub(1));
        }
        Ok(())
    }

    fn ask_for_tokens(&mut self) -> Result<(), RunError> {
        if self.helper.is_none() {
            let sender = self.sender.clone();
            let told = move |token| drop(sender.send(Message::Token(token)));
            let helper = self.shop.jobserver.clone().into_helper_thread(told);
            self.helper = Some(helper.map_err(RunError::Jobserver)?);
        }
        if let Some(helper) = &self.helper {
            while self.asked < self.ready.len() {
                helper.request_token();
                self.asked += 1;
            }
        }
        Ok(())
    }

    /// Somebody else is running the action: no token is held until there is a result, or none after all.
    fn wait_for(&mut self, action: ActionId, pending: Pending) {
        self.tell(Event::Waiting { action });
        self.lookups += 1;
        self.waiting.push(action, pending);
        if std::mem::replace(&mut self.has_waited, true) {
            return;
        }
        let (shop, waiting, sender) = (self.shop, self.waiting, self.sender.clone());
        self.scope.spawn(move || {
            while let Some((action, pending)) = waiting.pop(&shop.flights) {
                let begun = Instant::now();
                let message = match catch_unwind(AssertUnwindSafe(|| look_up_again(shop, action, pending))) {
                    Ok(verdict) => Message::LookedUp { action, verdict, took: begun.elapsed() },
                    Err(panic) => Message::Panicked(panic),
                };
                sender.send(message).ok();
            }
        });
    }

    fn start(&mut self, action: ActionId, pending: Pending, flight: Option<Flight>) -> Result<(), RunError> {
        if self.watch.is_none() {
            self.watch = Some(signals::Watch::start());
            self.shop.scratch.prepare()?;
        }
        self.running += 1;
        let (shop, sender) = (self.shop, self.sender.clone());
        self.scope.spawn(move || {
            let begun = Instant::now();
            let message = match catch_unwind(AssertUnwindSafe(|| {
                let ended = run_action(shop, action, pending, &sender);
                drop(flight);
                ended
            })) {
                Ok(result) => Message::Ended { action, result, took: begun.elapsed() },
                Err(panic) => Message::Panicked(panic),
            };
            sender.send(message).ok();
        });
        Ok(())
    }
}
