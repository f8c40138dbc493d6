//! Registries against a server of plain files.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Answer, Server, World, crate_file, id, line, name, wanted};
use wharf_core::SourceId;
use wharf_sources::{AuthProblem, Freshness, SourceError, Wanted};

/// `a` 1.0.0 and 1.1.0 need `b`, which needs `c`.
fn files() -> Vec<(String, Vec<u8>)> {
    let text = |path: &str, text: String| (path.to_owned(), text.into_bytes());
    let mut files = vec![
        text("config.json", r#"{"dl":"/dl"}"#.to_owned()),
        text("1/a", format!("{}\n{}\n", line("a", "1.0.0", &["b"]), line("a", "1.1.0", &["b"]))),
        text("1/b", line("b", "1.0.0", &["c"])),
        text("1/c", line("c", "1.0.0", &[])),
    ];
    for (package, version) in [("a", "1.0.0"), ("a", "1.1.0"), ("b", "1.0.0"), ("c", "1.0.0")] {
        files.push((format!("dl/{package}/{version}/download"), crate_file(package, version)));
    }
    files
}

/// The same with `dl` pointing to the server itself, which is not known before it listens.
fn registry() -> Server {
    let archives = Server::of_files(files());
    let mut files = files();
    files[0].1 = format!(r#"{{"dl":"{}dl"}}"#, archives.url).into_bytes();
    Server::of_files(files)
}

#[test]
fn versions_are_cached_and_revalidated() {
    let (world, server) = (World::new(), registry());
    let source = server.source();
    let all = world.sources().summaries(&source, &name("a"), Freshness::Current).unwrap();
    let versions: Vec<_> = all.iter().map(|summary| summary.id.version().to_string()).collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    assert_eq!(all[0].id.source(), &source);

    // What is on disk is enough for a lockfile.
    world.sources().summaries(&source, &name("a"), Freshness::Cached).unwrap();
    assert_eq!(server.count("1/a"), 1);
    let again = world.sources().summaries(&source, &name("a"), Freshness::Current).unwrap();
    assert_eq!((again.len(), server.count("1/a")), (2, 2));
    let last = server.requests.lock().unwrap().last().unwrap().clone();
    assert!(last.headers.contains_key("if-none-match"));
    assert_eq!(last.headers["cargo-protocol"], "version=1");

    let offline = World { network: World::new().offline().network, ..world };
    assert_eq!(offline.sources().summaries(&source, &name("a"), Freshness::Current).unwrap().len(), 2);
    assert_eq!(offline.sources().summaries(&source, &name("b"), Freshness::Current).unwrap().len(), 0);
}

#[test]
fn nothing_is_there_and_nothing_breaks() {
    let (world, server) = (World::new(), registry());
    let none = world.sources().summaries(&server.source(), &name("nothing"), Freshness::Current).unwrap();
    assert!(none.is_empty());
}

#[test]
fn dependencies_are_guessed() {
    let (world, server) = (World::new(), registry());
    let sources = world.sources();
    sources.prefetch(&[(server.source(), name("a"))]);
    for _ in 0..200 {
        if server.count("1/c") == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for package in ["a", "b", "c"] {
        sources.summaries(&server.source(), &name(package), Freshness::Current).unwrap();
        assert_eq!(server.count(&format!("1/{package}")), 1);
    }
    assert_eq!(world.heard("UpdatingIndex"), 1);
}

#[test]
fn packages_are_downloaded_once() {
    let (world, server) = (World::new(), registry());
    let sources = world.sources();
    let mut all = Vec::new();
    for package in ["a", "b", "c"] {
        let found = sources.summaries(&server.source(), &name(package), Freshness::Current).unwrap();
        all.extend(found.iter().map(|summary| wanted(summary)));
    }
    let places = sources.fetch(&all).unwrap();
    assert_eq!(places.len(), 4);
    for place in places.values() {
        assert!(place.join("src/lib.rs").is_file());
        assert_eq!(std::fs::read_to_string(place.join(".cargo-ok")).unwrap(), "{\"v\":1}");
    }
    assert_eq!(world.heard("Downloaded "), 4);
    assert!(sources.is_downloaded(&all[0].id));

    drop(sources);

    // A source that vanished comes back from its archive, without a network.
    let place = &places[&all[0].id];
    std::fs::remove_dir_all(place).unwrap();
    let offline = World { network: World::new().offline().network, ..world };
    assert_eq!(&offline.sources().fetch(&all[..1]).unwrap()[&all[0].id], place);
    assert!(place.join("Cargo.toml").is_file());

    // Neither archive nor network: an error that says so.
    let missing = Wanted { id: id("a", "9.0.0", &server.source()), checksum: Some("0".repeat(64)) };
    assert!(matches!(offline.sources().fetch(&[missing]), Err(SourceError::Offline { .. })));
}

#[test]
fn wrong_bytes_are_refused() {
    let (world, server) = (World::new(), registry());
    let sources = world.sources();
    let found = sources.summaries(&server.source(), &name("a"), Freshness::Current).unwrap();
    let lie = Wanted { id: found[0].id.clone(), checksum: found[1].checksum.clone() };
    assert!(matches!(sources.fetch(&[lie]), Err(SourceError::Checksum { .. })));
    assert!(!sources.is_downloaded(&found[0].id));
}

#[test]
fn replacement_keeps_the_original_id() {
    let (mut world, server) = (World::new(), registry());
    world.replacements.insert(SourceId::crates_io(), server.source());
    let sources = world.sources();
    let found = sources.summaries(&SourceId::crates_io(), &name("a"), Freshness::Current).unwrap();
    assert_eq!(found[0].id.source(), &SourceId::crates_io());
    assert_eq!(found[0].dependencies[0].source(), &SourceId::crates_io());
    assert!(sources.fetch(&[wanted(&found[0])]).unwrap()[&found[0].id].join("Cargo.toml").is_file());
}

#[test]
fn passing_failures_are_tried_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let body = match &*request.path {
            "config.json" => br#"{"dl":"x"}"#.to_vec(),
            _ if tries.fetch_add(1, Ordering::Relaxed) < 2 => {
                return Answer { status: 503, ..Answer::default() };
            }
            _ => line("a", "1.0.0", &[]).into_bytes(),
        };
        Answer { status: 200, body, ..Answer::default() }
    });
    let world = World::new();
    let found = world.sources().summaries(&server.source(), &name("a"), Freshness::Current).unwrap();
    assert_eq!((found.len(), world.heard("Retrying")), (1, 2));
}

