//! The builder users write: a definition in the order in which things happen. What may follow what is said by types
//! (`define/class.rs`); everything else that can be wrong is collected and comes back from [`Saga::check`].

pub mod class;
mod settle;

use std::{any::Any, marker::PhantomData, sync::Arc, time::Duration};

use palinode::{Request, activity::To, entity::TargetKind};
use serde_json::value::to_raw_value;

use crate::{
    definition::{Class, Code, DataCode, Definition, Draft, Node, NodeId, Save, Then},
    outcome::Outcome,
    retry::Retry,
    saga::{Data, Saga, Signal},
};
use class::{
    Asks, Awaits, BeforePivot, Complete, InSequence, MainRoad, MayBeSkipped, MayPivot, NeedsUndo, NoWayBack,
    OnTimeout, Pivot, Place, Read, Retriable, Saves, SideBySide, TakesBack,
};

impl<T: Data> Saga<T> {
    /// Begins a definition. The name is the kind of its instances; a released version is never changed again.
    pub fn define(name: impl Into<Arc<str>>, version: u32) -> Flow<T, BeforePivot> {
        let data = DataCode {
            decode: |raw| {
                let data: T = serde_json::from_str(raw.get()).map_err(|e| format!("data: {e}"))?;
                Ok(Box::new(data))
            },
            encode: |data| to_raw_value(of_type::<T>(data)?).map_err(|e| format!("data: {e}")),
        };
        let draft = Draft {
            name: name.into(),
            version,
            nodes: Vec::new(),
            deadline: None,
            mistakes: Vec::new(),
            data,
        };
        Flow { draft, front: Vec::new(), ends: Vec::new(), prefix: String::new(), place: PhantomData }
    }
}

/// A definition being written. `P` says where it stands, `L` what its last node still needs.
#[must_use = "a definition ends with .finish()"]
pub struct Flow<T, P, L = ()> {
    draft: Draft,
    /// What the next node follows.
    front: Vec<NodeId>,
    /// In a block: the last nodes of its branches.
    ends: Vec<NodeId>,
    /// Names of the branches it stands in, each with a slash.
    prefix: String,
    #[expect(clippy::type_complexity, reason = "markers only")]
    place: PhantomData<fn() -> (T, P, L)>,
}

