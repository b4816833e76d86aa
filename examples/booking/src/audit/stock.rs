//! What is held at one service, folded from its events: by trip, and for rooms by night. Every event is checked on the
//! way: nothing is held twice, no night is overbooked.

use std::collections::BTreeMap;

use palinode_verify::{Effective, Source};
use serde::Deserialize;

use super::Audit;
use crate::domain::{Day, TripId, capacity::capacity};

/// What is held at one service.
#[derive(Debug)]
pub(crate) struct Stock {
    /// The service's name.
    pub(crate) service: &'static str,
    /// What each trip holds, or held, and where. A trip has one place in a service.
    pub(crate) holds: BTreeMap<TripId, Hold>,
    /// Rooms taken by room type and night.
    pub(crate) nights: BTreeMap<(String, Day), u64>,
}

/// What one trip holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The entity.
    pub(crate) at: String,
    /// How it stands.
    pub(crate) standing: Standing,
    /// The price, in cents.
    pub(crate) cents: u64,
    /// The nights, for a room.
    pub(crate) nights: Option<(Day, u16)>,
    /// Seats, or the days of a car; one for a room.
    pub(crate) count: u64,
}

/// How a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not confirmed.
    Held,
    /// Confirmed.
    Confirmed,
    /// Given back, or never there.
    Released,
}

/// The fields that the events of rooms, flights and cars have.
#[derive(Deserialize)]
struct Fields {
    trip: TripId,
    first: Option<Day>,
    nights: Option<u16>,
    rate: Option<u64>,
    seats: Option<u64>,
    days: Option<u64>,
    price: Option<u64>,
}

impl Stock {
    /// Folds all events of a service, each shard up to the commit of this number.
    ///
    /// # Errors
    /// When the log cannot be read, or an event has another shape.
    pub(super) fn read(
        log: &dyn Source,
        service: &'static str,
        upto: impl Fn(u32) -> u64,
        audit: &mut Audit,
    ) -> anyhow::Result<Self> {
        let mut stock = Self { service, holds: BTreeMap::new(), nights: BTreeMap::new() };
        for commit in super::commits_of(log, service, upto) {
            stock.take(&commit?, audit)?;
        }
        Ok(stock)
    }

    /// Room nights taken, all added.
    pub(super) fn nights_taken(&self) -> u64 {
        self.nights.values().sum()
    }

    fn take(&mut self, at: &Effective, audit: &mut Audit) -> anyhow::Result<()> {
        let Some(entity) = at.entity() else { return Ok(()) };
        for event in &at.commit.events {
            let fields: Fields = serde_json::from_str(event.data.get())?;
            let what = event.name.rsplit('.').next().unwrap_or_default();
            let wrong = match what {
                "held" => self.held(&entity.id, &fields),
                "confirmed" => self.confirmed(&entity.id, fields.trip),
                "released" => self.released(&entity.id, fields.trip),
                _ => Some(format!("no event {what:?} is known here")),
            };
            if let Some(wrong) = wrong {
                let (service, shard, offset) = (self.service, at.at.shard, at.offset);
                let trip = fields.trip;
                audit.differs(format!("{service}.events/{shard}, record {offset}, trip {trip}: {wrong}"));
            }
        }
        Ok(())
    }

    fn held(&mut self, at: &str, fields: &Fields) -> Option<String> {
        let nights = fields.first.zip(fields.nights);
        let hold = Hold {
            at: at.to_owned(),
            standing: Standing::Held,
            cents: fields.price.unwrap_or_else(|| {
                fields.rate.unwrap_or(0).saturating_mul(u64::from(fields.nights.unwrap_or(0)))
            }),
            nights,
            count: fields.seats.or(fields.days).unwrap_or(1),
        };
        let mut full = None;
        for night in nights.into_iter().flat_map(|(first, nights)| first.run(nights)) {
            let taken = self.nights.entry((at.to_owned(), night)).or_default();
            *taken += 1;
            let rooms = u64::from(capacity(at));
            full = full
                .or((*taken > rooms).then(|| format!("{taken} of {rooms} rooms in the night of {night}")));
        }
        match self.holds.insert(fields.trip, hold) {
            Some(before) => {
                Some(format!("held at {at}, and at {} already ({:?})", before.at, before.standing))
            }
            None => full,
        }
    }

    fn confirmed(&mut self, at: &str, trip: TripId) -> Option<String> {
        match self.holds.get_mut(&trip) {
            Some(hold) if hold.at == at && hold.standing == Standing::Held => {
                hold.standing = Standing::Confirmed;
                None
            }
            other => Some(format!("confirmed at {at}, where it holds {other:?}")),
        }
    }

    fn released(&mut self, at: &str, trip: TripId) -> Option<String> {
        let Some(hold) = self.holds.get_mut(&trip) else {
            let (at, standing) = (at.to_owned(), Standing::Released);
            self.holds.insert(trip, Hold { at, standing, cents: 0, nights: None, count: 0 });
            return None;
        };
        if hold.at != at || hold.standing == Standing::Released {
            return Some(format!("released at {at}, where it holds {hold:?}"));
        }
        hold.standing = Standing::Released;
        for night in hold.nights.into_iter().flat_map(|(first, nights)| first.run(nights)) {
            if let Some(taken) = self.nights.get_mut(&(at.to_owned(), night)) {
                *taken = taken.saturating_sub(1);
            }
        }
        None
    }
}
