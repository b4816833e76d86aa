//! What an error of the driver means for a caller of the port, in words without secrets.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use super::settings::MAX_RECORD;
use crate::log::LogError;

/// What it says, without the values of properties.
pub(super) fn words(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => format!("the property {key} is not accepted"),
        other => other.to_string(),
    }
}

/// What a user must be allowed to do.
pub(super) const NEEDED: &str =
    "this user needs Read, Write, Describe and DescribeConfigs on the topics and Read on the groups";

/// What it says of a record that was not delivered, and what to do about it.
pub(super) fn undelivered(error: &KafkaError) -> String {
    let said = words(error);
    match error.rdkafka_error_code() {
        Some(Code::InvalidTimestamp) => format!(
            "{said}: the broker does not take the time of the record: this machine's clock is more than a minute fast; set \
             it right"
        ),
        Some(Code::MessageSizeTooLarge) => format!(
            "{said}: the topic's max.message.bytes is smaller than records of ours may be; set it to {MAX_RECORD} or more"
        ),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            format!("{said}: the topic is gone; bring it back as it was")
        }
        Some(code) if is_missing_right(code) => format!("{said}: {NEEDED}"),
        _ => said,
    }
}

/// Whether an error is a reason to look at the topics again.
pub(super) fn is_doubtful(error: &KafkaError) -> bool {
    let codes = [
        Code::MessageSizeTooLarge,
        Code::UnknownTopicOrPartition,
        Code::UnknownTopic,
        Code::UnknownPartition,
    ];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

/// An error of something that may be asked again, unless the client cannot be made. A right that is missing may be granted
/// while we run.
pub(super) fn passing(what: &str, error: &KafkaError) -> LogError {
    let said = words(error);
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => LogError::stop(format!(
            "{what}: {said}: check the settings, and that this build has TLS if it is used"
        )),
        other => match other.rdkafka_error_code() {
            Some(code) if is_missing_right(code) => LogError::retry(format!("{what}: {said}: {NEEDED}")),
            _ => LogError::retry(format!("{what}: {said}")),
        },
    }
}

/// Whether the cluster refuses who we are, or what we may do.
pub(super) fn is_missing_right(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
    )
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;
    use crate::log::Advice;

    #[test]
    fn values_of_properties_are_never_told() {
        let mut config = ClientConfig::new();
        config.set("sasl.mechanism", "PLAIN").set("session.timeout.ms", "hunter2");
        let Err(error) = config.create_native_config() else { panic!("it is no number") };
        let told = passing("here", &error);
        assert!(!told.what.contains("hunter2") && told.what.contains("session.timeout.ms"), "{told}");
        assert_eq!(told.advice, Advice::Stop);
    }

    #[test]
    fn a_missing_right_and_an_outage_pass_and_the_right_is_named() {
        let of = |code| passing("here", &KafkaError::MetadataFetch(code));
        let right = of(Code::TopicAuthorizationFailed);
        assert_eq!(right.advice, Advice::Retry);
        assert!(right.what.contains("this user needs Read"), "{right}");
        let away = of(Code::BrokerTransportFailure);
        assert_eq!(away.advice, Advice::Retry);
        assert!(!away.what.contains("this user needs"), "{away}");
    }
}
