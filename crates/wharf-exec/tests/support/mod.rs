//! Graphs of shell scripts in a world of their own.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wharf_base::digest::Digest;
use wharf_base::process::Environment;
use wharf_exec::{
    Action, ActionId, Arg, Change, Command, Confinement, Cost, Dest, Director, Done, Event, Graph,
    Incremental, Input, Jobserver, LineRole, Need, Noticed, Observed, Options, Outcome, Output, Place,
    Recipe, RunOutput, Stage, Step, StepError, Store, Stream, Summary, TreeOutput, TreeWatch, Undeclared,
    run,
};

/// One action: a script, run with `$OUT` as scratch directory, `$TREE` and `$WORLD`.
#[derive(Clone, Default)]
pub struct Spec {
    pub name: &'static str,
    pub script: String,
    pub needs: Vec<(usize, Stage)>,
    pub outputs: Vec<Output>,
    /// Files, relative to the world, that it is seen to read.
    pub reads: Vec<&'static str>,
    pub must_exist: Vec<&'static str>,
    pub env: Vec<&'static str>,
    pub tree: bool,
    /// The tree's directory is chosen by its content.
    pub chosen: bool,
    pub capture: bool,
    pub incremental: bool,
    pub always: bool,
    pub cost: Option<Cost>,
    /// Directories in the world that it may write to; it is confined if this is given.
    pub confined: Option<Vec<&'static str>>,
}

impl Spec {
    pub fn new(name: &'static str, script: &str) -> Spec {
        Spec { name, script: script.to_owned(), ..Spec::default() }
    }

    pub fn after(mut self, index: usize) -> Spec {
        self.needs.push((index, Stage::Whole));
        self
    }

    pub fn after_early(mut self, index: usize) -> Spec {
        self.needs.push((index, Stage::Early));
        self
    }

    pub fn output(mut self, name: &str, how: Place) -> Spec {
        let dests = vec![Dest { path: PathBuf::from(name), how }];
        let (early, optional, executable) = (false, false, false);
        self.outputs.push(Output { name: name.to_owned(), dests, early, optional, executable });
        self
    }

    pub fn reads(mut self, path: &'static str) -> Spec {
        self.reads.push(path);
        self
    }
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub env: BTreeMap<OsString, OsString>,
    pub jobs: usize,
    pub keep_going: bool,
    /// Where directories are chosen.
    pub trees: &'static str,
    /// Names what is asked for.
    pub request: &'static str,
    /// The actions that are on trial.
    pub trial: &'static [usize],
}

/// What a run said and did.
pub struct Ran {
    pub summary: Summary,
    pub events: Vec<Event>,
    specs: Vec<Spec>,
}

struct Scripts<'a> {
    specs: &'a [Spec],
    root: &'a Path,
    target: &'a Path,
    trees: &'a str,
    env: Arc<BTreeMap<OsString, OsString>>,
}

impl Scripts<'_> {
    fn confinement(&self, writes: &[&str]) -> Confinement {
        let mut all: Vec<PathBuf> = writes.iter().map(|path| self.root.join(path)).collect();
        all.push(self.root.join("log"));
        Confinement {
            network: false,
            writes: Some(all),
            reads: None,
            watches: true,
            own: Some(TreeWatch { root: self.root.join("own"), ..TreeWatch::default() }),
            noticed: Some(Noticed {
                skip: vec!["/proc".into(), "/dev".into(), self.root.join("own")],
                skip_names: vec![".git".into()],
                system: vec!["/usr".into(), "/etc".into(), "/lib".into()],
                ..Noticed::default()
            }),
            temporary: vec![("TMPDIR".into(), PathBuf::new())],
        }
    }
}

