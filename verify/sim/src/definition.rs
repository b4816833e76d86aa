//! A [`Program`] as a saga of ours, and as the graph that the checker is given.

use std::{cell::Cell, collections::BTreeMap, sync::Mutex, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{
    Data, Flow, GoOn, Retry, Saga, Signal, Undo,
    define::class::{AfterPivot, BeforePivot, Branch, LateBranch},
};
use palinode_verify::Graph;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Account, Money, Place, Slot},
    participants::{Effect, Once, Uneffect},
    program::{Fate, Fates, Item, Program, UndoFate, What},
};

/// How many may hold a slot.
pub(crate) const MOST: usize = 3;
/// What a money node takes.
pub(crate) const PRICE: i64 = 10;

thread_local! {
    /// A world has a thread, so what is deployed on its nodes is told there: closures of a saga are functions of its data.
    static MENDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the code that breaks is mended now.
pub(crate) fn mend(mended: bool) {
    MENDED.set(mended);
}

/// The data of an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) fates: Fates,
    /// The node at which its code breaks until it is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bug: Option<String>,
}

impl Order {
    fn fate(&self, path: &str) -> (Fate, UndoFate) {
        self.fates.get(path).copied().unwrap_or((Fate::Done, UndoFate::Done))
    }

    fn wanted(&self, path: &str) -> bool {
        if self.bug.as_deref() == Some(path) && !MENDED.get() {
            std::panic::resume_unwind(Box::new("a bug"));
        }
        self.fate(path).0 != Fate::Skipped
    }

    fn by(&self, path: &str) -> String {
        format!("{}/{path}", self.id)
    }
}

/// What waits wait for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Go {}

impl Signal for Go {
    const NAME: &'static str = "go";
}

/// How long a wait waits.
pub(crate) const WAIT: Duration = Duration::from_secs(3);

fn name(prefix: char, n: u8, branch: Option<usize>) -> &'static str {
    static NAMES: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());
    let name = branch.map_or_else(|| format!("{prefix}{n}"), |b| format!("{prefix}{n}-{b}"));
    let mut names = NAMES.lock().unwrap();
    names.entry(name.clone()).or_insert_with(|| Box::leak(name.into_boxed_str()))
}

const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(2);

fn step() -> Retry {
    Retry::step().attempts(4).waits(SOON, LATER)
}

fn undo() -> Retry {
    Retry::undo().attempts(12).waits(SOON, LATER)
}

fn late() -> Retry {
    Retry::retriable().waits(SOON, LATER)
}

macro_rules! call {
    ($activity:ident, $order:expr, $path:expr) => {{
        let (fate, undo) = $order.fate(&$path);
        $activity { saga: $order.id.clone(), node: $path.clone(), fate, undo }
    }};
}

fn hold(order: &Order, path: &str) -> Place {
    let refuse = order.fate(path).0 == Fate::Refused;
    Place::Hold { by: order.by(path), most: MOST, refuse }
}

/// What comes after a node that nothing else may follow in a definition.
const SOON_AFTER: Duration = Duration::from_millis(1);

/// A road of items: blocks and what may stand on either side of the pivot; `$asks` says what else a node is on this side.
macro_rules! road {
    ($road:ident, $place:ty, $inside:ident, $retry:ident, $asks:ident) => {
        fn $road(mut flow: Flow<Order, $place>, prefix: &str, road: &[Item]) -> Flow<Order, $place> {
            for item in road {
                flow = match item {
                    Item::Block { name: block, branches } => flow.parallel(|mut side| {
                        for (b, branch) in branches.iter().enumerate() {
                            let label = name('b', *block, Some(b));
                            let prefix = format!("{prefix}{label}/");
                            side = side.branch(label, |flow| $inside(flow, &prefix, branch));
                        }
                        side
                    }),
                    Item::Node { name: n, what } => {
                        let (label, after) = (name('n', *n, None), name('t', *n, None));
                        let path = format!("{prefix}{label}");
                        let wanted = {
                            let path = path.clone();
                            move |o: &Order| o.wanted(&path)
                        };
                        match *what {
                            What::Read => flow
                                .read(label, move |o: &Order| call!(Once, o, path), |_, _| {})
                                .retry($retry())
                                .when(wanted)
                                .timer(after, SOON_AFTER),
                            What::Timer(millis) => {
                                flow.timer(label, Duration::from_millis(u64::from(millis)))
                            }
                            what => $asks!(flow, what, label, after, path, wanted),
                        }
                    }
                };
            }
            flow
        }
    };
}

