//! What the compiler's stand-in tells its parent: lines of JSON among those of the compiler, which have the same shape.

use serde::{Deserialize, Serialize};
use wharf_core::manifest::Edition;

/// How every line of ours begins; no message of the compiler's has this type.
const BEGINNING: &str = "{\"$message_type\":\"wharf-fix\"";

/// Something about the crate that is being fixed. Files are named as the compiler names them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Message {
    /// It begins.
    Fixing {
        /// The crate's first source file.
        file: String,
    },
    /// It begins, and is to be made ready for another edition.
    Migrating {
        /// The crate's first source file.
        file: String,
        /// The edition that it is in.
        from: Edition,
        /// The next one.
        to: Edition,
    },
    /// It cannot be made ready for another edition.
    NothingNewer {
        /// The crate's first source file.
        file: String,
        /// The edition that it is in: the newest.
        edition: Edition,
    },
    /// Suggestions were applied, and the result compiles.
    Fixed {
        /// The file.
        file: String,
        /// How many.
        fixes: usize,
    },
    /// Some suggestions could not be applied.
    NotApplied {
        /// The file.
        file: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// What suggestions had made of the crate did not compile.
    Spoilt(Spoilt),
}

/// What did not compile any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spoilt {
    /// The name of the crate.
    pub name: String,
    /// The files that the compiler complained of.
    pub files: Vec<String>,
    /// What it said, with colours.
    pub said: Vec<String>,
    /// How it ended, if not as compilers do on errors.
    pub end: Option<String>,
    /// Whether the changes stay all the same (`--broken-code`).
    pub stays: bool,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    #[serde(rename = "$message_type")]
    kind: String,
    #[serde(flatten)]
    message: T,
}

impl Message {
    /// One line, without its end.
    pub fn to_line(&self) -> String {
        let line = Line { kind: "wharf-fix".to_owned(), message: self };
        serde_json::to_string(&line).expect("texts and numbers can be written as JSON")
    }

    /// Reads a line; `None` if it is of the compiler.
    pub fn of_line(line: &str) -> Option<Message> {
        if !line.starts_with(BEGINNING) {
            return None;
        }
        serde_json::from_str::<Line<Message>>(line).ok().map(|line| line.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_the_same() {
        let spoilt = Spoilt {
            name: "foo".into(),
            files: vec!["a b.rs".into()],
            said: vec!["\u{1b}[1merror".into()],
            end: None,
            stays: true,
        };
        for message in [
            Message::Migrating { file: "src/lib.rs".into(), from: Edition::E2018, to: Edition::E2021 },
            Message::Fixed { file: "src/lib.rs".into(), fixes: 2 },
            Message::Spoilt(spoilt),
        ] {
            assert_eq!(Message::of_line(&message.to_line()), Some(message));
        }
        assert_eq!(Message::of_line("{\"$message_type\":\"artifact\",\"artifact\":\"x\"}"), None);
    }
}
