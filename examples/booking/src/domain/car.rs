//! The cars of one station picked up on one day (service `car`). Whether a trip gets one is a rule of its id, so that
//! every run refuses the same ones.

use std::fmt;

use palinode::{Aggregate, Context};
use serde::{Deserialize, Serialize};

use super::{
    Cents, TripId,
    holds::{Holds, Standing},
};
use crate::trips::rules;

/// The state: the price of the rental each trip holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Car {
    rentals: Holds<Cents>,
}

/// What can be asked of a station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum CarCommand {
    /// Take a car.
    Hold {
        /// For this trip.
        trip: TripId,
        /// For so many days.
        days: u16,
    },
    /// Give back what the trip holds, if anything, and let it never hold anything again.
    Release {
        /// The trip.
        trip: TripId,
    },
    /// Make the car the guest's for good.
    Confirm {
        /// The trip.
        trip: TripId,
    },
}

/// What can happen at a station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum CarEvent {
    /// A car is taken.
    Held {
        /// By this trip.
        trip: TripId,
        /// For so many days.
        days: u16,
        /// What it costs for all of them.
        price: Cents,
    },
    /// The trip holds nothing, and never will.
    Released {
        /// The trip.
        trip: TripId,
        /// Whether it gives a car back.
        freed: bool,
    },
    /// The car is the guest's for good.
    Confirmed {
        /// The trip.
        trip: TripId,
    },
}

/// Why a station says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum CarRejection {
    /// No car is left for this trip.
    NoneLeft,
    /// The trip was released before.
    Released,
    /// There is nothing to confirm.
    NotHeld,
}

impl fmt::Display for CarRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneLeft => write!(f, "the station has no car left"),
            Self::Released => write!(f, "the trip was released before"),
            Self::NotHeld => write!(f, "the trip holds no car here"),
        }
    }
}

/// The answer to every accepted command: the price of the rental the trip now holds, zero if it holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarHeld {
    /// The price for all days.
    pub price: Cents,
}

impl Aggregate for Car {
    const SERVICE: &'static str = "car";
    const KIND: &'static str = "car";
    type Command = CarCommand;
    type Event = CarEvent;
    type Reply = CarHeld;
    type Rejection = CarRejection;

    fn decide(&self, command: &CarCommand, _cx: &Context) -> Result<Vec<CarEvent>, CarRejection> {
        use Standing::{Confirmed, Held, New, Released};
        match *command {
            CarCommand::Hold { trip, days } => match self.rentals.standing(trip) {
                Held | Confirmed => Ok(vec![]),
                Released => Err(CarRejection::Released),
                New if rules::car_is_refused(trip) => Err(CarRejection::NoneLeft),
                New => {
                    let price = rules::car_price(trip).times(u64::from(days));
                    Ok(vec![CarEvent::Held { trip, days, price }])
                }
            },
            CarCommand::Release { trip } => match self.rentals.standing(trip) {
                New => Ok(vec![CarEvent::Released { trip, freed: false }]),
                Held | Confirmed => Ok(vec![CarEvent::Released { trip, freed: true }]),
                Released => Ok(vec![]),
            },
            CarCommand::Confirm { trip } => match self.rentals.standing(trip) {
                Held => Ok(vec![CarEvent::Confirmed { trip }]),
                Confirmed => Ok(vec![]),
                New | Released => Err(CarRejection::NotHeld),
            },
        }
    }

    fn evolve(&mut self, event: &CarEvent) {
        match *event {
            CarEvent::Held { trip, price, .. } => self.rentals.hold(trip, price),
            CarEvent::Released { trip, .. } => drop(self.rentals.release(trip)),
            CarEvent::Confirmed { trip } => self.rentals.confirm(trip),
        }
    }

    fn reply(&self, command: &CarCommand) -> CarHeld {
        let (CarCommand::Hold { trip, .. } | CarCommand::Release { trip } | CarCommand::Confirm { trip }) =
            *command;
        CarHeld { price: self.rentals.of(trip).copied().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::given::given, trips::rules::tests::trip_where};

    #[test]
    fn a_car_is_held_once_priced_and_confirmed() {
        let trip = trip_where(|t| !rules::car_is_refused(t));
        let (hold, price) = (CarCommand::Hold { trip, days: 3 }, rules::car_price(trip).times(3));
        given::<Car>("FAO/2015-07-01", &[])
            .when(&hold)
            .then(&[CarEvent::Held { trip, days: 3, price }])
            .replies(&hold, &CarHeld { price })
            .when(&hold)
            .then_nothing()
            .when(&CarCommand::Confirm { trip })
            .then(&[CarEvent::Confirmed { trip }])
            .when(&CarCommand::Confirm { trip })
            .then_nothing()
            .when(&CarCommand::Release { trip })
            .then(&[CarEvent::Released { trip, freed: true }]);
    }

    #[test]
    fn a_refused_trip_holds_nothing_and_its_release_is_done() {
        let trip = trip_where(rules::car_is_refused);
        given::<Car>("FAO/2015-07-01", &[])
            .when(&CarCommand::Hold { trip, days: 1 })
            .then_rejected(&CarRejection::NoneLeft)
            .when(&CarCommand::Confirm { trip })
            .then_rejected(&CarRejection::NotHeld)
            .when(&CarCommand::Release { trip })
            .then(&[CarEvent::Released { trip, freed: false }])
            .when(&CarCommand::Hold { trip, days: 1 })
            .then_rejected(&CarRejection::Released);
    }
}
