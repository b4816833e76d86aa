//! A record as a Kafka message, and back. The message's timestamp is the record's wall time in milliseconds, for the
//! broker to judge; the exact time, the mark and the checksum are headers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
};

use super::settings::MAX_RECORD;
use crate::{codec::traceparent, record::Record, time::Micros};

/// The format number.
const MARK: &str = "palinode";
/// CRC-32C of the value, as eight hexadecimal digits.
const CRC: &str = "crc";
/// Microseconds since 1970.
const TIME: &str = "time";
/// W3C Trace Context, where the value says one: for whoever looks at headers only. Nobody here reads it back.
const TRACEPARENT: &str = "traceparent";
/// What a record needs beside its key and value.
const OVERHEAD: usize = 256;

/// Why a record cannot be appended; nothing for one that can.
pub(super) fn unfit(record: &Record) -> Option<&'static str> {
    if record.mark.is_none_or(|mark| mark == 0) || record.crc.is_none() {
        return Some("it bears no mark or no checksum: only records of ours can be appended");
    }
    let size = record.value.len() + record.key.len() + OVERHEAD;
    (size > MAX_RECORD).then_some("it is too large for a topic")
}

/// The headers of a record.
pub(super) fn headers(record: &Record) -> OwnedHeaders {
    let number = |n: Option<u32>| n.unwrap_or(0);
    let (mark, crc) = (number(record.mark).to_string(), format!("{:08x}", number(record.crc)));
    let time = record.wall.0.to_string();
    let ours = OwnedHeaders::new_with_capacity(4)
        .insert(Header { key: MARK, value: Some(&mark) })
        .insert(Header { key: CRC, value: Some(&crc) })
        .insert(Header { key: TIME, value: Some(&time) });
    match traceparent(&record.value) {
        Some(context) => ours.insert(Header { key: TRACEPARENT, value: Some(context) }),
        None => ours,
    }
}

/// The timestamp of a record: its wall time. Zero would mean the broker client's own clock.
pub(super) fn timestamp(record: &Record) -> i64 {
    (record.wall.0 / 1_000).max(1)
}

/// The record of a message, whoever wrote it.
pub(super) fn record(message: &BorrowedMessage<'_>) -> Record {
    // A name that is no text makes the driver panic, and anybody with rights can write one.
    let ours = catch_unwind(AssertUnwindSafe(|| Ours::of(message))).unwrap_or_default();
    let stamped = message.timestamp().to_millis().unwrap_or(0).saturating_mul(1_000);
    Record {
        mark: ours.mark,
        crc: ours.crc,
        key: Arc::from(String::from_utf8_lossy(message.key().unwrap_or_default())),
        value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        wall: Micros(ours.time.unwrap_or(stamped)),
    }
}

/// What the headers say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ours {
    mark: Option<u32>,
    crc: Option<u32>,
    time: Option<i64>,
}

impl Ours {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let mut ours = Self::default();
        if let Some(headers) = message.headers() {
            headers.iter().for_each(|header| ours.take(header.key, header.value.unwrap_or_default()));
        }
        ours
    }

    /// A mark that is no number is the mark of something newer: the record is ours, and nobody may read past it.
    fn take(&mut self, name: &str, value: &[u8]) {
        let text = std::str::from_utf8(value).ok();
        match name {
            MARK => self.mark = Some(text.and_then(|t| t.parse().ok()).unwrap_or(u32::MAX)),
            CRC => self.crc = text.and_then(|t| u32::from_str_radix(t, 16).ok()),
            TIME => self.time = text.and_then(|t| t.parse().ok()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &OwnedHeaders) -> Ours {
        let mut ours = Ours::default();
        headers.iter().for_each(|h| ours.take(h.key, h.value.unwrap_or_default()));
        ours
    }

    #[test]
    fn headers_come_back_as_they_were() {
        for wall in [Micros(0), Micros(-5), Micros(1_760_000_000_123_456)] {
            let record = Record::ours("room/1".into(), "held", wall);
            let found = read(&headers(&record));
            assert_eq!(found, Ours { mark: record.mark, crc: record.crc, time: Some(wall.0) });
        }
    }

    #[test]
    fn a_trace_context_is_a_header_too() {
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let value = format!("{{\"t\":\"call\",\"data\":null,\"traceparent\":\"{context}\"}}");
        let record = Record::ours("room/1".into(), value, Micros(1));
        let headers = headers(&record);
        let found = headers.iter().find(|h| h.key == TRACEPARENT).and_then(|h| h.value);
        assert_eq!(found, Some(context.as_bytes()));
        assert_eq!(read(&headers), Ours { mark: record.mark, crc: record.crc, time: Some(1) });
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_no_foreign_record() {
        let mut ours = Ours::default();
        ours.take(MARK, b"two");
        assert_eq!(ours.mark, Some(u32::MAX));
        ours.take("traceparent", b"00-");
        assert_eq!(Ours { mark: Some(u32::MAX), ..Ours::default() }, ours);
    }

    #[test]
    fn what_cannot_be_appended() {
        let record = |n| Record::ours("room/1".into(), vec![7; n], Micros(1));
        assert_eq!(unfit(&record(crate::codec::MAX_COMMIT)), None);
        assert_eq!(unfit(&record(1024 * 1024)), None);
        assert!(unfit(&record(MAX_RECORD)).is_some());
        assert!(unfit(&Record { mark: None, ..record(1) }).is_some());
        assert!(unfit(&Record { crc: None, ..record(1) }).is_some());
    }
}
