//! Asked to stop, by SIGTERM or Ctrl-C: no new trip is begun, those under way are booked to their end, the log is closed in
//! order. Asked a second time, the process ends at once, which loses nothing either.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::say::{self, Ink, Tone};

/// What a shell reports of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Whether somebody asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let stop = Self::default();
        let asked = stop.clone();
        tokio::spawn(async move {
            if self::asked().await.is_ok() {
                asked.0.store(true, Ordering::SeqCst);
                say::aside("stopping: trips under way are booked to their end; once more ends at once");
                end_when_asked_again().await;
            }
        });
        stop
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What is left to do, when somebody asked before all was done.
    pub(super) fn left(&self, done: u64, all: u64, ink: Ink) -> String {
        if !self.asked() || done >= all {
            return String::new();
        }
        let text = format!("Stopped as asked, {} not begun. Run it again to go on.", say::count(all - done));
        format!("  {}\n", ink.paint(Tone::Strong, text))
    }
}

/// Ends the process at once when somebody asks; never returns.
pub(super) async fn end_when_asked_again() {
    if asked().await.is_ok() {
        process::exit(INTERRUPTED);
    }
    std::future::pending().await
}

/// Returns when the process is asked to stop.
///
/// # Errors
/// When that cannot be heard.
#[cfg(unix)]
pub(super) async fn asked() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Returns when the process is asked to stop.
///
/// # Errors
/// When that cannot be heard.
#[cfg(not(unix))]
pub(super) async fn asked() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
