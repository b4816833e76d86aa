//! What is refused in settings, and what a client's effective configuration is.

use super::*;

fn settings() -> KafkaSettings {
    KafkaSettings::new("localhost:9092")
}

#[test]
fn clear_text_is_for_this_machine_unless_it_was_asked_for() {
    for local in ["localhost:9092", "127.0.0.1:9092", "[::1]:9092", "localhost:1,127.0.0.9:2"] {
        assert!(KafkaSettings::new(local).check().is_ok(), "{local}");
    }
    for beyond in ["kafka:9092", "localhost:1,10.0.0.1:2", "localhost.example.org:1"] {
        let mut settings = KafkaSettings::new(beyond);
        let refused = settings.check().unwrap_err();
        assert!(refused.what.contains("sasl_ssl"), "{refused}");
        settings.clear_text = true;
        assert!(settings.check().is_ok(), "{beyond}");
        settings.clear_text = false;
        settings.passed.insert("security.protocol".into(), "SASL_PLAINTEXT".into());
        assert!(settings.check().is_err(), "{beyond}");
        settings.passed.insert("security.protocol".into(), "SASL_SSL".into());
        assert!(settings.check().is_ok(), "{beyond}");
    }
}

#[test]
fn what_is_ours_to_decide_cannot_be_passed() {
    for key in ["enable.idempotence", "acks", "isolation.level", "group.id", "plugin.library.paths"] {
        let mut settings = settings();
        settings.passed.insert(key.into(), "false".into());
        let refused = settings.check().unwrap_err();
        assert!(refused.what.contains(key), "{refused}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let with = |change: fn(&mut KafkaSettings)| {
        let mut settings = settings();
        change(&mut settings);
        settings.check()
    };
    assert!(with(|s| s.bootstrap = " ".into()).is_err());
    assert!(with(|s| s.prefix = "a/b".into()).is_err());
    assert!(with(|s| s.producers = Some(0)).is_err());
    assert!(with(|s| s.deadline = DELIVERY).is_err());
    assert!(with(|s| s.session = Duration::from_millis(10)).is_err());
    assert!(with(|_| ()).is_ok());
}

#[test]
fn secrets_are_never_printed() {
    let mut settings = settings();
    settings.passed.insert("sasl.password".into(), "hunter2".into());
    let printed = format!("{settings:?}");
    assert!(printed.contains("sasl.password") && !printed.contains("hunter2"), "{printed}");
}

/// What librdkafka itself says it would use.
fn effective(settings: &KafkaSettings, role: &Role, key: &str) -> String {
    settings.client(role).create_native_config().unwrap().get(key).unwrap()
}

#[test]
fn every_override_is_effective() {
    let settings = settings();
    let member = || Role::Member { group: "hotel".into() };
    let roles = || [Role::Commits, Role::Post, Role::Reader, Role::Gap, Role::Idle, Role::Admin, member()];
    for role in roles() {
        for (of, key, value) in TABLE {
            if of.contains(&role.kind()) {
                assert_eq!(effective(&settings, &role, key), *value, "{key} of {}", role.name());
            }
        }
        assert_eq!(effective(&settings, &role, "allow.auto.create.topics"), "false");
    }
    for role in [Role::Commits, Role::Post] {
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "3"),
            ("linger.ms", "0"),
            ("retry.backoff.ms", "10"),
            ("retry.backoff.max.ms", "200"),
            ("message.timeout.ms", "10000"),
            ("socket.timeout.ms", "5000"),
            ("reconnect.backoff.max.ms", "1000"),
            ("enable.metrics.push", "false"),
            ("enable.gapless.guarantee", "false"),
            ("compression.type", "none"),
        ] {
            assert_eq!(effective(&settings, &role, key), value, "{key}");
        }
        // Implied by idempotence when they are left alone.
        let set = settings.client(&role);
        for key in ["acks", "request.required.acks", "retries"] {
            assert_eq!(set.get(key), None, "{key}");
        }
    }
    for role in [Role::Reader, Role::Gap, Role::Idle, member()] {
        for (key, value) in [
            ("auto.offset.reset", "error"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_uncommitted"),
            ("check.crcs", "true"),
        ] {
            assert_eq!(effective(&settings, &role, key), value, "{key}");
        }
    }
    for role in [Role::Reader, Role::Gap] {
        assert_eq!(effective(&settings, &role, "fetch.wait.max.ms"), "20");
        assert_eq!(effective(&settings, &role, "fetch.queue.backoff.ms"), "10");
    }
}

#[test]
fn a_member_has_our_timeouts_or_those_of_the_broker() {
    let mut settings = settings();
    let role = Role::Member { group: "hotel".into() };
    assert_eq!(effective(&settings, &role, "group.id"), "hotel");
    assert_eq!(effective(&settings, &role, "session.timeout.ms"), "6000");
    assert_eq!(effective(&settings, &role, "heartbeat.interval.ms"), "1000");
    assert_eq!(effective(&settings, &role, "partition.assignment.strategy"), "cooperative-sticky");
    settings.protocol = GroupProtocol::Consumer;
    let config = settings.client(&role);
    assert_eq!(config.get("group.protocol"), Some("consumer"));
    for left_to_the_broker in ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"]
    {
        assert_eq!(config.get(left_to_the_broker), None);
    }
}

#[test]
fn the_largest_commit_fits_a_record() {
    const { assert!(crate::codec::MAX_COMMIT + 64 * 1024 < MAX_RECORD) };
    assert_eq!(effective(&settings(), &Role::Commits, "message.max.bytes"), MAX_RECORD.to_string());
}
