//! The names of what is checked. What each means in full is said where it is checked.

/// The invariants, by the names they have in the description of what is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A1: an entity's events are 1, 2, 3..
    Versions,
    /// A2: numbers and terms of a partition.
    Numbers,
    /// A3: every commit names the one before it.
    Parent,
    /// A5: what is refused changes nothing.
    Refusals,
    /// A6: an id is executed once.
    Ids,
    /// A9: every record can be read, and none is missing.
    Readable,
    /// One genesis, the same everywhere (CX5).
    Genesis,
    /// Entities live on the shard of their hash (CX23).
    Placement,
    /// C1: a channel delivers 1, 2, 3.. once each, the bytes that were sent.
    Channel,
    /// C3: nothing is accepted that was not sent, nothing closed that was not accepted.
    Safe,
    /// T1: a timer fires when it is due, not before.
    Due,
    /// T2 and T4: a timer fires once, and only while it is set.
    Fired,
    /// T5: times rise in a shard, and from cause to effect.
    Time,
    /// S1: a saga ends once, completed, compensated or killed, and after its end nothing happens.
    Ends,
    /// S2: in a completed saga everything was done once; in a compensated one nothing is open.
    Net,
    /// S3: exactly what was asked and not definitely refused is undone (U1).
    UndoSet,
    /// S4: a node begins after all it follows; it is undone when nothing stands that followed it (U2).
    Order,
    /// S5: an undo goes to where its step went (U6).
    Target,
    /// S6: nothing goes forward after the saga turned back (U3).
    Forward,
    /// S7: nothing is taken back after the pivot, or while it may have happened.
    Pivot,
    /// S8: an instance is started once; a signal comes once and is taken once.
    Start,
    /// S9: an effect is asked for once a round, as it was recorded; an attempt is intended once and ends once.
    Effects,
    /// S10: retries come as they were recorded, not before they are due.
    Retries,
    /// S11: a live saga waits for an answer, a timer or a signal, or says that it is stuck.
    Wakes,
    /// S12: a person acts where that has a meaning, and is named before what follows; a paused saga stands still.
    Person,
}

impl Rule {
    /// The rule's short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Versions => "A1",
            Self::Numbers => "A2",
            Self::Parent => "A3",
            Self::Refusals => "A5",
            Self::Ids => "A6",
            Self::Readable => "A9",
            Self::Genesis => "genesis",
            Self::Placement => "placement",
            Self::Channel => "C1",
            Self::Safe => "C3",
            Self::Due => "T1",
            Self::Fired => "T2",
            Self::Time => "T5",
            Self::Ends => "S1",
            Self::Net => "S2",
            Self::UndoSet => "S3",
            Self::Order => "S4",
            Self::Target => "S5",
            Self::Forward => "S6",
            Self::Pivot => "S7",
            Self::Start => "S8",
            Self::Effects => "S9",
            Self::Retries => "S10",
            Self::Wakes => "S11",
            Self::Person => "S12",
        }
    }
}
