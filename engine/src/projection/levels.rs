//! How far a running projection is behind, as levels. Only the version that readers see is behind anything; another one is
//! being built.

use super::{ReadModel, ShardStatus, State};
use crate::{telemetry::Level, time::Micros};

impl ReadModel {
    /// Tells how far the shards that it follows here are behind, and what is parked.
    pub(crate) fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        if !self.is_active() {
            return;
        }
        let (service, projection, now) = (self.service(), self.name(), self.clock().now());
        let (mut keys, mut known) = (0, false);
        for status in self.here() {
            let events = self.end(&status).saturating_sub(done(&status));
            let time = now.since(self.last_whole(&status));
            tell(service, &Level::Behind { projection, shard: status.shard, events, time });
            keys += status.parked as u64;
            known = true;
        }
        if known {
            tell(service, &Level::Parked { projection, keys });
        }
    }

    /// Which part of the log is in the tables, from 0 to 1; nothing, while no shard of it is known here.
    pub(crate) fn built(&self) -> Option<f64> {
        let (mut sum, mut shards) = (0.0, 0_u32);
        for status in self.here().filter(|status| status.position.is_some()) {
            let (done, end) = (done(&status), self.end(&status));
            // Once it has been at the end, what is missing is a lag.
            let whole = status.caught_up.is_some() || done >= end;
            #[expect(clippy::cast_precision_loss, reason = "a part is shown, not counted with")]
            let part = if whole { 1.0 } else { done as f64 / end as f64 };
            sum += part;
            shards += 1;
        }
        (shards > 0).then(|| sum / f64::from(shards))
    }

    /// The shards that are followed here.
    fn here(&self) -> impl Iterator<Item = ShardStatus> + use<> {
        self.status().into_iter().filter(|status| status.state != State::Elsewhere)
    }

    /// The offset after the last record that is known here.
    fn end(&self, status: &ShardStatus) -> u64 {
        self.tail().next(status.shard).unwrap_or_default().max(status.read)
    }

    /// When the tables last held everything, as far as is known.
    fn last_whole(&self, status: &ShardStatus) -> Micros {
        let last = Some(status.time).filter(|time| *time > Micros::default());
        status.caught_up.or(last).unwrap_or(self.since())
    }
}

/// The offset after the last record that is in the tables.
fn done(status: &ShardStatus) -> u64 {
    status.position.as_ref().map_or(0, |at| at.offset.saturating_add(1))
}
