//! Timers: how late they fire is told once, when their commit is effective.

use std::{sync::Arc, time::Duration};

use palinode::{
    Address, Client, Context, Micros, Node, NodeBuilder, Service,
    commit::{EventRecord, Outcome, TimerSet},
    entity::{Decision, Entity, EntityInput, Kind, Recorded, Unfit},
    log::memory::Next,
    message::ClientMessage,
    receipt::Told,
};
use serde_json::value::RawValue;

use crate::world::World;

const LATER: Duration = Duration::from_secs(10);

/// Rings ten seconds after it was set.
struct AlarmKind;

struct Alarm;

impl Kind for AlarmKind {
    fn name(&self) -> &str {
        "alarm"
    }

    fn blank(&self, _id: &Arc<str>) -> Box<dyn Entity> {
        Box::new(Alarm)
    }

    fn restore(&self, _id: &Arc<str>, _saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        Ok(Box::new(Alarm))
    }
}

impl Entity for Alarm {
    fn handle(&mut self, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit> {
        let mut decision = Decision::of(Outcome::Accepted, Some(RawValue::NULL.to_owned()));
        let name = match input {
            EntityInput::Timer { .. } => "alarm.rung",
            _ => {
                let due = cx.time.plus(LATER);
                decision.timers.set.push(TimerSet { node: "ring".into(), serial: cx.version + 1, due });
                "alarm.set"
            }
        };
        decision.events.push(EventRecord { name: name.into(), schema: 1, data: RawValue::NULL.to_owned() });
        Ok(decision)
    }

    fn apply(&mut self, _event: &EventRecord, _commit: &Recorded<'_>) -> Result<(), Unfit> {
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, Unfit> {
        Ok(Vec::new())
    }
}

async fn alarms(world: &World) -> Node {
    let node = NodeBuilder::new("a").partitions(1).limits(world.limits).observe(world.heard.clone());
    let node = node.service(Service::new("house").kind(Arc::new(AlarmKind)));
    node.start(world.parts("a")).await.unwrap()
}

async fn set(world: &World, client: &Client) -> Micros {
    let to = Address::new("house", "alarm", "bed");
    let message = ClientMessage { to, name: "alarm".into(), ..world.add("bed", 1) };
    match world.tell(std::slice::from_ref(client), &message).await {
        Told::Recorded { receipt, .. } => receipt.time,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn how_late_a_timer_fires_is_told_once() {
    // Given an alarm
    let world = World::of_one_shard();
    let node = alarms(&world).await;
    set(&world, &node.client()).await;
    // When it is time
    world.pass(Duration::from_secs(11)).await;
    // Then it is told, and how late it was
    let late = world.heard.values("house", "fired");
    assert!(late.len() == 1 && (0.0..1.0).contains(&late[0]), "{late:?}");
    // And when the node was away at that time, it is late
    set(&world, &node.client()).await;
    node.crash().await;
    world.pass(Duration::from_secs(40)).await;
    let node = alarms(&world).await;
    world.pass(Duration::from_secs(5)).await;
    let late = world.heard.values("house", "fired");
    assert!(late.len() == 2 && (29.0..31.0).contains(&late[1]), "{late:?}");
    // And when the commit of its firing is lost, the one that counts is told, and only that
    set(&world, &node.client()).await;
    world.cluster.next_append("a", Next::Lose);
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(world.heard.count("house", "append unknown"), 1);
    assert_eq!(world.heard.values("house", "fired").len(), 3);
    node.crash().await;
}
