//! What clients were told, against what the log says: nothing acknowledged is lost, nothing is executed twice, what was
//! refused changed nothing, what was answered before another was asked stands before it, and every cent is there.

use std::collections::BTreeMap;

use tokio::time::Instant;
use uuid::Uuid;

use super::Folded;
use crate::load::{Asked, History};

/// Everything that is wrong.
pub(super) fn wrong(folded: &Folded, history: &History) -> Vec<String> {
    let mut wrong = folded.unreadable.clone();
    let asked: BTreeMap<Uuid, &Asked> = history.asked.iter().map(|asked| (asked.id, asked)).collect();
    for asked in &history.asked {
        wrong.extend(executed(folded, asked));
    }
    for (id, executed) in &folded.executed {
        let change: i64 = executed.iter().map(|executed| executed.change).sum();
        if !asked.contains_key(id) && change != 0 {
            wrong.push(format!("a command that nobody asked for: {id} moved {change} cents"));
        }
    }
    wrong.extend(order(folded, &asked));
    wrong.extend(ends(folded, history));
    wrong.extend(money(folded, &asked));
    wrong
}

/// One command: executed once, as it was told.
fn executed(folded: &Folded, asked: &Asked) -> Option<String> {
    let id = asked.id;
    let Some(told) = &asked.told else { return Some(format!("{id} was never answered")) };
    let said = &told.said;
    let there = folded.executed.get(&id).map(Vec::as_slice).unwrap_or_default();
    let [one] = there else {
        return Some(format!("{id} was told {said:?}, and was executed {} times: {there:?}", there.len()));
    };
    let same = (one.service, one.shard, one.pseq, one.accepted, one.version)
        == (&*said.service, said.shard, said.pseq, said.accepted, said.version);
    let reply = said.cents.is_none_or(|cents| cents == one.cents);
    let refused = said.accepted || one.events == 0;
    (!same || !reply || !refused).then(|| format!("{id} was told {said:?}, and the log has {one:?}"))
}

/// Answered before another was asked: earlier in the log of their account.
fn order(folded: &Folded, asked: &BTreeMap<Uuid, &Asked>) -> Option<String> {
    folded.order.iter().find_map(|((service, account), ids)| {
        let mut latest: Option<(Instant, Uuid)> = None;
        for asked in ids.iter().filter_map(|id| asked.get(id)) {
            let told = asked.told.as_ref().map(|told| told.at);
            if let (Some((sent, before)), Some(told)) = (latest, told)
                && told < sent
            {
                let id = asked.id;
                return Some(format!(
                    "{service}/{account}: {id} was answered before {before} was asked, and stands after it"
                ));
            }
            latest = latest.max(Some((asked.sent, asked.id)));
        }
        None
    })
}

/// Every saga that was started has ended, as it was told.
fn ends(folded: &Folded, history: &History) -> Vec<String> {
    let wrong = history.sagas.iter().filter_map(|moved| {
        let id = &moved.id;
        let there = folded.sagas.get(&(moved.kind.to_owned(), id.clone())).copied();
        match (moved.started, there, moved.end) {
            (true, None, _) => Some(format!("saga {id} was started, and is not there")),
            (_, Some("running"), _) => Some(format!("saga {id} has not ended")),
            (_, Some(there), Some(told)) if there != told.as_str() => {
                Some(format!("saga {id} was told to be {told:?}, and is {there}"))
            }
            _ => None,
        }
    });
    wrong.collect()
}

/// What there is is what was brought, less what was taken: sagas move it, and change nothing of it.
fn money(folded: &Folded, asked: &BTreeMap<Uuid, &Asked>) -> Option<String> {
    let there: i64 = folded.accounts.values().map(|(cents, _)| cents).sum();
    let accepted = asked.values().filter(|asked| asked.told.as_ref().is_some_and(|told| told.said.accepted));
    let brought: i64 = accepted.map(|asked| asked.command.brings()).sum();
    (there != brought).then(|| format!("the accounts hold {there} cents, and {brought} were brought"))
}
