//! One entity on two shards: CX23.

use palinode::EntityKey;
use palinode_verify::hash::shard_of;

fn ids() -> impl Iterator<Item = String> {
    (0..2_000).map(|n| format!("lisbon/{}/{n}", ["A", "Bé", ""][n % 3]))
}

/// The engine, the checker and a foreign client with Kafka's default partitioner agree on every id.
#[test]
fn cx23_the_hash_that_places_an_entity_is_kafkas() {
    for id in ids() {
        for partitions in [1, 2, 8, 31, 32] {
            let shard = EntityKey::new("room", id.as_str()).shard(partitions);
            assert_eq!(shard, shard_of("room", &id, partitions), "room/{id} of {partitions}");
        }
    }
}

/// Adding partitions moves entities, so the count must come from genesis and never from metadata.
#[test]
fn cx23_another_number_of_partitions_puts_entities_elsewhere() {
    let key = |id: &String| EntityKey::new("room", id.as_str());
    let moved = ids().filter(|id| key(id).shard(8) != key(id).shard(9)).count();
    assert!(moved > 1_500, "{moved} of 2000 moved");
}

/// A partitioner by another hash (FNV-1a here) puts most entities elsewhere: such a message must be answered
/// `Misrouted`, which the machine can tell by this hash alone.
#[test]
fn cx23_a_foreign_partitioner_disagrees_and_can_be_told() {
    let fnv = |text: &str| {
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    };
    let misrouted = ids()
        .filter(|id| fnv(&format!("room/{id}")) % 8 != EntityKey::new("room", id.as_str()).shard(8))
        .count();
    assert!(misrouted > 1_500, "{misrouted} of 2000 misrouted");
}
