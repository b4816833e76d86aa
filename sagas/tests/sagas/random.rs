//! Random definitions and random fates against a reference interpreter that shares no code with the coordinator: the
//! set of undone nodes (U1), the order of the undos (U2), and that every saga comes to its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use palinode::Aggregate;
use palinode_sagas::{
    Flow, Saga,
    define::class::{BeforePivot, Branch, Complete, NeedsUndo, Place, TakesBack},
    event::{Event, Late},
    state::Phase,
    testing::{Fate, Script},
};
use proptest::prelude::*;

use crate::world::{Free, Pay, Reserve, Room, Trip, held, hold, release, trip};

/// A series-parallel graph.
#[derive(Debug, Clone)]
enum Shape {
    Step { entity: bool, undo: bool },
    Block(Vec<Vec<Shape>>),
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let step =
        (any::<bool>(), prop::bool::weighted(0.85)).prop_map(|(entity, undo)| Shape::Step { entity, undo });
    let road = |shape: BoxedStrategy<Shape>| prop::collection::vec(shape, 1..4);
    let shape = step.prop_recursive(2, 12, 3, move |inner| {
        prop::collection::vec(road(inner.boxed()), 1..4).prop_map(Shape::Block)
    });
    prop::collection::vec(shape, 1..4)
}

fn named(prefix: &str, n: usize) -> &'static str {
    Box::leak(format!("{prefix}{n}").into_boxed_str())
}

fn closed<P: Place + TakesBack>(
    flow: Flow<Trip, P, NeedsUndo<palinode::Ask<Room>>>,
    undo: bool,
) -> Flow<Trip, P> {
    if undo { flow.undo(release) } else { flow.nothing_to_undo("a test") }
}

fn step<P: Place + TakesBack, L: Complete>(flow: Flow<Trip, P, L>, n: usize, shape: &Shape) -> Flow<Trip, P> {
    let Shape::Step { entity, undo } = shape else { unreachable!("steps only") };
    if *entity {
        return closed(flow.step(named("s", n), |t: &Trip| Room::at("12").ask(hold(t))), *undo);
    }
    let flow = flow.step(named("s", n), |t: &Trip| Reserve { trip: Arc::clone(&t.id) });
    if *undo { flow.undo(|t, _| Free { trip: Arc::clone(&t.id) }) } else { flow.nothing_to_undo("a test") }
}

macro_rules! road {
    ($name:ident, $place:ty) => {
        fn $name(mut flow: Flow<Trip, $place>, road: &[Shape]) -> Flow<Trip, $place> {
            for (n, shape) in road.iter().enumerate() {
                flow = match shape {
                    Shape::Step { .. } => step(flow, n, shape),
                    Shape::Block(branches) => flow.parallel(|mut block| {
                        for (b, road) in branches.iter().enumerate() {
                            block = block.branch(named(&format!("b{n}-"), b), |flow| branch_road(flow, road));
                        }
                        block
                    }),
                };
            }
            flow
        }
    };
}
road!(main_road, BeforePivot);
road!(branch_road, Branch);

fn build(shapes: &[Shape], pivot: bool) -> Saga<Trip> {
    let flow = main_road(Saga::define("random", 1), shapes);
    if pivot { flow.pivot("pay", |t| Pay { trip: Arc::clone(&t.id) }).finish() } else { flow.finish() }
}

/// What may come to an open ask.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Done,
    Refused,
    Transient,
    Unknown,
    Fatal,
    Lost,
    Cancel,
    Timer,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        12 => Just(Luck::Done),
        2 => Just(Luck::Refused),
        1 => Just(Luck::Transient),
        1 => Just(Luck::Unknown),
        1 => Just(Luck::Fatal),
        1 => Just(Luck::Lost),
        1 => Just(Luck::Cancel),
        3 => Just(Luck::Timer),
    ]
}

fn play(mut script: Script, moves: &[(Luck, usize)]) -> Script {
    script = script.start(trip());
    for (luck, pick) in moves {
        script = turn(script, *luck, *pick);
    }
    for _ in 0..10_000 {
        if script.state().phase.terminal() {
            break;
        }
        script = turn(script, Luck::Done, 0);
    }
    script
}

fn turn(script: Script, luck: Luck, pick: usize) -> Script {
    if script.state().phase.terminal() {
        return script;
    }
    let (asks, timers) = (script.open_keys(), script.open_timers());
    if matches!(luck, Luck::Cancel) {
        return script.cancel();
    }
    if (matches!(luck, Luck::Timer) && !timers.is_empty()) || asks.is_empty() {
        return match timers.get(pick % timers.len().max(1)) {
            Some(timer) => script.fire(timer),
            None => script,
        };
    }
    let key = &asks[pick % asks.len()];
    let entity = script.send(key).is_some();
    let undo = key.ends_with("/undo");
    // An undo is not refused for ever here, nor is a pivot left in doubt: stuck sagas have tests of their own.
    let fate = match luck {
        Luck::Refused => Fate::Refused("full".into()),
        Luck::Transient if !entity => Fate::Transient,
        Luck::Unknown if !entity && !undo && key != "pay/do" => Fate::Unknown,
        Luck::Fatal if !entity && !undo && key != "pay/do" => Fate::Fatal,
        Luck::Lost if !entity && !undo && key != "pay/do" => Fate::Lost,
        _ if undo => Fate::Done("null".into()),
        _ if entity => Fate::Done(serde_json::to_string(&held(3)).unwrap()),
        _ if key == "pay/do" => Fate::Done("\"receipt\"".into()),
        _ => Fate::Done("1".into()),
    };
    script.answer(key, &fate)
}