/// Before the pivot every step has an undo, or says that it needs none.
macro_rules! early {
    ($flow:ident, $what:ident, $label:ident, $after:ident, $path:ident, $wanted:ident) => {{
        let path = $path.clone();
        match $what {
            What::Slot(s) => {
                let asked =
                    $flow.step($label, move |o: &Order| Slot::at(format!("s-{s}")).ask(hold(o, &$path)));
                let asked = if s == 1 { asked.timeout(Duration::from_secs(4)) } else { asked };
                asked.when($wanted).undo(move |o, _| Place::Release { by: o.by(&path) })
            }
            What::Money(a) => $flow
                .step($label, move |_: &Order| Account::at(format!("a-{a}")).ask(Money::Withdraw(PRICE)))
                .when($wanted)
                .undo(|_, _| Money::Deposit(PRICE)),
            What::Effect => $flow
                .step($label, move |o: &Order| call!(Effect, o, $path))
                .retry(step())
                .when($wanted)
                .undo_retry(undo())
                .undo(move |o, _| call!(Uneffect, o, path)),
            What::Wait { go_on: true } => {
                $flow.wait::<Go>($label, WAIT).on_timeout(GoOn).timer($after, SOON_AFTER)
            }
            What::Wait { go_on: false } => {
                $flow.wait::<Go>($label, WAIT).on_timeout(Undo).timer($after, SOON_AFTER)
            }
            What::Trace | What::Read | What::Timer(_) => $flow
                .step($label, move |o: &Order| call!(Once, o, $path))
                .retry(step())
                .when($wanted)
                .nothing_to_undo("it leaves a trace only"),
        }
    }};
}

/// After it everything is tried until it is done.
macro_rules! late {
    ($flow:ident, $what:ident, $label:ident, $after:ident, $path:ident, $wanted:ident) => {
        match $what {
            What::Slot(s) => $flow
                .retriable($label, move |o: &Order| {
                    Slot::at(format!("s-{s}")).ask(Place::Confirm { by: o.by(&$path) })
                })
                .retry(late())
                .when($wanted)
                .timer($after, SOON_AFTER),
            What::Money(a) => $flow
                .retriable($label, move |_: &Order| Account::at(format!("a-{a}")).ask(Money::Deposit(PRICE)))
                .retry(late())
                .when($wanted)
                .timer($after, SOON_AFTER),
            What::Wait { .. } => $flow.wait::<Go>($label, WAIT).on_timeout(GoOn).timer($after, SOON_AFTER),
            What::Effect | What::Trace | What::Read | What::Timer(_) => $flow
                .retriable($label, move |o: &Order| call!(Once, o, $path))
                .retry(late())
                .when($wanted)
                .timer($after, SOON_AFTER),
        }
    };
}

road!(main_road, BeforePivot, branch_road, step, early);
road!(branch_road, Branch, branch_road, step, early);
road!(after_road, AfterPivot, late_branch_road, late, late);
road!(late_branch_road, LateBranch, late_branch_road, late, late);

/// The saga of a program, under this name.
pub(crate) fn saga(kind: &str, program: &Program) -> Saga<Order> {
    let mut flow = Saga::define(kind, 1);
    if let Some(millis) = program.deadline_ms {
        flow = flow.deadline(Duration::from_millis(millis));
    }
    let flow = main_road(flow, "", &program.before);
    if !program.pivot {
        return flow.finish();
    }
    let pay = "pay".to_owned();
    let flow = flow.pivot("pay", move |o: &Order| call!(Once, o, pay)).retry(step()).save(|_, _| {});
    if program.after.is_empty() {
        return flow.finish();
    }
    after_road(flow.timer("paid", SOON_AFTER), "", &program.after).finish()
}

/// The same as the checker wants it.
pub(crate) fn graph<D: Data>(kind: &str, saga: &Saga<D>) -> Graph {
    let definition = saga.definition();
    let mut graph = Graph::new(kind, 1);
    for (_, node) in definition.nodes() {
        let after: Vec<&str> = node.after.iter().map(|id| &*definition[*id].path).collect();
        graph = graph.node(&node.path, &after);
    }
    graph
}
