//! A4 and A6: the message of a client is executed once; asking again with the same id makes no second commit. That an
//! answer was given is not in the log, so a lost answer cannot be seen here.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::broken;
use crate::{
    reader::Effective,
    record::Cause,
    report::{Report, Rule},
};

#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Where each id was executed.
    executed: BTreeMap<Uuid, u64>,
}

impl Clients {
    pub(super) fn take(&mut self, at: &Effective, report: &mut Report) {
        let Cause::Client { id, .. } = at.commit.cause else { return };
        if let Some(first) = self.executed.insert(id, at.offset) {
            let found = format!("message {id} of a client again");
            broken(report, at, Rule::Ids, found, format!("no commit but that of record {first}"));
        }
    }
}