/// The reference: from the journal's asks and outcomes alone, by the words of U1 and U2.
struct Reference {
    /// What every node follows, through everything between.
    before: BTreeMap<String, BTreeSet<String>>,
    undoable: BTreeSet<String>,
}

impl Reference {
    fn of(saga: &Saga<Trip>, shapes: &[Shape]) -> Self {
        let mut reference = Self { before: BTreeMap::new(), undoable: BTreeSet::new() };
        let ends = reference.road(shapes, "", &BTreeSet::new());
        reference.before.insert("pay".into(), ends);
        assert!(saga.definition().nodes().all(|(_, n)| reference.before.contains_key(&*n.path)));
        reference
    }

    /// Walks a road; gives everything that stands before whatever follows it.
    fn road(&mut self, road: &[Shape], prefix: &str, front: &BTreeSet<String>) -> BTreeSet<String> {
        let mut front = front.clone();
        for (n, shape) in road.iter().enumerate() {
            match shape {
                Shape::Step { undo, .. } => {
                    let path = format!("{prefix}s{n}");
                    self.before.insert(path.clone(), front.clone());
                    if *undo {
                        self.undoable.insert(path.clone());
                    }
                    front.insert(path);
                }
                Shape::Block(branches) => {
                    let mut joined = front.clone();
                    for (b, road) in branches.iter().enumerate() {
                        joined.extend(self.road(road, &format!("{prefix}b{n}-{b}/"), &front));
                    }
                    front = joined;
                }
            }
        }
        front
    }

    fn check(&self, journal: &[Event]) {
        let mut asked = BTreeSet::new();
        let mut refused = BTreeSet::new();
        let mut undo_asked = BTreeSet::new();
        let mut undone = Vec::new();
        let (mut leaks, mut ended) = (0, false);
        for event in journal {
            match event {
                Event::StepAsked { node, attempt: 1, .. } => {
                    let open = self.before[&**node].iter().filter(|b| !asked.contains(*b)).count();
                    assert_eq!(open, 0, "{node} was asked before what it follows");
                    asked.insert(node.to_string());
                }
                Event::StepRefused { node, .. } => {
                    refused.insert(node.to_string());
                }
                Event::UndoAsked { node, .. } => {
                    let behind = self.before.iter().filter(|(_, before)| before.contains(&**node));
                    for (later, _) in behind.filter(|(later, _)| self.in_set(later, &asked, &refused)) {
                        assert!(undone.contains(later), "{node} is undone before {later}, which follows it");
                    }
                    undo_asked.insert(node.to_string());
                }
                Event::Undone { node, .. } => undone.push(node.to_string()),
                // U9: one that is done after it was undone is undone once more, as long as the saga lives.
                Event::LateReply { class: Late::Leak, .. } => leaks += usize::from(!ended),
                Event::Completed {} | Event::Compensated { .. } => ended = true,
                _ => {}
            }
        }
        let set: BTreeSet<String> =
            self.before.keys().filter(|n| self.in_set(n, &asked, &refused)).cloned().collect();
        let turned = journal.iter().any(|e| matches!(e, Event::UndoBegan { .. }));
        assert_eq!(undo_asked, if turned { set.clone() } else { BTreeSet::new() }, "U1");
        assert_eq!(undone.iter().cloned().collect::<BTreeSet<_>>(), undo_asked);
        assert_eq!(undone.len(), undo_asked.len() + leaks, "undone twice");
    }

    fn in_set(&self, node: &str, asked: &BTreeSet<String>, refused: &BTreeSet<String>) -> bool {
        asked.contains(node) && !refused.contains(node) && self.undoable.contains(node)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_set_and_the_order_of_undos_are_those_of_the_reference(
        shapes in shapes(),
        pivot in any::<bool>(),
        moves in prop::collection::vec((luck(), 0..8_usize), 0..60),
    ) {
        let saga = build(&shapes, pivot);
        let reference = Reference::of(&saga, &shapes);
        let script = play(Script::of(&saga), &moves);
        let end = script.state().phase;
        prop_assert!(matches!(end, Phase::Completed | Phase::Compensated), "{end:?}: {:?}", script.journal().last());
        reference.check(script.journal());
    }
}
