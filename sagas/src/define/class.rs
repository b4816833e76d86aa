//! Step classes as types: where a flow stands, and what its last node still needs. The traits have no methods; their
//! only work is to say in a compile error what is wrong. Every message here has a test in `tests/ui`.

use std::marker::PhantomData;

use palinode::Request;

/// On the main road, before the pivot: everything here can be taken back.
pub struct BeforePivot;
/// On the main road, after the pivot: nothing here is taken back.
pub struct AfterPivot;
/// Inside a branch, before the pivot.
pub struct Branch;
/// Inside a branch, after the pivot.
pub struct LateBranch;
/// Between `parallel(|p| ..)` and its end, before the pivot: every node added is a branch of its own.
pub struct Branches;
/// Between `parallel(|p| ..)` and its end, after the pivot.
pub struct LateBranches;

/// The last node is a step without its undo.
pub struct NeedsUndo<R>(PhantomData<fn() -> R>);
/// The last node is a pivot.
pub struct Pivot<R>(PhantomData<fn() -> R>);
/// The last node is a retriable step.
pub struct Retriable<R>(PhantomData<fn() -> R>);
/// The last node is a read.
pub struct Read;
/// The last node waits for a signal.
pub struct Awaits<S>(PhantomData<fn() -> S>);

/// Where a flow can stand.
pub trait Place {
    /// Inside a `.parallel(..)` opened here.
    type Branches: Place;
    /// Inside a `.branch(..)` opened here.
    type Branch: Place;
    /// Whether it lies after the pivot.
    const LATE: bool;
    /// Whether every node added is a branch of its own.
    const SIDE_BY_SIDE: bool;
}

macro_rules! place {
    ($place:ty, $branches:ty, $branch:ty, late: $late:literal, side_by_side: $side:literal) => {
        impl Place for $place {
            type Branches = $branches;
            type Branch = $branch;
            const LATE: bool = $late;
            const SIDE_BY_SIDE: bool = $side;
        }
    };
}
place!(BeforePivot, Branches, Branch, late: false, side_by_side: false);
place!(Branch, Branches, Branch, late: false, side_by_side: false);
place!(Branches, Branches, Branch, late: false, side_by_side: true);
place!(AfterPivot, LateBranches, LateBranch, late: true, side_by_side: false);
place!(LateBranch, LateBranches, LateBranch, late: true, side_by_side: false);
place!(LateBranches, LateBranches, LateBranch, late: true, side_by_side: true);

/// The last node has everything it needs.
#[diagnostic::on_unimplemented(
    message = "this step has no undo yet",
    label = "the step before this call is not complete",
    note = "end the step with `.undo(|t, outcome| ..)`, or with `.nothing_to_undo(\"why\")`"
)]
pub trait Complete {}
impl Complete for () {}
impl Complete for Read {}
impl<R> Complete for Pivot<R> {}
impl<R> Complete for Retriable<R> {}
impl<S> Complete for Awaits<S> {}

/// A place where steps are taken back.
#[diagnostic::on_unimplemented(
    message = "after the pivot nothing is taken back: a step with an undo cannot stand here",
    label = "this step comes after the pivot",
    note = "use `.retriable(..)`, or move the step before `.pivot(..)`"
)]
pub trait TakesBack {}
impl TakesBack for BeforePivot {}
impl TakesBack for Branch {}
impl TakesBack for Branches {}

/// A place where there is no way back.
#[diagnostic::on_unimplemented(
    message = "a retriable step stands only after the pivot: before it, a step that fails is taken back",
    label = "there is no pivot before this step",
    note = "use `.step(..)` with an undo, or put `.pivot(..)` before it"
)]
pub trait NoWayBack {}
impl NoWayBack for AfterPivot {}
impl NoWayBack for LateBranch {}
impl NoWayBack for LateBranches {}

/// A place where the pivot may stand.
#[diagnostic::on_unimplemented(
    message = "a saga has one pivot, on its main road",
    label = "a pivot cannot stand here: there is one already, or this is a branch",
    note = "after the pivot use `.retriable(..)`; move a pivot out of its branch, behind the block"
)]
pub trait MayPivot {}
impl MayPivot for BeforePivot {}

