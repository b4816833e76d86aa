//! Old event shapes to new ones: a chain of pure steps per event type, refused when it has a gap. Never rewrites the
//! log; runs whenever a recorded event is read.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use thiserror::Error;

/// One step of a chain: the payload of schema n to that of n + 1.
pub type Upcast = fn(Value) -> Result<Value, String>;

/// The chains of one kind, by the event's tag.
///
/// ```
/// use palinode::Upcasters;
/// let chains = Upcasters::default().step("deposited", 1, |v| Ok(serde_json::json!({ "cents": v })));
/// assert_eq!(chains.current("deposited"), 2);
/// assert_eq!(chains.raise("deposited", 1, 5.into()).unwrap(), serde_json::json!({ "cents": 5 }));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Upcasters(BTreeMap<&'static str, BTreeMap<u32, Upcast>>);

/// Why an event could not be raised to the present schema, or a chain is no chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpcastError {
    /// The event was written by a newer build.
    #[error("event {tag:?} has schema {found}, newer than this build's {current}: run a newer build")]
    Newer {
        /// The event's tag.
        tag: Arc<str>,
        /// Its schema.
        found: u32,
        /// The newest this build knows.
        current: u32,
    },
    /// A step is missing from the chain.
    #[error("event {tag:?} has no upcaster from schema {missing}")]
    Gap {
        /// The event's tag.
        tag: Arc<str>,
        /// The schema without a step.
        missing: u32,
    },
    /// A step refused the payload.
    #[error("event {tag:?}, schema {from}: {why}")]
    Failed {
        /// The event's tag.
        tag: Arc<str>,
        /// The schema it stood at.
        from: u32,
        /// What the step said.
        why: String,
    },
}

impl Upcasters {
    /// Adds the step from schema `from` to `from + 1` of an event. A second step from the same schema replaces it.
    #[must_use]
    pub fn step(mut self, tag: &'static str, from: u32, upcast: Upcast) -> Self {
        self.0.entry(tag).or_default().insert(from, upcast);
        self
    }

    /// The schema an event is written with today: 1 without a chain.
    #[must_use]
    pub fn current(&self, tag: &str) -> u32 {
        self.0.get(tag).and_then(|c| c.keys().next_back()).map_or(1, |last| last.saturating_add(1))
    }

    /// Every chain goes from 1 to its end without a gap.
    ///
    /// # Errors
    /// [`UpcastError::Gap`] with the first step that is missing.
    pub fn check(&self) -> Result<(), UpcastError> {
        for (tag, chain) in &self.0 {
            if let Some(missing) = (1..self.current(tag)).find(|n| !chain.contains_key(n)) {
                return Err(UpcastError::Gap { tag: (*tag).into(), missing });
            }
        }
        Ok(())
    }

    /// A payload raised from its schema to today's.
    ///
    /// # Errors
    /// When the schema is newer than today's, a step is missing, or a step refuses the payload.
    pub fn raise(&self, tag: &str, schema: u32, data: Value) -> Result<Value, UpcastError> {
        let current = self.current(tag);
        if schema > current {
            return Err(UpcastError::Newer { tag: tag.into(), found: schema, current });
        }
        (schema..current).try_fold(data, |data, from| {
            let gap = || UpcastError::Gap { tag: tag.into(), missing: from };
            let step = self.0.get(tag).and_then(|c| c.get(&from)).ok_or_else(gap)?;
            step(data).map_err(|why| UpcastError::Failed { tag: tag.into(), from, why })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chain_composes_its_steps() {
        let chains =
            Upcasters::default()
                .step("paid", 1, |v| Ok(json!({ "amount": v })))
                .step("paid", 2, |v| Ok(json!({ "amount": v["amount"], "currency": "EUR" })));
        let raised = chains.raise("paid", 1, json!(5)).unwrap();
        assert_eq!(raised, json!({ "amount": 5, "currency": "EUR" }));
        assert_eq!(chains.raise("paid", 3, raised.clone()).unwrap(), raised);
    }

    #[test]
    fn a_gap_and_a_newer_schema_are_refused() {
        let chains = Upcasters::default().step("paid", 2, Ok);
        assert_eq!(chains.check(), Err(UpcastError::Gap { tag: "paid".into(), missing: 1 }));
        assert!(matches!(chains.raise("paid", 4, json!(1)), Err(UpcastError::Newer { current: 3, .. })));
    }
}
