//! What every part of this crate works with: options, home, lock, clients and the ear for events.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::home::{CargoHome, LazyLock};
use crate::http::Http;
use crate::options::{Network, PackageReader, SourceOptions};

pub(crate) struct Context {
    pub options: SourceOptions,
    pub home: CargoHome,
    pub http: Http,
    pub reader: Box<PackageReader>,
    events: Box<dyn Fn(SourceEvent) + Send + Sync>,
    lock: LazyLock,
    done: AtomicUsize,
    started: AtomicUsize,
}

impl Context {
    pub fn new(
        options: SourceOptions,
        reader: Box<PackageReader>,
        events: Box<dyn Fn(SourceEvent) + Send + Sync>,
    ) -> Self {
        Self {
            // Children run in other directories.
            home: CargoHome::new(
                std::path::absolute(&options.cargo_home).unwrap_or(options.cargo_home.clone()),
            ),
            options,
            http: Http::default(),
            reader,
            events,
            lock: LazyLock::default(),
            done: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
        }
    }

    pub fn tell(&self, event: SourceEvent) {
        (self.events)(event);
    }

    pub fn events(&self) -> &(dyn Fn(SourceEvent) + Send + Sync) {
        &*self.events
    }

    /// Takes the download lock unless it is held.
    pub fn hold_lock(&self) -> Result<(), SourceError> {
        Ok(self.lock.hold(&self.home, &|event| self.tell(event))?)
    }

    pub fn release_lock(&self) {
        self.lock.release();
    }

    /// Writes to the home, if the lock is still held: an answer that comes late is not worth a new lock.
    pub fn write_while_locked(&self, deed: impl FnOnce()) {
        self.lock.while_held(deed);
    }

    pub fn is_online(&self) -> bool {
        self.options.network == Network::Online
    }

    /// An error if the network may not be used. `what` is what it was to bring.
    pub fn need_network(&self, what: impl FnOnce() -> String) -> Result<(), SourceError> {
        match self.options.network {
            Network::Online => {
                wharf_base::trail::spoil();
                Ok(())
            }
            Network::Offline { because } => Err(SourceError::Offline { what: what(), because }),
        }
    }

    /// An index file was asked for.
    pub fn index_started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// An index file came, or did not.
    pub fn index_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let pending = self.started.load(Ordering::Relaxed).saturating_sub(done);
        self.tell(SourceEvent::IndexProgress { done, pending });
    }
}