/// A place where the saga may end.
#[diagnostic::on_unimplemented(
    message = "a branch does not finish the saga",
    label = "this flow is a branch",
    note = "return the flow from the closure; call this after the block"
)]
pub trait MainRoad {}
impl MainRoad for BeforePivot {}
impl MainRoad for AfterPivot {}

/// A place where nodes follow each other.
#[diagnostic::on_unimplemented(
    message = "branches stand side by side: a block inside a block needs a branch of its own",
    label = "open a branch first",
    note = "write `.branch(\"name\", |flow| flow.parallel(..))`"
)]
pub trait InSequence {}
impl InSequence for BeforePivot {}
impl InSequence for AfterPivot {}
impl InSequence for Branch {}
impl InSequence for LateBranch {}

/// A place where branches stand side by side.
#[diagnostic::on_unimplemented(
    message = "a branch stands inside a parallel block",
    label = "this flow is not a block",
    note = "write `.parallel(|p| p.branch(..))`"
)]
pub trait SideBySide {}
impl SideBySide for Branches {}
impl SideBySide for LateBranches {}

/// A node that brings something back.
#[diagnostic::on_unimplemented(
    message = "there is nothing to save here",
    label = "the node before this call brings nothing back",
    note = "`.save(..)` follows `.step(..)`, `.pivot(..)`, `.retriable(..)` or `.wait(..)`, before `.undo(..)`"
)]
pub trait Saves {
    /// What it brings back.
    type Reply: 'static;
}
impl<R: Request> Saves for NeedsUndo<R> {
    type Reply = R::Reply;
}
impl<R: Request> Saves for Pivot<R> {
    type Reply = R::Reply;
}
impl<R: Request> Saves for Retriable<R> {
    type Reply = R::Reply;
}
impl<S: 'static> Saves for Awaits<S> {
    type Reply = S;
}

/// A node that asks something, and so has a timeout and a retry policy.
#[diagnostic::on_unimplemented(
    message = "a policy belongs to a node that asks something",
    label = "the node before this call asks nothing",
    note = "write it directly after `.step(..)`, `.read(..)`, `.pivot(..)` or `.retriable(..)`, before `.undo(..)`"
)]
pub trait Asks {}
impl<R> Asks for NeedsUndo<R> {}
impl<R> Asks for Pivot<R> {}
impl<R> Asks for Retriable<R> {}
impl Asks for Read {}

/// A node that may be left out.
#[diagnostic::on_unimplemented(
    message = "this node cannot be left out by `.when(..)`",
    label = "a pivot is never left out, and a condition stands directly after its node",
    note = "write it directly after `.step(..)`, `.read(..)`, `.retriable(..)` or `.wait(..)`, before `.undo(..)`"
)]
pub trait MayBeSkipped {}
impl<R> MayBeSkipped for NeedsUndo<R> {}
impl<R> MayBeSkipped for Retriable<R> {}
impl<S> MayBeSkipped for Awaits<S> {}
impl MayBeSkipped for Read {}

/// At the end of a wait: take the saga back.
pub struct Undo;
/// At the end of a wait: go on without the signal.
pub struct GoOn;
/// At the end of a wait after the pivot: a person must decide.
pub struct Block;

/// What a wait may do when no signal came in time.
#[diagnostic::on_unimplemented(
    message = "a wait cannot end like this on this side of the pivot",
    label = "not possible here",
    note = "before the pivot: `Undo` or `GoOn`; after it: `GoOn` or `Block`"
)]
pub trait OnTimeout<P> {
    /// The same, as data.
    const THEN: crate::definition::Then;
}

macro_rules! on_timeout {
    ($then:ident: $($place:ty),*) => { $(
        impl OnTimeout<$place> for $then {
            const THEN: crate::definition::Then = crate::definition::Then::$then;
        }
    )* };
}
on_timeout!(Undo: BeforePivot, Branch, Branches);
on_timeout!(GoOn: BeforePivot, Branch, Branches, AfterPivot, LateBranch, LateBranches);
on_timeout!(Block: AfterPivot, LateBranch, LateBranches);
