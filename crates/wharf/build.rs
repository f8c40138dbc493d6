//! Tells the program which platform it is compiled for.

fn main() {
    let target = std::env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo::rustc-env=WHARF_HOST={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
