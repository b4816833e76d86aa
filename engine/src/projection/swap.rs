//! Versions side by side, as people handle them: what there is, how they differ, moving readers, taking one away.
//!
//! | verb | what happens |
//! |---|---|
//! | swap | the active version stands still; when the other one is at or beyond it on every shard, one transaction moves the readers; until then it waits |
//! | remove | the version's runners stop, then one transaction takes away its tables, its parked keys and its place in the log |
//!
//! Both are recorded in their transaction. A crash before it leaves everything as it was, after it everything is done.

use std::{sync::Arc, time::Duration};

use super::{desk::Files, footing::settled};
use crate::{
    checkpoint::{About, Act, ApplyError, Class, Difference, ReadDb, Said, Transacted, Version},
    clock::Clock,
};

/// How long a swap waits before it looks again.
const LOOK: Duration = Duration::from_millis(50);

/// What a transaction that would swap found.
enum Look {
    /// Readers see it.
    Done,
    /// This shard is not there yet.
    Behind { service: Arc<str>, shard: u32, what: String },
}

impl<D: ReadDb> Files<D> {
    pub(super) async fn all_versions(&self) -> Result<Vec<Version>, ApplyError> {
        let projection = Arc::clone(&self.projection);
        let found =
            self.db.transact(Box::new(move |tx| Box::pin(async move { D::versions(tx, &projection).await })));
        settled(found.await)
    }

    pub(super) async fn difference(
        &self,
        left: u32,
        right: u32,
        examples: usize,
    ) -> Result<Vec<Difference>, ApplyError> {
        let versions = self.all_versions().await?;
        let tables = |version: u32| {
            let found = versions.iter().find(|found| found.version == version);
            found.map(|found| &found.tables).ok_or_else(|| self.none(version))
        };
        let (ours, theirs) = (tables(left)?, tables(right)?);
        let mut differences = Vec::new();
        for table in ours.iter().filter(|table| theirs.contains(table)) {
            let right = if zoo!("compared-with-itself") { left } else { right };
            differences.push(self.db.compare(table, left, right, examples).await?);
        }
        Ok(differences)
    }

    pub(super) async fn move_readers(
        &self,
        clock: &dyn Clock,
        to: u32,
        within: Duration,
        said: &Said,
    ) -> Result<(), ApplyError> {
        let until = clock.now().plus(within);
        let versions = self.all_versions().await?;
        let active = versions.iter().find(|version| version.active);
        let from = active.map(|version| version.version).ok_or_else(|| self.none(to))?;
        if from == to {
            self.db.board().show(&self.projection, to);
            return Ok(());
        }
        // Held until the board shows the other version: nobody is told of rows that readers do not see.
        let _still = self.db.board().still(&self.projection, from);
        loop {
            match self.try_move(clock, from, to, said).await? {
                Look::Done => {
                    self.db.board().show(&self.projection, to);
                    self.db.ring(About::all(&self.projection, &self.service));
                    return Ok(());
                }
                Look::Behind { what, .. } if clock.now() >= until => return Err(ApplyError::outage(what)),
                Look::Behind { service, shard, .. } => {
                    sometimes!("swap waited for the other version");
                    let look = LOOK.min(until.since(clock.now()));
                    let status = self.db.board().shard(&self.projection, to, &service, shard);
                    let moved = async {
                        let told = match status {
                            Some(mut status) => status.changed().await,
                            None => false,
                        };
                        if !told {
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        biased;
                        () = moved => {}
                        () = clock.pass(look) => {}
                    }
                }
            }
        }
    }

    async fn try_move(&self, clock: &dyn Clock, from: u32, to: u32, said: &Said) -> Result<Look, ApplyError> {
        let act = self.act(clock, to, "swap", format!("from version {from} to {to}"), said);
        let projection = Arc::clone(&self.projection);
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                D::lock(tx, &projection).await?;
                let versions = D::versions(tx, &projection).await?;
                let active = versions.iter().find(|version| version.active);
                if active.is_some_and(|version| version.version == to) {
                    return Ok(Look::Done);
                }
                let behind = behind(&versions, from, to)?;
                if let Some(behind) = behind.filter(|_| !zoo!("swap-without-position")) {
                    return Ok(behind);
                }
                if !D::switch(tx, &projection, from, to).await? {
                    let what = format!("projection {projection} was swapped by somebody else: look again");
                    return Err(ApplyError::broken(what));
                }
                D::record(tx, &act).await?;
                sometimes!("readers moved");
                Ok(Look::Done)
            })
        }));
        match end.await {
            Transacted::Committed(look) => Ok(look),
            Transacted::RolledBack(e) if e.class != Class::Outage => Err(e),
            // Somebody looks at a view for long, or the end is not known: the next look finds out.
            Transacted::RolledBack(e) | Transacted::Unknown(e) => {
                Ok(Look::Behind { service: Arc::clone(&self.service), shard: 0, what: e.what.to_string() })
            }
        }
    }

    pub(super) async fn take_away(
        &self,
        clock: &dyn Clock,
        version: u32,
        said: &Said,
    ) -> Result<(), ApplyError> {
        let active = self.all_versions().await?.iter().any(|v| v.version == version && v.active);
        if active {
            return Err(ApplyError::broken(format!(
                "readers see version {version} of projection {}: swap to another one first",
                self.projection
            )));
        }
        for running in self.db.board().running(&self.projection, version) {
            running.stop.cancel();
            running.tasks.wait().await;
        }
        let act = self.act(clock, version, "remove", format!("version {version}"), said);
        let projection = Arc::clone(&self.projection);
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                let removed = D::remove(tx, &projection, version).await?;
                if removed {
                    sometimes!("version taken away");
                    D::record(tx, &act).await?;
                }
                Ok(removed)
            })
        }));
        match settled(end.await)? {
            true => Ok(()),
            false => Err(self.none(version)),
        }
    }

    fn act(&self, clock: &dyn Clock, version: u32, verb: &str, about: String, said: &Said) -> Act {
        Act {
            at: clock.now(),
            projection: self.projection.to_string(),
            version,
            verb: verb.into(),
            about,
            said: said.clone(),
        }
    }

    fn none(&self, version: u32) -> ApplyError {
        ApplyError::broken(format!(
            "projection {} has no version {version} beside the active one",
            self.projection
        ))
    }
}

/// Where `to` is not at or beyond `from`: readers would go back in time.
fn behind(versions: &[Version], from: u32, to: u32) -> Result<Option<Look>, ApplyError> {
    let find = |number: u32| versions.iter().find(|version| version.version == number);
    let (Some(from), Some(to)) = (find(from), find(to)) else {
        return Err(ApplyError::new(Class::Broken, format!("there is no version {to} to swap to")));
    };
    if to.tables.is_empty() {
        return Err(ApplyError::broken("the projection names no tables, so there is nothing to swap"));
    }
    for (key, at) in &from.at {
        let place = (&key.service, key.shard);
        let there = to.at.iter().find(|(key, _)| (&key.service, key.shard) == place).map(|(_, at)| at);
        let reached = there.is_some_and(|there| {
            there.position.log_id == at.position.log_id && there.position.pseq >= at.position.pseq
        });
        if !reached {
            let pseq = there.map_or(0, |there| there.position.pseq);
            let what = format!(
                "version {} is at commit {pseq} of {}/{}, and version {} at commit {}: not swapped yet",
                to.version, key.service, key.shard, from.version, at.position.pseq
            );
            return Ok(Some(Look::Behind { service: Arc::clone(&key.service), shard: key.shard, what }));
        }
    }
    Ok(None)
}
