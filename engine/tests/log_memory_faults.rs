//! What the memory log does when things go wrong: no more than the contract lets it, and no less.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use palinode::{
    Append, Log, Record, Topic,
    log::{
        Assignment, Confirmed, Created, Membership,
        conformance::{SERVICE, appended, log_id, read_all, record, texts},
        memory::{Faults, MemoryCluster, Next},
    },
};

const SHARDS: u32 = 4;

fn inbox() -> Topic {
    Topic::inbox(SERVICE)
}

/// A cluster with a service, and two nodes.
async fn two_nodes(seed: u64) -> (MemoryCluster, Arc<dyn Log>, Arc<dyn Log>) {
    let cluster = MemoryCluster::new(seed);
    let (a, b) = (cluster.member("a"), cluster.member("b"));
    assert!(matches!(a.create(SERVICE, SHARDS, log_id(1)).await, Created::Ready { .. }));
    (cluster, a, b)
}

fn in_log(cluster: &MemoryCluster) -> Vec<String> {
    cluster.records(&inbox(), 0).iter().map(text).collect()
}

fn text(record: &Record) -> String {
    String::from_utf8(record.value.to_vec()).unwrap()
}

#[tokio::test]
async fn each_script_does_what_it_says() {
    for (next, told, landed) in [
        (Next::Lose, "unknown", &[][..]),
        (Next::LoseReply, "unknown", &["x", "y"]),
        (Next::Double, "unknown", &["x", "y", "x", "y"]),
        (Next::Refuse, "refused", &[]),
        (Next::HideOffsets, "[None, None]", &["x", "y"]),
    ] {
        let (cluster, a, b) = two_nodes(1).await;
        cluster.next_append("a", next);

        // Another node's append is another node's affair.
        appended(&*b, &inbox(), 1, &["b's"]).await;
        let outcome = match a.append(&inbox(), 0, vec![record("x"), record("y")]).await {
            Append::Appended(offsets) => format!("{offsets:?}"),
            Append::Refused(_) => "refused".into(),
            Append::Unknown(_) => "unknown".into(),
        };

        assert_eq!(outcome, told, "{next:?}");
        assert_eq!(in_log(&cluster), landed, "{next:?}");
        // A script is for one append only.
        appended(&*a, &inbox(), 0, &["z"]).await;
    }
}

#[tokio::test]
async fn a_late_append_lands_behind_its_successor() {
    let (cluster, a, b) = two_nodes(1).await;
    cluster.next_append("a", Next::Late);

    let outcome = a.append(&inbox(), 0, vec![record("claim of a")]).await;
    assert!(matches!(outcome, Append::Unknown(_)), "{outcome:?}");
    assert_eq!(appended(&*b, &inbox(), 0, &["claim of b"]).await, [0]);
    assert_eq!(appended(&*a, &inbox(), 0, &["a again"]).await, [1]);
    assert_eq!(cluster.in_flight(), 1);

    assert_eq!(cluster.release("a"), 1);
    assert_eq!(in_log(&cluster), ["claim of b", "a again", "claim of a"]);
}

#[tokio::test]
async fn a_held_append_holds_up_its_producer_and_nobody_else() {
    let (cluster, a, b) = two_nodes(1).await;
    cluster.next_append("a", Next::Hold);

    let mut first = a.append(&inbox(), 0, vec![record("a1")]);
    let mut second = a.append(&inbox(), 0, vec![record("a2")]);
    appended(&*b, &inbox(), 0, &["b1"]).await;
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());

    assert_eq!(cluster.release("a"), 2);
    assert_eq!(first.await, Append::Appended(vec![Some(1)]));
    assert_eq!(second.await, Append::Appended(vec![Some(2)]));
    assert_eq!(in_log(&cluster), ["b1", "a1", "a2"]);
}

/// What two producers sent, what they were told, and what was in the log long after.
struct Run {
    told: BTreeMap<String, (Append, usize)>,
    log: Vec<String>,
}

