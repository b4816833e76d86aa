//! The group: shards are shared, move, and leave a member that was frozen; and whether one is still ours can be asked.
//! The member that is frozen is this program, started again.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "kafka_support/cluster.rs"]
mod cluster;

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cluster::Cluster;
use palinode::{
    Log,
    log::{
        Assignment, Confirmed, Created, Membership,
        conformance::{SERVICE, log_id},
        kafka::GroupProtocol,
    },
};

const SHARDS: u32 = 4;
/// How long a group may take to speak.
const PATIENCE: Duration = Duration::from_secs(60);
/// Says to a child that it is one, and where its topics are.
const CHILD: &str = "PALINODE_TEST_CHILD";

/// A place with a service, and a session as short as test brokers allow.
async fn with_service() -> Cluster {
    let cluster = place(None);
    let created = cluster.creating().await.create(SERVICE, SHARDS, log_id(1)).await;
    assert!(matches!(created, Created::Ready { .. }), "{created:?}");
    cluster
}

fn place(prefix: Option<String>) -> Cluster {
    let mut cluster = prefix.map_or_else(Cluster::new, Cluster::of);
    cluster.settings.session = Duration::from_secs(3);
    cluster
}

/// Follows a member until it holds so many shards.
async fn holds(member: &mut dyn Membership, held: &mut BTreeSet<u32>, shards: usize) {
    while held.len() != shards {
        match member.next().await.expect("the membership goes on") {
            Assignment::Assigned(shard) => assert!(held.insert(shard), "{shard} is held already"),
            Assignment::Revoked { shard, .. } | Assignment::Lost(shard) => {
                assert!(held.remove(&shard), "{shard} is not held");
            }
            Assignment::Hindered(why) => panic!("{why}"),
            Assignment::Settled => {}
        }
    }
}

async fn confirms(member: &dyn Membership, shard: u32) -> Confirmed {
    loop {
        // A rebalance may be under way: then nobody can say.
        match member.confirmer().confirm(shard).await {
            Confirmed::Unknown => tokio::task::yield_now().await,
            known => return known,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn members_share_the_shards_and_one_that_leaves_gives_them_back() {
    let cluster = with_service().await;
    let (one, two) = (cluster.connected().await, cluster.connected().await);
    let mut first = one.join(SERVICE).await.unwrap();
    let mut held = BTreeSet::new();
    holds(&mut *first, &mut held, 4).await;

    let mut second = two.join(SERVICE).await.unwrap();
    let mut others = BTreeSet::new();
    tokio::join!(holds(&mut *first, &mut held, 2), holds(&mut *second, &mut others, 2));

    assert!(held.is_disjoint(&others));
    for shard in &held {
        assert_eq!(confirms(&*first, *shard).await, Confirmed::Yes);
        assert_eq!(confirms(&*second, *shard).await, Confirmed::Refused);
    }
    for shard in &others {
        assert_eq!(confirms(&*second, *shard).await, Confirmed::Yes);
        assert_eq!(confirms(&*first, *shard).await, Confirmed::Refused);
    }
    drop(second);
    holds(&mut *first, &mut held, 4).await;
    for shard in 0..SHARDS {
        assert_eq!(confirms(&*first, shard).await, Confirmed::Yes);
    }
    assert_eq!(confirms(&*first, SHARDS).await, Confirmed::Refused);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_rebalance_waits_for_owners_when_it_shall() {
    let mut cluster = with_service().await;
    cluster.settings.hand_over = Duration::from_secs(60);
    let (one, two) = (cluster.connected().await, cluster.connected().await);
    let mut first = one.join(SERVICE).await.unwrap();
    holds(&mut *first, &mut BTreeSet::new(), 4).await;
    let mut second = two.join(SERVICE).await.unwrap();
    let mut waiting = Vec::new();
    while waiting.len() < 2 {
        let Some(Assignment::Revoked { shard, done }) = first.next().await else { panic!("nothing is lost") };
        waiting.push((shard, done));
    }

    // The shards are still with the first: it has not said that it is done.
    for (shard, _) in &waiting {
        assert_ne!(first.confirmer().confirm(*shard).await, Confirmed::Refused);
    }
    let given: BTreeSet<u32> = waiting.iter().map(|(shard, _)| *shard).collect();
    drop(waiting);

    let mut held = BTreeSet::new();
    holds(&mut *second, &mut held, 2).await;
    assert_eq!(held, given);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_member_for_which_nothing_is_left_hears_so() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        // Given a member that holds all there is
        let mut cluster = place(None);
        cluster.settings.protocol = protocol;
        cluster.creating().await.create(SERVICE, 1, log_id(1)).await;
        let (one, two) = (cluster.connected().await, cluster.connected().await);
        let mut first = one.join(SERVICE).await.unwrap();
        holds(&mut *first, &mut BTreeSet::new(), 1).await;
        // When another joins, then the group says that there is nothing for it, or it takes over
        let mut second = two.join(SERVICE).await.unwrap();
        let heard = tokio::time::timeout(PATIENCE, second.next())
            .await
            .unwrap_or_else(|_| panic!("{protocol:?}: nothing"));
        assert!(
            matches!(heard, Some(Assignment::Settled | Assignment::Assigned(0))),
            "{protocol:?}: {heard:?}"
        );
    }
}

/// The member that is frozen: tells what it hears, and confirms what it is asked.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_member_that_is_frozen() {
    let Ok(prefix) = env::var(CHILD) else { return };
    let log = place(Some(prefix)).connected().await;
    let mut member = log.join(SERVICE).await.unwrap();
    let confirmer = member.confirmer();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let shard = line.parse().unwrap();
            tell(&format!("confirmed {:?}", runtime.block_on(confirmer.confirm(shard))));
        }
    });
    while let Some(change) = member.next().await {
        tell(&match change {
            Assignment::Assigned(shard) => format!("assigned {shard}"),
            Assignment::Revoked { shard, .. } => format!("revoked {shard}"),
            Assignment::Lost(shard) => format!("lost {shard}"),
            Assignment::Hindered(why) => format!("hindered: {why}"),
            Assignment::Settled => continue,
        });
    }
}

