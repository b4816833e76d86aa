//! Which SQLite the log may run on. Knows numbers only.

/// Whether a SQLite of this number (`major * 1_000_000 + minor * 1_000 + patch`) keeps what it acknowledged.
///
/// Releases 3.7.0 to 3.51.2 can damage the database when the write-ahead log is reset while another connection
/// checkpoints; 3.52.0 was withdrawn.
pub(super) fn supported(number: i32) -> bool {
    number >= 3_051_003 && number != 3_052_000
}

#[cfg(test)]
mod tests {
    use super::supported;

    #[test]
    fn releases_that_lose_data_are_refused() {
        for bad in [3_007_000, 3_046_000, 3_051_002, 3_052_000] {
            assert!(!supported(bad), "{bad}");
        }
        for good in [3_051_003, 3_051_004, 3_052_001, 3_053_000, 4_000_000] {
            assert!(supported(good), "{good}");
        }
    }

    #[test]
    fn the_library_we_are_linked_with_is_supported() {
        assert!(supported(rusqlite::version_number()), "{}", rusqlite::version());
    }
}
