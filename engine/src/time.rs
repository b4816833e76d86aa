//! Microseconds since the Unix epoch, and the hybrid-clock rule. Knows no clock: the time of day comes in as an
//! argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time in microseconds since the Unix epoch, UTC.
///
/// ```
/// use palinode::Micros;
/// use std::time::Duration;
/// assert_eq!(Micros(1).plus(Duration::from_millis(2)), Micros(2_001));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// This time and a duration after it; the end of time is as far as it goes.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This time less a duration.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How far this lies after `earlier`; zero when it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// How far another's clock may lead ours before its message is refused (a client's) or held (a channel's).
pub const MAX_LEAD: Duration = Duration::from_secs(60);

/// The time of a commit: not before now, after the commit before it in the shard, and after its cause.
///
/// A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) with the logical part folded into the
/// microseconds, so that no effect is stamped before its cause on any machine.
///
/// ```
/// use palinode::{Micros, time::hybrid};
/// assert_eq!(hybrid(Micros(10), Micros(3), None), Micros(10));
/// assert_eq!(hybrid(Micros(10), Micros(12), None), Micros(13));
/// assert_eq!(hybrid(Micros(10), Micros(12), Some(Micros(40))), Micros(41));
/// ```
#[must_use]
pub fn hybrid(now: Micros, previous: Micros, cause: Option<Micros>) -> Micros {
    let after = |t: Micros| Micros(t.0.saturating_add(1));
    if zoo!("time-by-the-wall") {
        return now;
    }
    let own = now.max(after(previous));
    cause.map_or(own, |c| own.max(after(c)))
}
