//! The ids of a window in a snapshot: a row for each capture, whose value is 40 bytes an id: the id, the digest of what it
//! was used for, the commit and its offset, the numbers with the first byte lowest. A row goes when all its ids are expired.
//! Knows nothing of what a window answers.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Used;
use crate::{
    digest::Digest,
    machine::rows::{Row, Section},
    message::born,
    time::Micros,
};

/// Bytes of one id.
const ENTRY: usize = 40;
/// Stands for an offset that is not known.
const NOWHERE: u64 = u64::MAX;

/// The rows a snapshot has, each with the last birth in it.
#[derive(Debug, Default)]
pub(super) struct Pages(BTreeMap<String, Micros>);

impl Pages {
    /// The row of these ids, all effective, and the end of rows whose ids are all expired.
    pub(super) fn drain_rows(
        &mut self,
        used: impl Iterator<Item = (Uuid, Used)>,
        horizon: Micros,
        pseq: u64,
        rows: &mut Vec<Row>,
    ) {
        let row = |key: &str, value| Row { section: Section::Id, key: key.to_owned(), pseq, value };
        self.0.retain(|key, last| {
            let expired = *last <= horizon;
            if expired {
                rows.push(row(key, None));
            }
            !expired
        });
        let (mut value, mut last) = (Vec::new(), None);
        for (id, Used { digest, pseq, offset }) in used {
            let offset = offset.unwrap_or(NOWHERE);
            let parts: [&[u8]; 4] = [id.as_bytes(), &digest.0, &pseq.to_le_bytes(), &offset.to_le_bytes()];
            parts.into_iter().for_each(|part| value.extend_from_slice(part));
            last = last.max(born(id));
        }
        if let Some(last) = last {
            let key = format!("{pseq:020}");
            rows.push(row(&key, Some(value)));
            self.0.insert(key, last);
        }
    }

    /// The ids of a row.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<Vec<(Uuid, Used)>, String> {
        let (entries, rest) = value.as_chunks::<ENTRY>();
        if !rest.is_empty() {
            return Err(format!("ids {key}: {} bytes are not whole ids", value.len()));
        }
        let ids: Vec<_> = entries.iter().filter_map(entry).collect();
        let last = ids.iter().filter_map(|(id, _)| born(*id)).max();
        self.0.insert(key.to_owned(), last.unwrap_or(Micros(i64::MIN)));
        Ok(ids)
    }
}

fn entry(bytes: &[u8; ENTRY]) -> Option<(Uuid, Used)> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (digest, rest) = rest.split_first_chunk()?;
    let (pseq, rest) = rest.split_first_chunk()?;
    let offset = Some(u64::from_le_bytes(*rest.first_chunk()?)).filter(|offset| *offset != NOWHERE);
    let used = Used { digest: Digest(*digest), pseq: u64::from_le_bytes(*pseq), offset };
    Some((Uuid::from_bytes(*id), used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{CountedIds, Ids};

    fn used(n: u64) -> Used {
        Used { digest: Digest::of(b"a"), pseq: n, offset: Some(n + 10) }
    }

    #[test]
    fn a_row_is_read_as_it_was_written_and_goes_when_its_last_id_is_expired() {
        let ids = CountedIds::default();
        let all: Vec<_> =
            (1..4).map(|n| (ids.fresh(Micros(1_000_000 * n)), used(n.unsigned_abs()))).collect();
        let (mut pages, mut rows) = (Pages::default(), Vec::new());
        pages.drain_rows(all[..2].iter().copied(), Micros(0), 2, &mut rows);
        pages.drain_rows(all[2..].iter().copied(), Micros(1_500_000), 3, &mut rows);
        assert!(rows.len() == 2 && rows.iter().all(|row| row.value.is_some()), "{rows:?}");

        let mut again = Pages::default();
        let read =
            |pages: &mut Pages, row: &Row| pages.restore(&row.key, row.value.as_deref().unwrap()).unwrap();
        assert_eq!(read(&mut again, &rows[0]), all[..2]);
        assert_eq!(read(&mut again, &rows[1]), all[2..]);

        for pages in [&mut pages, &mut again] {
            let mut gone = Vec::new();
            pages.drain_rows(std::iter::empty(), Micros(2_000_000), 4, &mut gone);
            assert_eq!(gone.len(), 1);
            assert_eq!((&gone[0].key, &gone[0].value), (&rows[0].key, &None));
        }
        assert!(again.restore("1", &[0; ENTRY + 1]).is_err());
    }
}
