//! T5, inside a shard: the times of its commits rise strictly. From cause to effect across shards is compared where
//! both ends of a channel are known.

use super::broken;
use crate::{
    reader::Effective,
    report::{Report, Rule},
};

#[derive(Debug, Default)]
pub(super) struct Times {
    last: Option<i64>,
}

impl Times {
    pub(super) fn take(&mut self, at: &Effective, report: &mut Report) {
        let time = at.commit.time;
        if let Some(last) = self.last.filter(|last| time <= *last) {
            broken(
                report,
                at,
                Rule::Time,
                format!("time {time}"),
                format!("later than {last}, the commit before"),
            );
        }
        self.last = self.last.max(Some(time));
    }
}