fn tell(text: &str) {
    println!("{text}");
    std::io::stdout().flush().unwrap();
}

struct Frozen {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Frozen {
    fn start(cluster: &Cluster) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["a_member_that_is_frozen", "--exact", "--nocapture", "--ignored", "--test-threads=1"])
            .env(CHILD, &cluster.settings.prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing it tells that holds this; what comes before is passed by, and what follows it is told.
    fn hear(&mut self, what: &str) -> String {
        loop {
            let line = self.lines.next().expect("the member goes on").unwrap();
            // The first one stands behind what the test harness says.
            if let Some((_, rest)) = line.split_once(what) {
                return rest.trim().to_owned();
            }
        }
    }

    fn ask(&mut self, shard: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{shard}").unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_frozen_member_loses_its_shards_and_hears_of_it() {
    let cluster = with_service().await;
    let mut frozen = Frozen::start(&cluster);
    for _ in 0..SHARDS {
        frozen.hear("assigned");
    }
    let log = Arc::new(cluster.connected().await);
    let mut member = log.join(SERVICE).await.unwrap();
    let mut held = BTreeSet::new();
    holds(&mut *member, &mut held, 2).await;
    let (a, b) = (frozen.hear("revoked"), frozen.hear("revoked"));
    let left = (0..SHARDS).map(|n| n.to_string()).find(|n| *n != a && *n != b).unwrap();

    frozen.signal("-STOP");
    // Asked while it sleeps: what it answers when it wakes must not be yes.
    frozen.ask(&left);
    holds(&mut *member, &mut held, 4).await;
    assert_eq!(confirms(&*member, left.parse().unwrap()).await, Confirmed::Yes);
    frozen.signal("-CONT");

    let mut told = Vec::new();
    while told.iter().filter(|line: &&String| line.starts_with("lost")).count() < 2 {
        told.push(frozen.hear(""));
    }
    assert!(!told.contains(&"confirmed Yes".to_owned()), "{told:?}");
    // It joins again by itself, and gets its part.
    holds(&mut *member, &mut held, 2).await;
    frozen.hear("assigned");
}
