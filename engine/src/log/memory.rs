//! The reference log, meaner than Kafka.