impl<T: Data, P: Place, L> Flow<T, P, L> {
    /// A step that is taken back when the saga cannot be completed. It goes on with `.undo(..)` or
    /// `.nothing_to_undo(..)`; before that, `.save(..)`, `.when(..)`, `.timeout(..)` and policies.
    pub fn step<R: Request>(
        self,
        name: &'static str,
        ask: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Flow<T, P, NeedsUndo<R>>
    where
        P: TakesBack,
        L: Complete,
    {
        self.asks(name, Class::Compensatable, Retry::step(), ask)
    }

    /// Asks something that changes nothing.
    pub fn read<R: Request>(
        self,
        name: &'static str,
        ask: impl Fn(&T) -> R + Send + Sync + 'static,
        save: impl Fn(&mut T, &R::Reply) + Send + Sync + 'static,
    ) -> Flow<T, P, Read>
    where
        L: Complete,
    {
        let retry = if P::LATE { Retry::retriable() } else { Retry::step() };
        let mut flow = self.asks::<R, Read>(name, Class::Read, retry, ask);
        flow.amend(|node| node.code.save = Some(erased_save(save)));
        flow
    }

    /// The point of no return: what is done before it is taken back until here, what stands after it will be done.
    pub fn pivot<R: Request>(
        self,
        name: &'static str,
        ask: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Flow<T, class::AfterPivot, Pivot<R>>
    where
        P: MayPivot,
        L: Complete,
    {
        self.asks::<R, Pivot<R>>(name, Class::Pivot, Retry::step(), ask).become_()
    }

    /// A step after the pivot: tried until it is done, and never taken back.
    pub fn retriable<R: Request>(
        self,
        name: &'static str,
        ask: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Flow<T, P, Retriable<R>>
    where
        P: NoWayBack,
        L: Complete,
    {
        self.asks(name, Class::Retriable, Retry::retriable(), ask)
    }

    /// Waits for a signal. Without one in time the saga is taken back (after the pivot: a person must decide), or what
    /// `.on_timeout(..)` says.
    pub fn wait<S: Signal>(mut self, name: &'static str, within: Duration) -> Flow<T, P, Awaits<S>>
    where
        L: Complete,
    {
        let then = if P::LATE { Then::Block } else { Then::Undo };
        let decode = |raw: &serde_json::value::RawValue| {
            let signal: S =
                serde_json::from_str(raw.get()).map_err(|e| format!("signal {}: {e}", S::NAME))?;
            Ok(Box::new(signal) as Box<dyn Any>)
        };
        let code = Code { decode: Some(Box::new(decode)), ..Code::default() };
        let node = Node {
            signal: Some(S::NAME),
            timeout: Some(within),
            on_timeout: then,
            ..self.node(name, Class::Wait, Retry::step(), code)
        };
        self.push(node);
        self.become_()
    }

    /// Lets this much time pass.
    pub fn timer(mut self, name: &'static str, span: Duration) -> Flow<T, P>
    where
        L: Complete,
    {
        let node = Node {
            timeout: Some(span),
            on_timeout: Then::GoOn,
            ..self.node(name, Class::Timer, Retry::step(), Code::default())
        };
        self.push(node);
        self.become_()
    }

    /// Branches that run side by side. What follows the block follows all of them.
    pub fn parallel<M: Complete>(
        self,
        branches: impl FnOnce(Flow<T, P::Branches>) -> Flow<T, P::Branches, M>,
    ) -> Flow<T, P>
    where
        P: InSequence,
        L: Complete,
    {
        let Self { draft, front, prefix, .. } = self;
        let entry = front.clone();
        let block = Flow { draft, front, ends: Vec::new(), prefix: prefix.clone(), place: PhantomData };
        let Flow { draft, mut ends, .. } = branches(block);
        ends.sort_unstable();
        ends.dedup();
        let front = if ends.is_empty() { entry } else { ends };
        Flow { draft, front, ends: Vec::new(), prefix, place: PhantomData }
    }

    /// A branch of several nodes; its name stands before theirs.
    pub fn branch<M: Complete>(
        self,
        name: &'static str,
        branch: impl FnOnce(Flow<T, P::Branch>) -> Flow<T, P::Branch, M>,
    ) -> Flow<T, P>
    where
        P: SideBySide,
        L: Complete,
    {
        let Self { draft, front, mut ends, prefix, .. } = self;
        let inner = Flow {
            draft,
            front: front.clone(),
            ends: Vec::new(),
            prefix: format!("{prefix}{name}/"),
            place: PhantomData,
        };
        let Flow { draft, front: tail, .. } = branch(inner);
        ends.extend(tail);
        Flow { draft, front, ends, prefix, place: PhantomData }
    }

    /// Puts what the node brought back into the data. It runs once, while deciding; its result is recorded.
    pub fn save(mut self, save: impl Fn(&mut T, &L::Reply) + Send + Sync + 'static) -> Self
    where
        L: Saves,
    {
        let twice = self.draft.nodes.last().is_some_and(|n| n.code.save.is_some());
        if twice {
            self.mistake(|path| format!("node {path:?} has two saves: put both into one"));
        }
        self.amend(|node| node.code.save = Some(erased_save(save)));
        self
    }

    /// Leaves the node out when this does not hold at the moment it becomes ready. The decision is recorded.
    pub fn when(mut self, holds: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        L: MayBeSkipped,
    {
        self.amend(|node| {
            node.code.when = Some(Box::new(move |data| Ok(holds(of_type(data)?))));
        });
        self
    }

    /// Stops waiting for the node's outcome after this long: it is unknown then. A message to an entity is neither
    /// lost nor repeated, so a step without a timeout simply waits.
    pub fn timeout(mut self, within: Duration) -> Self
    where
        L: Asks,
    {
        self.amend(|node| node.timeout = Some(within));
        self
    }

    /// How the attempts of an activity, or the rounds of a retriable, are repeated.
    pub fn retry(mut self, retry: Retry) -> Self
    where
        L: Asks,
    {
        self.amend(|node| node.retry = retry);
        self
    }

    /// How long an instance may take before it is taken back. After the pivot it only alarms.
    pub fn deadline(mut self, within: Duration) -> Self
    where
        P: MainRoad,
    {
        if within.is_zero() {
            self.draft.mistakes.push("a deadline of zero: no instance could complete".into());
        }
        self.draft.deadline = Some(within);
        self
    }

    /// The finished definition. What is wrong with it comes back from [`Saga::check`] and from the node's start.
    #[must_use]
    pub fn finish(self) -> Saga<T>
    where
        P: MainRoad,
        L: Complete,
    {
        Saga::new(Definition::new(self.draft))
    }

    fn asks<R: Request, M>(
        mut self,
        name: &'static str,
        class: Class,
        retry: Retry,
        ask: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Flow<T, P, M> {
        let ask = move |data: &dyn Any| ask(of_type(data)?).encode().map_err(|e| format!("request: {e}"));
        let decode = |raw: &serde_json::value::RawValue| {
            let reply: R::Reply = serde_json::from_str(raw.get()).map_err(|e| format!("reply: {e}"))?;
            Ok(Box::new(reply) as Box<dyn Any>)
        };
        let code = Code { ask: Some(Box::new(ask)), decode: Some(Box::new(decode)), ..Code::default() };
        let node = Node { target: Some(R::target()), ..self.node(name, class, retry, code) };
        self.push(node);
        self.become_()
    }

    fn node(&self, name: &str, class: Class, retry: Retry, code: Code) -> Node {
        let path = format!("{}{name}", self.prefix);
        Node {
            do_key: format!("{path}/do").into(),
            undo_key: format!("{path}/undo").into(),
            path: path.into(),
            class,
            late: P::LATE,
            after: Vec::new(),
            next: Vec::new(),
            target: None,
            signal: None,
            timeout: None,
            on_timeout: Then::Undo,
            retry,
            undo_retry: Retry::undo(),
            settles: Vec::new(),
            nothing_to_undo: None,
            code,
        }
    }

    fn push(&mut self, mut node: Node) {
        let id = NodeId(self.draft.nodes.len());
        node.after.clone_from(&self.front);
        self.draft.nodes.push(node);
        if P::SIDE_BY_SIDE {
            self.ends.push(id);
        } else {
            self.front = vec![id];
        }
    }

    fn amend(&mut self, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.draft.nodes.last_mut() {
            change(node);
        }
    }

    fn mistake(&mut self, what: impl FnOnce(&str) -> String) {
        if let Some(node) = self.draft.nodes.last() {
            let what = what(&node.path);
            self.draft.mistakes.push(what);
        }
    }

    fn become_<Q, M>(self) -> Flow<T, Q, M> {
        let Self { draft, front, ends, prefix, .. } = self;
        Flow { draft, front, ends, prefix, place: PhantomData }
    }
}

impl<T: Data, P: Place, R: Request> Flow<T, P, NeedsUndo<R>> {
    /// What takes the step back; it goes to where the step went. It is built twice: with [`Outcome::Unknown`] before
    /// the step is asked, and with its reply (and the data after `save`) when it is done. Both are recorded.
    pub fn undo(
        mut self,
        undo: impl Fn(&T, Outcome<'_, R::Reply>) -> R::Undo + Send + Sync + 'static,
    ) -> Flow<T, P> {
        let erased = move |data: &dyn Any, reply: Option<&dyn Any>, to: &To| {
            let outcome = match reply {
                Some(reply) => Outcome::Done(of_type::<R::Reply>(reply)?),
                None => Outcome::Unknown,
            };
            let undo = undo(of_type(data)?, outcome);
            R::encode_undo(to, &undo).map_err(|e| format!("undo: {e}"))
        };
        if let TargetKind::Activity { name, undo: None } = R::target() {
            self.mistake(|path| {
                format!("node {path:?}: activity {name:?} names no undo: give it a type Undo")
            });
        }
        self.amend(|node| node.code.undo = Some(Box::new(erased)));
        self.become_()
    }

    /// Says that there is nothing to take back, and why: the reason is stored with the definition and drawn.
    pub fn nothing_to_undo(mut self, why: &'static str) -> Flow<T, P> {
        self.amend(|node| node.nothing_to_undo = Some(why));
        self.become_()
    }

    /// How the undo is repeated before it is stuck.
    pub fn undo_retry(mut self, retry: Retry) -> Self {
        self.amend(|node| node.undo_retry = retry);
        self
    }
}

impl<T: Data, P: Place, S: Signal> Flow<T, P, Awaits<S>> {
    /// What follows when no signal came in time: [`class::Undo`], [`class::GoOn`] or, after the pivot,
    /// [`class::Block`].
    pub fn on_timeout<O: OnTimeout<P>>(mut self, _then: O) -> Self {
        self.amend(|node| node.on_timeout = O::THEN);
        self
    }
}

fn erased_save<T: 'static, R: 'static>(save: impl Fn(&mut T, &R) + Send + Sync + 'static) -> Box<Save> {
    Box::new(move |data, reply| {
        let data = data.downcast_mut().ok_or_else(|| mistyped::<T>())?;
        save(data, of_type(reply)?);
        Ok(())
    })
}

fn of_type<T: 'static>(value: &dyn Any) -> Result<&T, String> {
    value.downcast_ref().ok_or_else(|| mistyped::<T>())
}

fn mistyped<T>() -> String {
    format!("a value is not a {}: it was made by another definition", std::any::type_name::<T>())
}
