//! Who runs when, and what happens when something fails.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::time::{Duration, Instant};

use support::{Spec, World};
use wharf_exec::{Cost, Event, Failure, Place};

/// A script that waits for a file.
fn wait_for(name: &str) -> String {
    format!("for i in $(seq 200); do [ -e $WORLD/{name} ] && break; sleep 0.02; done; [ -e $WORLD/{name} ]")
}

fn with_early(mut spec: Spec, name: &str) -> Spec {
    spec = spec.output(name, Place::Link);
    spec.outputs.last_mut().unwrap().early = true;
    spec
}

#[test]
fn dependents_start_at_the_early_output() {
    let world = World::new();
    let wait = wait_for("go");
    let specs = vec![
        // Ends only when its early dependent has run.
        with_early(
            Spec::new("lib", &format!("echo meta > $OUT/m; echo early; {wait}; echo x > $OUT/l")),
            "m",
        )
        .output("l", Place::Link),
        Spec::new("check", "cat target/deps/m > $OUT/c; touch $WORLD/go")
            .output("c", Place::Link)
            .after_early(0),
        Spec::new("link", "cat target/deps/l target/deps/c > $OUT/b")
            .output("b", Place::Link)
            .after(0)
            .after(1),
    ];
    let ran = world.run(&specs);
    assert_eq!(ran.outcomes(), "lib:ran check:ran link:ran");
    let early = ran.position(|event| matches!(event, Event::Early { .. }));
    let started = ran.position(|event| matches!(event, Event::Started { action, .. } if action.0 == 1));
    assert!(early < started);
    assert_eq!(world.run(&specs).outcomes(), "lib:fresh check:fresh link:fresh");
    std::fs::remove_dir_all(world.path("target/deps")).unwrap();
    assert_eq!(world.run(&specs).outcomes(), "lib:restored check:restored link:restored");
}

fn failing() -> Vec<Spec> {
    vec![
        // Fails only when the other one is running.
        Spec::new("bad", &format!("{}; echo oh >&2; exit 3", wait_for("slow"))),
        Spec::new("above", "true").after(0),
        Spec::new("slow", "touch $WORLD/slow; sleep 0.2; echo x > $OUT/s").output("s", Place::Link),
        Spec::new("later", "true").after(2),
    ]
}

#[test]
fn a_failure_stops_what_has_not_begun() {
    let world = World::new();
    let ran = world.run(&failing());
    assert_eq!(ran.outcomes(), "bad:failed above:skipped slow:ran later:skipped");
    assert!(!ran.summary.is_success());
    let (_, failure) = ran.summary.failures().next().unwrap();
    assert!(matches!(failure, Failure::Status { status, .. } if status.code() == Some(3)), "{failure}");
    assert_eq!(ran.lines(), ["oh"]);
    assert_eq!(world.run(&failing()[..1]).outcomes(), "bad:failed", "a failure is not kept");
}

#[test]
fn keep_going_does_what_can_be_done() {
    let mut world = World::new();
    world.keep_going = true;
    assert_eq!(world.run(&failing()).outcomes(), "bad:failed above:skipped slow:ran later:ran");
}

#[test]
fn a_missing_output_is_a_failure() {
    let world = World::new();
    let ran = world.run(&[Spec::new("a", "true").output("x", Place::Link)]);
    let (_, failure) = ran.summary.failures().next().unwrap();
    assert_eq!(failure.to_string(), "`/bin/sh` did not write `x`");
}

#[test]
fn no_more_commands_at_once_than_jobs() {
    let mut world = World::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let script =
        "mkdir $WORLD/busy-$$; ls -d $WORLD/busy-* | wc -l >> $WORLD/most; sleep 0.05; rmdir $WORLD/busy-$$";
    let specs: Vec<Spec> = names.map(|name| Spec::new(name, script)).into();
    for jobs in [1, 3] {
        world.jobs = jobs;
        std::fs::remove_dir_all(world.path("store")).ok();
        std::fs::remove_file(world.path("most")).ok();
        assert!(world.run(&specs).summary.is_success());
        let most = std::fs::read_to_string(world.path("most")).unwrap();
        let most = most.split_whitespace().map(|count| count.parse::<usize>().unwrap()).max();
        assert!(most <= Some(jobs), "{most:?} at once");
    }
}

#[test]
fn the_longest_path_goes_first() {
    let mut world = World::new();
    world.jobs = 1;
    let mut specs = vec![
        Spec::new("short", ": short"),
        Spec::new("long", ": long"),
        Spec::new("above", ": above").after(3),
        Spec::new("below", ": below"),
    ];
    specs[1].cost = Some(Cost::of(5));
    specs[2].cost = Some(Cost::of(9));
    world.run(&specs);
    let log = world.log();
    assert!(log.starts_with("below ") && log.ends_with(" short"), "{log}");
}

