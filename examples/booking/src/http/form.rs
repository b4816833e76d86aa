//! A trip as its guest asks for it: the body of `POST /trips`, and the limits within which it makes sense.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};
use utoipa::ToSchema;

use super::problem::{Kind, Problem};
use crate::{
    domain::{Cents, Day, TripId, room_type::MAX_NIGHTS},
    trips::{self, plan::Form},
};

/// Seats of one trip.
const MOST_PEOPLE: u16 = 20;
/// The dearest night, in cents.
const DEAREST: u64 = 10_000_000;

/// One of the two hotels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hotel {
    /// In Lisbon
    City,
    /// In the Algarve
    Resort,
}

/// A trip to book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TripForm {
    /// The trip's id, which is its key for ever; made up, or derived from the Idempotency-Key, when it is left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{16}$", example = "00c0ffee00c0ffee")]
    pub(crate) id: Option<TripId>,
    /// Which hotel
    pub(crate) hotel: Hotel,
    /// The letter of the room type
    #[schema(value_type = String, pattern = "^[A-Z]$", example = "A")]
    pub(crate) room: char,
    /// The first night, in the years 2000 to 2999
    #[schema(value_type = String, format = Date, pattern = "^2[0-9]{3}-[0-9]{2}-[0-9]{2}$", example = "2030-01-12")]
    pub(crate) first_night: Day,
    /// How many nights
    #[schema(minimum = 1, maximum = 365, example = 2)]
    #[serde(deserialize_with = "whole")]
    pub(crate) nights: u16,
    /// The price of a night, in cents
    #[schema(minimum = 0, maximum = 10000000, example = 6800)]
    #[serde(deserialize_with = "whole")]
    pub(crate) rate_cents: u64,
    /// How many people fly
    #[schema(minimum = 1, maximum = 20, example = 2)]
    #[serde(deserialize_with = "whole")]
    pub(crate) people: u16,
    /// Where they come from: three letters
    #[schema(pattern = "^[A-Z]{3}$", example = "GBR")]
    pub(crate) country: String,
    /// Whether they want a car
    #[serde(default)]
    pub(crate) car: bool,
}

impl TripForm {
    /// The same as a guest's form.
    pub(crate) fn of(form: &Form<'_>, id: Option<TripId>) -> Self {
        Self {
            id,
            hotel: match form.hotel {
                trips::Hotel::City => Hotel::City,
                trips::Hotel::Resort => Hotel::Resort,
            },
            room: form.letter,
            first_night: form.first,
            nights: form.nights,
            rate_cents: form.rate.0,
            people: form.people,
            country: form.country.to_owned(),
            car: form.parking,
        }
    }

    /// The trip of this id.
    ///
    /// # Errors
    /// What lies outside its limits.
    pub(super) fn trip(&self, id: TripId) -> Result<trips::Trip, Problem> {
        let within = |good: bool, place: &str, limits: &str| {
            let wrong = || Problem::of(Kind::InvalidBody, format!("{place} must be {limits}"));
            if good { Ok(()) } else { Err(wrong().at(format!("body {place}"))) }
        };
        let first = self.first_night.to_string();
        within(self.room.is_ascii_uppercase(), "room", "one letter from A to Z")?;
        within(first.len() == 10 && first.starts_with('2'), "first_night", "in the years 2000 to 2999")?;
        within((1..=MAX_NIGHTS).contains(&self.nights), "nights", &format!("1 to {MAX_NIGHTS}"))?;
        within(self.rate_cents <= DEAREST, "rate_cents", &format!("0 to {DEAREST}"))?;
        within((1..=MOST_PEOPLE).contains(&self.people), "people", &format!("1 to {MOST_PEOPLE}"))?;
        let letters = self.country.len() == 3 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        within(letters, "country", "three letters from A to Z")?;
        let form = Form {
            hotel: match self.hotel {
                Hotel::City => trips::Hotel::City,
                Hotel::Resort => trips::Hotel::Resort,
            },
            letter: self.room,
            first: self.first_night,
            nights: self.nights,
            rate: Cents(self.rate_cents),
            people: self.people,
            country: &self.country,
            parking: self.car,
        };
        Ok(form.trip(id))
    }
}

/// A number without a fraction: `2`, or `2.0`, which is the same in JSON.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number")
        }

        fn visit_u64<E>(self, n: u64) -> Result<u64, E> {
            Ok(n)
        }

        fn visit_f64<E: de::Error>(self, n: f64) -> Result<u64, E> {
            let text = n.to_string();
            text.parse().map_err(|_| E::invalid_value(de::Unexpected::Float(n), &self))
        }
    }

    let n = from.deserialize_u64(Whole)?;
    T::try_from(n).map_err(|_| de::Error::custom(format!("{n} is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trips::generate;

    #[test]
    fn a_generated_trip_is_the_same_over_http() {
        for n in 0..500 {
            let (form, _) = generate::form(7, n);
            let sent = serde_json::to_string(&TripForm::of(&form, None)).unwrap();
            let read: TripForm = serde_json::from_str(&sent).unwrap();
            assert_eq!(read.trip(TripId(n)).unwrap(), form.trip(TripId(n)));
        }
    }

    #[test]
    fn whole_numbers_are_read_in_either_spelling_and_no_others() {
        let read = |n: &str| {
            let mut from = serde_json::Deserializer::from_str(n);
            whole::<_, u16>(&mut from).ok()
        };
        assert_eq!(
            (read("17"), read("17.0"), read("1.7e1"), read("0")),
            (Some(17), Some(17), Some(17), Some(0))
        );
        for bad in
            ["1.5", "-1", "-1.0", "65536", "1e99", "1e-9", "99999999999999999999", "\"1\"", "null", "[1]"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_lies_outside_its_limits_is_refused_and_named() {
        let (form, _) = generate::form(7, 1);
        let good = TripForm::of(&form, None);
        let bad = [
            ("room", TripForm { room: 'a', ..good.clone() }),
            ("first_night", TripForm { first_night: Day::of(1999, 12, 31).unwrap(), ..good.clone() }),
            ("first_night", TripForm { first_night: Day::of(3000, 1, 1).unwrap(), ..good.clone() }),
            ("nights", TripForm { nights: 0, ..good.clone() }),
            ("nights", TripForm { nights: 366, ..good.clone() }),
            ("rate_cents", TripForm { rate_cents: DEAREST + 1, ..good.clone() }),
            ("people", TripForm { people: 0, ..good.clone() }),
            ("country", TripForm { country: "Gbr".into(), ..good.clone() }),
        ];
        for (place, form) in bad {
            let problem = format!("{:?}", form.trip(TripId(1)).unwrap_err());
            assert!(problem.contains(&format!("body {place}")), "{problem}");
        }
    }
}
