//! A library with a derive macro, a build script's value and a documentation test.

use serde::{Deserialize, Serialize};

/// Someone to greet.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// What they are called.
    pub name: String,
}

/// Greets.
///
/// ```
/// let person = greeter::Person { name: "Ann".into() };
/// assert_eq!(greeter::greet(&person), "Hello, Ann!");
/// ```
#[cfg(has_greeting)]
pub fn greet(person: &Person) -> String {
    let end = if cfg!(feature = "loud") { "!" } else { "." };
    format!("{}, {}{end}", env!("GREETING"), person.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_by_name() {
        assert!(greet(&Person { name: "Ann".into() }).contains("Ann"));
    }
}
