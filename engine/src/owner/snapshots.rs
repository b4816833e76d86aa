//! When a snapshot is taken, and what becomes of it. The state is captured only while nothing is in flight, so that only
//! effective state is ever stored; storing it goes on beside the work.

use super::*;

/// Where the owner stands with its snapshots.
pub(super) struct Progress {
    base: Option<Position>,
    at: u64,
    since: Micros,
    wanted: bool,
    /// The next owner may be at work: no more are begun.
    over: bool,
    saving: Option<Saving>,
}

struct Saving {
    save: Save,
    outcome: BoxFuture<'static, Saved>,
}

impl Progress {
    pub(super) fn new(base: Option<Position>, pseq: u64, now: Micros) -> Self {
        let at = base.as_ref().map_or(0, |p| p.pseq).min(pseq);
        Self { base, at, since: now, wanted: false, over: false, saving: None }
    }

    /// Whether nothing new should go in flight, so that the state can be captured.
    pub(super) fn wants_quiet(&self) -> bool {
        self.wanted
    }

    /// The snapshots this owner may find in the store: the last one known, and the one being stored.
    pub(super) fn bases(&self) -> Vec<Option<&Position>> {
        let saving = self.saving.iter().map(|s| Some(&s.save.head.position));
        std::iter::once(self.base.as_ref()).chain(saving).collect()
    }

    /// What became of the snapshot being stored; never, while there is none.
    pub(super) async fn saved(&mut self) -> Saved {
        match &mut self.saving {
            Some(saving) => (&mut saving.outcome).await,
            None => std::future::pending().await,
        }
    }
}

impl Owner<'_> {
    /// Captures the state when it is time and nothing is in flight, and begins to store it.
    pub(super) fn snapshot_if_due(&mut self) -> Result<(), Exit> {
        if self.snapshot.saving.is_some() || self.snapshot.over {
            return Ok(());
        }
        if !self.snapshot.wanted {
            let now = self.ports.clock.now();
            let commits = self.unsaved();
            let old = commits > 0 && now >= self.snapshot.since.plus(self.limits.snapshot_after);
            self.snapshot.wanted = commits >= self.limits.snapshot_commits || old;
        }
        if self.snapshot.wanted && (self.pipeline.is_empty() || zoo!("speculative-snapshot")) {
            self.capture()?;
        }
        Ok(())
    }

    fn capture(&mut self) -> Result<(), Exit> {
        self.snapshot.wanted = false;
        self.snapshot.since = self.ports.clock.now();
        let Some(position) = self.pipeline.fold().position().cloned() else { return Ok(()) };
        self.snapshot.at = position.pseq;
        match self.machine.capture(position) {
            Ok(save) => self.store(save, Duration::ZERO),
            Err(unfit) => say!(error, self, "no snapshot is taken: {unfit}"),
        }
        Ok(())
    }

    /// Stores a snapshot, after a while, in a task of its own: a transaction must not be dropped half way.
    fn store(&mut self, save: Save, after: Duration) {
        let (store, clock) = (Arc::clone(&self.ports.store), Arc::clone(&self.ports.clock));
        let (me, base, next) = (self.place.me.clone(), self.snapshot.base.clone(), save.clone());
        let task = tokio::spawn(async move {
            clock.pass(after).await;
            store.save(&me.service, me.shard, base.as_ref(), next).await
        });
        let outcome = Box::pin(async move {
            let lost = |_| Saved::Unknown(crate::log::LogError::retry("the task that stored it ended"));
            task.await.unwrap_or_else(lost)
        });
        self.snapshot.saving = Some(Saving { save, outcome });
    }

    /// Takes note of what became of the snapshot.
    pub(super) fn saved(&mut self, saved: Saved) -> Result<(), Exit> {
        let Some(saving) = self.snapshot.saving.take() else { return Ok(()) };
        match saved {
            Saved::Saved => {
                self.snapshot.base = Some(saving.save.head.position);
                self.machine.captured();
                self.ports.counts.snapshots.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Saved::Refused(error) => {
                say!(warn, self, "a snapshot could not be stored, it is tried again: {error}");
                self.store(saving.save, self.limits.look);
                Ok(())
            }
            Saved::Lost => {
                sometimes!("snapshot lost its race");
                Err(End::Again("another owner stored a snapshot, or the database went back".into()).into())
            }
            Saved::Unknown(_) if zoo!("dirty-set-cleared-on-unknown") => {
                self.machine.captured();
                Ok(())
            }
            Saved::Unknown(error) => {
                sometimes!("snapshot unknown");
                Err(End::Again(format!("whether a snapshot was stored is not known: {error}")).into())
            }
        }
    }

    /// How many commits the last snapshot is behind.
    pub(super) fn unsaved(&self) -> u64 {
        self.machine.head().pseq.saturating_sub(self.snapshot.at)
    }

    /// Takes one as soon as nothing is in flight, so that the next owner has little to read.
    pub(super) fn want_snapshot(&mut self) {
        self.snapshot.wanted = self.unsaved() > 0;
    }

    /// Whether no snapshot is wanted, and none is being stored.
    pub(super) fn is_saved(&self) -> bool {
        !self.snapshot.wanted && self.snapshot.saving.is_none()
    }

    /// The next owner may be at work: it is not to meet a snapshot that it does not know.
    pub(super) fn no_more_snapshots(&mut self) {
        self.snapshot.wanted = false;
        self.snapshot.over = true;
    }

    /// At an orderly end: what is being stored is waited for.
    pub(super) async fn finish_snapshot(&mut self) -> Result<(), Exit> {
        if self.snapshot.saving.is_none() && !self.snapshot.over && self.unsaved() > 0 {
            self.capture()?;
        }
        if self.snapshot.saving.is_some() {
            let saved = self.snapshot.saved().await;
            if let Saved::Refused(error) = &saved {
                say!(warn, self, "the last snapshot could not be stored: {error}");
                return Ok(());
            }
            self.saved(saved)?;
        }
        Ok(())
    }
}
