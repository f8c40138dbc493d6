//! Runs the program that was built beside this test.

#[test]
fn the_program_greets() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_greeter"));
    let output = program.arg("Ben").current_dir(directory.path()).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("Hello, Ben"));
}
