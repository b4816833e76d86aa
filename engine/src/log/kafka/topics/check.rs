//! What must hold of a service's topics before it is served, as a pure function of what the cluster shows. Each fault
//! says what was found, where, and what to do.

use thiserror::Error;

use super::{
    super::settings::MAX_RECORD,
    look::{Found, Topics},
};
use crate::address::Stream;

/// A fault for which a service is not served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(in super::super) enum Unfit {
    #[error(
        "topic {topic} has {found} partitions and genesis says {expected}: entities would change their shard; restore the topic"
    )]
    Partitions { topic: String, found: u32, expected: u32 },
    #[error(
        "topic {topic} is compacted: records would vanish from the middle of it; set cleanup.policy=delete"
    )]
    Compacted { topic: String },
    #[error("topic {topic} has {setting}={value}: the log would lose its history; set it to -1")]
    Forgets { topic: String, setting: &'static str, value: String },
    #[error(
        "topic {topic} has unclean.leader.election.enable=true: acknowledged records could be lost; set it to false"
    )]
    Unclean { topic: String },
    #[error(
        "topic {topic} has {replicas} replicas and min.insync.replicas=1: one broker alone could acknowledge; set it to 2"
    )]
    Alone { topic: String, replicas: usize },
    #[error("topic {topic} has max.message.bytes={value}: records of ours may have {MAX_RECORD}; raise it")]
    Small { topic: String, value: String },
    #[error(
        "topic {topic} is on a broker older than 4.0, where what was read may be taken back: run Kafka 4.0 or newer"
    )]
    OldBroker { topic: String },
    #[error("topic {topic}: the cluster does not tell {setting}: grant DescribeConfigs")]
    Untold { topic: String, setting: &'static str },
}

/// Everything that is wrong with them. The number of partitions is genesis's, when it is known.
pub(in super::super) fn unfit(topics: &Topics, partitions: Option<u32>) -> Vec<Unfit> {
    topics.0.iter().flat_map(|(stream, found)| of_topic(*stream, found, partitions)).collect()
}

fn of_topic(stream: Stream, found: &Found, partitions: Option<u32>) -> Vec<Unfit> {
    let mut faults = Vec::new();
    let topic = || found.name.clone();
    if let Some(expected) = partitions.filter(|expected| *expected != found.partitions) {
        faults.push(Unfit::Partitions { topic: topic(), found: found.partitions, expected });
    }
    // A setting of Kafka before 4.0 only.
    if found.settings.contains_key("message.format.version") {
        faults.push(Unfit::OldBroker { topic: topic() });
    }
    let mut setting =
        |name: &'static str, judge: &dyn Fn(&str) -> Option<Unfit>| match found.settings.get(name) {
            Some(value) => faults.extend(judge(value)),
            None => faults.push(Unfit::Untold { topic: topic(), setting: name }),
        };
    setting("cleanup.policy", &|value| {
        (value.split(',').any(|p| p.trim() != "delete")).then(|| Unfit::Compacted { topic: topic() })
    });
    if stream == Stream::Events {
        for name in ["retention.ms", "retention.bytes"] {
            setting(name, &|value| {
                let forgets = || Unfit::Forgets { topic: topic(), setting: name, value: value.into() };
                (value != "-1").then(forgets)
            });
        }
    }
    setting("unclean.leader.election.enable", &|value| {
        (value != "false").then(|| Unfit::Unclean { topic: topic() })
    });
    setting("min.insync.replicas", &|value| {
        let alone = found.replicas >= 3 && value == "1";
        alone.then(|| Unfit::Alone { topic: topic(), replicas: found.replicas })
    });
    setting("max.message.bytes", &|value| {
        let large = value.parse().is_ok_and(|bytes: usize| bytes >= MAX_RECORD);
        (!large).then(|| Unfit::Small { topic: topic(), value: value.into() })
    });
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: &[(&str, &str)]) -> Topics {
        let good = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("unclean.leader.election.enable", "false"),
            ("min.insync.replicas", "2"),
            ("max.message.bytes", "2097152"),
        ];
        let settings = good.iter().chain(change).map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let name = "hotel.events".to_owned();
        let found = Found { name, partitions: 4, replicas: 3, leaderless: Vec::new(), settings };
        Topics([(Stream::Events, found)].into())
    }

    #[test]
    fn good_topics_are_fit() {
        assert_eq!(unfit(&found(&[]), Some(4)), []);
        assert_eq!(unfit(&found(&[]), None), []);
    }

    #[test]
    fn each_fault_is_found_and_says_where() {
        for (change, says) in [
            (("cleanup.policy", "compact"), "compacted"),
            (("cleanup.policy", "compact,delete"), "compacted"),
            (("retention.ms", "604800000"), "retention.ms=604800000"),
            (("retention.bytes", "1"), "retention.bytes=1"),
            (("unclean.leader.election.enable", "true"), "unclean"),
            (("min.insync.replicas", "1"), "3 replicas"),
            (("max.message.bytes", "1048588"), "max.message.bytes=1048588"),
            (("message.format.version", "3.0-IV1"), "older than 4.0"),
        ] {
            let faults = unfit(&found(&[change]), Some(4));
            assert_eq!(faults.len(), 1, "{faults:?}");
            let text = faults[0].to_string();
            assert!(text.contains(says) && text.contains("hotel.events"), "{text}");
        }
        assert!(matches!(unfit(&found(&[]), Some(8))[..], [Unfit::Partitions { found: 4, expected: 8, .. }]));
    }

    #[test]
    fn what_the_cluster_does_not_tell_is_not_taken_for_good() {
        let mut topics = found(&[]);
        topics.0.values_mut().for_each(|found| drop(found.settings.remove("retention.ms")));
        assert!(matches!(unfit(&topics, None)[..], [Unfit::Untold { setting: "retention.ms", .. }]));
    }

    #[test]
    fn only_the_truth_must_be_kept_for_ever() {
        let mut topics = found(&[("retention.ms", "3600000")]);
        let inbox = topics.0.remove(&Stream::Events).unwrap();
        topics.0.insert(Stream::Inbox, inbox);
        assert_eq!(unfit(&topics, Some(4)), []);
    }
}
