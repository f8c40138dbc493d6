//! A signal to end. Alone in its process, because the signal goes to all of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::time::{Duration, Instant};

use support::{Spec, World};
use wharf_exec::{Failure, Place};

#[test]
fn a_signal_stops_children_and_leaves_nothing_half_done() {
    let world = World::new();
    let begun = Instant::now();
    let ran = world.run(&[
        // What the child started holds its streams open.
        Spec::new("a", "echo half > $OUT/x; kill -TERM $PPID; sleep 30").output("x", Place::Link),
        Spec::new("b", "true").after(0),
    ]);
    assert!(ran.summary.interrupted);
    assert_eq!(ran.outcomes(), "a:failed b:skipped");
    assert!(matches!(ran.summary.failures().next(), Some((_, Failure::Interrupted))));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!world.dest("x").exists());
    assert!(world.lists().is_empty());
    assert_eq!(world.run(&[Spec::new("c", "true")]).outcomes(), "c:ran", "the next run begins anew");
}
