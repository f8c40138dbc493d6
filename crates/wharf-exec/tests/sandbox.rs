//! What a confined command may do, and what is told of what it may not.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use support::{Ran, Spec, World};
use wharf_exec::{Deed, Event, Place, Stopped};

fn confined(script: &str) -> Vec<Spec> {
    let mut spec = Spec::new("a", script).output("a", Place::Copy);
    spec.tree = true;
    spec.capture = true;
    spec.confined = Some(vec!["own", "log"]);
    vec![spec]
}

/// A world whose kernel has a sandbox; `None` elsewhere.
fn world() -> Option<World> {
    let world = World::new();
    std::fs::create_dir(world.path("own")).unwrap();
    std::fs::create_dir(world.path("home")).unwrap();
    std::fs::write(world.path("log"), "").unwrap();
    let ran = world.run(&confined("touch $OUT/a"));
    let lacks = ran.events.iter().any(|event| matches!(event, Event::NotConfined(_)));
    (!lacks).then_some(world)
}

fn stopped(ran: &Ran) -> Vec<Stopped> {
    let stopped = ran.events.iter().filter_map(|event| match event {
        Event::Stopped { stopped, .. } => Some(stopped.clone()),
        _ => None,
    });
    stopped.collect()
}

#[test]
fn what_a_command_needs_is_allowed() {
    let Some(world) = world() else { return };
    let script = "mkdir $OUT/d; echo x > $OUT/d/f; mv $OUT/d/f $OUT/a; ln $OUT/a $TREE/link; echo y > $TREE/y; mv $TREE/y $TREE/z
        echo t > $TMPDIR/t; mv $TMPDIR/t $TREE/t; sh -c 'echo lost > /dev/null'; cat $TREE/t; rm $TREE/t
        if [ $TMPDIR = /tmp ]; then exit 1; fi; sleep 0.05 & wait; kill -0 $$";
    let ran = world.run(&confined(script));
    assert_eq!(ran.outcomes(), "a:ran");
    assert!(stopped(&ran).is_empty(), "{:?}", stopped(&ran));
    assert!(world.path("target/a/z").exists());
}

#[test]
fn writing_elsewhere_is_refused_and_told() {
    let Some(world) = world() else { return };
    let ran = world.run(&confined("cd home; echo key >> keys; touch $OUT/a"));
    assert_eq!(ran.outcomes(), "a:failed");
    let keys = world.path("home/keys").canonicalize().unwrap_or_else(|_| world.path("home/keys"));
    let [Stopped { program, deed }] = &stopped(&ran)[..] else { panic!("{:?}", stopped(&ran)) };
    assert!(program.starts_with("/bin/sh -ec"), "{program}");
    assert!(matches!(deed, Deed::Write(path) if path.ends_with("home/keys")), "{deed:?}");
    assert!(!keys.exists());

    // It may go on without; then that is told whenever the result serves.
    let quietly = "(echo key >> home/keys) 2> /dev/null || true; mkdir home/d 2> /dev/null || touch $OUT/a";
    let told = |ran: &Ran| stopped(ran).into_iter().map(|it| it.deed).collect::<Vec<_>>();
    let first = world.run(&confined(quietly));
    assert_eq!(first.outcomes(), "a:ran");
    assert_eq!(told(&first).len(), 2);
    let second = world.run(&confined(quietly));
    assert_eq!(second.outcomes(), "a:fresh");
    assert_eq!(told(&second), told(&first));
    assert_eq!(std::fs::read_dir(world.path("home")).unwrap().count(), 0);
}

#[test]
fn nobody_is_reached() {
    let Some(world) = world() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script =
        format!("bash -c 'echo hello > /dev/tcp/127.0.0.1/{port}' 2> /dev/null && exit 1; touch $OUT/a");
    let ran = world.run(&confined(&script));
    assert_eq!(ran.outcomes(), "a:ran");
    let [Stopped { program, deed: Deed::Network }] = &stopped(&ran)[..] else {
        panic!("{:?}", stopped(&ran))
    };
    assert!(program.contains("/dev/tcp/127.0.0.1"), "{program}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[test]
fn changed_files_of_its_own_belong_to_the_result() {
    let Some(world) = world() else { return };
    let spec = || confined("echo generated > own/file; touch $OUT/a");
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
    assert_eq!(world.run_in("other", &spec()).outcomes(), "a:ran", "what it wrote could be missing there");
    std::fs::remove_file(world.path("own/file")).unwrap();
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    assert!(world.path("own/file").exists());
}

#[test]
fn files_that_are_read_belong_to_what_a_result_rests_on() {
    let Some(world) = world() else { return };
    world.write("home/config", "one");
    let spec = || {
        confined(
            "cat home/config home/more > $OUT/a 2> /dev/null || true; cat /etc/hostname > /dev/null || true
            echo x > own/x; cat own/x > /dev/null; mkdir $TREE/d; cd home; cat < config > /dev/null",
        )
    };
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
    world.write("home/config", "two");
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    assert_eq!(world.text("a"), "two");
    world.write("home/more", "more");
    assert_eq!(world.run(&spec()).outcomes(), "a:ran", "it looked for a file that was not there");
    world.write("home/config", "one");
    std::fs::remove_file(world.path("home/more")).unwrap();
    assert_eq!(world.run(&spec()).outcomes(), "a:restored");
    world.write("home/other", "nobody reads this");
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
}

/// `cargo test -p wharf-exec --test sandbox -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn cost_of_a_command() {
    let Some(world) = world() else { return };
    let ballast = vec![1_u8; 100 << 20];
    for (name, confined) in
        [("unconfined", false), ("confined", true), ("unconfined", false), ("confined", true)]
    {
        let specs: Vec<Spec> = (0..500)
            .map(|index| {
                let mut spec = Spec::new("x", "exit 0");
                spec.name = Box::leak(format!("{name}-{index}").into_boxed_str());
                spec.always = true;
                spec.confined = confined.then(|| vec!["own", "log"]);
                spec
            })
            .collect();
        let begun = std::time::Instant::now();
        world.run(&specs);
        let took = begun.elapsed();
        let begun = std::time::Instant::now();
        let script = "i=0; while [ $i -lt 2000 ]; do echo x > $OUT/a; i=$((i+1)); done";
        let mut one = Spec::new("writes", script).output("a", Place::Copy);
        one.always = true;
        one.confined = confined.then(|| vec!["own", "log"]);
        world.run(&[one]);
        let line =
            format!("{name}: {:?} a command, 2000 files opened in {:?}\n", took / 500, begun.elapsed());
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    assert_eq!(ballast[5000], 1);
}
