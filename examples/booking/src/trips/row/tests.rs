//! What becomes a trip, and what does not.

use std::io::Write;

use super::*;

/// The header of the public data set.
pub(crate) const HEADER: &str = "hotel,is_canceled,lead_time,arrival_date_year,arrival_date_month,\
    arrival_date_week_number,arrival_date_day_of_month,stays_in_weekend_nights,stays_in_week_nights,adults,\
    children,babies,meal,country,market_segment,distribution_channel,is_repeated_guest,previous_cancellations,\
    previous_bookings_not_canceled,reserved_room_type,assigned_room_type,booking_changes,deposit_type,agent,\
    company,days_in_waiting_list,customer_type,adr,required_car_parking_spaces,total_of_special_requests,\
    reservation_status,reservation_status_date";

/// A row in the shape of the data set: what differs between rows, the rest filled in.
pub(crate) struct Line {
    pub(crate) hotel: &'static str,
    pub(crate) month: &'static str,
    pub(crate) day: u16,
    pub(crate) nights: (u16, u16),
    pub(crate) people: (u16, &'static str),
    pub(crate) room: &'static str,
    pub(crate) rate: &'static str,
    pub(crate) parking: u16,
    pub(crate) status: &'static str,
}

pub(crate) const PLAIN: Line = Line {
    hotel: "Resort Hotel",
    month: "July",
    day: 1,
    nights: (0, 2),
    people: (2, "0"),
    room: "A",
    rate: "75.5",
    parking: 0,
    status: "Check-Out",
};

impl Line {
    pub(crate) fn text(&self) -> String {
        let Self { hotel, month, day, nights, people, room, rate, parking, status } = self;
        format!(
            "{hotel},0,7,2015,{month},27,{day},{},{},{},{},0,BB,PRT,Direct,Direct,0,0,0,{room},{room},0,\
             No Deposit,NULL,NULL,0,Transient,{rate},{parking},0,{status},7/1/2015",
            nights.0, nights.1, people.0, people.1
        )
    }
}

fn rows_of(file: Vec<u8>) -> Rows {
    Rows::new(Box::new(io::Cursor::new(file))).unwrap()
}

fn read(lines: &[String]) -> Vec<Result<Plan, RowError>> {
    let text: String = [HEADER.to_owned()].iter().chain(lines).map(|line| format!("{line}\r\n")).collect();
    rows_of(text.into_bytes()).map(Result::unwrap).collect()
}

fn one(line: &Line) -> Result<Plan, RowError> {
    read(&[line.text()]).remove(0)
}

#[track_caller]
fn fault_of(line: &Line) -> String {
    one(line).unwrap_err().to_string()
}

#[test]
fn a_row_becomes_a_trip() {
    let Plan { trip, guest } = one(&PLAIN).unwrap();
    assert_eq!(guest, Guest::Confirms);
    assert_eq!((&*trip.room, trip.first.to_string(), trip.nights), ("resort/A", "2015-07-01".into(), 2));
    assert_eq!((trip.rate, &*trip.flight, trip.seats), (Cents(7_550), "PRT-FAO/2015-07-01", 2));
    assert_eq!(trip.car, None);
    assert_eq!(trip.id, id::of_row(2, PLAIN.text().as_bytes()));
}

#[test]
fn the_status_says_what_the_guest_does() {
    assert_eq!(one(&Line { status: "Canceled", ..PLAIN }).unwrap().guest, Guest::Cancels);
    assert_eq!(one(&Line { status: "No-Show", ..PLAIN }).unwrap().guest, Guest::Silent);
}

#[test]
fn a_row_that_asks_for_parking_wants_a_car() {
    let plan = one(&Line { hotel: "City Hotel", parking: 2, ..PLAIN }).unwrap();
    assert_eq!(plan.trip.car.as_deref(), Some("LIS/2015-07-01"));
}

#[test]
fn a_day_use_takes_one_night_and_nobody_takes_one_seat() {
    let plan = one(&Line { nights: (0, 0), people: (0, "NA"), ..PLAIN }).unwrap();
    assert_eq!((plan.trip.nights, plan.trip.seats), (1, 1));
}

#[test]
fn equal_rows_on_two_lines_are_two_trips() {
    let plans = read(&[PLAIN.text(), PLAIN.text()]);
    assert_ne!(plans[0].as_ref().unwrap().trip.id, plans[1].as_ref().unwrap().trip.id);
}

#[test]
fn rates_are_rounded_to_cents() {
    for (text, cents) in [("0", 0), ("75", 7_500), ("75.5", 7_550), ("75.505", 7_551), ("1.004999", 100)] {
        assert_eq!(one(&Line { rate: text, ..PLAIN }).unwrap().trip.rate, Cents(cents), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    assert_eq!(
        fault_of(&Line { status: "Gone", ..PLAIN }),
        "line 2: reservation_status is \"Gone\", not Check-Out, Canceled or No-Show"
    );
    assert_eq!(
        fault_of(&Line { rate: "-6.38", ..PLAIN }),
        "line 2: adr is \"-6.38\", not an amount in euros, not negative"
    );
    assert_eq!(
        fault_of(&Line { month: "Juli", ..PLAIN }),
        "line 2: arrival_date_month is \"Juli\", not a month's English name"
    );
    assert_eq!(
        fault_of(&Line { month: "June", day: 31, ..PLAIN }),
        "line 2: the day of arrival is not in the calendar"
    );
    assert_eq!(
        fault_of(&Line { room: "AA", ..PLAIN }),
        "line 2: reserved_room_type is \"AA\", not a letter from A to Z"
    );
    assert_eq!(
        fault_of(&Line { hotel: "Inn", ..PLAIN }),
        "line 2: hotel is \"Inn\", not City Hotel or Resort Hotel"
    );
    assert_eq!(
        fault_of(&Line { nights: (0, 400), ..PLAIN }),
        "line 2: stays_in_week_nights is \"400\", not a stay of at most a year"
    );
}

#[test]
fn a_malformed_row_does_not_stop_the_ones_after_it() {
    let rows = read(&["half a row".into(), String::new(), PLAIN.text()]);
    assert_eq!(rows[0].as_ref().unwrap_err().to_string(), "line 2: 1 fields; the header has 32");
    assert_eq!(rows[1].as_ref().unwrap_err().line, 3);
    assert_eq!(rows[2].as_ref().unwrap().trip.id, id::of_row(4, PLAIN.text().as_bytes()));
}

#[test]
fn a_last_line_without_end_counts_and_line_ends_do_not_change_the_id() {
    let crlf = rows_of(format!("{HEADER}\r\n{}\r\n", PLAIN.text()).into_bytes()).next().unwrap().unwrap();
    let bare = rows_of(format!("{HEADER}\n{}", PLAIN.text()).into_bytes()).next().unwrap().unwrap();
    assert_eq!(crlf, bare);
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let mut file = format!("{HEADER}\r\n").into_bytes();
    file.extend_from_slice(b"\xff\xfe,0\r\n");
    assert_eq!(rows_of(file).next().unwrap().unwrap().unwrap_err().fault, Fault::NotText);
}

#[test]
fn a_header_without_a_column_is_refused_by_name() {
    let Err(error) = Rows::new(Box::new(io::Cursor::new(b"hotel,adr\r\n".to_vec()))) else {
        panic!("a header of two columns was taken");
    };
    assert!(error.to_string().contains("\"arrival_date_year\""), "{error}");
}

#[test]
fn a_file_may_be_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{HEADER}\r\n{}\r\n", PLAIN.text());
    let plain = folder.path().join("rows.csv");
    std::fs::write(&plain, &text).unwrap();
    let zipped = folder.path().join("rows.csv.gz");
    let mut gzip = flate2::write::GzEncoder::new(File::create(&zipped).unwrap(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap();

    let all = |path: &Path| open(path).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(all(&plain), all(&zipped));
    assert_eq!(all(&plain).len(), 1);
}
