//! Clients: each does its deeds one after the other, asks again with the same id while the outcome is unknown, at
//! whichever node is there, and gives up after a while. What they ask and hear is in the history.

use std::{sync::Arc, time::Duration};

use palinode::{
    Address, Aggregate, Client, Ids, Record, Topic,
    codec::{Entry, decode},
    commit::Peer,
    message::ClientMessage,
    receipt::Told,
    remote::{AnswerTo, CallRecord},
};
use palinode_sagas::{entity::name, verb::Verb};
use serde_json::{json, value::to_raw_value};

use crate::{
    booking,
    definition::Order,
    domain::{Account, Money, Place, Slot},
    history::Answered,
    people::{self, Does},
    readers,
    script::{Act, Deed},
    world::{World, kind},
};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(4);

/// All deeds of one client.
pub(crate) async fn client(world: World, number: usize, acts: Vec<Act>) {
    for act in acts {
        world.time.reach(Duration::from_millis(act.at_ms)).await;
        let message = message(&world, &act.what);
        if matches!(act.what, Deed::Letter { .. }) {
            letter(&world, &message).await;
            continue;
        }
        let patience = Duration::from_millis(act.patience_ms);
        let told = ask(&world, message.clone(), number, patience, act.doubled).await;
        if matches!((&act.what, told), (Deed::Reuse { .. }, Some(Answered::Recorded { .. }))) {
            reuse(&world, message).await;
        }
    }
}

