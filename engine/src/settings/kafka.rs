//! Kafka as it was told: brokers, how they are spoken to, and how the group works. Security is a map of librdkafka's own
//! properties, which the adapter passes through.

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use super::given::Given;
use crate::network::{exposed, host_of};

/// A Kafka cluster.
#[derive(Clone)]
pub struct Kafka {
    /// Brokers to begin with: `host:port`, separated by commas.
    pub bootstrap: String,
    /// Stands before the name of every topic and group.
    pub prefix: String,
    /// Whether clear text to brokers beyond this machine is meant.
    pub insecure: bool,
    /// Who decides which process has which shard.
    pub group_protocol: GroupProtocol,
    /// After how long in silence a process loses its shards.
    pub session_timeout: Duration,
    /// Connections that commits are spread over, if that was said.
    pub producers: Option<usize>,
    security: BTreeMap<&'static str, SecretString>,
}

/// Who decides which process has which shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members among themselves.
    Classic,
    /// The broker (KIP-848).
    Consumer,
}

/// Our keys, and librdkafka's properties.
const PROPERTIES: [(&str, &str); 8] = [
    ("kafka.security_protocol", "security.protocol"),
    ("kafka.sasl_mechanism", "sasl.mechanism"),
    ("kafka.sasl_username", "sasl.username"),
    ("kafka.sasl_password", "sasl.password"),
    ("kafka.ssl_ca", "ssl.ca.location"),
    ("kafka.ssl_certificate", "ssl.certificate.location"),
    ("kafka.ssl_key", "ssl.key.location"),
    ("kafka.ssl_key_password", "ssl.key.password"),
];

const SASL: [&str; 3] = ["kafka.sasl_mechanism", "kafka.sasl_username", "kafka.sasl_password"];
const SSL: [&str; 4] = ["kafka.ssl_ca", "kafka.ssl_certificate", "kafka.ssl_key", "kafka.ssl_key_password"];

impl Kafka {
    /// Properties of librdkafka for security, to be passed through. There are secrets among them: not to be printed.
    #[must_use]
    pub fn properties(&self) -> BTreeMap<String, String> {
        self.security
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.expose_secret().to_owned()))
            .collect()
    }

    pub(super) fn of(given: &mut Given) -> Option<Self> {
        let Some(bootstrap) = given.text("kafka.bootstrap") else {
            if let Some(said) = given.of_section("kafka.") {
                given.wrong(said, "this is for Kafka, and nobody says where that is", "say kafka.bootstrap");
            }
            return None;
        };
        check_security(given);
        let insecure = given.flag("kafka.insecure");
        check_road(given, &bootstrap, insecure);
        let classic = given.is("kafka.group_protocol", "classic");
        if !classic && given.any(&["kafka.session_timeout"]).is_some() {
            let what = "with the protocol of the broker, its own timeouts hold";
            given.wrong("kafka.session_timeout", what, "leave it out, or use kafka.group_protocol classic");
        }
        let said =
            |(key, property): (&'static str, _)| Some((property, given.any(&[key]).and(given.secret(key))?));
        Some(Self {
            prefix: given.text("kafka.prefix").unwrap_or_default(),
            insecure,
            group_protocol: if classic { GroupProtocol::Classic } else { GroupProtocol::Consumer },
            session_timeout: given.duration("kafka.session_timeout"),
            producers: given.any(&["kafka.producers"]).map(|key| given.number::<u16>(key).into()),
            security: PROPERTIES.into_iter().filter_map(said).collect(),
            bootstrap,
        })
    }
}

/// What belongs together is said together.
fn check_security(given: &mut Given) {
    let protocol = given.text("kafka.security_protocol").unwrap_or_default();
    if protocol.starts_with("sasl") {
        let missing: Vec<&str> = SASL.into_iter().filter(|key| given.any(&[key]).is_none()).collect();
        for missing in missing {
            let what = format!("{protocol} says who we are, and {missing} is missing");
            given.wrong("kafka.security_protocol", what, format!("say {missing}"));
        }
    } else if let Some(said) = given.any(&SASL) {
        given.wrong(said, format!("kafka.security_protocol {protocol} has no use for it"), "use sasl_ssl");
    }
    if !protocol.ends_with("ssl")
        && let Some(said) = given.any(&SSL)
    {
        given.wrong(
            said,
            format!("kafka.security_protocol {protocol} has no use for it"),
            "use ssl or sasl_ssl",
        );
    }
    for (one, other) in
        [("kafka.ssl_certificate", "kafka.ssl_key"), ("kafka.ssl_key", "kafka.ssl_certificate")]
    {
        if given.any(&[one]).is_some() && given.any(&[other]).is_none() {
            given.wrong(one, format!("it is of no use without {other}"), format!("say {other}"));
        }
    }
}

fn check_road(given: &mut Given, bootstrap: &str, insecure: bool) {
    let protocol = given.text("kafka.security_protocol").unwrap_or_default();
    if let Some(host) = exposed(bootstrap.split(',').map(host_of), protocol.ends_with("ssl"), insecure) {
        let what =
            format!("{host} is not this machine, and kafka.security_protocol is {protocol}: clear text");
        given.wrong("kafka.bootstrap", what, "use ssl or sasl_ssl, or kafka.insecure if that is meant");
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("bootstrap", &self.bootstrap)
            .field("prefix", &self.prefix)
            .field("insecure", &self.insecure)
            .field("group_protocol", &self.group_protocol)
            .field("session_timeout", &self.session_timeout)
            .field("producers", &self.producers)
            .field("security", &self.security.keys())
            .finish()
    }
}
