//! What an error of the driver means for a caller of the port, in words without secrets.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use crate::log::LogError;

/// What it says, without the values of properties.
pub(super) fn words(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => format!("the property {key} is not accepted"),
        other => other.to_string(),
    }
}

/// An error of something that may be asked again, unless a right is missing or the client cannot be made.
pub(super) fn passing(what: &str, error: &KafkaError) -> LogError {
    let said = words(error);
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => LogError::stop(format!(
            "{what}: {said}: check the settings, and that this build has TLS if it is used"
        )),
        other => match other.rdkafka_error_code() {
            Some(code) if is_missing_right(code) => LogError::stop(format!(
                "{what}: {said}: this user needs Read, Write, Describe and DescribeConfigs on the topics and Read on \
                 the groups"
            )),
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
    fn a_missing_right_stops_and_an_outage_passes() {
        let of = |code| passing("here", &KafkaError::MetadataFetch(code)).advice;
        assert_eq!(of(Code::TopicAuthorizationFailed), Advice::Stop);
        assert_eq!(of(Code::BrokerTransportFailure), Advice::Retry);
    }
}
