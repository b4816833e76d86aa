//! The seats of one flight on one day (service `flight`). Whether the airline gives seats to a trip is a rule of the
//! trip's id, so that every run refuses the same ones.

use std::fmt;

use palinode::{Aggregate, Context};
use serde::{Deserialize, Serialize};

use super::{
    Cents, TripId,
    holds::{Holds, Standing},
};
use crate::trips::rules;

/// The state: the seats each trip holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    seats: Holds<Seats>,
}

/// So many seats, and what they cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seats(u16, Cents);

/// What can be asked of a flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum FlightCommand {
    /// Take seats.
    Hold {
        /// For this trip.
        trip: TripId,
        /// How many.
        seats: u16,
    },
    /// Give back what the trip holds, if anything, and let it never hold anything again.
    Release {
        /// The trip.
        trip: TripId,
    },
    /// Make the seats the guest's for good.
    Confirm {
        /// The trip.
        trip: TripId,
    },
}

/// What can happen to a flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum FlightEvent {
    /// Seats are taken.
    Held {
        /// By this trip.
        trip: TripId,
        /// How many.
        seats: u16,
        /// What they cost together.
        price: Cents,
    },
    /// The trip holds nothing, and never will.
    Released {
        /// The trip.
        trip: TripId,
        /// How many seats it gives back.
        freed: u16,
    },
    /// The seats are the guest's for good.
    Confirmed {
        /// The trip.
        trip: TripId,
    },
}

/// Why a flight says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum FlightRejection {
    /// The airline has no seats for this trip.
    SoldOut {
        /// How many were wanted.
        seats: u16,
    },
    /// No seat at all was asked for.
    NoSeats,
    /// The trip was released before.
    Released,
    /// There is nothing to confirm.
    NotHeld,
}

impl fmt::Display for FlightRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SoldOut { seats } => write!(f, "the flight has not {seats} seats left"),
            Self::NoSeats => write!(f, "at least one seat must be asked for"),
            Self::Released => write!(f, "the trip was released before"),
            Self::NotHeld => write!(f, "the trip holds no seats here"),
        }
    }
}

/// The answer to every accepted command: the price of the seats the trip now holds, zero if it holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatsHeld {
    /// The price of all seats.
    pub price: Cents,
}

impl Aggregate for Flight {
    const SERVICE: &'static str = "flight";
    const KIND: &'static str = "flight";
    type Command = FlightCommand;
    type Event = FlightEvent;
    type Reply = SeatsHeld;
    type Rejection = FlightRejection;

    fn decide(&self, command: &FlightCommand, _cx: &Context) -> Result<Vec<FlightEvent>, FlightRejection> {
        use Standing::{Confirmed, Held, New, Released};
        match *command {
            FlightCommand::Hold { trip, seats } => match self.seats.standing(trip) {
                Held | Confirmed => Ok(vec![]),
                Released => Err(FlightRejection::Released),
                New if seats == 0 => Err(FlightRejection::NoSeats),
                New if rules::seats_are_refused(trip) => Err(FlightRejection::SoldOut { seats }),
                New => {
                    let price = rules::seat_price(trip).times(u64::from(seats));
                    Ok(vec![FlightEvent::Held { trip, seats, price }])
                }
            },
            FlightCommand::Release { trip } => match self.seats.standing(trip) {
                New | Held | Confirmed => {
                    let freed = self.seats.of(trip).map_or(0, |Seats(seats, _)| *seats);
                    Ok(vec![FlightEvent::Released { trip, freed }])
                }
                Released => Ok(vec![]),
            },
            FlightCommand::Confirm { trip } => match self.seats.standing(trip) {
                Held => Ok(vec![FlightEvent::Confirmed { trip }]),
                Confirmed => Ok(vec![]),
                New | Released => Err(FlightRejection::NotHeld),
            },
        }
    }

    fn evolve(&mut self, event: &FlightEvent) {
        match *event {
            FlightEvent::Held { trip, seats, price } => self.seats.hold(trip, Seats(seats, price)),
            FlightEvent::Released { trip, .. } => drop(self.seats.release(trip)),
            FlightEvent::Confirmed { trip } => self.seats.confirm(trip),
        }
    }

    fn reply(&self, command: &FlightCommand) -> SeatsHeld {
        let (FlightCommand::Hold { trip, .. }
        | FlightCommand::Release { trip }
        | FlightCommand::Confirm { trip }) = *command;
        SeatsHeld { price: self.seats.of(trip).map(|Seats(_, price)| *price).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::given::given, trips::rules::tests::trip_where};

    fn held(trip: TripId, seats: u16) -> FlightEvent {
        FlightEvent::Held { trip, seats, price: rules::seat_price(trip).times(u64::from(seats)) }
    }

    #[test]
    fn seats_are_held_once_priced_and_confirmed() {
        let trip = trip_where(|t| !rules::seats_are_refused(t));
        let hold = FlightCommand::Hold { trip, seats: 2 };
        given::<Flight>("PRT-LIS/2015-07-01", &[])
            .when(&hold)
            .then(&[held(trip, 2)])
            .replies(&hold, &SeatsHeld { price: rules::seat_price(trip).times(2) })
            .when(&hold)
            .then_nothing()
            .when(&FlightCommand::Confirm { trip })
            .then(&[FlightEvent::Confirmed { trip }])
            .when(&FlightCommand::Confirm { trip })
            .then_nothing()
            .when(&FlightCommand::Release { trip })
            .then(&[FlightEvent::Released { trip, freed: 2 }]);
    }

    #[test]
    fn a_refused_trip_is_refused_again_and_its_release_is_done() {
        let trip = trip_where(rules::seats_are_refused);
        let hold = FlightCommand::Hold { trip, seats: 1 };
        given::<Flight>("PRT-LIS/2015-07-01", &[])
            .when(&hold)
            .then_rejected(&FlightRejection::SoldOut { seats: 1 })
            .when(&hold)
            .then_rejected(&FlightRejection::SoldOut { seats: 1 })
            .when(&FlightCommand::Release { trip })
            .then(&[FlightEvent::Released { trip, freed: 0 }])
            .when(&FlightCommand::Release { trip })
            .then_nothing()
            .when(&hold)
            .then_rejected(&FlightRejection::Released);
    }

    #[test]
    fn what_is_not_held_is_not_confirmed_and_no_seats_are_not_held() {
        let trip = TripId(9);
        given::<Flight>("PRT-LIS/2015-07-01", &[])
            .when(&FlightCommand::Confirm { trip })
            .then_rejected(&FlightRejection::NotHeld)
            .when(&FlightCommand::Hold { trip, seats: 0 })
            .then_rejected(&FlightRejection::NoSeats);
    }
}