async fn rough_run(seed: u64) -> Run {
    let (cluster, a, b) = two_nodes(seed).await;
    cluster.set_faults(Faults::rough());
    let mut calls = Vec::new();
    for n in 0..40 {
        for (name, log) in [("a", &a), ("b", &b)] {
            let texts: Vec<String> = (0..1 + n % 3).map(|i| format!("{name} {n:02} {i}")).collect();
            let call = log.append(&inbox(), 0, texts.iter().map(|t| record(t)).collect());
            calls.push((texts, tokio::spawn(call)));
        }
        tokio::time::sleep(Duration::from_millis(n % 5)).await;
    }
    let mut told = BTreeMap::new();
    for (texts, call) in calls {
        let outcome = call.await.unwrap();
        for (nth, text) in texts.into_iter().enumerate() {
            told.insert(text, (outcome.clone(), nth));
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.in_flight(), 0);
    Run { told, log: in_log(&cluster) }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_to_an_append_its_answer_is_true() {
    let mut met: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..60 {
        let Run { told, log } = rough_run(seed).await;
        let mut at: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        log.iter().enumerate().for_each(|(offset, text)| at.entry(text).or_default().push(offset));
        assert!(
            log.iter().all(|text| told.contains_key(text)),
            "seed {seed}: nothing lands that was not sent"
        );

        for (text, (outcome, nth)) in &told {
            let landed = at.get(text).map_or(&[][..], Vec::as_slice);
            let what = match outcome {
                Append::Appended(offsets) => {
                    let [offset] = landed else { panic!("seed {seed}: {text} is at {landed:?}") };
                    assert!(offsets[*nth].is_none_or(|told| told == *offset as u64), "seed {seed}: {text}");
                    if offsets[*nth].is_some() { "appended" } else { "appended somewhere" }
                }
                Append::Refused(_) => {
                    assert!(landed.is_empty(), "seed {seed}: {text} was refused and is at {landed:?}");
                    "refused"
                }
                Append::Unknown(_) => {
                    ["unknown, not there", "unknown, there", "unknown, there twice"][landed.len()]
                }
            };
            *met.entry(what).or_default() += 1;
        }
        for name in ["a", "b"] {
            let known = |t: &&String| t.starts_with(name) && matches!(told[*t].0, Append::Appended(_));
            let acknowledged: Vec<&String> = log.iter().filter(known).collect();
            assert!(acknowledged.is_sorted(), "seed {seed}: a producer keeps its order: {acknowledged:?}");
        }
        let interleaved = log.windows(2).filter(|w| w[0][..1] != w[1][..1]).count();
        *met.entry("interleaved").or_default() += u32::from(interleaved > 2);
    }
    let all = [
        "appended",
        "appended somewhere",
        "refused",
        "unknown, not there",
        "unknown, there",
        "unknown, there twice",
        "interleaved",
    ];
    assert!(all.iter().all(|what| met.get(what).is_some_and(|n| *n >= 5)), "{met:?}");
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_make_equal_logs() {
    assert_eq!(rough_run(5).await.log, rough_run(5).await.log);
    assert_ne!(rough_run(5).await.log, rough_run(6).await.log);
}

#[tokio::test(start_paused = true)]
async fn an_append_lands_even_if_nobody_waits_or_looks() {
    let (cluster, a, _) = two_nodes(1).await;
    cluster.set_faults(Faults { latency: Duration::from_secs(1), ..Faults::none() });
    drop(a.append(&inbox(), 0, vec![record("x")]));

    tokio::time::sleep(Duration::from_secs(2)).await;

    assert_eq!(in_log(&cluster), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_reader_sees_a_prefix_and_never_goes_back() {
    let (cluster, a, b) = two_nodes(3).await;
    let values: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    appended(&*a, &inbox(), 0, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;
    cluster.set_faults(Faults::rough());
    let (mut found, mut failed, mut short, mut lagged) = (Vec::new(), 0, 0, 0);

    while found.len() < values.len() {
        let from = found.len() as u64;
        match b.read(&inbox(), 0, from, 3).await {
            Ok(page) => {
                assert!(page.iter().zip(from..).all(|(s, offset)| s.offset == offset));
                short += u32::from(page.len() < 2);
                found.extend(texts(&page));
            }
            Err(_) => failed += 1,
        }
        if let Ok(end) = b.end(&inbox(), 0).await {
            assert!(end >= found.len() as u64 && end <= 200, "end {end} after {} were read", found.len());
            lagged += u32::from(end < 200);
        }
    }

    assert_eq!(found, values);
    assert!(short > 0 && failed > 0 && lagged > 0, "short {short}, failed {failed}, lagged {lagged}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_create_may_be_lost() {
    let cluster = MemoryCluster::new(1);
    cluster.set_faults(Faults { create_unknown: 1_000, ..Faults::none() });
    let a = cluster.member("a");

    assert!(matches!(a.create(SERVICE, SHARDS, log_id(1)).await, Created::Unknown(_)));
    let again = a.create(SERVICE, SHARDS, log_id(2)).await;

    let Created::Ready { genesis, fresh: false } = again else { panic!("{again:?}") };
    assert_eq!(genesis.log_id, log_id(1));
}

#[tokio::test]
async fn partitions_can_be_cut_replaced_and_written_by_strangers() {
    let (cluster, a, _) = two_nodes(1).await;
    appended(&*a, &inbox(), 0, &["1", "2", "3"]).await;
    let backup = cluster.records(&inbox(), 0);

    cluster.truncate(&inbox(), 0, 1);
    assert_eq!(in_log(&cluster), ["1"]);
    cluster.replace(&inbox(), 0, backup);
    let foreign = Record { mark: None, crc: None, ..record("a stranger's") };
    assert_eq!(cluster.inject(&inbox(), 0, foreign.clone()), Some(3));

    assert_eq!(read_all(&*a, &inbox(), 0, 3).await[0].record, foreign);
    assert_eq!(cluster.inject(&Topic::inbox("flight"), 0, foreign), None);
}

/// Takes the news that are there now, stopping at once whatever is revoked.
async fn news(member: &mut Box<dyn Membership>) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        // Whoever waits for a revocation to end gets to know of it.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        match member.next().now_or_never() {
            Some(Some(Assignment::Assigned(shard))) => all.push(format!("assigned {shard}")),
            Some(Some(Assignment::Revoked { shard, .. })) => all.push(format!("revoked {shard}")),
            Some(Some(Assignment::Lost(shard))) => all.push(format!("lost {shard}")),
            Some(Some(other)) => all.push(format!("{other:?}")),
            Some(None) => {
                all.push("ended".into());
                return all;
            }
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_second_member_gets_its_share_when_the_first_has_stopped() {
    let (cluster, a, b) = two_nodes(1).await;
    let mut one = a.join(SERVICE).await.unwrap();
    assert_eq!(news(&mut one).await, ["assigned 0", "assigned 1", "assigned 2", "assigned 3"]);

    let mut two = b.join(SERVICE).await.unwrap();
    assert!(news(&mut two).await.is_empty());
    let Some(Assignment::Revoked { shard: 2, done }) = one.next().await else { panic!("not revoked") };
    let Some(Assignment::Revoked { shard: 3, done: done3 }) = one.next().await else { panic!("not revoked") };
    assert!(news(&mut two).await.is_empty());
    assert_eq!(one.confirmer().confirm(2).await, Confirmed::Yes);

    drop(done);
    assert_eq!(news(&mut two).await, ["assigned 2"]);
    assert_eq!(one.confirmer().confirm(2).await, Confirmed::Refused);
    assert_eq!(two.confirmer().confirm(2).await, Confirmed::Yes);
    drop(done3);
    assert_eq!(news(&mut two).await, ["assigned 3"]);
    assert_eq!((cluster.held_by(SERVICE, "a"), cluster.held_by(SERVICE, "b")), (vec![0, 1], vec![2, 3]));

    drop(one);
    assert_eq!(news(&mut two).await, ["assigned 0", "assigned 1"]);
}

#[tokio::test]
async fn an_expelled_member_hears_of_it_and_may_come_back() {
    let (cluster, a, b) = two_nodes(1).await;
    let (mut one, mut two) = (a.join(SERVICE).await.unwrap(), b.join(SERVICE).await.unwrap());
    news(&mut one).await;
    assert_eq!(news(&mut two).await, ["assigned 2", "assigned 3"]);

    cluster.expel("a");

    assert_eq!(news(&mut one).await, ["lost 0", "lost 1", "ended"]);
    assert_eq!(one.confirmer().confirm(0).await, Confirmed::Refused);
    assert_eq!(news(&mut two).await, ["assigned 0", "assigned 1"]);
    let mut again = a.join(SERVICE).await.unwrap();
    news(&mut two).await;
    assert_eq!(news(&mut again).await.len(), 2);
}

#[tokio::test]
async fn a_frozen_member_is_refused_though_it_hears_nothing() {
    let (cluster, a, b) = two_nodes(1).await;
    let mut one = a.join(SERVICE).await.unwrap();
    news(&mut one).await;
    let mut two = b.join(SERVICE).await.unwrap();

    cluster.expel_unheard("a");

    assert_eq!(news(&mut two).await.len(), 4);
    assert!(news(&mut one).await.is_empty());
    assert_eq!(one.confirmer().confirm(0).await, Confirmed::Refused);
    cluster.expel("a");
    assert_eq!(news(&mut one).await, ["lost 0", "lost 1", "lost 2", "lost 3", "ended"]);
}

#[tokio::test]
async fn a_shard_can_be_given_and_stolen() {
    let (cluster, a, b) = two_nodes(1).await;
    let (mut one, mut two) = (a.join(SERVICE).await.unwrap(), b.join(SERVICE).await.unwrap());
    news(&mut one).await;
    news(&mut two).await;

    assert!(cluster.steal(SERVICE, 0, "b"));
    assert!(news(&mut one).await.is_empty(), "the robbed one hears nothing");
    assert_eq!(news(&mut two).await, ["assigned 0"]);
    assert_eq!(one.confirmer().confirm(0).await, Confirmed::Refused);

    assert!(cluster.assign(SERVICE, 2, "a"));
    assert_eq!(news(&mut two).await, ["revoked 2"]);
    assert_eq!(news(&mut one).await, ["assigned 2"]);
    assert!(!cluster.assign(SERVICE, SHARDS, "a") && !cluster.steal("flight", 0, "a"));
    assert!(!cluster.assign(SERVICE, 0, "nobody"));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_dies_unnoticed_is_missed_after_its_session() {
    let (cluster, a, b) = two_nodes(1).await;
    let (mut one, mut two) = (a.join(SERVICE).await.unwrap(), b.join(SERVICE).await.unwrap());
    news(&mut one).await;
    news(&mut two).await;
    cluster.set_faults(Faults { left_unnoticed: 1_000, session: Duration::from_secs(10), ..Faults::none() });

    let died = tokio::time::Instant::now();
    drop(one);

    for _ in 0..2 {
        assert!(matches!(two.next().await, Some(Assignment::Assigned(0 | 1))));
    }
    assert_eq!(died.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_restless_group_ends_up_with_an_owner_for_each_shard() {
    for seed in 0..20 {
        let (cluster, a, b) = two_nodes(seed).await;
        cluster.set_faults(Faults::rough());
        let follow = |mut member: Box<dyn Membership>| async move {
            let (mut mine, mut count) = (std::collections::BTreeSet::new(), 0);
            let end = tokio::time::Instant::now() + Duration::from_secs(300);
            while let Ok(Some(news)) = tokio::time::timeout_at(end, member.next()).await {
                count += 1;
                match news {
                    Assignment::Assigned(shard) => drop(mine.insert(shard)),
                    Assignment::Revoked { shard, .. } | Assignment::Lost(shard) => drop(mine.remove(&shard)),
                    other => panic!("{other:?}"),
                }
            }
            (mine, count, member)
        };
        let (one, two) = (a.join(SERVICE).await.unwrap(), b.join(SERVICE).await.unwrap());
        let heal = async {
            tokio::time::sleep(Duration::from_secs(200)).await;
            cluster.set_faults(Faults::none());
        };

        let ((one, count, _m1), (two, more, _m2), ()) = tokio::join!(follow(one), follow(two), heal);

        assert!(count + more > 20, "seed {seed}: a group at rest: {count} and {more}");
        let all: Vec<u32> = one.iter().chain(&two).copied().collect();
        assert!(one.is_disjoint(&two) && all.len() == SHARDS as usize, "seed {seed}: {one:?} {two:?}");
        let held = |name| cluster.held_by(SERVICE, name).into_iter().collect();
        assert_eq!((one, two), (held("a"), held("b")), "seed {seed}");
    }
}
