//! Every name of a span and of an attribute that sagas write, with its values, once. There is no convention for workflows
//! ([semantic-conventions #1688]); these are ours.
//!
//! [semantic-conventions #1688]: https://github.com/open-telemetry/semantic-conventions/issues/1688

/// What the spans of a saga are called, before the name of the saga, its node, or what a person did.
pub mod span {
    /// The root: `saga start NAME`.
    pub const START: &str = "saga start";
    /// The root of a later part, when the trace was cut: `saga resume NAME`.
    pub const RESUME: &str = "saga resume";
    /// An attempt of a node, or of settling a pivot: `saga step PATH`.
    pub const STEP: &str = "saga step";
    /// An attempt of an undo: `saga undo PATH`.
    pub const UNDO: &str = "saga undo";
    /// A wait or a timer: `saga wait PATH`.
    pub const WAIT: &str = "saga wait";
    /// A person did something: `saga operator VERB`.
    pub const OPERATOR: &str = "saga operator";
    /// The whole instance, as long as it took: `saga run NAME`.
    pub const RUN: &str = "saga run";
}

/// The roles of derived span ids.
pub mod role {
    /// The root.
    pub const START: &str = "start";
    /// The root of a later part.
    pub const RESUME: &str = "resume";
    /// An attempt, whichever its direction.
    pub const ATTEMPT: &str = "attempt";
    /// A wait or a timer.
    pub const WAIT: &str = "wait";
    /// A person's order.
    pub const OPERATOR: &str = "operator";
    /// The whole instance.
    pub const RUN: &str = "run";
}

/// The keys of attributes.
pub mod key {
    /// The instance.
    pub const ID: &str = "saga.id";
    /// The definition.
    pub const NAME: &str = "saga.name";
    /// Its version.
    pub const VERSION: &str = "saga.definition.version";
    /// A node's path.
    pub const NODE: &str = "saga.node";
    /// What the node is: `step`, `pivot`, `retriable`, `read`, `wait`, `timer`.
    pub const CLASS: &str = "saga.node.class";
    /// What is asked: `service/kind`, or the name of an activity.
    pub const TARGET: &str = "saga.target";
    /// Rises after a definite refusal.
    pub const ROUND: &str = "saga.round";
    /// A try within the round.
    pub const ATTEMPT: &str = "saga.attempt";
    /// `forward`, `undo`, `probe`, `void`.
    pub const DIRECTION: &str = "saga.direction";
    /// `done`, `refused`, `unknown`, `skipped`.
    pub const NODE_OUTCOME: &str = "saga.node.outcome";
    /// `completed`, `compensated`, `killed`.
    pub const OUTCOME: &str = "saga.outcome";
    /// How many nodes a person closed instead of an outcome.
    pub const EXCEPTIONS: &str = "saga.exceptions";
    /// Which part of a trace that was cut: 1, 2, 3..; the first has none.
    pub const SEGMENT: &str = "saga.segment";
    /// When the timer of a wait was due, in microseconds since 1970.
    pub const DUE: &str = "saga.timer.due";
    /// Who gave an order, as a digest: a name is nobody's business here.
    pub const BY: &str = "saga.operator.by";
    /// Why, as a digest.
    pub const REASON: &str = "saga.operator.reason";
}
