//! The replay of rows in the shape of the public data set: all outcomes, malformed rows, and a second time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use std::{fmt::Write, fs};

use run::Data;

const HEADER: &str = "hotel,is_canceled,lead_time,arrival_date_year,arrival_date_month,\
    arrival_date_week_number,arrival_date_day_of_month,stays_in_weekend_nights,stays_in_week_nights,adults,\
    children,babies,meal,country,market_segment,distribution_channel,is_repeated_guest,previous_cancellations,\
    previous_bookings_not_canceled,reserved_room_type,assigned_room_type,booking_changes,deposit_type,agent,\
    company,days_in_waiting_list,customer_type,adr,required_car_parking_spaces,total_of_special_requests,\
    reservation_status,reservation_status_date";

fn row(n: u16, room: char, status: &str) -> String {
    format!(
        "City Hotel,0,7,2016,May,20,{},1,{},2,0,0,BB,PRT,Direct,Direct,0,0,0,{room},{room},0,No Deposit,NULL,NULL,\
         0,Transient,{n}.5,{},0,{status},5/1/2016",
        1 + n % 28,
        n % 4,
        n % 3
    )
}

/// Forty rows: guests of every kind, two lines that are no bookings, and a room type that is soon full.
fn file(data: &Data) -> String {
    let mut text = format!("{HEADER}\r\n");
    for n in 0..40 {
        let line = match n {
            11 => "half a row".to_owned(),
            23 => row(n, 'A', "Lost"),
            // None of these is refused anywhere else, whichever two find room.
            30..38 => row(3, 'L', "Check-Out"),
            n if n % 4 == 1 => row(n, 'A', "Canceled"),
            n if n % 13 == 0 => row(n, 'A', "No-Show"),
            n => row(n, 'D', "Check-Out"),
        };
        write!(text, "{line}\r\n").unwrap();
    }
    let path = data.folder().join("rows.csv");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_row_ends_in_one_way_and_a_second_replay_books_nothing() {
    // given a file, when it is replayed
    let data = Data::new();
    let file = file(&data);
    let first = data.good(&["replay", &file, "--hold", "1"]);

    // then every row is in exactly one of the outcomes
    let count = |word: &str| first[word].as_u64().unwrap();
    let malformed = first["malformed"].as_array().unwrap().len() as u64;
    let outcomes = ["completed", "compensated", "cancelled", "expired", "stuck"];
    assert_eq!(outcomes.iter().map(|word| count(word)).sum::<u64>() + malformed, 40, "{first}");
    assert_eq!(first["malformed"], serde_json::json!([13, 25]), "the lines, the header being line 1");
    assert_eq!(count("rows"), 40);
    assert_eq!(first["refused_at"]["hold-room"], 6, "eight stays in two rooms");
    assert!(count("cancelled") > 0 && count("expired") > 0, "{first}");

    // and a second replay books nothing
    let before = data.good(&["verify"]);
    let second = data.good(&["replay", &file, "--hold", "1"]);
    assert_eq!(second["again"].as_u64(), Some(38), "{second}");
    for word in outcomes {
        assert_eq!(second[word], first[word], "{word}");
    }
    let after = data.good(&["verify"]);
    for same in ["trips", "room_nights", "charges", "charged_cents", "events", "read_models"] {
        assert_eq!(before[same], after[same], "{same}");
    }
}

#[test]
fn a_limit_books_the_first_rows_only() {
    let data = Data::new();
    let file = file(&data);
    let replayed = data.good(&["replay", &file, "--limit", "3", "--concurrency", "2", "--hold", "0.5"]);
    assert_eq!(replayed["rows"], 3);
    assert_eq!(data.good(&["verify"])["read_models"]["trip"], 3);
}

#[test]
fn a_file_that_is_not_there_or_is_no_data_set_is_named() {
    let data = Data::new();
    let error = |file: &str| {
        let output = data.output(&["replay", file]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let missing = data.folder().join("missing.csv");
    assert!(error(missing.to_str().unwrap()).contains("missing.csv"));
    let other = data.folder().join("other.csv");
    fs::write(&other, "a,b\r\n1,2\r\n").unwrap();
    assert!(error(other.to_str().unwrap()).contains("names no column"));
}
