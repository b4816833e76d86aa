//! The draw of a script: what clients do, and a subset of everything that can go wrong, with rates and times that belong
//! together.

use palinode::log::memory::Chance;

use super::{Act, Cut, Deed, Fault, Program, Side, Weather, Wrong};

pub(super) fn below(chance: &mut Chance, limit: usize) -> usize {
    usize::try_from(chance.below(limit as u64)).unwrap_or(0)
}

pub(crate) fn pick<T: Copy>(chance: &mut Chance, from: &[T]) -> T {
    from[below(chance, from.len())]
}

pub(super) fn traffic(chance: &mut Chance, programs: &[Program], safety_ms: u64, calm: u32) -> Vec<Vec<Act>> {
    let mut clients = Vec::new();
    let mut sagas: Vec<(usize, String, u64)> = Vec::new();
    let act = |chance: &mut Chance, at_ms, what| Act {
        at_ms,
        what,
        patience_ms: pick(chance, &[1_000, 10_000, 300_000, 300_000]),
        doubled: chance.hits(80),
    };
    for client in 0..1 + chance.below(5) {
        let mut acts = Vec::new();
        let count = 2 + chance.below(10);
        for n in 0..count {
            let at_ms = chance.below(safety_ms * 9 / 10);
            let account = u8::try_from(chance.below(3)).unwrap_or(0);
            let amount = 1 + i64::try_from(chance.below(40)).unwrap_or(0);
            let what = match chance.below(10) {
                0..=2 => Deed::Deposit { account, amount },
                3..=4 => {
                    let expect_version = chance.hits(200).then(|| chance.below(6));
                    Deed::Withdraw { account, amount, expect_version }
                }
                5 if !sagas.is_empty() => {
                    let (program, id, started) = sagas[below(chance, sagas.len())].clone();
                    let at_ms = started + chance.below(3_000);
                    if chance.hits(300) {
                        acts.push(act(chance, at_ms, Deed::Kill { program, id }));
                    } else {
                        let cancel = Deed::Cancel { program, id };
                        acts.push(act(chance, at_ms, cancel.clone()));
                        let again = at_ms + chance.below(4_000);
                        acts.push(act(chance, again, cancel));
                    }
                    continue;
                }
                _ => {
                    let program = below(chance, programs.len());
                    let id = format!("t{client}-{n}");
                    sagas.push((program, id.clone(), at_ms));
                    let fates = programs[program].fates(chance, calm);
                    Deed::Start { program, id, fates }
                }
            };
            acts.push(act(chance, at_ms, what));
        }
        acts.sort_by_key(|act| act.at_ms);
        clients.push(acts);
    }
    let signals = signals(&clients);
    for (at_ms, what) in signals {
        // Each comes from somebody else.
        let act = act(chance, at_ms, what);
        clients.push(vec![Act { patience_ms: 300_000, ..act }]);
    }
    clients
}

/// The signals that the fates of the started sagas speak of.
fn signals(clients: &[Vec<Act>]) -> Vec<(u64, Deed)> {
    let mut signals = Vec::new();
    for act in clients.iter().flatten() {
        let Deed::Start { program, id, fates } = &act.what else { continue };
        for (fate, _) in fates.values() {
            let crate::program::Fate::Signal(Some(after)) = fate else { continue };
            let nth = u8::try_from(signals.len() % 200).unwrap_or(0);
            let deed = Deed::Signal { program: *program, id: id.clone(), nth };
            signals.push((act.at_ms + u64::from(*after), deed));
        }
    }
    signals
}

/// A subset of all that can go wrong, with rates and times that belong together.
pub(super) fn faults(chance: &mut Chance, nodes: usize, shards: u32, safety_ms: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    // One seed in twenty is a calm day: what goes wrong there is nobody's fault.
    if chance.hits(50) {
        return faults;
    }
    let weathers: Vec<Weather> = Weather::ALL.iter().copied().filter(|_| chance.hits(220)).collect();
    for weather in weathers {
        for _ in 0..1 + chance.below(3) {
            let (at_ms, for_ms) = (chance.below(safety_ms), 200 + chance.below(12_000));
            let rate = pick(chance, &[20, 60, 150, 400, 900]);
            faults.push(Fault { at_ms, for_ms, what: Wrong::Weather(weather, rate) });
        }
    }
    let kinds: Vec<u64> = (0..15).filter(|_| chance.hits(250)).collect();
    for kind in kinds {
        for _ in 0..1 + chance.below(4) {
            let at_ms = chance.below(safety_ms);
            let for_ms = pick(chance, &[50, 300, 1_500, 5_000, 15_000]) + chance.below(500);
            let node = below(chance, nodes);
            let calls = pick(chance, &[0, 1, 2, 3, 5, 8, 13, 30]);
            let side = pick(chance, &[Side::Before, Side::After, Side::After]);
            let cut = pick(chance, &[Cut::Requests, Cut::Replies]);
            let ahead = pick(chance, &[1, -1]);
            let what = match kind {
                2 if chance.hits(400) => Wrong::Restart { node },
                0..=2 => Wrong::Crash { node, calls, side },
                3 => Wrong::Storm { node, calls: calls + 10, side },
                4 => Wrong::Pause { node, expelled: true },
                5 => Wrong::Pause { node, expelled: chance.hits(500) },
                6 => Wrong::Twin { node },
                7 => {
                    let by_ms = pick(chance, &[500, 5_000, 45_000]) * ahead;
                    Wrong::Skew { node, by_ms }
                }
                8 => {
                    let by_ms = pick(chance, &[90_000, 3_600_000, 31_536_000_000]) * ahead;
                    Wrong::Skew { node, by_ms }
                }
                9 => match chance.below(2) {
                    0 => Wrong::Freeze { node },
                    _ => Wrong::Strobe { node, by_ms: 20_000 * ahead },
                },
                10 => Wrong::CutLog { node, cut },
                11 => Wrong::CutStore { node, cut },
                12 => Wrong::Expel { node, heard: chance.hits(500) },
                13 => Wrong::Restore,
                _ => match chance.below(3) {
                    0 => Wrong::Projector { node },
                    1 => Wrong::Rebalance,
                    _ => Wrong::Foreign { shard: u32::try_from(chance.below(shards.into())).unwrap_or(0) },
                },
            };
            faults.push(Fault { at_ms, for_ms, what });
        }
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}
