//! Several runs at once.

mod support;

use std::time::{Duration, Instant};

use support::{Spec, World};
use wharf_exec::Place;

fn slow() -> Vec<Spec> {
    vec![
        Spec::new("a", "sleep 0.3; cat source > $OUT/a").output("a", Place::Link).reads("source"),
        Spec::new("b", "sleep 0.3; echo b > $OUT/b").output("b", Place::Copy),
        Spec::new("c", "sleep 0.2; cat $TARGET/deps/a $TARGET/deps/b > $OUT/c")
            .output("c", Place::Copy)
            .after(0)
            .after(1),
    ]
}

#[test]
fn the_same_action_runs_once() {
    for same_directory in [false, true] {
        let world = World::new();
        world.write("source", "one ");
        std::thread::scope(|scope| {
            for index in 0..8 {
                let world = &world;
                scope.spawn(move || {
                    let target = if same_directory { "target".to_owned() } else { format!("target{index}") };
                    let ran = world.run_shared(&target, &slow());
                    assert!(ran.summary.is_success(), "{}", ran.outcomes());
                    assert_eq!(
                        std::fs::read_to_string(world.path(&target).join("deps/c")).unwrap(),
                        "one b\n"
                    );
                });
            }
        });
        let mut log: Vec<_> = world.log().split(' ').map(str::to_owned).collect();
        log.sort();
        assert_eq!(log, ["a", "b", "c"]);
        assert_eq!(std::fs::read_dir(world.path("store/locks/run")).unwrap().count(), 0);
    }
}

#[test]
fn what_fails_or_cannot_be_kept_holds_nobody_up() {
    let mut failing = vec![Spec::new("a", "sleep 0.5; false")];
    for (always, want) in [(false, false), (true, true)] {
        if always {
            failing = vec![Spec::new("a", "sleep 0.5")];
        }
        failing[0].always = always;
        let world = World::new();
        let began = Instant::now();
        std::thread::scope(|scope| {
            for index in 0..6 {
                let (world, failing) = (&world, &failing);
                scope.spawn(move || {
                    let ran = world.run_shared(&format!("target{index}"), failing);
                    assert_eq!(ran.summary.is_success(), want);
                });
            }
        });
        // One after the other would take three seconds.
        assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    }
}

#[test]
fn who_is_overtaken_keeps_nothing_wrong() {
    let world = World::new();
    let specs = [
        Spec::new("a", "cat source > $OUT/a").output("a", Place::Link).reads("source"),
        Spec::new("b", "sleep 0.8; cat $TARGET/deps/a > $OUT/b").output("b", Place::Copy).after(0),
    ];
    world.write("source", "one");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| world.run_shared("target", &specs));
        let begun = || std::fs::read_to_string(world.path("log")).is_ok_and(|log| log.contains('b'));
        while !begun() {
            std::thread::sleep(Duration::from_millis(5));
        }
        world.write("source", "two");
        let second = world.run_shared("target", &specs);
        assert_eq!(second.outcomes(), "a:ran b:ran");
        let first = first.join().unwrap();
        assert!(first.summary.overtaken && !first.summary.is_success());
    });
    assert_eq!(world.text("b"), "two");
    assert_eq!(world.run(&specs).outcomes(), "a:fresh b:fresh");
    world.write("source", "one");
    assert_eq!(world.run(&specs).outcomes(), "a:restored b:ran", "what was read was not what the key said");
    assert_eq!(world.text("b"), "one");
}
