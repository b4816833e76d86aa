//! The bank's book against the journals: who completed paid once, what the three services ask; nobody else paid.

use std::{collections::BTreeMap, path::Path};

use super::{Audit, End, Sagas, Stock};
use crate::{domain::TripId, payment};

/// Compares the ledger and the fence with the sagas.
///
/// # Errors
/// When the bank's file is there and cannot be read.
pub(super) fn compare(
    folder: &Path,
    sagas: &Sagas,
    stocks: [&Stock; 3],
    audit: &mut Audit,
) -> anyhow::Result<()> {
    let mut ledger = read(&folder.join("payments.db"), audit)?;
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
    Ok(())
}

type Charges = BTreeMap<TripId, Vec<(String, u64)>>;

fn read(file: &Path, audit: &mut Audit) -> anyhow::Result<Charges> {
    let mut ledger = Charges::new();
    if !file.exists() {
        return Ok(ledger);
    }
    let db = payment::open_read_only(file)?;
    let mut rows = db.prepare("select id, trip, cents from ledger order by id")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (id, trip, cents): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let cents = u64::try_from(cents)?;
        audit.charges += 1;
        audit.charged_cents += cents;
        ledger.entry(trip.parse()?).or_default().push((format!("pay-{id}"), cents));
    }
    let fenced: i64 =
        db.query_row("select count(*) from palinode_fence where outcome = 'done'", [], |row| row.get(0))?;
    if u64::try_from(fenced)? != audit.charges {
        audit.differs(format!("the bank answered {fenced} charges with done and booked {}", audit.charges));
    }
    Ok(ledger)
}