#[test]
fn final_failures_are_not() {
    let server = Server::start(|_| Answer { status: 403, body: b"no".to_vec(), ..Answer::default() });
    let world = World::new();
    let error = world.sources().summaries(&server.source(), &name("a"), Freshness::Current).unwrap_err();
    assert!(matches!(error, SourceError::Status { status: 403, .. }), "{error}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

/// Answers only with the right token.
fn private() -> Server {
    Server::start(|request| match request.headers.get("authorization").map(String::as_str) {
        Some("secret") => {
            let body = match &*request.path {
                "config.json" => br#"{"dl":"x","auth-required":true}"#.to_vec(),
                _ => line("a", "1.0.0", &[]).into_bytes(),
            };
            Answer { status: 200, body, ..Answer::default() }
        }
        _ => Answer {
            status: 401,
            headers: vec![("www-authenticate", "Cargo login_url=\"https://e.com/me\"".to_owned())],
            ..Answer::default()
        },
    })
}

#[test]
fn tokens_are_sent_when_asked_for() {
    let server = private();
    let world = World { token: Some("secret"), ..World::new() };
    let ask = || world.sources().summaries(&server.source(), &name("a"), Freshness::Current);
    assert_eq!(ask().unwrap().len(), 1);
    // Refused once, then config and file.
    assert_eq!(server.requests.lock().unwrap().len(), 3);
    // Remembered: no refusal the second time.
    assert_eq!(ask().unwrap().len(), 1);
    assert_eq!(server.requests.lock().unwrap().len(), 5);
}

#[test]
fn missing_and_wrong_tokens() {
    for (token, expected) in [(None, AuthProblem::Missing), (Some("wrong"), AuthProblem::Rejected)] {
        let server = private();
        let world = World { token, ..World::new() };
        match world.sources().summaries(&server.source(), &name("a"), Freshness::Current) {
            Err(SourceError::Auth { problem, login_url, .. }) => {
                assert_eq!(problem, expected);
                assert_eq!(login_url.unwrap().as_str(), "https://e.com/me");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn local_registries() {
    let world = World::new();
    world.write("local/index/1/a", line("a", "1.0.0", &[]));
    world.write("local/a-1.0.0.crate", crate_file("a", "1.0.0"));
    let source = SourceId::for_local_registry(&world.dir.path().join("local")).unwrap();
    let sources = world.sources();
    let found = sources.summaries(&source, &name("a"), Freshness::Current).unwrap();
    assert!(sources.fetch(&[wanted(&found[0])]).unwrap()[&found[0].id].join("Cargo.toml").is_file());
    assert_eq!(world.heard("Unpacking"), 1);
}

#[test]
fn vendored_packages() {
    let mut world = World::new();
    let manifest = world.write("vendor/a/Cargo.toml", "[package]\nname = 'a'\nversion = '1.0.0'\n");
    world.write("vendor/a/src/lib.rs", "");
    let digest = wharf_base::digest::Sha256::of(std::fs::read(&manifest).unwrap());
    let checksums = format!(r#"{{"files":{{"Cargo.toml":"{digest}"}},"package":"abc"}}"#);
    world.write("vendor/a/.cargo-checksum.json", checksums);
    let vendor = SourceId::for_directory(&world.dir.path().join("vendor")).unwrap();
    world.replacements.insert(SourceId::crates_io(), vendor);
    let sources = world.sources();
    let found = sources.summaries(&SourceId::crates_io(), &name("a"), Freshness::Current).unwrap();
    assert_eq!(found[0].checksum.as_deref(), Some("abc"));
    assert_eq!(found[0].id.source(), &SourceId::crates_io());
    let places = sources.fetch(&[wanted(&found[0])]).unwrap();
    assert_eq!(places[&found[0].id], manifest.parent().unwrap());
    sources.verify(&found[0].id).unwrap();
    std::fs::write(&manifest, "[package]\nname = 'a'\nversion = '1.0.0'\n\n").unwrap();
    assert!(matches!(sources.verify(&found[0].id), Err(SourceError::VendoredFile { .. })));
}
