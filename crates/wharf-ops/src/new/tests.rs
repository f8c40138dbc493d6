use super::*;
use crate::config::Env;

fn request(path: &Path, place: Place) -> NewRequest {
    NewRequest {
        path: path.to_owned(),
        place,
        name: None,
        kind: None,
        edition: None,
        registry: None,
        vcs: Some(VersionControl::None),
    }
}

fn config(dir: &Path) -> Config {
    let env: Env = std::env::vars_os().collect();
    Config::empty(dir, &dir.join("home"), &env)
}

fn run(request: &NewRequest, dir: &Path) -> (Result<()>, Vec<String>) {
    let mut notes = Vec::new();
    let result = create(request, &Arc::new(config(dir)), &mut |note| {
        notes.push(match note {
            Note::Status(word, message) => format!("{word} {message}"),
            Note::Warning(message) => format!("warning {message}"),
            Note::BrokenWorkspace(failure) => format!("broken {failure}"),
            Note::Hint(_) => "hint".to_owned(),
        });
    });
    (result, notes)
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_program_and_a_library() {
    let dir = tempfile::tempdir().unwrap();
    let (result, notes) = run(&request(&dir.path().join("app"), Place::New), dir.path());
    result.unwrap();
    assert_eq!(notes, ["Creating binary (application) `app` package", "hint"]);
    assert_eq!(
        read(dir.path().join("app/Cargo.toml")),
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n"
    );
    let mut library = request(&dir.path().join("lib1"), Place::New);
    library.kind = Some(PackageKind::Library);
    library.registry = Some("mine".to_owned());
    run(&library, dir.path()).0.unwrap();
    assert!(read(dir.path().join("lib1/Cargo.toml")).contains("publish = [\"mine\"]\n"));
    assert!(dir.path().join("lib1/src/lib.rs").is_file());
    assert!(run(&library, dir.path()).0.is_err());
}

#[test]
fn init_looks_at_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.rs"), "fn main() {}").unwrap();
    std::fs::write(dir.path().join("lib.rs"), "").unwrap();
    let mut request = request(dir.path(), Place::Existing);
    request.name = Some("both".to_owned());
    run(&request, dir.path()).0.unwrap();
    let manifest = read(dir.path().join("Cargo.toml"));
    assert!(manifest.contains("[[bin]]\nname = \"both\"\npath = \"main.rs\"\n"), "{manifest}");
    assert!(manifest.contains("[lib]\npath = \"lib.rs\"\n"), "{manifest}");
    assert!(run(&request, dir.path()).0.is_err());
}

#[test]
fn a_member_joins_and_inherits() {
    let dir = tempfile::tempdir().unwrap();
    let root = "[workspace]\nmembers = [\"a\", \"c\"]\nresolver = \"3\"\n\n[workspace.package]\nedition = \"2021\"\n\n\
                [workspace.lints]\n";
    std::fs::write(dir.path().join("Cargo.toml"), root).unwrap();
    for member in ["a", "c"] {
        run(&request(&dir.path().join(member), Place::New), dir.path()).0.unwrap();
    }
    let (result, notes) = run(&request(&dir.path().join("b"), Place::New), dir.path());
    result.unwrap();
    assert!(notes[1].starts_with("Adding `b` as member of workspace at "), "{notes:?}");
    assert!(
        read(dir.path().join("Cargo.toml")).starts_with("[workspace]\nmembers = [\"a\", \"b\", \"c\"]\n")
    );
    let manifest = read(dir.path().join("b/Cargo.toml"));
    assert!(manifest.contains("edition.workspace = true\n"), "{manifest}");
    assert!(manifest.contains("[lints]\nworkspace = true\n"), "{manifest}");
}

#[test]
fn names_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    for bad in ["1a", "fn", "test", "deps", "a b", "ü+"] {
        assert!(run(&request(&dir.path().join(bad), Place::New), dir.path()).0.is_err(), "{bad}");
    }
    for odd in ["core", "nul", "Upper"] {
        let (result, notes) = run(&request(&dir.path().join(odd), Place::New), dir.path());
        result.unwrap();
        assert!(notes[1].starts_with("warning "), "{notes:?}");
    }
}

#[test]
fn ignore_files_are_extended() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".gitignore"), "/target\nx\n").unwrap();
    let mut request = request(dir.path(), Place::Existing);
    request.name = Some("pkg".to_owned());
    request.vcs = Some(VersionControl::Git);
    run(&request, dir.path()).0.unwrap();
    assert_eq!(
        read(dir.path().join(".gitignore")),
        "/target\nx\n\n\n# Added by cargo\n#\n# already existing elements were commented out\n\n#/target\n"
    );
    assert!(dir.path().join(".git").is_dir());
}
