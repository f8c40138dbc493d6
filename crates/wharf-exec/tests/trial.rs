//! Runs that end when something is not there that should be.

mod support;

use support::{Spec, World};
use wharf_exec::{ActionId, Event, Outcome, Place};

fn write(name: &'static str) -> Spec {
    let script = format!("cat source > $OUT/{name}; echo say {name}");
    Spec::new(name, &script).output(name, Place::Link).reads("source")
}

/// `b` needs `a`, and `c`, which is not on trial, needs both; `d` stands alone.
fn specs() -> Vec<Spec> {
    vec![write("a"), write("b").after(0), write("c").after(0).after(1), write("d")]
}

#[test]
fn nothing_runs_and_nothing_is_told_when_something_is_missing() {
    let mut world = World::new();
    world.write("source", "one");
    world.trial = &[0, 1];
    let ran = world.run(&specs());
    assert_eq!(ran.summary.given_up, Some(0));
    assert!(!ran.summary.is_success() && ran.events.is_empty() && world.log().is_empty());

    world.trial = &[];
    world.run(&specs()[..1]);
    world.log();
    world.trial = &[0, 1];
    let ran = world.run(&specs());
    assert_eq!((ran.summary.given_up, ran.events.len()), (Some(1), 0));
    assert!(world.log().is_empty());
}

#[test]
fn when_all_is_there_the_run_goes_on() {
    let mut world = World::new();
    world.write("source", "one");
    world.run(&specs()[..2]);
    world.log();
    world.trial = &[0, 1];
    let ran = world.run(&specs());
    assert_eq!(ran.summary.given_up, None);
    assert_eq!(ran.outcomes(), "a:fresh b:fresh c:ran d:ran");
    let mut log: Vec<String> = world.log().split(' ').map(str::to_owned).collect();
    log.sort();
    assert_eq!(log, ["c", "d"]);
    // What was held back comes first, in its order.
    let finished = |index: usize| {
        ran.position(|event| matches!(event, Event::Finished { action, .. } if *action == ActionId(index)))
    };
    let started = ran.position(|event| matches!(event, Event::Started { .. }));
    assert!(finished(0) < finished(1) && finished(1) < started);
    assert_eq!(ran.summary.count(Outcome::Ran), 2);
}
