//! One figure: what was measured, beside its limit and its mark.

use std::fmt;

use serde::Serialize;

/// Measurements of one thing, all of the same run of the benchmark.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// The workload.
    pub(crate) workload: &'static str,
    /// What is measured.
    pub(crate) name: String,
    /// The unit of the values.
    pub(crate) unit: &'static str,
    /// One value a repetition.
    pub(crate) ours: Vec<f64>,
    /// The limit's, measured in turns with ours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) limit: Vec<f64>,
    /// Whether each of ours is to be compared with the limit's of the same place: differences that are smaller than the
    /// machine's own from one minute to the next.
    pub(crate) paired: bool,
    /// What is asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Mark>,
}

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// At least this part of the limit.
    RatioAtLeast(f64),
    /// At most so many times the limit.
    RatioAtMost(f64),
}

impl Figure {
    /// A figure without a limit or a mark.
    pub(crate) fn new(
        workload: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        ours: Vec<f64>,
    ) -> Self {
        Self { workload, name: name.into(), unit, ours, limit: Vec::new(), paired: false, mark: None }
    }

    /// Beside this limit.
    pub(crate) fn beside(mut self, limit: Vec<f64>) -> Self {
        self.limit = limit;
        self
    }

    /// Beside this limit, each with its own.
    #[cfg(feature = "telemetry")]
    pub(crate) fn paired(self, limit: Vec<f64>) -> Self {
        Self { paired: true, ..self.beside(limit) }
    }

    /// With this mark.
    pub(crate) fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// Ours over the limit: of the medians, or the median of all pairs.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let of_medians = || median(&self.ours) / median(&self.limit);
        let ratio = || self.ratios().map_or_else(of_medians, |ratios| median(&ratios));
        (!self.limit.is_empty()).then(ratio)
    }

    /// Of each pair.
    fn ratios(&self) -> Option<Vec<f64>> {
        self.paired.then(|| self.ours.iter().zip(&self.limit).map(|(ours, limit)| ours / limit).collect())
    }

    /// The ratio as it is shown, with its spread where pairs have one.
    pub(crate) fn shown_ratio(&self) -> Option<String> {
        let spread = self.ratios().map(|ratios| format!(" ({})", spread(&ratios))).unwrap_or_default();
        self.ratio().map(|ratio| format!("{ratio:.2}{spread}"))
    }

    /// Whether the mark is met; `None` without one.
    pub(crate) fn met(&self) -> Option<bool> {
        let (ours, ratio) = (median(&self.ours), self.ratio().unwrap_or(f64::NAN));
        self.mark.map(|mark| match mark {
            Mark::AtLeast(mark) => ours >= mark,
            Mark::AtMost(mark) => ours <= mark,
            Mark::RatioAtLeast(mark) => ratio >= mark,
            Mark::RatioAtMost(mark) => ratio <= mark,
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(mark) => write!(f, ">= {mark}"),
            Self::AtMost(mark) => write!(f, "<= {mark}"),
            Self::RatioAtLeast(mark) => write!(f, ">= {mark} of it"),
            Self::RatioAtMost(mark) => write!(f, "<= {mark} times it"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, ours, .. } = self;
        write!(f, "{name}: {} {unit} ({})", short(median(ours)), spread(ours))?;
        if let Some(ratio) = self.shown_ratio() {
            write!(f, ", limit {} ({}), ratio {ratio}", short(median(&self.limit)), spread(&self.limit))?;
        }
        match (self.mark, self.met()) {
            (Some(mark), Some(true)) => write!(f, ", mark {mark}: met"),
            (Some(mark), Some(false)) => write!(f, ", mark {mark}: NOT met"),
            _ => Ok(()),
        }
    }
}

/// The middle value; of an even number the lower of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The smallest and the largest.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} to {}", short(least), short(most))
}

/// A number with as many digits as mean something.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_compared_with_the_median() {
        let figure = Figure::new("W1", "rate", "1/s", vec![10.0, 90.0, 30.0]);
        let figure = figure.beside(vec![100.0, 50.0, 60.0]).mark(Mark::RatioAtLeast(0.5));
        assert_eq!((figure.ratio(), figure.met()), (Some(0.5), Some(true)));
        assert_eq!(
            figure.to_string(),
            "rate: 30.0 1/s (10.0 to 90.0), limit 60.0 (50.0 to 100), ratio 0.50, mark >= 0.5 of it: met"
        );
        assert_eq!(figure.mark(Mark::AtMost(29.0)).met(), Some(false));
    }

    #[test]
    fn pairs_are_compared_each_by_itself() {
        let figure = Figure::new("W13", "rate", "1/s", vec![9.0, 95.0, 480.0]);
        let figure = Figure { paired: true, ..figure.beside(vec![10.0, 100.0, 400.0]) };
        assert_eq!(figure.shown_ratio().unwrap(), "0.95 (0.90 to 1.20)");
    }
}
