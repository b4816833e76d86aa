//! Every trip's saga, folded from its journal: what it wanted, what it paid, how it ended.

use std::collections::BTreeMap;

use anyhow::Context;
use palinode_verify::{Source, record::Event};
use serde::Deserialize;

use crate::domain::TripId;

/// All sagas, by trip.
#[derive(Debug, Default)]
pub(crate) struct Sagas(pub(crate) BTreeMap<TripId, SagaFold>);

/// What one journal says.
#[derive(Debug, Default)]
pub(crate) struct SagaFold {
    /// What the trip wants to hold: an entity of each service, by the service's name.
    pub(crate) wants: BTreeMap<&'static str, String>,
    /// What the bank was asked for, in cents.
    pub(crate) asked_cents: Option<u64>,
    /// The reference of the payment, once it is captured.
    pub(crate) paid: Option<String>,
    /// Why it was taken back.
    pub(crate) undone_because: Option<Because>,
    /// How it ended; none while it is under way.
    pub(crate) end: Option<End>,
    /// How it stands, in the words of the read model; empty until it was started.
    pub(crate) phase: &'static str,
    /// When it began, in microseconds since 1970.
    pub(crate) began_us: i64,
    /// When it ended.
    pub(crate) ended_us: Option<i64>,
}

/// Why a trip is taken back, as far as the summary tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Because {
    /// Something was refused, or its outcome stayed unknown, at this step.
    Refused(String),
    /// The guest cancelled.
    Cancelled,
    /// The guest never answered.
    Silent,
}

/// The terminal entry of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was done.
    Completed,
    /// Everything was taken back; so many nodes were closed by a person.
    Compensated(u32),
    /// A person stopped it.
    Killed,
}

/// How a trip ended, in the words of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Booked.
    Completed,
    /// Refused at this step, and taken back.
    Compensated(String),
    /// Cancelled by the guest, and taken back.
    Cancelled,
    /// Never answered, and taken back.
    Expired,
    /// Stopped by a person.
    Killed,
}

impl Ended {
    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Compensated(_) => "compensated",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Killed => "killed",
        }
    }
}

impl SagaFold {
    /// How it ended; none while it is under way.
    pub(crate) fn ended(&self) -> Option<Ended> {
        Some(match (self.end?, &self.undone_because) {
            (End::Completed, _) => Ended::Completed,
            (End::Killed, _) => Ended::Killed,
            (End::Compensated(_), Some(Because::Cancelled)) => Ended::Cancelled,
            (End::Compensated(_), Some(Because::Silent)) => Ended::Expired,
            (End::Compensated(_), Some(Because::Refused(step))) => Ended::Compensated(step.clone()),
            (End::Compensated(_), None) => Ended::Compensated("unknown".into()),
        })
    }

    fn take(&mut self, event: &Event, time: i64) -> Result<(), serde_json::Error> {
        let data = event.data.get();
        if let Some(phase) = phase_after(&event.name) {
            self.phase = phase;
        }
        match event.name.as_str() {
            "saga.started" => {
                self.began_us = time;
                let Started { data } = serde_json::from_str(data)?;
                self.wants.insert("hotel", data.room);
                self.wants.insert("flight", data.flight);
                data.car.into_iter().for_each(|car| drop(self.wants.insert("car", car)));
            }
            "saga.step_asked" => {
                let Asked { node, request } = serde_json::from_str(data)?;
                let amount = request.filter(|_| node == "capture-payment").and_then(|r| r.amount);
                self.asked_cents = amount.or(self.asked_cents);
            }
            "saga.pivot_passed" => {
                let Passed { reply } = serde_json::from_str(data)?;
                self.paid = Some(reply.reference);
            }
            "saga.undo_began" => {
                let Undone { why } = serde_json::from_str(data)?;
                self.undone_because = Some(match why.cause.as_str() {
                    "cancelled" => Because::Cancelled,
                    "timed_out" => Because::Silent,
                    cause => Because::Refused(why.node.unwrap_or_else(|| cause.to_owned())),
                });
            }
            "saga.completed" => (self.end, self.ended_us) = (Some(End::Completed), Some(time)),
            "saga.compensated" => {
                let Compensated { exceptions } = serde_json::from_str(data)?;
                (self.end, self.ended_us) = (Some(End::Compensated(exceptions)), Some(time));
            }
            "saga.killed" => (self.end, self.ended_us) = (Some(End::Killed), Some(time)),
            _ => {}
        }
        Ok(())
    }
}

/// How a trip stands after an entry of its journal; none when that changes nothing.
fn phase_after(entry: &str) -> Option<&'static str> {
    Some(match entry {
        "saga.started" | "saga.wait_done" => "running",
        "saga.wait_began" => "waiting",
        "saga.undo_began" => "undoing",
        "saga.stuck" => "stuck",
        "saga.parked" => "parked",
        "saga.completed" => "completed",
        "saga.compensated" => "compensated",
        "saga.killed" => "killed",
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Started {
    data: Wanted,
}

#[derive(Deserialize)]
struct Wanted {
    room: String,
    flight: String,
    car: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    node: String,
    request: Option<Payment>,
}

#[derive(Deserialize)]
struct Payment {
    amount: Option<u64>,
}

#[derive(Deserialize)]
struct Passed {
    reply: Captured,
}

#[derive(Deserialize)]
struct Captured {
    reference: String,
}

#[derive(Deserialize)]
struct Undone {
    why: Why,
}

#[derive(Deserialize)]
struct Why {
    cause: String,
    node: Option<String>,
}

#[derive(Deserialize)]
struct Compensated {
    exceptions: u32,
}

impl Sagas {
    /// Folds every journal of the service `trip`, each shard up to the commit of this number.
    ///
    /// # Errors
    /// When the log cannot be read, or a journal says something in another shape.
    pub(super) fn read(log: &dyn Source, upto: impl Fn(u32) -> u64) -> anyhow::Result<Self> {
        let mut sagas = Self::default();
        for commit in super::commits_of(log, "trip", upto) {
            let at = commit?;
            let Some(entity) = at.entity() else { continue };
            let saga = sagas.0.entry(entity.id.parse()?).or_default();
            for event in &at.commit.events {
                let place = || format!("trip.events/{}, record {}: {}", at.at.shard, at.offset, event.name);
                saga.take(event, at.commit.time).with_context(place)?;
            }
        }
        sagas.0.retain(|_, saga| !saga.phase.is_empty());
        Ok(sagas)
    }
}
