//! A bank in memory, with the rules of the fence, whose line breaks in every way; and a van that cannot be given back
//! until somebody mends it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use palinode::{Activity, Attempt, Failure, NoUndo, Perform};
use palinode_sagas::{
    event::Direction,
    fence::{Call, InDoubt, Seen, Stored, Verdict, judge, settle},
    outcome::{Probed, Voided},
};
use serde::{Deserialize, Serialize};

macro_rules! activity {
    ($name:ident, $stable:literal, $reply:ty, $undo:ty) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) order: Arc<str>,
        }
        impl Activity for $name {
            const NAME: &'static str = $stable;
            type Reply = $reply;
            type Undo = $undo;
        }
    };
}
activity!(Book, "book-van", String, Unbook);
activity!(Unbook, "unbook-van", (), NoUndo);
activity!(Pay, "pay", String, NoUndo);
activity!(AskBank, "ask-bank", Probed<String>, NoUndo);
activity!(VoidPay, "void-pay", Voided<String>, NoUndo);

/// What is shared by everything that happens outside the log.
#[derive(Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    seen: BTreeMap<Arc<str>, Vec<Seen>>,
    /// Payments whose line broke before they reached the bank.
    on_their_way: Vec<(Call, Arc<str>)>,
    charged: Vec<Arc<str>>,
    mended: bool,
    undos: u32,
}

impl Outside {
    fn with<R>(&self, of: impl FnOnce(&mut State) -> R) -> R {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on vans can be given back.
    pub(crate) fn mend(&self) {
        self.with(|state| state.mended = true);
    }

    /// How often a van was to be given back.
    pub(crate) fn undos(&self) -> u32 {
        self.with(|state| state.undos)
    }

    /// What was on its way lands now; what the bank says to each.
    pub(crate) fn land(&self) -> Vec<Verdict> {
        self.with(|state| {
            let calls = std::mem::take(&mut state.on_their_way);
            calls.into_iter().map(|(call, order)| state.charge(&call, &order)).collect()
        })
    }

    /// Whose money was taken.
    pub(crate) fn charged(&self) -> Vec<Arc<str>> {
        self.with(|state| state.charged.clone())
    }
}

impl State {
    fn charge(&mut self, call: &Call, order: &Arc<str>) -> Verdict {
        let seen = self.seen.entry(Arc::clone(&call.saga)).or_default();
        let verdict = judge(seen, call);
        if verdict == Verdict::Execute {
            self.charged.push(Arc::clone(order));
            let answer = serde_json::to_string(&format!("receipt of {order}")).unwrap();
            seen.push(Seen {
                direction: Direction::Do,
                round: call.round,
                digest: call.digest,
                outcome: Stored::Done,
                answer,
            });
        }
        verdict
    }

    fn settle(&mut self, call: &Call, bury: bool) -> InDoubt {
        let seen = self.seen.entry(Arc::clone(&call.saga)).or_default();
        let found = settle(seen);
        if let (InDoubt::Open { round }, true) = (&found, bury) {
            let (round, digest) = (*round, call.digest);
            let answer = "null".into();
            seen.push(Seen { direction: Direction::Undo, round, digest, outcome: Stored::Done, answer });
        }
        found
    }
}

impl Perform<Pay> for Outside {
    async fn perform(&self, pay: &Pay, cx: &Attempt) -> Result<String, Failure> {
        let call = Call::of(cx, pay).unwrap();
        let broken = || Failure::Fatal("the line broke".into());
        self.with(|state| match &*pay.order {
            "lost" => {
                state.on_their_way.push((call, Arc::clone(&pay.order)));
                Err(broken())
            }
            "deaf" => {
                state.charge(&call, &pay.order);
                Err(broken())
            }
            "poor" => Err(Failure::refused("declined", "no money")),
            order => {
                state.charge(&call, &pay.order);
                Ok(format!("receipt of {order}"))
            }
        })
    }
}

impl Perform<AskBank> for Outside {
    async fn perform(&self, ask: &AskBank, cx: &Attempt) -> Result<Probed<String>, Failure> {
        let call = Call::of(cx, ask).unwrap();
        Ok(match self.with(|state| state.settle(&call, false)) {
            InDoubt::Done(answer) => Probed::Happened(serde_json::from_str(&answer).unwrap()),
            _ => Probed::NotKnown,
        })
    }
}

impl Perform<VoidPay> for Outside {
    async fn perform(&self, void: &VoidPay, cx: &Attempt) -> Result<Voided<String>, Failure> {
        let call = Call::of(cx, void).unwrap();
        Ok(match self.with(|state| state.settle(&call, true)) {
            InDoubt::Done(answer) => Voided::Done(serde_json::from_str(&answer).unwrap()),
            _ => Voided::Never,
        })
    }
}

impl Perform<Book> for Outside {
    async fn perform(&self, _: &Book, _: &Attempt) -> Result<String, Failure> {
        Ok("van 7".into())
    }
}

impl Perform<Unbook> for Outside {
    async fn perform(&self, _: &Unbook, _: &Attempt) -> Result<(), Failure> {
        let mended = self.with(|state| {
            state.undos += 1;
            state.mended
        });
        if mended { Ok(()) } else { Err(Failure::Fatal("the van is on the road".into())) }
    }
}
