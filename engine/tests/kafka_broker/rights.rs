//! A broker that asks for passwords, and lets nobody do what was not granted.

use std::sync::Arc;

use palinode::{
    Answer, SystemClock,
    log::kafka::{KafkaLog, KafkaSettings},
};

use crate::{broker::Broker, world::*};

/// Names the user of these settings.
fn by(mut settings: KafkaSettings, user: &str, password: &str) -> KafkaSettings {
    for (key, value) in [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", user),
        ("sasl.password", password),
    ] {
        settings.passed.insert(key.into(), value.into());
    }
    settings
}

/// What people grant and take away.
struct Grants<'a> {
    broker: &'a Broker,
    prefix: String,
    config: String,
}

impl Grants<'_> {
    fn change(&self, verb: &str, on: &str, names: &str, rights: &[&str]) {
        let address = self.broker.address();
        let mut args = vec!["org.apache.kafka.tools.AclCommand", "--bootstrap-server", &address];
        args.extend(["--command-config", &self.config, verb, "--allow-principal", "User:palinode"]);
        args.extend(["--resource-pattern-type", "prefixed", on, names]);
        args.extend(rights.iter().flat_map(|right| ["--operation", right]));
        if verb == "--remove" {
            args.push("--force");
        }
        self.broker.java(&[], &args);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn wrong_passwords_and_missing_rights_are_named_and_pass_when_they_are_mended() {
    // Given a broker on which `palinode` may do nothing
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" \
                 password=\"secret\" user_admin=\"secret\" user_palinode=\"right\";";
    let mut broker = Broker::new(
        "SASL_PLAINTEXT",
        &[
            ("sasl.enabled.mechanisms", "PLAIN"),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
            ("listener.name.clients.plain.sasl.jaas.config", login),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:admin;User:ANONYMOUS"),
        ],
    );
    broker.start(None);
    let settings = broker.settings();
    let admin = World::at(by(settings.clone(), "admin", "secret"));
    admin.ready().await;
    crate::bank::close(admin.node("setup").await).await;
    // When the password is wrong, that is said
    let wrong = KafkaLog::connect(by(settings.clone(), "palinode", "wrong"), Arc::new(SystemClock)).await;
    let Err(error) = wrong else { panic!("it let us in") };
    assert!(error.what.contains("Authentication failed"), "{error}");
    assert!(!error.what.contains("wrong"), "{error}");
    // When the right one may do nothing, that is said, with what it needs
    let world = World::at(by(settings.clone(), "palinode", "right"));
    let missing =
        "this user needs Read, Write, Describe and DescribeConfigs on the topics and Read on the groups";
    let Err(error) = world.try_node("early").await else { panic!("it started") };
    assert!(error.to_string().contains(missing), "{error}");
    // When it may use the topics, it starts, and says that the group is closed to it
    let text = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.\
                security.plain.PlainLoginModule required username=\"admin\" password=\"secret\";\n";
    let grants =
        Grants { broker: &broker, prefix: settings.prefix.clone(), config: broker.file("admin", text) };
    let (prefix, all) = (&grants.prefix, ["Read", "Write", "Describe", "DescribeConfigs"]);
    grants.change("--add", "--topic", prefix, &all);
    grants.change("--add", "--group", &format!("{prefix}palinode.readers"), &["Read"]);
    let node = world.node("node").await;
    let closed = || {
        (0..SHARDS)
            .all(|nth| troubled(&node, nth, "the group cannot be followed") && troubled(&node, nth, missing))
    };
    until("the group is closed to it", &node, closed).await;
    // When that is granted, it serves
    grants.change("--add", "--group", prefix, &["Read"]);
    let well = || (0..SHARDS).all(|nth| serves(&node, nth) && shard(&node, nth).trouble.is_none());
    until("it serves", &node, well).await;
    assert_eq!(deposit(&node.client(), &account_on(0)).await, 1);
    // When it may not write any more, nothing is acknowledged, and it says why
    grants.change("--remove", "--topic", prefix, &["Write"]);
    let Answer::Unknown { id } = ask(&node.client(), &account_on(0)).await else { panic!("it was answered") };
    until("it may not write", &node, || troubled(&node, 0, missing)).await;
    // And when it may, the same command is done, once
    grants.change("--add", "--topic", prefix, &["Write"]);
    assert_eq!(deposit_as(&node.client(), &account_on(0), id).await, 2);
    assert_eq!(deposit_as(&node.client(), &account_on(0), id).await, 2);
    until("it serves again", &node, well).await;
    crate::bank::close(node).await;
}
