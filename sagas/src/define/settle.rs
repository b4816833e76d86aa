//! What settles a pivot that may have happened: its probe and its void, as the builder takes them.

use std::any::Any;

use palinode::{Activity, Request, entity::TargetKind};

use super::{
    Flow,
    class::{Pivot, Place},
    of_type,
};
use crate::{
    definition::{Ask, Code},
    outcome::{Probed, Voided},
    saga::Data,
};

impl<T: Data, P: Place, R: Request> Flow<T, P, Pivot<R>> {
    /// What asks the participant whether the pivot happened, before a person is asked. It cannot say that it did not:
    /// an attempt may still land.
    pub fn probe<A: Activity<Reply = Probed<R::Reply>>>(
        self,
        ask: impl Fn(&T) -> A + Send + Sync + 'static,
    ) -> Self {
        self.settles::<A>(ask, |code, ask| code.probe = Some(ask))
    }

    /// What makes the participant either say that the pivot was done, or never do it: a tombstone refuses what still
    /// lands. It is the only way from doubt to undo that leaks nothing; [`crate::Verb::MarkNotDone`] runs it.
    pub fn void<A: Activity<Reply = Voided<R::Reply>>>(
        self,
        ask: impl Fn(&T) -> A + Send + Sync + 'static,
    ) -> Self {
        self.settles::<A>(ask, |code, ask| code.void = Some(ask))
    }

    fn settles<A: Activity>(
        mut self,
        ask: impl Fn(&T) -> A + Send + Sync + 'static,
        put: impl FnOnce(&mut Code, Box<Ask>),
    ) -> Self {
        if !matches!(R::target(), TargetKind::Activity { .. }) {
            self.mistake(|path| {
                format!(
                    "node {path:?} asks an aggregate, which answers in the end: only an activity is in doubt"
                )
            });
        }
        let ask = move |data: &dyn Any| ask(of_type(data)?).encode().map_err(|e| format!("request: {e}"));
        self.amend(|node| {
            node.settles.push(TargetKind::Activity { name: A::NAME, undo: None });
            put(&mut node.code, Box::new(ask));
        });
        self
    }
}
