//! `config.json` at the root of an index (reference, "Index Configuration").

use serde::{Deserialize, Serialize};

use crate::index;

/// What an index says about its registry. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryConfig {
    /// Where archives are: a URL with markers, or a base without any.
    pub dl: String,
    /// The base URL of the web API, without a trailing slash; none where packages can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Whether every request needs a token.
    #[serde(default, rename = "auth-required", skip_serializing_if = "std::ops::Not::not")]
    pub auth_required: bool,
}

impl RegistryConfig {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Writes the file.
    pub fn render(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and a flag always become JSON")
    }

    /// The URL of one archive. `checksum` is the SHA-256 of the archive in hex, as the index has it.
    pub fn download_url(&self, name: &str, version: &str, checksum: &str) -> String {
        const MARKERS: [&str; 5] = ["{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}"];
        if !MARKERS.iter().any(|marker| self.dl.contains(marker)) {
            return format!("{}/{name}/{version}/download", self.dl);
        }
        self.dl
            .replace("{crate}", name)
            .replace("{version}", version)
            .replace("{prefix}", &index::prefix(name))
            .replace("{lowerprefix}", &index::prefix(&name.to_lowercase()))
            .replace("{sha256-checksum}", checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_filled_in() {
        let url = |dl: &str| {
            RegistryConfig { dl: dl.to_owned(), api: None, auth_required: false }
                .download_url("MyCrate", "1.2.3", "abc")
        };
        assert_eq!(url("https://e/dl"), "https://e/dl/MyCrate/1.2.3/download");
        assert_eq!(url("https://e/{prefix}/{crate}-{version}"), "https://e/My/Cr/MyCrate-1.2.3");
        assert_eq!(url("https://e/{lowerprefix}/{sha256-checksum}"), "https://e/my/cr/abc");
    }

    #[test]
    fn bytes_of_crates_io() {
        let text = include_bytes!("../tests/golden/config-crates-io.json");
        let config = RegistryConfig::parse(text).unwrap();
        assert_eq!(config.dl, "https://static.crates.io/crates");
        assert_eq!(config.api.as_deref(), Some("https://crates.io"));
        assert!(!config.auth_required);
        assert_eq!(RegistryConfig::parse(&config.render()).unwrap(), config);
        let private = RegistryConfig::parse(br#"{"dl":"d","auth-required":true,"new":1}"#).unwrap();
        assert_eq!(private.render(), br#"{"dl":"d","auth-required":true}"#);
    }
}