/// Puts a record into the inbox where it belongs, and forgets it.
async fn letter(world: &World, message: &ClientMessage) {
    let genesis = loop {
        let records = world.cluster.records(&Topic::events(Arc::clone(&message.to.service)), 0);
        match records.first().map(decode) {
            Some(Ok(Some(Entry::Genesis(genesis)))) => break genesis,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let shard = message.to.key().shard(genesis.partitions);
    let to = Peer { service: genesis.service, log_id: genesis.log_id, shard };
    let call = CallRecord::of(message, &to, AnswerTo { partition: 0, client: message.id, question: 1 });
    let now = world.time.now();
    let record = Record::ours(message.to.key().to_string().into(), call.encode().unwrap(), now);
    world.history.post(message, now.0);
    let _ = world.cluster.inject(&Topic::inbox(to.service), shard, record);
}

/// A verb of somebody else.
pub(crate) async fn person(world: World, turn: usize, does: Does) {
    world.time.reach(Duration::from_millis(does.at_ms)).await;
    world.count(format!("people.{}", does.verb));
    let to = Address::new("trip", kind(does.program), does.id.as_str());
    let message = people::message(&world, to, does.verb, does.node.as_deref());
    ask(&world, message, turn, Duration::from_millis(does.patience_ms), turn.is_multiple_of(5)).await;
}

/// Asks until there is a definite answer, or patience ends.
pub(crate) async fn ask(
    world: &World,
    message: ClientMessage,
    mut turn: usize,
    patience: Duration,
    doubled: bool,
) -> Option<Answered> {
    let asked = world.history.invoke(&message, world.time.now().0);
    let until = world.time.passed() + patience;
    loop {
        let clients = world.clients();
        let pick = |n: usize| clients.get(n % clients.len().max(1)).cloned();
        let (one, other) = (pick(turn), pick(turn + 1));
        turn += 1;
        if let Some(client) = one {
            let second = async {
                match other.filter(|_| doubled) {
                    Some(other) => tell(world, &other, &message).await,
                    None => None,
                }
            };
            let (a, b) = futures_util::future::join(tell(world, &client, &message), second).await;
            let now = world.time.now().0;
            let answers: Vec<Answered> = [a, b].into_iter().flatten().collect();
            for answer in &answers {
                world.history.answer(asked, now, answer.clone());
            }
            if let Some(answer) = answers.into_iter().next() {
                return Some(answer);
            }
        }
        if world.time.passed() >= until {
            world.history.give_up(asked);
            return None;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Asks for something else under an id that was used: it must never be told that this was done.
async fn reuse(world: &World, mut message: ClientMessage) {
    message.data = to_raw_value(&Money::Deposit(1_000)).unwrap();
    for client in world.clients() {
        if let Some(told @ Answered::Recorded { .. }) = tell(world, &client, &message).await {
            world.complain(format!("A6: {} was used for something else and is told {told:?}", message.id));
        }
    }
}

async fn tell(world: &World, client: &Client, message: &ClientMessage) -> Option<Answered> {
    let told = tokio::time::timeout(CALL, client.tell(message.clone())).await;
    let told = told.unwrap_or(Told::Unknown);
    if let Told::Recorded { receipt, .. } = &told {
        readers::given(world, &receipt.token);
    }
    Answered::of(&told)
}

fn message(world: &World, deed: &Deed) -> ClientMessage {
    let account = |n: &u8| Account::at(format!("a-{n}")).address();
    let instance = |program: &usize, id: &String| Address::new("trip", kind(*program), id.as_str());
    let (to, name, data, expect_version) = match deed {
        Deed::Deposit { account: n, amount }
        | Deed::Reuse { account: n, amount }
        | Deed::Letter { account: n, amount } => {
            (account(n), Account::KIND.into(), to_raw_value(&Money::Deposit(*amount)), None)
        }
        Deed::Withdraw { account: n, amount, expect_version } => {
            (account(n), Account::KIND.into(), to_raw_value(&Money::Withdraw(*amount)), *expect_version)
        }
        Deed::Flood { slot, bytes, times } => {
            let flood = Place::Flood { bytes: *bytes, times: *times };
            (Slot::at(format!("s-{slot}")).address(), Slot::KIND.into(), to_raw_value(&flood), None)
        }
        Deed::Start { program, id, fates } => {
            let bug = world.script.people.bugs.get(id).cloned();
            let order = Order { id: id.clone(), fates: fates.clone(), bug };
            (instance(program, id), name::START.into(), to_raw_value(&json!({ "data": order })), None)
        }
        Deed::Cancel { program, id } => {
            return people::message(world, instance(program, id), Verb::Cancel, None);
        }
        Deed::Kill { program, id } => return people::message(world, instance(program, id), Verb::Kill, None),
        Deed::Signal { program, id, nth } => {
            let data = json!({ "id": format!("{id}-{nth}"), "data": {} });
            (instance(program, id), format!("{}go", name::SIGNAL).into(), to_raw_value(&data), None)
        }
        Deed::Booking(guest) => {
            let (to, name, data) = guest.message();
            (to, name.into(), to_raw_value(&data), None)
        }
    };
    let id = world.ids.fresh(world.time.now());
    ClientMessage { id, to, name, data: data.unwrap(), expect_version, traceparent: None }
}

/// A question to every shard that changes nothing: who answers it works.
pub(crate) fn probes(world: &World) -> Vec<ClientMessage> {
    let mut probes = Vec::new();
    let mut probe = |to: Address, name: &str, data| {
        let id = world.ids.fresh(world.time.now());
        let data = to_raw_value(&data).unwrap();
        probes.push(ClientMessage {
            id,
            to,
            name: name.into(),
            data,
            expect_version: None,
            traceparent: None,
        });
    };
    for n in 0..3 {
        probe(Account::at(format!("a-{n}")).address(), Account::KIND, json!(Money::Deposit(0)));
        let release = Place::Release { by: "nobody".into() };
        probe(Slot::at(format!("s-{n}")).address(), Slot::KIND, json!(release));
    }
    for shard in 0..world.script.shards {
        let id = living_on(Account::KIND, shard, world.script.shards);
        probe(Account::at(id).address(), Account::KIND, json!(Money::Deposit(0)));
        let id = living_on(Slot::KIND, shard, world.script.shards);
        let release = Place::Release { by: "nobody".into() };
        probe(Slot::at(id).address(), Slot::KIND, json!(release));
        let id = living_on(&kind(0), shard, world.script.shards);
        let data = json!({ "reason": "probe", "by": "probe" });
        probe(Address::new("trip", kind(0), id), Verb::Cancel.as_str(), data);
        if world.booking.is_some() {
            for (to, name, data) in booking::probes(|kind| living_on(kind, shard, world.script.shards)) {
                probe(to, name, data);
            }
        }
    }
    probes
}

fn living_on(kind: &str, shard: u32, shards: u32) -> String {
    let on = |id: &String| palinode::EntityKey::new(kind, id.as_str()).shard(shards) == shard;
    (0..).map(|n| format!("probe-{n}")).find(on).unwrap()
}
