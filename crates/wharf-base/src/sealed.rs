//! Values in files of our own: a magic line, a checksum, and the value in postcard's format. Whatever does not read
//! back whole counts as absent, because everything kept this way can be made again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;

const CHECK: usize = 16;

/// The bytes of a value; `None` if it cannot be written (it holds nothing that fails today).
pub fn seal(magic: &[u8], value: &impl Serialize) -> Option<Vec<u8>> {
    let body = postcard::to_allocvec(value).ok()?;
    let mut sealed = Vec::with_capacity(magic.len() + CHECK + body.len());
    sealed.extend_from_slice(magic);
    sealed.extend_from_slice(&Digest::of(&body).as_bytes()[..CHECK]);
    sealed.extend_from_slice(&body);
    Some(sealed)
}

/// The value, if these are the bytes that [`seal`] gave for one of this type.
pub fn open<T: DeserializeOwned>(magic: &[u8], bytes: &[u8]) -> Option<T> {
    let (check, body) = bytes.strip_prefix(magic)?.split_at_checked(CHECK)?;
    if Digest::of(body).as_bytes()[..CHECK] != *check {
        return None;
    }
    postcard::from_bytes(body).ok()
}

/// Paths and other strings of the operating system as bytes: serde's own form refuses what is not UTF-8.
pub mod os {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    /// A path as bytes.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(path.as_os_str().as_bytes())
    }

    /// A path from bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
    }

    /// A string.
    pub mod string {
        use super::{Deserialize, Deserializer, OsStrExt, OsString, OsStringExt, Serializer};

        /// A string as bytes.
        pub fn serialize<S: Serializer>(text: &OsString, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(text.as_bytes())
        }

        /// A string from bytes.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OsString, D::Error> {
            Ok(OsString::from_vec(<&[u8]>::deserialize(deserializer)?.to_vec()))
        }
    }

    /// A string or none.
    pub mod optional {
        use super::{Deserialize, Deserializer, OsStrExt, OsString, OsStringExt, Serializer};

        /// A string as bytes.
        pub fn serialize<S: Serializer>(text: &Option<OsString>, serializer: S) -> Result<S::Ok, S::Error> {
            serde::Serialize::serialize(&text.as_ref().map(|text| text.as_bytes()), serializer)
        }

        /// A string from bytes.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OsString>, D::Error> {
            let bytes = <Option<&[u8]>>::deserialize(deserializer)?;
            Ok(bytes.map(|bytes| OsString::from_vec(bytes.to_vec())))
        }
    }
}
