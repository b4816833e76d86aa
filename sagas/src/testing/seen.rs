//! What a test sees of an instance: the last commit, what was told, what is open, the whole journal and state.

use palinode::{
    Micros,
    entity::{RunRequest, SendRequest},
    message::Refusal,
};
use serde_json::value::RawValue;

use super::{
    Script, line,
    rules::{blunt, saved},
};
use crate::{event::Event, situation::Situation};

impl Script {
    /// The events of the last commit are these, as [`line()`] writes them.
    #[track_caller]
    pub fn then<const N: usize>(self, expected: [&str; N]) -> Self {
        let found: Vec<String> = self.last.iter().map(line).collect();
        assert_eq!(found, expected, "the last commit; {}", self.open());
        self
    }

    /// The sender of the last input was answered with this word (of a verb: this situation), or refused with this code.
    #[track_caller]
    pub fn then_told(self, expected: &str) -> Self {
        let answer = self.told.as_ref().and_then(|d| d.answer.as_deref()).map_or("null", RawValue::get);
        let code = serde_json::from_str::<Refusal>(answer).map(|r| r.code.to_string());
        let situation = || serde_json::from_str::<Situation>(answer).map(|s| s.to_string());
        let word = code.or_else(|_| serde_json::from_str::<String>(answer)).or_else(|_| situation());
        assert_eq!(word.unwrap_or_default(), expected, "the answer was {answer}");
        self
    }

    /// The open asks are these keys, in the order in which they were asked.
    #[track_caller]
    pub fn then_open<const N: usize>(self, expected: [&str; N]) -> Self {
        assert_eq!(self.open_keys(), expected, "{}", self.open());
        self
    }

    /// The keys of asks nobody has answered.
    #[must_use]
    pub fn open_keys(&self) -> Vec<String> {
        let sends = self.sends.iter().filter_map(|s| s.re.as_deref()).filter_map(|re| re.rsplit_once('/'));
        let keys = sends.map(|(key, _)| key.to_owned());
        keys.chain(self.runs.iter().map(|r| r.key.to_string())).collect()
    }

    /// The names of the timers that are set.
    #[must_use]
    pub fn open_timers(&self) -> Vec<String> {
        self.timers.keys().map(|(name, _)| name.to_string()).collect()
    }

    /// When the timer of a node is due.
    #[must_use]
    pub fn due(&self, node: &str) -> Option<Micros> {
        self.timers.iter().find(|((name, _), _)| &**name == node).map(|(_, due)| *due)
    }

    /// The time of the last commit.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The open attempt of an activity.
    #[must_use]
    pub fn run(&self, key: &str) -> Option<RunRequest> {
        self.runs.iter().find(|r| &*r.key == key).cloned()
    }

    /// The open message to an entity.
    #[must_use]
    pub fn send(&self, key: &str) -> Option<SendRequest> {
        let is =
            |s: &&SendRequest| s.re.as_deref().and_then(|re| re.rsplit_once('/')).is_some_and(|p| p.0 == key);
        self.sends.iter().find(is).cloned()
    }

    /// The whole journal.
    #[must_use]
    pub fn journal(&self) -> &[Event] {
        &self.journal
    }

    /// What the instance ended with.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        self.entity.ended().map(|raw| raw.get().to_owned())
    }

    /// The state, as its snapshot.
    #[must_use]
    pub fn state(&self) -> crate::state::State {
        serde_json::from_str(&saved(&*self.entity)).unwrap_or_else(|e| blunt(e.to_string()))
    }
}
