//! Asking the group itself whether a shard is still ours: the consumer's assignment names it, and the broker takes an
//! offset of it, which it refuses to those it has thrown out. Neither alone is enough: the broker does not look who owns
//! the partition, and the assignment is a memory.
//!
//! | assignment | the broker | so |
//! |---|---|---|
//! | does not name it | is not asked | refused |
//! | names it | takes the offset | yes |
//! | names it | knows no such member, or another generation | refused |
//! | names it | anything else, or nothing in time | unknown |

use std::{
    io,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode as Code,
};
use tokio::{sync::oneshot, time::timeout};

use super::{super::lane::Served, poll::Rebalances};
use crate::{
    address::Stream,
    log::{Confirm, Confirmed},
};

/// How long the group has for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it has to say which offset it keeps.
const KEPT: Duration = Duration::from_secs(1);

enum Question {
    /// Is this shard still ours?
    Ours(u32, oneshot::Sender<Confirmed>),
    /// Has the group other members?
    Others(oneshot::Sender<Option<bool>>),
}

/// The way to the thread that asks: an answer of the broker is waited for, perhaps long.
pub(super) struct Confirmer(Sender<Question>);

impl Confirmer {
    pub(super) fn start(
        consumer: &Arc<BaseConsumer<Rebalances>>,
        served: Arc<Served>,
        (group, topic): (String, String),
    ) -> io::Result<Self> {
        let (ask, questions) = channel();
        // The polling thread ends the consumer; this one must not keep it.
        let asking = Asking { consumer: Arc::downgrade(consumer), served, group, topic };
        thread::Builder::new().name("kafka-confirm".into()).spawn(move || asking.run(&questions))?;
        Ok(Self(ask))
    }
}

#[async_trait]
impl Confirm for Confirmer {
    async fn confirm(&self, shard: u32) -> Confirmed {
        let (answer, told) = oneshot::channel();
        if self.0.send(Question::Ours(shard, answer)).is_err() {
            return Confirmed::Refused;
        }
        match timeout(PATIENCE, told).await {
            Ok(answer) => answer.unwrap_or(Confirmed::Refused),
            Err(_) => Confirmed::Unknown,
        }
    }

    async fn others(&self) -> Option<bool> {
        let (answer, told) = oneshot::channel();
        self.0.send(Question::Others(answer)).ok()?;
        timeout(PATIENCE, told).await.ok()?.ok()?
    }
}

struct Asking {
    consumer: Weak<BaseConsumer<Rebalances>>,
    served: Arc<Served>,
    group: String,
    topic: String,
}

impl Asking {
    fn run(&self, questions: &Receiver<Question>) {
        while let Ok(question) = questions.recv() {
            let Some(consumer) = self.consumer.upgrade() else { return };
            // Whoever asked may have given up.
            match question {
                Question::Ours(_, answer) if answer.is_closed() => {}
                Question::Ours(shard, answer) => drop(answer.send(self.ask(&consumer, shard))),
                Question::Others(answer) => drop(answer.send(self.others(&consumer))),
            }
        }
    }

    /// What the coordinator lists. A group of KIP-848 is not described in this way.
    fn others(&self, consumer: &BaseConsumer<Rebalances>) -> Option<bool> {
        let groups = consumer.client().fetch_group_list(Some(&self.group), PATIENCE).ok()?;
        let group = groups.groups().iter().find(|group| group.name() == self.group)?;
        (group.state() == "Stable").then(|| group.members().len() > 1)
    }

    fn ask(&self, consumer: &BaseConsumer<Rebalances>, shard: u32) -> Confirmed {
        let Ok(partition) = i32::try_from(shard) else { return Confirmed::Refused };
        match consumer.assignment() {
            Err(_) => return Confirmed::Unknown,
            Ok(held) if held.find_partition(&self.topic, partition).is_none() => return Confirmed::Refused,
            Ok(_) => {}
        }
        let mut list = TopicPartitionList::new();
        let mark = self.mark(consumer, shard, partition);
        if list.add_partition_offset(&self.topic, partition, Offset::Offset(mark)).is_err() {
            return Confirmed::Unknown;
        }
        judge(&consumer.commit(&list, CommitMode::Sync))
    }

    /// The offset that is written: where the inbox was last read from here, else what is kept already. It serves displays
    /// of lag only: an owner resumes where its commits say.
    fn mark(&self, consumer: &BaseConsumer<Rebalances>, shard: u32, partition: i32) -> i64 {
        let lane = self.served.lane(Stream::Inbox, shard).ok().flatten();
        if let Some(asked) = lane.and_then(|lane| lane.last_asked()) {
            return i64::try_from(asked).unwrap_or(0);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let kept = consumer.committed_offsets(list, KEPT).ok();
        let kept = kept.as_ref().and_then(|kept| kept.find_partition(&self.topic, partition));
        match kept.map(|kept| kept.offset()) {
            Some(Offset::Offset(offset)) => offset.max(0),
            _ => 0,
        }
    }
}

fn judge(committed: &Result<(), KafkaError>) -> Confirmed {
    match committed {
        Ok(()) => Confirmed::Yes,
        Err(e) => match e.rdkafka_error_code() {
            Some(
                Code::IllegalGeneration
                | Code::UnknownMemberId
                | Code::StaleMemberEpoch
                | Code::FencedMemberEpoch,
            ) => Confirmed::Refused,
            _ => Confirmed::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_member_that_was_thrown_out_is_refused() {
        let answer = |code| judge(&Err(KafkaError::ConsumerCommit(code)));
        assert_eq!(judge(&Ok(())), Confirmed::Yes);
        for thrown_out in [Code::IllegalGeneration, Code::UnknownMemberId, Code::StaleMemberEpoch] {
            assert_eq!(answer(thrown_out), Confirmed::Refused);
        }
        for not_known in [
            Code::RebalanceInProgress,
            Code::CoordinatorNotAvailable,
            Code::BrokerTransportFailure,
            Code::OperationTimedOut,
        ] {
            assert_eq!(answer(not_known), Confirmed::Unknown);
        }
    }
}
