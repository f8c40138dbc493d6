//! `[net]` and `[http]`.

use std::path::PathBuf;

use super::{Config, Key, Kind, Result, Sourced};

/// `[net]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// `net.retry`: how often a request is tried again (3).
    pub retry: u32,
    /// `net.offline` (false)
    pub offline: bool,
    /// `net.git-fetch-with-cli` (false)
    pub git_fetch_with_cli: bool,
    /// `net.ssh.known-hosts`: lines as in OpenSSH's file.
    pub ssh_known_hosts: Vec<String>,
}

/// `[http]`; what is `None` was not stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// `http.proxy`
    pub proxy: Option<String>,
    /// `http.timeout`, else `HTTP_TIMEOUT`, in seconds (30).
    pub timeout: u64,
    /// `http.low-speed-limit`, in bytes a second (10).
    pub low_speed_limit: u32,
    /// `http.cainfo`, absolute.
    pub cainfo: Option<PathBuf>,
    /// `http.proxy-cainfo`, absolute.
    pub proxy_cainfo: Option<PathBuf>,
    /// `http.check-revoke`
    pub check_revoke: Option<bool>,
    /// `http.user-agent`
    pub user_agent: Option<String>,
    /// `http.debug` (false)
    pub debug: bool,
    /// `http.multiplexing` (true): whether HTTP/2 may be used.
    pub multiplexing: bool,
    /// `http.ssl-version`
    pub ssl_version: SslVersions,
}

/// Which TLS versions may be spoken, as Cargo names them (`tlsv1.2`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SslVersions {
    /// The oldest.
    pub min: Option<String>,
    /// The newest.
    pub max: Option<String>,
}

fn value<T>(found: Option<Sourced<T>>) -> Option<T> {
    found.map(|found| found.value)
}

impl Config {
    /// `[net]`.
    ///
    /// # Errors
    /// If a value has the wrong kind.
    pub fn net(&self) -> Result<NetConfig> {
        let table = Key::from("net");
        self.warn_unused(&table, &["retry", "offline", "git-fetch-with-cli", "ssh"])?;
        let known_hosts = self.get_list("net.ssh.known-hosts")?;
        Ok(NetConfig {
            retry: value(self.get_number(table.child("retry"))?).unwrap_or(3),
            offline: value(self.get_bool(table.child("offline"))?).unwrap_or(false),
            git_fetch_with_cli: value(self.get_bool(table.child("git-fetch-with-cli"))?).unwrap_or(false),
            ssh_known_hosts: value(known_hosts).unwrap_or_default(),
        })
    }

    /// `[http]`.
    ///
    /// # Errors
    /// If a value has the wrong kind.
    pub fn http(&self) -> Result<HttpConfig> {
        let table = Key::from("http");
        let known = [
            "proxy",
            "low-speed-limit",
            "timeout",
            "cainfo",
            "proxy-cainfo",
            "check-revoke",
            "user-agent",
            "debug",
            "multiplexing",
            "ssl-version",
        ];
        self.warn_unused(&table, &known)?;
        let key = |name: &str| table.child(name);
        let timeout: Option<u64> = value(self.get_number(key("timeout"))?);
        let from_variable = || self.env().get("HTTP_TIMEOUT")?.parse().ok();
        Ok(HttpConfig {
            proxy: value(self.get_string(key("proxy"))?),
            timeout: timeout.or_else(from_variable).unwrap_or(30),
            low_speed_limit: value(self.get_number(key("low-speed-limit"))?).unwrap_or(10),
            cainfo: value(self.get_path(key("cainfo"))?),
            proxy_cainfo: value(self.get_path(key("proxy-cainfo"))?),
            check_revoke: value(self.get_bool(key("check-revoke"))?),
            user_agent: value(self.get_string(key("user-agent"))?),
            debug: value(self.get_bool(key("debug"))?).unwrap_or(false),
            multiplexing: value(self.get_bool(key("multiplexing"))?).unwrap_or(true),
            ssl_version: self.ssl_version(&key("ssl-version"))?,
        })
    }

    fn ssl_version(&self, key: &Key) -> Result<SslVersions> {
        let Some(found) = self.get(key)? else { return Ok(SslVersions::default()) };
        match found.kind {
            Kind::String(version) => {
                // One name asks for at least this version, except that `default` asks for nothing.
                let min = (version != "default").then_some(version);
                Ok(SslVersions { min, max: None })
            }
            Kind::Table(_) => Ok(SslVersions {
                min: value(self.get_string(key.child("min"))?),
                max: value(self.get_string(key.child("max"))?),
            }),
            _ => Err(found.mismatch(key, "a string or a table with `min` and `max`")),
        }
    }
}
