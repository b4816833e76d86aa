//! The rules no journal may break, checked after every commit; and the blunt helpers of a test.

use std::sync::Arc;

use palinode::{
    activity::To,
    entity::{Decision, Entity, Kind, Recorded},
    message::Refusal,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Script;
use crate::event::Event;

impl Script {
    /// U3, U6, U7 and equal bytes within a round, on every commit.
    #[track_caller]
    pub(super) fn check_asks(&mut self, decision: &Decision) {
        let turned = self.journal.iter().any(|e| matches!(e, Event::UndoBegan { .. }));
        let forward = self.last.iter().any(|e| matches!(e, Event::StepAsked { .. }));
        let turns = self.last.iter().any(|e| matches!(e, Event::UndoBegan { .. }));
        must(!turned || turns || !forward, "U3: a forward ask after the saga turned back");
        for send in &decision.sends {
            let Some((key, round)) = send.re.as_deref().and_then(|re| re.rsplit_once('/')) else { continue };
            let place = (Arc::from(key), round.parse().unwrap_or(0));
            let said = (send.to.to_string(), send.data.get().to_owned());
            must(self.bytes.insert(place, said).is_none(), "U7: an entity was sent its ask twice in a round");
            if let Some(path) = key.strip_suffix("/undo") {
                let asked = self.asked_of(path);
                must(asked == Some(To::Entity(send.to.clone())), "U6: the undo goes to another entity");
            }
        }
        for run in &decision.runs {
            let said = (run.activity.to_string(), run.request.get().to_owned());
            let before = self.bytes.entry((Arc::clone(&run.key), run.round)).or_insert_with(|| said.clone());
            must(*before == said, "the bytes of two attempts of a round differ");
        }
    }

    fn asked_of(&self, path: &str) -> Option<To> {
        self.journal.iter().find_map(|e| match e {
            Event::StepAsked { node, to: Some(to), .. } if &**node == path => Some(to.clone()),
            _ => None,
        })
    }

    /// The crash test: dropped and folded again, and restored from a snapshot.
    #[track_caller]
    pub(super) fn check_refold(&mut self) {
        let live = saved(&*self.entity);
        let mut folded = self.kind.blank(&self.id);
        for (version, record) in (0..).zip(&self.records) {
            let of = Recorded { time: record.time, version, traceparent: record.traceparent.as_ref() };
            if let Err(unfit) = folded.apply(&record.event, &of) {
                blunt(format!("the journal cannot be folded: {unfit}"));
            }
        }
        must(saved(&*folded) == live, "the instance folded from its journal is another one");
        let restored = self.kind.restore(&self.id, live.as_bytes()).unwrap_or_else(|e| blunt(e.to_string()));
        must(saved(&*restored) == live, "the instance restored from its snapshot is another one");
        self.entity = if self.commits.is_multiple_of(2) { folded } else { restored };
    }
}

#[track_caller]
pub(super) fn saved(entity: &dyn Entity) -> String {
    let bytes = entity.save().unwrap_or_else(|e| blunt(e.to_string()));
    String::from_utf8(bytes).unwrap_or_else(|e| blunt(e.to_string()))
}

#[track_caller]
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|e| blunt(e.to_string()))
}

#[track_caller]
pub(super) fn parsed(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|e| blunt(e.to_string()))
}

#[track_caller]
pub(super) fn refusal(code: &str) -> Box<RawValue> {
    raw(&Refusal { code: code.into(), text: "refused".into(), data: None })
}

#[track_caller]
pub(super) fn must(holds: bool, what: &str) {
    assert!(holds, "{what}");
}

#[track_caller]
#[expect(clippy::panic, reason = "a test that cannot go on")]
pub(super) fn blunt(why: impl std::fmt::Display) -> ! {
    panic!("{why}")
}
