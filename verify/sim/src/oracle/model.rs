//! The booking domain once more, naively: every command replayed from the effective log, each answer and event computed
//! again. Written from what the aggregates promise, with JSON and numbers only.

use std::collections::BTreeMap;

use palinode_verify::{
    Effective,
    record::{Cause, Outcome},
};
use serde_json::{Value, json};

use super::{Truth, booking};
use crate::world::World;

/// The states of each entity: after which offset and commit, as JSON, oldest first.
pub(crate) type History = BTreeMap<(String, u32), BTreeMap<String, Vec<(u64, u64, Value)>>>;

/// The kinds of entities that are computed again here and in `booking.rs`.
const KINDS: [&str; 5] = ["account", "slot", "room-type", "flight", "car"];

/// What the model expects of a command.
pub(super) struct Expected {
    pub(super) outcome: Outcome,
    /// The reply, or the rejection.
    pub(super) answer: Value,
    pub(super) events: Vec<(&'static str, Value)>,
    pub(super) state: Value,
}

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) -> History {
    let mut history = History::new();
    let asked = world.history.all();
    let clients: BTreeMap<_, _> = asked.iter().map(|a| (a.id(), &a.message)).collect();
    for ((service, shard), commits) in &truth.shards {
        let states = history.entry((service.clone(), *shard)).or_default();
        for effective in commits {
            let Some(entity) = effective.entity().filter(|e| KINDS.contains(&&*e.kind)) else {
                continue;
            };
            let (command, expected_version) = match &effective.commit.cause {
                Cause::Client { id, .. } => match clients.get(id) {
                    Some(message) => (message.data.get().to_owned(), message.expect_version),
                    None => {
                        wrong.push(format!("A4: {entity} has a commit of {id}, which nobody sent"));
                        continue;
                    }
                },
                Cause::Channel { from, seq, .. } => {
                    let key = (effective.at.to_string(), from.to_string(), *seq);
                    match truth.sent.get(&key) {
                        Some(message) => (message.data.get().to_owned(), None),
                        None => continue,
                    }
                }
                cause => {
                    wrong.push(format!("model: {entity} was changed by {cause:?}"));
                    continue;
                }
            };
            let of = states.entry(entity.to_string()).or_default();
            let before = of.last().map(|(_, _, state)| state.clone());
            let expected = match expected_version {
                Some(version) if version != entity.version => Expected {
                    outcome: Outcome::Conflict,
                    answer: json!({ "expected": version, "actual": entity.version }),
                    events: Vec::new(),
                    state: before.unwrap_or(Value::Null),
                },
                _ => execute(&entity.kind, &entity.id, before, &command),
            };
            compare(effective, &command, &expected, wrong);
            if !expected.state.is_null() {
                of.push((effective.offset, effective.commit.pseq, expected.state));
            }
        }
    }
    history
}

fn compare(effective: &Effective, command: &str, expected: &Expected, wrong: &mut Vec<String>) {
    let commit = &effective.commit;
    let answer = commit.answer.as_ref().map_or("null", |a| a.get());
    let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    let told = if commit.outcome == Outcome::Accepted { &answer } else { &answer["data"] };
    let events: Vec<(String, Value)> = commit
        .events
        .iter()
        .map(|e| (e.name.clone(), serde_json::from_str(e.data.get()).unwrap_or(Value::Null)))
        .collect();
    let same = commit.outcome == expected.outcome
        && *told == expected.answer
        && events.iter().map(|(n, v)| (n.as_str(), v)).eq(expected.events.iter().map(|(n, v)| (*n, v)));
    if !same {
        wrong.push(format!(
            "model: {} commit {}: {command} gave {:?} {answer} {events:?}; expected {:?} {} {:?}",
            effective.at, commit.pseq, commit.outcome, expected.outcome, expected.answer, expected.events
        ));
    }
}

fn execute(kind: &str, id: &str, before: Option<Value>, command: &str) -> Expected {
    let command: Value = serde_json::from_str(command).unwrap_or(Value::Null);
    if booking::KINDS.contains(&kind) {
        return booking::execute(kind, id, before, &command);
    }
    let (verb, body) = command
        .as_object()
        .and_then(|o| o.iter().next())
        .map_or(("", Value::Null), |(k, v)| (k.as_str(), v.clone()));
    if verb == "Flood" {
        return flood(before, &body);
    }
    if kind == "account" { money(before, verb, &body) } else { place(before, verb, &body) }
}

fn money(before: Option<Value>, verb: &str, body: &Value) -> Expected {
    let balance = before.as_ref().and_then(|s| s["balance"].as_i64()).unwrap_or(0);
    let amount = body.as_i64().unwrap_or(0);
    let accepted = |balance: i64, events| Expected {
        outcome: Outcome::Accepted,
        answer: json!(balance),
        events,
        state: json!({ "balance": balance }),
    };
    match verb {
        "Deposit" if amount == 0 => accepted(balance, Vec::new()),
        "Deposit" => accepted(balance + amount, vec![("account.deposited", json!(amount))]),
        _ if amount > balance => Expected {
            outcome: Outcome::Rejected,
            answer: json!({ "NotEnough": { "balance": balance } }),
            events: Vec::new(),
            state: json!({ "balance": balance }),
        },
        _ => accepted(balance - amount, vec![("account.withdrawn", json!(amount))]),
    }
}

/// The limits that are promised: an event of 256 kB, a hundred events, a commit of 900 kB.
fn flood(before: Option<Value>, body: &Value) -> Expected {
    let number = |name: &str| body[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (bytes, times) = (number("bytes"), number("times"));
    let state = before.unwrap_or_else(|| json!({ "holders": {} }));
    if bytes > 256 * 1024 || times > 100 || bytes * times > 900 * 1024 {
        return Expected { outcome: Outcome::Invalid, answer: Value::Null, events: Vec::new(), state };
    }
    let held = state["holders"].as_object().map_or(0, serde_json::Map::len);
    let events = (0..times).map(|_| ("slot.flooded", json!("x".repeat(bytes)))).collect();
    Expected { outcome: Outcome::Accepted, answer: json!(held), events, state }
}

fn place(before: Option<Value>, verb: &str, body: &Value) -> Expected {
    let mut holders = before.as_ref().and_then(|s| s["holders"].as_object().cloned()).unwrap_or_default();
    let by = body["by"].as_str().unwrap_or_default().to_owned();
    let most = body["most"].as_u64().unwrap_or(0);
    let mut events = Vec::new();
    let mut no = None;
    match verb {
        "Hold" if body["refuse"] == json!(true) => no = Some("Refused"),
        "Hold" if holders.len() as u64 >= most => no = Some("Full"),
        "Hold" => {
            let times = holders.get(&by).and_then(Value::as_u64).unwrap_or(0) + 1;
            holders.insert(by.clone(), json!(times));
            events.push(("slot.held", json!({ "by": by })));
        }
        "Release" if holders.remove(&by).is_some() => events.push(("slot.released", json!({ "by": by }))),
        "Release" => {}
        _ => events.push(("slot.confirmed", json!({ "by": by }))),
    }
    let (outcome, answer) = match no {
        Some(no) => (Outcome::Rejected, json!(no)),
        None => (Outcome::Accepted, json!(holders.len())),
    };
    Expected { outcome, answer, events, state: json!({ "holders": holders }) }
}
