//! The rooms of one type in one hotel (service `hotel`): counts every night. A hold takes every night of the stay or
//! none. Busy on purpose: a handful of these entities serve every trip.

use std::{collections::BTreeMap, fmt};

use palinode::{Aggregate, Context, zoo};
use serde::{Deserialize, Serialize};

use super::{
    Cents, Day, TripId,
    capacity::capacity,
    holds::{Holds, Standing},
};

/// The longest stay that can be held, in nights.
pub const MAX_NIGHTS: u16 = 365;

/// The state: what each trip holds, and how many rooms are taken in each night.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomType {
    stays: Holds<Stay>,
    taken: BTreeMap<Day, u32>,
}

/// A stay, written small: `["2015-07-01", nights, rate]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stay(Day, u16, Cents);

/// The nights of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nights {
    /// The first.
    pub first: Day,
    /// How many.
    pub nights: u16,
}

/// What can be asked of a room type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum RoomCommand {
    /// Take a room for every night of a stay, or for none.
    Hold {
        /// For this trip.
        trip: TripId,
        /// The first night.
        first: Day,
        /// How many nights.
        nights: u16,
        /// The price of a night.
        rate: Cents,
    },
    /// Give back what the trip holds, if anything, and let it never hold anything again.
    Release {
        /// The trip.
        trip: TripId,
    },
    /// Make the hold the guest's for good.
    Confirm {
        /// The trip.
        trip: TripId,
    },
}

/// What can happen to a room type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum RoomEvent {
    /// A room is taken for every night of a stay.
    Held {
        /// By this trip.
        trip: TripId,
        /// The first night.
        first: Day,
        /// How many nights.
        nights: u16,
        /// The price of a night.
        rate: Cents,
    },
    /// The trip holds nothing, and never will.
    Released {
        /// The trip.
        trip: TripId,
        /// The nights it gives back; none when it held none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        freed: Option<Nights>,
    },
    /// The hold is the guest's for good.
    Confirmed {
        /// The trip.
        trip: TripId,
    },
}

/// Why a room type says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum RoomRejection {
    /// A night of the stay has no room left.
    Full {
        /// The first such night.
        night: Day,
        /// How many rooms there are.
        rooms: u32,
    },
    /// A stay that cannot be: no night, or more than a year of them.
    BadStay {
        /// How many nights were asked for.
        nights: u16,
    },
    /// A stay that ends after the year 9999, which no day can be written of.
    TooLate {
        /// The first night that was asked for.
        first: Day,
    },
    /// The trip was released before.
    Released,
    /// There is nothing to confirm.
    NotHeld,
}

impl fmt::Display for RoomRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { night, rooms } => write!(f, "all {rooms} rooms are taken in the night of {night}"),
            Self::BadStay { nights } => write!(f, "a stay of {nights} nights: it has 1 to {MAX_NIGHTS}"),
            Self::TooLate { first } => write!(f, "a stay from {first} on ends after the year 9999"),
            Self::Released => write!(f, "the trip was released before"),
            Self::NotHeld => write!(f, "the trip holds no room here"),
        }
    }
}

/// The answer to every accepted command: the price of the stay the trip now holds, zero if it holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomHeld {
    /// The price of the whole stay.
    pub price: Cents,
}

impl RoomType {
    fn full_night(&self, first: Day, nights: u16, rooms: u32) -> Option<Day> {
        first.run(nights).find(|night| self.taken.get(night).is_some_and(|taken| *taken >= rooms))
    }

    fn take(&mut self, first: Day, nights: u16) {
        for night in first.run(nights) {
            *self.taken.entry(night).or_default() += 1;
        }
    }

    fn give_back(&mut self, Stay(first, nights, _): Stay) {
        for night in first.run(nights) {
            match self.taken.get_mut(&night) {
                Some(taken) if *taken > 1 => *taken -= 1,
                _ => drop(self.taken.remove(&night)),
            }
        }
    }
}

impl Aggregate for RoomType {
    const SERVICE: &'static str = "hotel";
    const KIND: &'static str = "room-type";
    type Command = RoomCommand;
    type Event = RoomEvent;
    type Reply = RoomHeld;
    type Rejection = RoomRejection;

    fn decide(&self, command: &RoomCommand, cx: &Context) -> Result<Vec<RoomEvent>, RoomRejection> {
        use Standing::{Confirmed, Held, New, Released};
        match *command {
            RoomCommand::Hold { trip, first, nights, rate } => match self.stays.standing(trip) {
                Held | Confirmed => Ok(vec![]),
                Released => Err(RoomRejection::Released),
                New if !(1..=MAX_NIGHTS).contains(&nights) => Err(RoomRejection::BadStay { nights }),
                New if !first.has_run(nights) => Err(RoomRejection::TooLate { first }),
                New => {
                    let rooms = capacity(&cx.entity.id);
                    match self.full_night(first, nights, rooms) {
                        Some(night) => Err(RoomRejection::Full { night, rooms }),
                        None => Ok(vec![RoomEvent::Held { trip, first, nights, rate }]),
                    }
                }
            },
            RoomCommand::Release { trip } => match self.stays.standing(trip) {
                New | Held | Confirmed => {
                    let freed = self
                        .stays
                        .of(trip)
                        .map(|Stay(first, nights, _)| Nights { first: *first, nights: *nights });
                    Ok(vec![RoomEvent::Released { trip, freed }])
                }
                Released => Ok(vec![]),
            },
            RoomCommand::Confirm { trip } => match self.stays.standing(trip) {
                Held => Ok(vec![RoomEvent::Confirmed { trip }]),
                Confirmed => Ok(vec![]),
                New | Released => Err(RoomRejection::NotHeld),
            },
        }
    }

    fn evolve(&mut self, event: &RoomEvent) {
        match *event {
            RoomEvent::Held { trip, first, nights, rate } => {
                self.stays.hold(trip, Stay(first, nights, rate));
                self.take(first, nights);
            }
            RoomEvent::Released { trip, .. } => {
                if let Some(stay) = self.stays.release(trip) {
                    self.give_back(stay);
                    if zoo!("room-released-twice") {
                        self.give_back(stay);
                    }
                }
            }
            RoomEvent::Confirmed { trip } => self.stays.confirm(trip),
        }
    }

    fn reply(&self, command: &RoomCommand) -> RoomHeld {
        let (RoomCommand::Hold { trip, .. } | RoomCommand::Release { trip } | RoomCommand::Confirm { trip }) =
            *command;
        let price = self.stays.of(trip).map(|Stay(_, nights, rate)| rate.times(u64::from(*nights)));
        RoomHeld { price: price.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests;