impl Director for Scripts<'_> {
    fn step(&self, action: ActionId, done: &Done<'_>) -> Result<Step, StepError> {
        let spec = &self.specs[action.0];
        let mut recipe = Recipe::new();
        recipe.push("script", &spec.script);
        let mut inputs = Vec::new();
        let mut trees: Vec<PathBuf> = Vec::new();
        for (need, stage) in &spec.needs {
            let made = done.get(ActionId(*need)).ok_or_else(|| StepError::new("a need is not met"))?;
            for (name, output) in &made.outputs {
                let early = self.specs[*need].outputs.iter().any(|it| it.name == *name && it.early);
                if early || *stage == Stage::Whole {
                    inputs.push(Input { name: name.clone(), digest: output.digest });
                }
            }
            if let Some(path) = &made.tree_path {
                recipe.push("tree", path.to_string_lossy());
                trees.push(path.clone());
            }
            inputs.extend(made.tree.map(|digest| Input { name: "tree".into(), digest }));
            if let Some(stdout) = &made.stdout {
                recipe.push("stdout", &**stdout);
            }
        }
        let mut env = Environment::exactly(Arc::clone(&self.env));
        env.set("WORLD", self.root).set("TARGET", self.target);
        if let Some(path) = trees.first() {
            env.set("GENERATED", path);
        }
        let mut tree = spec.tree.then(|| TreeOutput::At(self.target.join(spec.name)));
        if spec.chosen {
            let (root, below) = (self.root.join(self.trees), PathBuf::from("build/out"));
            tree = Some(TreeOutput::Chosen { root, below, variable: "TREE".into() });
        }
        if let Some(TreeOutput::At(path)) = &tree {
            env.set("TREE", path);
        }
        let mut outputs = spec.outputs.clone();
        for dest in outputs.iter_mut().flat_map(|output| &mut output.dests) {
            dest.path = self.target.join("deps").join(&dest.path);
        }
        Ok(Step {
            recipe,
            inputs,
            command: Command {
                program: "/bin/sh".into(),
                args: vec![
                    "-ec".into(),
                    format!("OUT=$0\necho {} >> $WORLD/log\n{}", spec.name, spec.script).into(),
                    Arg::scratch(),
                ],
                env,
                cwd: self.root.to_owned(),
            },
            outputs,
            tree,
            tree_copy: None,
            capture_stdout: spec.capture,
            incremental: spec.incremental.then(|| Incremental {
                dir: self.target.join("incremental"),
                args: vec!["incremental".into()],
                force: false,
            }),
            cacheable: !spec.always,
            jobserver: true,
            checkout: None,
            undeclared: spec.confined.is_some().then(|| Undeclared {
                checkout: self.target.to_string_lossy().into_owned(),
                values: Some(Digest::of("values")),
                beyond: Vec::new(),
            }),
            confinement: spec.confined.as_ref().map(|writes| self.confinement(writes)),
        })
    }

    fn line(&self, _: ActionId, stream: Stream, line: &str) -> LineRole {
        match line {
            "early" => LineRole::Early,
            _ if line.starts_with("pass") => LineRole::Pass,
            _ if stream == Stream::Err => LineRole::Keep,
            _ => LineRole::Drop,
        }
    }

    fn observe(&self, action: ActionId, _: &Step, _: &RunOutput<'_>) -> Result<Observed, StepError> {
        let spec = &self.specs[action.0];
        let join = |paths: &[&str]| paths.iter().map(|path| self.root.join(path)).collect();
        Ok(Observed {
            paths: join(&spec.reads),
            must_exist: join(&spec.must_exist),
            listed: Vec::new(),
            trees: Vec::new(),
            env: spec.env.iter().map(Into::into).collect(),
            made: Vec::new(),
        })
    }
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let env = BTreeMap::from([("PATH".into(), std::env::var_os("PATH").unwrap_or_default())]);
        World { dir, env, jobs: 4, keep_going: false, trees: "trees", request: "build", trial: &[] }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn dest(&self, name: &str) -> PathBuf {
        self.path("target/deps").join(name)
    }

    /// Writes a file, and waits until its time can be told from later ones.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::thread::sleep(Duration::from_millis(25));
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dest(name)).unwrap()
    }

    /// The names of the scripts that ran since the last call.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        std::fs::remove_file(self.path("log")).ok();
        log.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn run(&self, specs: &[Spec]) -> Ran {
        self.run_in("target", specs)
    }

    /// Runs scripts with another target directory.
    pub fn run_in(&self, target: &str, specs: &[Spec]) -> Ran {
        let ran = self.run_shared(target, specs);
        let left = std::fs::read_dir(self.path(target).join(".wharf/scratch")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "scratch is removed");
        ran
    }

    /// The same while others use the target directory.
    pub fn run_shared(&self, target: &str, specs: &[Spec]) -> Ran {
        let target = self.path(target);
        let store = Store::open(&self.path("store")).unwrap();
        let env = Arc::new(self.env.clone());
        let director = Scripts { specs, root: self.dir.path(), target: &target, trees: self.trees, env };
        let need = |(index, stage): &(usize, Stage)| Need { action: ActionId(*index), stage: *stage };
        let actions = specs
            .iter()
            .map(|spec| Action {
                name: spec.name.to_owned(),
                needs: spec.needs.iter().map(need).collect(),
                cost: spec.cost.unwrap_or(Cost::of(1)),
            })
            .collect();
        let options = Options {
            state: target.join(".wharf"),
            jobserver: Jobserver::new(NonZeroUsize::new(self.jobs).unwrap()).unwrap(),
            keep_going: self.keep_going,
            request: Some(Digest::of(self.request)),
            trial: self.trial.iter().map(|index| ActionId(*index)).collect(),
        };
        let mut events = Vec::new();
        let summary =
            run(&Graph { actions }, &director, &store, &options, &mut |event| events.push(event)).unwrap();
        Ran { summary, events, specs: specs.to_vec() }
    }

    /// Paths of all contents in the store.
    pub fn blobs(&self) -> Vec<PathBuf> {
        files(&self.path("store/cas"))
    }

    /// Paths of all lists of results in the store.
    pub fn lists(&self) -> Vec<PathBuf> {
        files(&self.path("store/ac"))
    }
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in wharf_base::fs::read_dir(dir).unwrap() {
        if entry.kind.is_dir() { found.extend(files(&entry.path)) } else { found.push(entry.path) }
    }
    found
}

impl Ran {
    /// The outcome of each action by name: `a:ran b:fresh c:failed d:skipped`.
    pub fn outcomes(&self) -> String {
        use wharf_exec::ActionResult;
        let word = |result: &ActionResult| match result {
            ActionResult::Skipped => "skipped",
            ActionResult::Failed(_) => "failed",
            ActionResult::Done(Outcome::Fresh, _) => "fresh",
            ActionResult::Done(Outcome::Restored, _) => "restored",
            ActionResult::Done(Outcome::Ran, _) => "ran",
        };
        let pairs = self.specs.iter().zip(&self.summary.results);
        pairs.map(|(spec, result)| format!("{}:{}", spec.name, word(result))).collect::<Vec<_>>().join(" ")
    }

    /// Why an action ran.
    pub fn why(&self, index: usize) -> Vec<Change> {
        let why = self.events.iter().find_map(|event| match event {
            Event::Started { action, why, .. } if action.0 == index => Some(why.clone()),
            _ => None,
        });
        why.unwrap_or_default()
    }

    /// All lines, replayed ones marked.
    pub fn lines(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::Line { line, replayed, .. } => {
                Some(format!("{line}{}", if *replayed { " (again)" } else { "" }))
            }
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    /// Where an event is in the sequence.
    pub fn position(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().position(matches).unwrap()
    }
}
