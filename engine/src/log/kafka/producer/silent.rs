//! When to give a producer up that delivers nothing to a partition. While the leaders of a cluster change, librdkafka can lose
//! the way to a partition for good: its records wait until their time is over, whatever the cluster says later (librdkafka
//! issue 5430). A partition without a leader looks the same from here, so the cluster is asked; and a record that was queued
//! before there was a leader proves nothing, so it must go on for the whole time that a delivery may take.
//!
//! It decides; the pool asks the cluster and replaces.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::{lane::Lane, settings::DELIVERY};

/// The longest time between two producers that were given up for the same partition: too few followers in sync show the same.
const LONGEST: Duration = Duration::from_secs(300);
/// The shortest time between two questions about a partition that had no leader.
const AGAIN: Duration = Duration::from_secs(2);

/// The partitions to which records were not delivered in time.
#[derive(Default)]
pub(super) struct Silent(BTreeMap<(Arc<str>, i32), Since>);

/// Since when a partition takes nothing.
struct Since {
    /// How far it had been written then.
    delivered: u64,
    /// When it was last asked about.
    asked: Instant,
    /// From when on it had a leader.
    led: Option<Instant>,
    /// How long it must take nothing before the next producer is given up.
    patience: Duration,
}

impl Silent {
    /// A record for this partition was not delivered in time: whether its producer is to be replaced.
    pub(super) fn gives_up(&mut self, lane: &Lane, now: Instant, has_leader: impl FnOnce() -> bool) -> bool {
        let delivered = lane.delivered();
        let fresh = Since { delivered, asked: now, led: None, patience: DELIVERY };
        let key = (Arc::clone(&lane.topic), lane.number);
        let is_news = self.0.get(&key).is_none_or(|since| since.delivered != delivered);
        if is_news {
            self.0.insert(key.clone(), fresh);
        }
        let Some(since) = self.0.get_mut(&key) else { return false };
        match since.led {
            None if is_news || now.duration_since(since.asked) >= AGAIN => {
                since.asked = now;
                since.led = has_leader().then_some(now);
                false
            }
            Some(led) if now.duration_since(led) >= since.patience => {
                since.asked = now;
                if !has_leader() {
                    since.led = None;
                    return false;
                }
                since.led = Some(now);
                since.patience = (since.patience * 2).min(LONGEST);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::Stream,
        commit::Genesis,
        log::kafka::{KafkaSettings, lane::Served},
    };

    /// What happens to one partition: asked at these seconds, whether it has a leader then.
    struct World {
        silent: Silent,
        lane: Arc<Lane>,
        start: Instant,
    }

    impl World {
        fn new() -> Self {
            let genesis =
                Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 1, format: 1 };
            let served = Served::new(&KafkaSettings::new("localhost:9092"), genesis);
            let lane = served.lane(Stream::Events, 0).unwrap().unwrap();
            Self { silent: Silent::default(), lane, start: Instant::now() }
        }

        fn late(&mut self, seconds: u64, leader: bool) -> bool {
            self.silent.gives_up(&self.lane, self.start + Duration::from_secs(seconds), || leader)
        }
    }

    #[test]
    fn one_that_delivers_nothing_to_a_leader_for_a_whole_delivery_is_given_up() {
        let mut world = World::new();
        assert!(!world.late(0, true), "the record may be older than the leader");
        assert!(!world.late(9, true));
        assert!(world.late(10, true));
    }

    #[test]
    fn an_outage_is_waited_for_however_long() {
        let mut world = World::new();
        for second in 0..3_600 {
            assert!(!world.late(second, false), "{second}");
        }
        assert!(!world.late(3_601, true), "what was queued in the outage is still late");
        assert!(!world.late(3_610, true));
        assert!(world.late(3_612, true));
    }

    #[test]
    fn a_leader_that_is_gone_again_begins_another_outage() {
        let mut world = World::new();
        assert!(!world.late(0, true));
        assert!(!world.late(10, false));
        assert!(!world.late(20, true));
        assert!(!world.late(29, true));
        assert!(world.late(30, true));
    }

    #[test]
    fn one_that_delivers_something_is_kept() {
        let mut world = World::new();
        for second in 0..600 {
            if second % 9 == 0 {
                world.lane.delivers(second);
            }
            assert!(!world.late(second, true), "{second}");
        }
    }

    #[test]
    fn a_partition_that_takes_nothing_from_anybody_costs_fewer_and_fewer_producers() {
        let mut world = World::new();
        let given_up: Vec<u64> = (0..1_500).filter(|second| world.late(*second, true)).collect();
        assert_eq!(given_up, [10, 30, 70, 150, 310, 610, 910, 1_210]);
        // And when it took something, the next is given up soon.
        world.lane.delivers(7);
        assert!(!world.late(1_500, true));
        assert!(world.late(1_510, true));
    }
}
