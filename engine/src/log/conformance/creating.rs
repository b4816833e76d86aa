//! L8 and L9: genesis, and who is suggested to own what.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{Harness, PARTITIONS, SERVICE, appended, log_id, read_all, with_service};
use crate::{
    address::Topic,
    codec::{self, Entry},
    commit::{FORMAT, Genesis},
    log::{Assignment, Confirmed, Created, Log},
};

async fn genesis_of(log: &dyn Log, service: &str, partition: u32) -> Vec<Genesis> {
    let stored = read_all(log, &Topic::events(service), partition, 0).await;
    let entries = stored.iter().map(|s| codec::decode(&s.record).unwrap().unwrap());
    entries.filter_map(|e| if let Entry::Genesis(g) = e { Some(g) } else { None }).collect()
}

fn genesis(service: &str, partitions: u32, id: u128) -> Genesis {
    Genesis { log_id: log_id(id), service: service.into(), partitions, format: FORMAT }
}

/// L8: a new service has one genesis, the first record, the same on each partition, and an empty inbox.
pub async fn genesis_is_first_everywhere(harness: &impl Harness) {
    let log = harness.open().await;

    let created = log.create(SERVICE, PARTITIONS, log_id(7)).await;

    let expected = genesis(SERVICE, PARTITIONS, 7);
    assert_eq!(created, Created::Ready { genesis: expected.clone(), fresh: true });
    for partition in 0..PARTITIONS {
        assert_eq!(genesis_of(&*log, SERVICE, partition).await, std::slice::from_ref(&expected));
        assert!(read_all(&*log, &Topic::inbox(SERVICE), partition, 0).await.is_empty());
    }
}

/// L8: on a service that is there, `create` answers with what is there, also after opening again.
pub async fn creating_again_changes_nothing(harness: &impl Harness) {
    let log = with_service(harness).await;
    appended(&*log, &Topic::inbox(SERVICE), 0, &["a"]).await;
    let there = Created::Ready { genesis: genesis(SERVICE, PARTITIONS, 1), fresh: false };

    assert_eq!(log.create(SERVICE, PARTITIONS, log_id(2)).await, there);
    drop(log);
    let log = harness.open().await;
    assert_eq!(log.create(SERVICE, PARTITIONS, log_id(3)).await, there);

    for partition in 0..PARTITIONS {
        assert_eq!(read_all(&*log, &Topic::events(SERVICE), partition, 0).await.len(), 1);
    }
    assert_eq!(read_all(&*log, &Topic::inbox(SERVICE), 0, 0).await.len(), 1);
}

/// L8: the number of partitions is for ever.
pub async fn another_number_of_partitions_is_refused(harness: &impl Harness) {
    let log = with_service(harness).await;

    for partitions in [0, PARTITIONS - 1, PARTITIONS + 1] {
        let created = log.create(SERVICE, partitions, log_id(2)).await;
        assert!(matches!(created, Created::Refused(_)), "{partitions}: {created:?}");
    }
    assert!(matches!(log.create("flight", 0, log_id(3)).await, Created::Refused(_)));

    assert_eq!(genesis_of(&*log, SERVICE, 0).await, [genesis(SERVICE, PARTITIONS, 1)]);
    assert!(log.read(&Topic::events(SERVICE), PARTITIONS, 0, 1).await.is_err());
}

/// L8: of two creates at once one wins everywhere, and both tell the winner's genesis.
pub async fn two_racing_creates_leave_one_genesis(harness: &impl Harness) {
    let log = harness.open().await;

    let (one, two) =
        tokio::join!(log.create(SERVICE, PARTITIONS, log_id(1)), log.create(SERVICE, PARTITIONS, log_id(2)));

    let (Created::Ready { genesis: a, fresh: fresh_a }, Created::Ready { genesis: b, fresh: fresh_b }) =
        (&one, &two)
    else {
        panic!("{one:?}, {two:?}")
    };
    assert!(a == b && fresh_a != fresh_b, "{one:?}, {two:?}");
    for partition in 0..PARTITIONS {
        assert_eq!(genesis_of(&*log, SERVICE, partition).await, std::slice::from_ref(a));
    }
}

/// L8: a service is part of topic names.
pub async fn names_that_cannot_be_topics_are_refused(harness: &impl Harness) {
    let log = harness.open().await;

    for name in ["", "Hotel", "hotel.events", "a/b"] {
        let created = log.create(name, PARTITIONS, log_id(1)).await;
        assert!(matches!(created, Created::Refused(_)), "{name:?}: {created:?}");
    }
}

/// L8: several services live side by side.
pub async fn services_have_logs_of_their_own(harness: &impl Harness) {
    let log = with_service(harness).await;

    let created = log.create("flight", 1, log_id(2)).await;

    assert_eq!(created, Created::Ready { genesis: genesis("flight", 1, 2), fresh: true });
    assert_eq!(genesis_of(&*log, "flight", 0).await, [genesis("flight", 1, 2)]);
    assert_eq!(genesis_of(&*log, SERVICE, 0).await, [genesis(SERVICE, PARTITIONS, 1)]);
    assert_eq!(appended(&*log, &Topic::inbox("flight"), 0, &["a"]).await, [0]);
    assert_eq!(appended(&*log, &Topic::inbox(SERVICE), 0, &["b"]).await, [0]);
}

/// L9: alone in the group, a member is suggested every shard, once, and may confirm each.
pub async fn the_only_member_gets_every_shard_once(harness: &impl Harness) {
    let log: Arc<dyn Log> = with_service(harness).await;
    let mut member = log.join(SERVICE).await.unwrap();
    let confirm = member.confirmer();

    let mut shards = Vec::new();
    for _ in 0..PARTITIONS {
        match member.next().await {
            Some(Assignment::Assigned(shard)) => shards.push(shard),
            other => panic!("{other:?}"),
        }
    }

    shards.sort_unstable();
    assert_eq!(shards, (0..PARTITIONS).collect::<Vec<_>>());
    for shard in shards {
        assert_eq!(confirm.confirm(shard).await, Confirmed::Yes);
    }
    // Nothing more comes, and the membership has not ended.
    assert!(member.next().now_or_never().is_none());
}

/// L9: nobody can be a member of nothing.
pub async fn joining_an_unknown_service_is_an_error(harness: &impl Harness) {
    let log = with_service(harness).await;

    assert!(log.join("flight").await.is_err());
}
