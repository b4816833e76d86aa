//! How many rooms of each type the two hotels have. Chosen so that, with a few hundred trips under way at a time, a
//! few per cent of the holds of the public data set are refused. A decision reads it, a fold never does: so it may be
//! changed at any time.

/// The rooms that can be taken in one night of this room type, named `hotel/letter`.
#[must_use]
pub(crate) fn capacity(room: &str) -> u32 {
    match room {
        "resort/A" => 90,
        "resort/D" => 40,
        "resort/E" => 24,
        "resort/G" => 12,
        "resort/F" => 8,
        "resort/C" => 7,
        "resort/H" => 5,
        "city/A" => 160,
        "city/D" => 24,
        "city/B" | "city/F" => 6,
        "city/E" => 4,
        _ => 2,
    }
}
