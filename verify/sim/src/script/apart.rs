//! What is drawn from a stream of its own, after everything else: so the seeds that failed once keep the rest of their
//! scripts when something new is added here.

use palinode::log::memory::Chance;

use super::{Act, Deed, Fault, Script, Side, Wrong, below, pick};
use crate::{post::Loss, ruin, world::SERVICES};

/// Adds deaths between calls and in recoveries, what becomes of inboxes, odd commands, and the ruin of a log.
pub(super) fn add(script: &mut Script) {
    let chance = &mut Chance::new(script.seed.wrapping_mul(0xd134_2543).wrapping_add(71));
    // A calm day stays one.
    if !script.faults.is_empty() {
        let kinds: Vec<u64> = (0..3).filter(|_| chance.hits(300)).collect();
        for kind in kinds {
            for _ in 0..1 + chance.below(3) {
                let fault = fault(chance, kind, script);
                script.faults.push(fault);
            }
        }
        script.faults.sort_by_key(|fault| fault.at_ms);
    }
    if chance.hits(120) {
        let act = odd(chance, script.safety_ms);
        script.clients.push(vec![act]);
    }
    if chance.hits(250) {
        script.ruin = Some(ruin::draw(chance, script.shards));
    }
}

fn fault(chance: &mut Chance, kind: u64, script: &Script) -> Fault {
    let node = below(chance, script.nodes);
    let calls = pick(chance, &[0, 1, 2, 3, 5, 8, 13, 30, 80]);
    let amid = Side::Amid(1 + u32::try_from(chance.below(40)).unwrap_or(0));
    let what = match kind {
        0 if chance.hits(300) => Wrong::Storm { node, calls: calls + 10, side: amid },
        0 => Wrong::Crash { node, calls, side: amid },
        1 => Wrong::Recovery { node, calls, side: pick(chance, &[Side::Before, Side::After, amid]) },
        _ => Wrong::Inbox {
            service: below(chance, SERVICES.len()),
            shard: u32::try_from(chance.below(script.shards.into())).unwrap_or(0),
            what: pick(
                chance,
                &[Loss::Gone, Loss::Swapped, Loss::Again, Loss::Damaged, Loss::Forged, Loss::Forged],
            ),
        },
    };
    let for_ms = pick(chance, &[50, 300, 1_500, 5_000, 15_000]) + chance.below(500);
    Fault { at_ms: chance.below(script.safety_ms), for_ms, what }
}

/// What a careless client does.
fn odd(chance: &mut Chance, safety_ms: u64) -> Act {
    let number = u8::try_from(chance.below(3)).unwrap_or(0);
    let what = match chance.below(2) {
        0 => Deed::Reuse { account: number, amount: 1 + i64::try_from(chance.below(40)).unwrap_or(0) },
        _ => {
            let (bytes, times) = pick(chance, &[(300_000, 1), (200_000, 5), (1_000, 3), (1, 101)]);
            Deed::Flood { slot: number, bytes, times }
        }
    };
    Act { at_ms: chance.below(safety_ms * 9 / 10), what, patience_ms: 300_000, doubled: chance.hits(80) }
}
