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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::Command,
        judge::fold::Executed,
        load::{End, Moved, Receipt, Told},
    };

    /// Two deposits on one account, one after the other, and a saga: all as it must be.
    fn sound() -> (Folded, History) {
        let (mut folded, mut history) = (Folded::default(), History::default());
        let begun = Instant::now();
        for n in 1..=2_u64 {
            let id = Uuid::from_u128(u128::from(n));
            let cents = i64::try_from(n * 5).unwrap();
            let said = Receipt {
                accepted: true,
                version: n,
                service: "left".into(),
                shard: 3,
                pseq: n,
                cents: Some(cents),
            };
            let sent = begun + Duration::from_secs(n * 10);
            let told = Some(Told { said, at: sent + Duration::from_secs(1) });
            let (service, account, command) = ("left", "a1".to_owned(), Command::Deposit(5));
            history.asked.push(Asked { n: history.asked.len(), id, service, account, command, sent, told });
            let (accepted, events, change) = (true, 1, 5);
            let executed =
                Executed { service, shard: 3, pseq: n, accepted, events, version: n, cents, change };
            folded.executed.insert(id, vec![executed]);
            folded.order.entry((service, "a1".into())).or_default().push(id);
        }
        folded.accounts.insert(("left".into(), "a1".into()), (10, 2));
        folded.sagas.insert(("transfer".into(), "m1".into()), "completed");
        history.sagas.push(Moved {
            id: "m1".into(),
            kind: "transfer",
            started: true,
            end: Some(End::Completed),
        });
        (folded, history)
    }

    type Plant = fn(&mut Folded, &mut History);

    #[test]
    fn each_rule_finds_what_is_planted() {
        assert_eq!(wrong(&sound().0, &sound().1), Vec::<String>::new());
        let plants: [(Plant, &str); 11] = [
            (|f, _| drop(f.executed.remove(&Uuid::from_u128(1))), "executed 0 times"),
            (
                |f, _| {
                    let twice = f.executed.get_mut(&Uuid::from_u128(1)).unwrap();
                    twice.push(twice[0].clone());
                },
                "executed 2 times",
            ),
            (|f, _| f.executed.get_mut(&Uuid::from_u128(1)).unwrap()[0].pseq = 9, "and the log has"),
            (|f, _| f.executed.get_mut(&Uuid::from_u128(1)).unwrap()[0].cents = 9, "and the log has"),
            (
                |f, h| {
                    f.executed.get_mut(&Uuid::from_u128(1)).unwrap()[0].accepted = false;
                    h.asked[0].told.as_mut().unwrap().said.accepted = false;
                },
                "and the log has",
            ),
            (|_, h| h.asked[0].told = None, "was never answered"),
            (
                |f, _| {
                    let all = f.executed[&Uuid::from_u128(1)].clone();
                    f.executed.insert(Uuid::from_u128(7), all);
                },
                "nobody asked for",
            ),
            (|f, _| f.order.values_mut().for_each(|ids| ids.reverse()), "stands after it"),
            (|f, _| f.accounts.values_mut().for_each(|row| row.0 += 1), "were brought"),
            (|f, _| f.sagas.clear(), "is not there"),
            (|f, _| f.sagas.values_mut().for_each(|end| *end = "compensated"), "was told to be Completed"),
        ];
        for (plant, what) in plants {
            let (mut folded, mut history) = sound();
            plant(&mut folded, &mut history);
            let found = wrong(&folded, &history);
            assert!(found.iter().any(|wrong| wrong.contains(what)), "{what}: {found:?}");
        }
    }
}
