//! Days of the calendar: a number that counts, a text that people read. Knows no clock and no zone.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day, counted from 1970-01-01. Written `2015-07-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Day(i32);

impl Day {
    /// The day of this date in the years 1 to 9999; `None` when the calendar has no such day.
    ///
    /// `days_from_civil` of Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013).
    #[must_use]
    pub fn of(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let (month, day) = (month.cast_signed(), day.cast_signed());
        let y = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let this = Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468);
        (this.date() == (year, month, day)).then_some(this)
    }

    /// So many days later.
    #[must_use]
    pub fn plus(self, days: u16) -> Self {
        Self(self.0.saturating_add(i32::from(days)))
    }

    /// Whether this day and the ones after it, `count` in all, are in the years that can be written and read back.
    #[must_use]
    pub fn has_run(self, count: u16) -> bool {
        let last = self.0.saturating_add(i32::from(count.saturating_sub(1)));
        Self::of(9999, 12, 31).is_some_and(|end| last <= end.0)
    }

    /// This day and the ones after it, `count` in all.
    pub fn run(self, count: u16) -> impl Iterator<Item = Self> {
        (0..count).map(move |n| self.plus(n))
    }

    /// Year, month, day (`civil_from_days` of the same source).
    fn date(self) -> (i32, i32, i32) {
        let z = self.0.saturating_add(719_468);
        let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400 + i32::from(month <= 2);
        (year, month, of_year - (153 * shifted + 2) / 5 + 1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDay(String);

impl fmt::Display for BadDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no day: it is written like 2015-07-01", self.0)
    }
}

impl FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        let mut parts = text.split('-');
        let mut part = || parts.next().and_then(|p| p.parse::<u32>().ok());
        let day = match (part(), part(), part(), text.len()) {
            (Some(y), Some(m), Some(d), 10) => i32::try_from(y).ok().and_then(|y| Self::of(y, m, d)),
            _ => None,
        };
        day.ok_or_else(|| BadDay(text.chars().take(40).collect()))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_and_read_as_dates() {
        assert_eq!(Day::of(1970, 1, 1), Some(Day(0)));
        let leap = Day::of(2016, 2, 28).unwrap();
        assert_eq!(leap.plus(1).to_string(), "2016-02-29");
        assert_eq!(leap.run(3).last().unwrap().to_string(), "2016-03-01");
        assert_eq!("2015-07-01".parse(), Ok(Day::of(2015, 7, 1).unwrap()));
    }

    #[test]
    fn what_the_calendar_does_not_have_is_refused() {
        assert_eq!(Day::of(2015, 2, 29), None);
        assert_eq!(Day::of(2015, 13, 1), None);
        for bad in ["", "2015-7-1", "2015-07-1x", "2015-07-01-01", "-015-07-01"] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_ends_with_the_last_day_that_can_be_written() {
        let last = Day::of(9999, 12, 31).unwrap();
        assert!(last.has_run(1) && Day::of(9999, 1, 1).unwrap().has_run(365));
        assert!(!last.has_run(2) && !Day::of(9999, 1, 2).unwrap().has_run(365));
    }

    #[test]
    fn every_day_of_four_centuries_is_read_back() {
        let first = Day::of(1800, 1, 1).unwrap().0;
        for n in first..first + 146_097 {
            let (y, m, d) = Day(n).date();
            assert_eq!(Day::of(y, m.cast_unsigned(), d.cast_unsigned()), Some(Day(n)));
        }
    }
}
