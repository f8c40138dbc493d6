//! A world for one test: its own home, a reader of manifests, events as text, and a server of files.

#![allow(dead_code, reason = "every test file uses a part")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wharf_core::manifest::{AnyManifest, Entry, Files, Unstable};
use wharf_core::{Package, PackageId, PackageName, SourceId};
use wharf_sources::{
    CratesIoProtocol, HttpOptions, Network, ReadError, SourceOptions, Sources, Token, Wanted,
};

pub struct World {
    pub dir: tempfile::TempDir,
    pub network: Network,
    pub token: Option<&'static str>,
    pub replacements: BTreeMap<SourceId, SourceId>,
    pub events: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            network: Network::Online,
            token: None,
            replacements: BTreeMap::new(),
            events: Arc::default(),
        }
    }

    pub fn offline(mut self) -> Self {
        self.network = Network::Offline { because: "--offline" };
        self
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Fresh sources: nothing is remembered but what is on disk.
    pub fn sources(&self) -> Sources {
        let token = self.token;
        let options = SourceOptions {
            cargo_home: self.home(),
            network: self.network,
            http: HttpOptions {
                user_agent: "test".into(),
                proxy: None,
                timeout: Duration::from_secs(10),
                low_speed_limit: 10,
                cainfo: None,
                multiplexing: true,
            },
            retries: 2,
            retry_pause: Some(Duration::from_millis(1)),
            crates_io: CratesIoProtocol::Sparse,
            shallow: wharf_sources::Shallow::default(),
            replacements: self.replacements.clone(),
            tokens: Box::new(move |_, _| Ok(token.map(Token::new))),
        };
        let events = self.events.clone();
        let hear = move |event| events.lock().unwrap().push(format!("{event:?}"));
        Sources::new(options, Box::new(read_package), Box::new(hear))
    }

    pub fn heard(&self, part: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|event| event.contains(part)).count()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

struct Dir(PathBuf);

impl Files for Dir {
    fn is_file(&self, path: &Path) -> bool {
        self.0.join(path).is_file()
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.0.join(path).is_dir()
    }
    fn entries(&self, path: &Path) -> Vec<Entry> {
        let entries = std::fs::read_dir(self.0.join(path)).into_iter().flatten().flatten();
        entries
            .map(|entry| Entry {
                name: entry.file_name().into_string().unwrap(),
                is_dir: entry.path().is_dir(),
            })
            .collect()
    }
}

fn read_package(dir: &Path, source: &SourceId) -> Result<Package, ReadError> {
    use wharf_core::manifest::{Origin, TomlDocument};
    let path = dir.join("Cargo.toml");
    let text = std::fs::read_to_string(&path)?;
    let origin = Origin {
        path: &path,
        source,
        inheritable: None,
        registries: &|_| None,
        is_local: false,
        unstable: &Unstable::none(),
    };
    match TomlDocument::read(text, &path, false)?.into_manifest(&origin, &Dir(dir.to_owned()))? {
        AnyManifest::Real(manifest) => Ok(Package { manifest: Arc::from(manifest), manifest_path: path }),
        AnyManifest::Virtual(_) => Err("no package".into()),
    }
}

pub fn name(text: &str) -> PackageName {
    PackageName::new(text).unwrap()
}

pub fn id(package: &str, version: &str, source: &SourceId) -> PackageId {
    PackageId::new(name(package), version.parse().unwrap(), source.clone())
}

/// What a lockfile would want of a summary.
pub fn wanted(summary: &wharf_core::Summary) -> Wanted {
    Wanted { id: summary.id.clone(), checksum: summary.checksum.clone() }
}

/// The archive of a package with nothing but a manifest and a library.
pub fn crate_file(package: &str, version: &str) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    let manifest = format!("[package]\nname = \"{package}\"\nversion = \"{version}\"\n");
    for (file, content) in [("Cargo.toml", manifest.as_str()), ("src/lib.rs", "")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let path = format!("{package}-{version}/{file}");
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// An index line for [`crate_file`].
pub fn line(package: &str, version: &str, dependencies: &[&str]) -> String {
    let checksum = wharf_base::digest::Sha256::of(crate_file(package, version));
    let dependencies: Vec<String> =
        dependencies.iter().map(|name| format!(r#"{{"name":"{name}","req":"^1"}}"#)).collect();
    format!(
        r#"{{"name":"{package}","vers":"{version}","deps":[{}],"cksum":"{checksum}","features":{{}}}}"#,
        dependencies.join(",")
    )
}

/// How one path is answered.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

type Rule = dyn Fn(&Request) -> Answer + Send + Sync;

/// One request, header names in lower case.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// A server that answers by a rule and remembers what it was asked.
pub struct Server {
    pub url: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(rule: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, rule): (_, Arc<Rule>) = (requests.clone(), Arc::new(rule));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, rule) = (log.clone(), rule.clone());
                std::thread::spawn(move || drop(serve(stream, &log, &*rule)));
            }
        });
        Self { url, requests }
    }

    /// A server of files, with an entity tag for each.
    pub fn of_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files: HashMap<String, Vec<u8>> = files.into_iter().collect();
        Self::start(move |request| {
            let Some(body) = files.get(&request.path) else {
                return Answer { status: 404, ..Answer::default() };
            };
            let etag = format!("\"{}\"", wharf_base::digest::Sha256::of(body));
            if request.headers.get("if-none-match") == Some(&etag) {
                return Answer { status: 304, ..Answer::default() };
            }
            Answer { status: 200, headers: vec![("etag", etag)], body: body.clone() }
        })
    }

    pub fn source(&self) -> SourceId {
        SourceId::for_registry(&format!("sparse+{}", self.url)).unwrap()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.path == path).count()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, rule: &Rule) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let path = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
        let request = Request { path, headers };
        log.lock().unwrap().push(request.clone());
        let answer = rule(&request);
        let mut head = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        writer.write_all(format!("{head}\r\n").as_bytes())?;
        writer.write_all(&answer.body)?;
    }
}
