//! One number for everything that happened in a world: all records, all answers, all SQL commits. Two runs of one script
//! must have the same.

use palinode::{Record, Topic};

use crate::world::World;

/// FNV-1a, 64 bits (Fowler, Noll and Vo, 1991).
struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn record(&mut self, record: &Record) {
        self.bytes(record.key.as_bytes());
        self.bytes(&record.value);
        self.bytes(&record.wall.0.to_le_bytes());
    }
}

/// The number of a world, now.
pub(crate) fn of(world: &World) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    for service in world.names() {
        for shard in 0..world.script.shards {
            for topic in [Topic::events(service), Topic::inbox(service)] {
                world.cluster.records(&topic, shard).iter().for_each(|record| hash.record(record));
            }
        }
    }
    for asked in world.history.all() {
        hash.bytes(format!("{:?} {:?} {:?}", asked.id(), asked.invoked, asked.answers).as_bytes());
    }
    for commit in world.db.commits() {
        hash.bytes(format!("{commit:?}").as_bytes());
    }
    if let Some(booking) = &world.booking {
        hash.bytes(format!("{:?}", booking.bank.ledger()).as_bytes());
    }
    for told in world.readers.told() {
        hash.bytes(format!("{told:?}").as_bytes());
    }
    hash.bytes(format!("{:?}", world.readers.asked()).as_bytes());
    hash.0
}
