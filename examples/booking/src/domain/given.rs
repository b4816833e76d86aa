//! given(events).when(command).then(events), on decide and evolve alone.

use std::fmt::Debug;

use palinode::{Address, Aggregate, Context, Micros, trace::Scope};

/// An aggregate with a history, and what the last command came to.
pub(crate) struct Given<A: Aggregate> {
    id: &'static str,
    state: A,
    outcome: Option<Result<Vec<A::Event>, A::Rejection>>,
}

/// The aggregate of this id, to which these things happened.
pub(crate) fn given<A: Aggregate>(id: &'static str, events: &[A::Event]) -> Given<A> {
    let mut state = A::default();
    events.iter().for_each(|event| state.evolve(event));
    Given { id, state, outcome: None }
}

impl<A: Aggregate> Given<A>
where
    A::Event: Debug + PartialEq,
    A::Rejection: Debug + PartialEq,
    A::Reply: Debug + PartialEq,
{
    /// Decides the command and takes its events into the state.
    pub(crate) fn when(mut self, command: &A::Command) -> Self {
        let entity = Address::new(A::SERVICE, A::KIND, self.id);
        let cx =
            Context { time: Micros(0), entity, version: 0, cause: "test".into(), trace: Scope::default() };
        let outcome = self.state.decide(command, &cx);
        outcome.iter().flatten().for_each(|event| self.state.evolve(event));
        self.outcome = Some(outcome);
        self
    }

    /// It was accepted, with exactly these events.
    #[track_caller]
    pub(crate) fn then(self, events: &[A::Event]) -> Self {
        assert_eq!(self.outcome.as_ref().map(|o| o.as_deref()), Some(Ok(events)));
        self
    }

    /// It was accepted, and there was nothing to do.
    #[track_caller]
    pub(crate) fn then_nothing(self) -> Self {
        self.then(&[])
    }

    /// It was refused.
    #[track_caller]
    pub(crate) fn then_rejected(self, rejection: &A::Rejection) -> Self {
        assert_eq!(self.outcome.as_ref().map(|o| o.as_ref().err()), Some(Some(rejection)));
        self
    }

    /// An accepted command is answered with this.
    #[track_caller]
    pub(crate) fn replies(self, command: &A::Command, reply: &A::Reply) -> Self {
        assert_eq!(&self.state.reply(command), reply);
        self
    }
}
