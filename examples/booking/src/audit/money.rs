//! The bank's book against the journals: who completed paid once, what the three services ask; nobody else paid.

use std::collections::BTreeMap;

use super::{Audit, End, Sagas, Stock};
use crate::{domain::TripId, payment::Ledger};

type Charges = BTreeMap<TripId, Vec<(String, u64)>>;

/// Compares the ledger and the fence with the sagas.
pub(super) fn compare(bank: Ledger, sagas: &Sagas, stocks: &[Stock; 3], audit: &mut Audit) {
    let mut ledger = Charges::new();
    for charge in bank.charges {
        audit.charges += 1;
        audit.charged_cents += charge.cents;
        ledger.entry(charge.trip).or_default().push((charge.reference, charge.cents));
    }
    if bank.answered != audit.charges {
        let (answered, charges) = (bank.answered, audit.charges);
        audit.differs(format!("the bank answered {answered} charges with done and booked {charges}"));
    }
    for (trip, saga) in &sagas.0 {
        let charges = ledger.remove(trip).unwrap_or_default();
        let expected = match saga.end {
            Some(End::Completed) => Some(()),
            Some(End::Compensated(_)) => None,
            // A person stopped it, or it is under way: any part of it may stand.
            Some(End::Killed) | None => continue,
        };
        let price: u64 = stocks.iter().filter_map(|stock| stock.holds.get(trip)).map(|hold| hold.cents).sum();
        match (expected, charges.as_slice()) {
            (None, []) => {}
            (None, paid) => audit.differs(format!("trip {trip}: compensated, yet charged {paid:?}")),
            (Some(()), [(reference, cents)]) => {
                if saga.paid.as_ref() != Some(reference) {
                    let known = saga.paid.as_deref().unwrap_or("nothing");
                    audit.differs(format!("trip {trip}: paid by {reference}, its journal says {known}"));
                }
                if *cents != price || saga.asked_cents != Some(price) {
                    let asked = saga.asked_cents.unwrap_or(0);
                    audit.differs(format!(
                        "trip {trip}: charged {cents} cents, asked for {asked}, holds things for {price}"
                    ));
                }
            }
            (Some(()), charges) => {
                audit.differs(format!("trip {trip}: completed, and charged {} times", charges.len()));
            }
        }
    }
    for trip in ledger.keys() {
        audit.differs(format!("trip {trip}: charged, but no saga ever began"));
    }
}
