//! All or nothing: what a trip's saga ended with must be what the three services hold for it.

use super::{Audit, Sagas, Stock, sagas::SagaFold, stock::Hold, stock::Standing};
use crate::domain::TripId;

/// Compares every saga with what is held for it, and every hold with its saga.
pub(super) fn trips(sagas: &Sagas, stocks: [&Stock; 3], audit: &mut Audit) {
    for (trip, saga) in &sagas.0 {
        let Some(ended) = saga.ended() else {
            audit.unfinished.push(*trip);
            continue;
        };
        audit.ended.insert(*trip);
        *audit.trips.entry(ended.word()).or_default() += 1;
        for stock in stocks {
            let held = stock.holds.get(trip).filter(|hold| hold.standing != Standing::Released);
            if let Some(wrong) = wrong(saga, ended.word(), stock.service, held) {
                audit.differs(format!("trip {trip}: {wrong}"));
            }
        }
    }
    for stock in stocks {
        let orphan = |trip: &&TripId| !sagas.0.contains_key(trip);
        for trip in stock.holds.keys().filter(orphan) {
            audit.differs(format!("trip {trip}: {} knows it, but no saga ever began", stock.service));
        }
    }
}

fn wrong(saga: &SagaFold, ended: &str, service: &'static str, held: Option<&Hold>) -> Option<String> {
    let wanted = saga.wants.get(service).filter(|_| ended == "completed");
    match (wanted, held) {
        (None, None) => None,
        (None, Some(hold)) => Some(format!("{ended}, yet it holds {} of {service}", hold.at)),
        (Some(at), None) => Some(format!("{ended}, yet it does not hold {at} of {service}")),
        (Some(at), Some(hold)) if hold.at != *at => {
            Some(format!("{ended} with {at} of {service}, yet it holds {}", hold.at))
        }
        (Some(at), Some(hold)) if hold.standing != Standing::Confirmed => {
            Some(format!("{ended}, yet {at} of {service} is not confirmed"))
        }
        (Some(_), Some(_)) => None,
    }
}