#[test]
fn what_is_needed_early_delays_less() {
    let mut world = World::new();
    world.jobs = 1;
    let mut specs = vec![
        with_early(Spec::new("pipelined", "echo meta > $OUT/m; echo early"), "m"),
        Spec::new("plain", ": plain"),
        Spec::new("above-pipelined", ": a").after_early(0),
        Spec::new("above-plain", ": b").after(1),
    ];
    for (spec, whole) in specs.iter_mut().zip([10, 9, 5, 5]) {
        spec.cost = Some(Cost::of(whole));
    }
    let first = |specs: &[Spec]| {
        std::fs::remove_dir_all(world.path("store")).ok();
        assert!(world.run(specs).summary.is_success());
        world.log().split(' ').next().map(str::to_owned)
    };
    assert_eq!(first(&specs).as_deref(), Some("pipelined"), "15 against 14");
    specs[0].cost = Some(Cost { early: 2, whole: 10 });
    assert_eq!(first(&specs).as_deref(), Some("plain"), "10 against 14");
}

#[test]
fn what_always_runs_runs_always() {
    let world = World::new();
    let mut spec = Spec::new("a", "echo x > $OUT/x").output("x", Place::Copy);
    spec.always = true;
    for _ in 0..2 {
        assert_eq!(world.run(&[spec.clone()]).outcomes(), "a:ran");
    }
    assert!(world.lists().is_empty());
}

#[test]
fn much_output_on_both_streams() {
    let world = World::new();
    let ran = world.run(&[Spec::new(
        "a",
        "i=0; while [ $i -lt 20000 ]; do echo pass-$i-out-line; echo error-$i-line >&2; i=$((i+1)); done; printf end >&2",
    )]);
    let lines = ran.lines();
    assert_eq!(lines.len(), 40_001);
    assert_eq!(lines.last().map(String::as_str), Some("end"));
    let errors: Vec<&String> = lines.iter().filter(|line| line.starts_with("error")).collect();
    assert!(errors.iter().enumerate().all(|(index, line)| **line == format!("error-{index}-line")));
}

#[test]
fn scratch_of_dead_processes_is_removed() {
    let world = World::new();
    let dead = world.path("target/.wharf/scratch/1-1/0");
    std::fs::create_dir_all(&dead).unwrap();
    world.run(&[Spec::new("a", "true")]);
    assert!(!dead.exists());
}

#[test]
fn many_at_once_on_one_store() {
    let world = World::new();
    world.write("source", "one");
    let specs: Vec<Spec> = vec![
        Spec::new("a", "cat source > $OUT/a").output("a", Place::Link).reads("source"),
        Spec::new("b", "cat $TARGET/deps/a > $OUT/b").output("b", Place::Copy).after(0),
        Spec::new("c", "cat $TARGET/deps/a > $OUT/c").output("c", Place::Link).after(0),
    ];
    let targets = ["t0", "t1", "t2", "t3", "t0", "t1", "t2", "t3"];
    std::thread::scope(|scope| {
        for target in targets {
            let (world, specs) = (&world, &specs);
            scope.spawn(move || {
                for _ in 0..3 {
                    let ran = world.run_shared(target, specs);
                    assert!(ran.summary.is_success(), "{:?}", ran.summary.failures().collect::<Vec<_>>());
                }
            });
        }
    });
    assert_eq!(world.run_in("t0", &specs).outcomes(), "a:fresh b:fresh c:fresh");
}

#[test]
fn a_thousand_fresh_actions() {
    let world = World::new();
    let names: Vec<&'static str> = (0..1000).map(|index| &*format!("n{index}").leak()).collect();
    let mut specs: Vec<Spec> = names
        .iter()
        .map(|name| Spec::new(name, "echo $0 > /dev/null; : > $OUT/o").output("o", Place::Link))
        .collect();
    for (index, spec) in specs.iter_mut().enumerate() {
        spec.outputs[0].dests[0].path = format!("o{index}").into();
        spec.needs.extend((index >= 10).then_some((index / 2, wharf_exec::Stage::Whole)));
    }
    // One run fills the store; equal scripts make that cheap.
    world.run(&specs);
    let begun = Instant::now();
    let again = world.run(&specs);
    let took = begun.elapsed();
    assert_eq!(again.summary.count(wharf_exec::Outcome::Fresh), 1000);
    println!("1000 fresh actions in {took:?}, {:?} each", took / 1000);
    assert!(took < Duration::from_secs(10), "not a measurement, a guard against a hang");
}
