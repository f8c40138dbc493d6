//! Asks a C library that a build script compiled for its version.

use std::ffi::CStr;

fn version() -> String {
    // SAFETY: the function takes nothing and returns a static string that ends in NUL.
    let text = unsafe { CStr::from_ptr(libsqlite3_sys::sqlite3_libversion()) };
    text.to_string_lossy().into_owned()
}

fn main() {
    println!("SQLite {}", version());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_library_is_the_bundled_one() {
        assert!(super::version().starts_with("3."));
    }
}
