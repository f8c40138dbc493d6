//! The real registry server, in this process, on a port of its own.

use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use wharf_server::{App, Config, router};

/// A running registry; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    app: App,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    /// Starts a registry over `data` that stands in for crates.io.
    pub fn start(data: &Path) -> Self {
        Self::start_with(Config { stands_in_for_crates_io: true, ..Config::open_to_all(data.to_owned()) })
    }

    /// Starts a registry as configured.
    pub fn start_with(config: Config) -> Self {
        let app = App::open(config).expect("the registry opens its directory");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (stop, stopped) = oneshot::channel();
        let router = router(app.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("the socket is usable");
                // Not a graceful stop: clients keep connections open, and no test waits for them.
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("the registry serves"),
                    _ = stopped => {}
                }
            });
        };
        Self { app, port, stop: Some(stop), thread: Some(std::thread::spawn(serve)) }
    }

    /// The server itself, to look into.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The URL of the index as configuration spells it.
    pub fn index(&self) -> String {
        format!("sparse+{}/index/", self.url())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the server has stopped already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
