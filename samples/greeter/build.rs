//! Passes one value to the code and one to the compiler.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(has_greeting)");
    println!("cargo::rustc-cfg=has_greeting");
    println!("cargo::rustc-env=GREETING=Hello");
}
