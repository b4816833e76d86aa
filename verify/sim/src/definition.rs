//! A [`Program`] as a saga of ours, and as the graph that the checker is given.

use std::{cell::Cell, collections::BTreeMap, sync::Mutex, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{
    Flow, GoOn, Retry, Saga, Signal, Undo,
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

macro_rules! early_road {
    ($road:ident, $place:ty) => {
        fn $road(mut flow: Flow<Order, $place>, prefix: &str, road: &[Item]) -> Flow<Order, $place> {
            for item in road {
                flow = match item {
                    Item::Block { name: block, branches } => flow.parallel(|mut side| {
                        for (b, branch) in branches.iter().enumerate() {
                            let label = name('b', *block, Some(b));
                            let inside = format!("{prefix}{label}/");
                            side = side.branch(label, |flow| branch_road(flow, &inside, branch));
                        }
                        side
                    }),
                    Item::Node { name: n, what } => {
                        let label = name('n', *n, None);
                        let path = format!("{prefix}{label}");
                        let (p, q, r) = (path.clone(), path.clone(), path);
                        let wanted = move |o: &Order| o.wanted(&r);
                        match *what {
                            What::Slot(s) => {
                                let asked = flow.step(label, move |o: &Order| {
                                    Slot::at(format!("s-{s}")).ask(hold(o, &p))
                                });
                                let asked =
                                    if s == 1 { asked.timeout(Duration::from_secs(4)) } else { asked };
                                asked.when(wanted).undo(move |o, _| Place::Release { by: o.by(&q) })
                            }
                            What::Money(a) => flow
                                .step(label, move |_: &Order| {
                                    Account::at(format!("a-{a}")).ask(Money::Withdraw(PRICE))
                                })
                                .when(wanted)
                                .undo(|_, _| Money::Deposit(PRICE)),
                            What::Effect => flow
                                .step(label, move |o: &Order| call!(Effect, o, p))
                                .retry(step())
                                .when(wanted)
                                .undo_retry(undo())
                                .undo(move |o, _| call!(Uneffect, o, q)),
                            What::Trace => flow
                                .step(label, move |o: &Order| call!(Once, o, p))
                                .retry(step())
                                .when(wanted)
                                .nothing_to_undo("it leaves a trace only"),
                            What::Read => flow
                                .read(label, move |o: &Order| call!(Once, o, p), |_, _| {})
                                .retry(step())
                                .when(wanted)
                                .timer(name('t', *n, None), Duration::from_millis(1)),
                            What::Wait { go_on: true } => flow
                                .wait::<Go>(label, WAIT)
                                .on_timeout(GoOn)
                                .timer(name('t', *n, None), Duration::from_millis(1)),
                            What::Wait { go_on: false } => flow
                                .wait::<Go>(label, WAIT)
                                .on_timeout(Undo)
                                .timer(name('t', *n, None), Duration::from_millis(1)),
                            What::Timer(millis) => {
                                flow.timer(label, Duration::from_millis(u64::from(millis)))
                            }
                        }
                    }
                };
            }
            flow
        }
    };
}
early_road!(main_road, BeforePivot);
early_road!(branch_road, Branch);

macro_rules! late_road {
    ($road:ident, $place:ty) => {
        fn $road(mut flow: Flow<Order, $place>, prefix: &str, road: &[Item]) -> Flow<Order, $place> {
            for item in road {
                flow = match item {
                    Item::Block { name: block, branches } => flow.parallel(|mut side| {
                        for (b, branch) in branches.iter().enumerate() {
                            let label = name('b', *block, Some(b));
                            let inside = format!("{prefix}{label}/");
                            side = side.branch(label, |flow| late_branch_road(flow, &inside, branch));
                        }
                        side
                    }),
                    Item::Node { name: n, what } => {
                        let label = name('n', *n, None);
                        let path = format!("{prefix}{label}");
                        let (p, r) = (path.clone(), path);
                        let wanted = move |o: &Order| o.wanted(&r);
                        let after = name('t', *n, None);
                        let soon = Duration::from_millis(1);
                        match *what {
                            What::Slot(s) => flow
                                .retriable(label, move |o: &Order| {
                                    Slot::at(format!("s-{s}")).ask(Place::Confirm { by: o.by(&p) })
                                })
                                .retry(late())
                                .when(wanted)
                                .timer(after, soon),
                            What::Money(a) => flow
                                .retriable(label, move |_: &Order| {
                                    Account::at(format!("a-{a}")).ask(Money::Deposit(PRICE))
                                })
                                .retry(late())
                                .when(wanted)
                                .timer(after, soon),
                            What::Effect | What::Trace => flow
                                .retriable(label, move |o: &Order| call!(Once, o, p))
                                .retry(late())
                                .when(wanted)
                                .timer(after, soon),
                            What::Read => flow
                                .read(label, move |o: &Order| call!(Once, o, p), |_, _| {})
                                .retry(late())
                                .when(wanted)
                                .timer(after, soon),
                            What::Wait { .. } => {
                                flow.wait::<Go>(label, WAIT).on_timeout(GoOn).timer(after, soon)
                            }
                            What::Timer(millis) => {
                                flow.timer(label, Duration::from_millis(u64::from(millis)))
                            }
                        }
                    }
                };
            }
            flow
        }
    };
}
late_road!(after_road, AfterPivot);
late_road!(late_branch_road, LateBranch);

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
    after_road(flow.timer("paid", Duration::from_millis(1)), "", &program.after).finish()
}

/// The same as the checker wants it.
pub(crate) fn graph(kind: &str, saga: &Saga<Order>) -> Graph {
    let definition = saga.definition();
    let mut graph = Graph::new(kind, 1);
    for (_, node) in definition.nodes() {
        let after: Vec<&str> = node.after.iter().map(|id| &*definition[*id].path).collect();
        graph = graph.node(&node.path, &after);
    }
    graph
}
