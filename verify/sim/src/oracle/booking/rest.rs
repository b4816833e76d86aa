//! At rest: every trip is completed, compensated, or visibly waits for a person. Stock is held by completed trips and by
//! nobody else, all of it confirmed; each of them paid once, what it holds costs; a compensated trip holds nothing and
//! paid nothing. And no trip ends as it does without a reason.

use std::collections::{BTreeMap, BTreeSet};

use ::booking::saga::BOOK_TRIP;
use palinode::sometimes;
use palinode_verify::{
    Stage,
    journal::{Entry, How},
};
use serde_json::Value;

use super::{KINDS, hash, holds, price};
use crate::{
    oracle::{Truth, model::History},
    world::World,
};

/// What is read from the journal of a trip.
#[derive(Default)]
struct Trip {
    order: Value,
    completed: bool,
    compensated: bool,
    waited: bool,
    early: bool,
    undone: bool,
    /// Steps that were refused.
    refused: BTreeSet<String>,
    /// Whether the line, a late guest or a lost owner explains that it was taken back.
    excused: bool,
    /// Steps whose last attempt did not get through the line.
    busy: BTreeSet<String>,
    /// Attempts lost with their owners.
    lost: u32,
}

impl Trip {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Started(started) => {
                self.order = serde_json::from_str(started.data.get()).unwrap_or_default();
            }
            Entry::Completed {} => self.completed = true,
            Entry::Compensated { .. } => self.compensated = true,
            Entry::WaitBegan { .. } => self.waited = true,
            Entry::Signalled { .. } => self.early |= !self.waited,
            Entry::Undone { .. } => self.undone = true,
            // Nobody has refused it: it never got through, and its budget is spent.
            Entry::StepRefused { node, .. } if self.busy.contains(&node) => self.excused = true,
            Entry::StepRefused { node, .. } => drop(self.refused.insert(node)),
            Entry::StepUnknown { .. } | Entry::TimedOut { .. } => self.excused = true,
            Entry::AttemptFailed(failed) if failed.how == How::Transient => {
                self.busy.insert(failed.node);
            }
            Entry::AttemptFailed(failed) => {
                self.busy.remove(&failed.node);
                self.lost += u32::from(failed.how == How::Lost);
            }
            _ => {}
        }
    }

    /// What it wants: kinds and ids.
    fn wanted(&self) -> BTreeSet<(&'static str, String)> {
        let all = [("room-type", &self.order["room"]), ("flight", &self.order["flight"])];
        let all = all.into_iter().chain([("car", &self.order["car"])]);
        all.filter_map(|(kind, id)| Some((kind, id.as_str()?.to_owned()))).collect()
    }
}

/// What each trip holds: kind, id, whether it is confirmed, what it costs.
type Stock = BTreeMap<String, Vec<(&'static str, String, bool, u64)>>;

pub(super) fn judge(world: &World, truth: &Truth, history: &History, wrong: &mut Vec<String>) {
    let (mut stock, mut paid) = (stock(history), BTreeMap::<String, Vec<u64>>::new());
    for (trip, cents) in world.booking.iter().flat_map(|booking| booking.bank.ledger()) {
        paid.entry(trip.to_string()).or_default().push(cents.0);
    }
    let asked = asked(world);
    let says = |id: &str, what: &str| asked.contains(&(id.to_owned(), what.to_owned()));
    let stages = truth.report.unfinished.iter().filter(|u| u.kind == BOOK_TRIP);
    let stages: BTreeMap<&str, Stage> = stages.map(|u| (u.id.as_str(), u.stage)).collect();
    for (id, trip) in journals(world, truth) {
        let (holds, paid) = (stock.remove(&id).unwrap_or_default(), paid.remove(&id).unwrap_or_default());
        let (confirms, cancels) = (says(&id, "signal/confirmed"), says(&id, "cancel"));
        let declined = hash("pay", &id) % 100 < 2;
        if trip.refused.contains("capture-payment") && !declined {
            wrong.push(format!("booking: the bank had no reason to decline {id}"));
        }
        if trip.completed {
            let found: BTreeSet<_> = holds.iter().map(|(kind, id, ..)| (*kind, id.clone())).collect();
            let costs: u64 = holds.iter().map(|(.., cents)| cents).sum();
            if found != trip.wanted() || holds.iter().any(|(_, _, confirmed, _)| !confirmed) {
                wrong.push(format!("booking: {id} is completed and holds {holds:?}"));
            }
            if paid != [costs] {
                wrong.push(format!("booking: {id} is completed, costs {costs} and paid {paid:?}"));
            }
            if !confirms || declined || !trip.refused.is_empty() {
                wrong.push(format!("booking: {id} is completed, its guest or the bank did not want it"));
            }
            if cancels {
                sometimes!("booking: cancelled too late");
            }
        } else if trip.compensated {
            if !holds.is_empty() || !paid.is_empty() {
                wrong.push(format!("booking: {id} is taken back, holds {holds:?} and paid {paid:?}"));
            }
            if !cancels && !trip.excused && trip.refused.is_empty() {
                wrong.push(format!("booking: {id} was taken back for no reason"));
            }
            if trip.refused.contains("capture-payment") {
                sometimes!("booking: taken back after the bank declined");
            } else if cancels && trip.undone && !trip.waited && trip.refused.is_empty() {
                sometimes!("booking: cancelled in mid-run");
            }
        } else if stages.get(id.as_str()) != Some(&Stage::Stuck) || trip.lost < 3 {
            wrong.push(format!("booking: {id} is not at its end: {:?}", stages.get(id.as_str())));
        }
        if trip.early {
            sometimes!("booking: confirmed before it waited");
        }
    }
    if !stock.is_empty() || !paid.is_empty() {
        wrong.push(format!("booking: of trips that nobody booked: {stock:?} {paid:?}"));
    }
}

/// What guests asked for: of which trip, under which name.
fn asked(world: &World) -> BTreeSet<(String, String)> {
    let all = world.history.all();
    let booked = all.iter().map(|asked| &asked.message).filter(|message| &*message.to.kind == BOOK_TRIP);
    booked.map(|message| (message.to.id.to_string(), message.name.to_string())).collect()
}

fn stock(history: &History) -> Stock {
    let mut stock = Stock::new();
    for (entity, states) in history.values().flatten() {
        let Some((kind, id)) = entity.split_once('/') else { continue };
        let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else { continue };
        let Some((.., state)) = states.last() else { continue };
        let holds = holds(kind, state);
        for (confirmed, holders) in [(false, holds.held), (true, holds.confirmed)] {
            for (trip, hold) in holders {
                let what = (kind, id.to_owned(), confirmed, price(kind, &hold));
                stock.entry(trip).or_default().push(what);
            }
        }
    }
    stock
}

fn journals(world: &World, truth: &Truth) -> BTreeMap<String, Trip> {
    let mut trips: BTreeMap<String, Trip> = BTreeMap::new();
    for effective in truth.shards.values().flatten() {
        let Some(entity) = effective.entity().filter(|entity| entity.kind == BOOK_TRIP) else { continue };
        for event in &effective.commit.events {
            match Entry::read(event) {
                Some(Ok(entry)) => trips.entry(entity.id.clone()).or_default().take(entry),
                _ => world.complain(format!("booking: {entity} has an event that is no entry")),
            }
        }
    }
    trips
}
