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
        if let Ok(mut signals) = Signals::listen() {
            tokio::spawn(async move {
                signals.heard().await;
                asked.0.store(true, Ordering::SeqCst);
                say::aside("stopping: trips under way are booked to their end; once more ends at once");
                signals.end_when_heard().await;
            });
        }
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

/// Says how a process ended that was asked to stop.
pub(super) fn said(orderly: bool) -> process::ExitCode {
    if orderly {
        tracing::info!("stopped");
        return process::ExitCode::SUCCESS;
    }
    say::aside("stopped, not everything within its time; nothing is lost by that");
    process::ExitCode::FAILURE
}

/// Ears for SIGTERM and Ctrl-C. Once there are any, a signal ends nothing by itself.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on: what comes before it is waited for is heard.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub(super) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns when the process is asked to stop.
    pub(super) async fn heard(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Ears for Ctrl-C.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens as soon as it is waited for.
    ///
    /// # Errors
    /// None here.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Returns when the process is asked to stop; never, when that cannot be heard.
    pub(super) async fn heard(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Signals {
    /// Ends the process at once when it is asked to stop; never returns.
    pub(super) async fn end_when_heard(&mut self) {
        self.heard().await;
        process::exit(INTERRUPTED);
    }
}
