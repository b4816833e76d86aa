//! Killed and started again, nothing is lost and nothing is done twice.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use run::Data;

#[test]
fn what_was_accepted_ends_whatever_is_killed() {
    let data = Data::new();
    let crashed = data.good(&["crash", "--kills", "2"]);
    assert_eq!((crashed["kills"].as_u64(), crashed["lost"].as_u64()), (Some(2), Some(0)), "{crashed}");
    assert!(crashed["accepted"].as_u64() > Some(0), "{crashed}");
    assert_eq!(
        (crashed["clean"].as_bool(), crashed["unfinished"].as_u64()),
        (Some(true), Some(0)),
        "{crashed}"
    );
    assert_eq!(data.good(&["verify"])["clean"], true);
}
