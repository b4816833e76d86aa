//! Reads a shard's inbox for its owner, from the low mark on; ends with the owner, and what it had read goes with it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    address::Topic,
    health::Source,
    owner::{Intake, Place, Ports},
    relay::Note,
};

/// How many inbox records wait for an owner at most; more than an owner lets calls wait.
const WAITING: usize = 4_096;
/// How many are read at once.
const PAGE: usize = 256;
/// The shortest and the longest wait at the end of the inbox.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// The longest wait after a read that failed.
const AWAY: Duration = Duration::from_secs(2);

/// A running reader.
pub(super) struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    /// Reads for the next owner of this shard.
    pub(super) fn spawn(
        (place, ports): (&Place, &Ports),
        low: u64,
        queue: usize,
        intake: &mut Intake,
    ) -> Self {
        let (ports, me, health) = (ports.clone(), place.me.clone(), Arc::clone(&place.health));
        let pulse = place.pulse.clone();
        let (inbox, inbox_in) = mpsc::channel(WAITING.max(queue.saturating_mul(2)));
        intake.inbox = inbox_in;
        Self(tokio::spawn(async move {
            let topic = Topic::inbox(Arc::clone(&me.service));
            let mut from = low;
            if zoo!("inbox-read-from-its-end") {
                from = ports.log.end(&topic, me.shard).await.unwrap_or(low);
            }
            let (mut pause, mut failed) = (LOOK.0, Duration::ZERO);
            loop {
                let records = match pulse.reading(ports.log.read(&topic, me.shard, from, PAGE)).await {
                    Ok(records) => {
                        if !failed.is_zero() {
                            health.recovered(&me, Source::Inbox);
                        }
                        failed = Duration::ZERO;
                        records
                    }
                    Err(error) => {
                        tracing::warn!(service = %me.service, shard = me.shard, %topic, from, "the inbox cannot be read: {error}");
                        health.trouble(&me, Source::Inbox, format!("its inbox cannot be read: {error}"));
                        failed = failed.saturating_mul(2).clamp(LOOK.1, AWAY);
                        ports.clock.pass(failed).await;
                        continue;
                    }
                };
                let Some(first) = records.first() else {
                    ports.clock.pass(pause).await;
                    pause = pause.saturating_mul(2).min(LOOK.1);
                    continue;
                };
                pause = LOOK.0;
                let now = ports.clock.now();
                if first.offset > from {
                    sometimes!("inbox lost what nobody had read");
                    tracing::error!(
                        service = %me.service, shard = me.shard, %topic, from, upto = first.offset,
                        "the inbox kept these records too short: nobody had read them; the senders are asked again"
                    );
                    if let Some(owner) = ports.router.owner(&me) {
                        // An owner that ends asks for what is missing when it begins again.
                        let _ = owner.notes.send(Note::Gap);
                    }
                }
                for stored in records {
                    from = stored.offset.saturating_add(1);
                    if inbox.send((stored, now)).await.is_err() {
                        return;
                    }
                }
            }
        }))
    }
}
