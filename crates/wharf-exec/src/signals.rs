//! Interrupts: noticed while commands run, and left to their default effect at all other times.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

struct Flags {
    interrupted: Arc<AtomicBool>,
    idle: Arc<AtomicBool>,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();
static WATCHING: AtomicUsize = AtomicUsize::new(0);

/// While one of these lives, a signal to end is noted instead of ending the process.
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn start() -> Watch {
        let flags = FLAGS.get_or_init(|| {
            let flags = Flags { interrupted: Arc::default(), idle: Arc::new(AtomicBool::new(true)) };
            for signal in [SIGINT, SIGTERM, SIGHUP] {
                // Cannot fail for these signals; if it did, they would have their default effect.
                flag::register_conditional_default(signal, Arc::clone(&flags.idle)).ok();
                flag::register(signal, Arc::clone(&flags.interrupted)).ok();
            }
            flags
        });
        if WATCHING.fetch_add(1, Ordering::SeqCst) == 0 {
            flags.interrupted.store(false, Ordering::SeqCst);
        }
        flags.idle.store(false, Ordering::SeqCst);
        Watch(())
    }

    /// Whether a signal came.
    pub(crate) fn interrupted(&self) -> bool {
        FLAGS.get().is_some_and(|flags| flags.interrupted.load(Ordering::SeqCst))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if WATCHING.fetch_sub(1, Ordering::SeqCst) == 1
            && let Some(flags) = FLAGS.get()
        {
            flags.idle.store(true, Ordering::SeqCst);
        }
    }
}
