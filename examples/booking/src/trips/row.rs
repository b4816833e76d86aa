//! Rows of the public data set of hotel bookings (Antonio, de Almeida, Nunes, Data in Brief 22, 2019) as trips. A row
//! that cannot be read is an error of its own line; the lines after it are read all the same.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use csv::StringRecord;

use super::{Guest, Hotel, Plan, id, plan::Form};
use crate::domain::{Cents, Day, room_type::MAX_NIGHTS};

/// Opens a file of rows, compressed with gzip or not: its first two bytes tell.
///
/// # Errors
/// When it cannot be read, or its header lacks a column.
pub fn open(path: &Path) -> io::Result<Rows> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let zipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read + Send> =
        if zipped { Box::new(flate2::bufread::MultiGzDecoder::new(file)) } else { Box::new(file) };
    Rows::new(Box::new(BufReader::with_capacity(1 << 16, plain)))
}

/// The rows of a file, in order, each with its own outcome. An error of the file itself ends them.
pub struct Rows {
    input: Box<dyn BufRead + Send>,
    columns: Columns,
    line: u64,
}

impl Rows {
    fn new(mut input: Box<dyn BufRead + Send>) -> io::Result<Self> {
        let header = next_line(&mut *input)?.unwrap_or_default();
        let columns = Columns::of(&header).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(Self { input, columns, line: 1 })
    }
}

impl Iterator for Rows {
    type Item = io::Result<Result<Plan, RowError>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = next_line(&mut *self.input).transpose()?;
        self.line += 1;
        Some(row.map(|row| self.columns.plan(self.line, &row)))
    }
}

/// A line without its end, be it CRLF or LF.
fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::with_capacity(256);
    if input.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    Ok(Some(line))
}

/// A row that is no booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line in the file; the header is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not text.
    NotText,
    /// It has another number of fields than the header.
    Fields {
        /// What it has.
        found: usize,
        /// What the header has.
        expected: usize,
    },
    /// One of its fields cannot be used.
    Field {
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// The date of arrival is not in the calendar.
    NoSuchDay,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.fault {
            Fault::NotText => write!(f, "not readable as CSV in UTF-8"),
            Fault::Fields { found, expected } => write!(f, "{found} fields; the header has {expected}"),
            Fault::Field { column, value, expected } => write!(f, "{column} is {value:?}, not {expected}"),
            Fault::NoSuchDay => write!(f, "the day of arrival is not in the calendar"),
        }
    }
}

macro_rules! columns {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// Where in a row the columns we read stand.
        #[derive(Debug)]
        struct Columns { width: usize, $($field: usize),* }

        impl Columns {
            fn of(header: &[u8]) -> Result<Self, String> {
                let header = record(header).ok_or("the first line is no CSV header")?;
                let place = |name: &str| {
                    let found = header.iter().position(|column| column.trim_start_matches('\u{feff}') == name);
                    found.ok_or_else(|| format!("the first line names no column {name:?}"))
                };
                Ok(Self { width: header.len(), $($field: place($name)?),* })
            }
        }

        impl<'a> Row<'a> {
            $(fn $field(&self) -> Field<'a> { self.field($name, self.columns.$field) })*
        }
    };
}

columns! {
    hotel = "hotel",
    year = "arrival_date_year",
    month = "arrival_date_month",
    day = "arrival_date_day_of_month",
    weekend_nights = "stays_in_weekend_nights",
    week_nights = "stays_in_week_nights",
    adults = "adults",
    children = "children",
    country = "country",
    room = "reserved_room_type",
    rate = "adr",
    parking = "required_car_parking_spaces",
    status = "reservation_status",
}

fn record(line: &[u8]) -> Option<StringRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).buffer_capacity(512).from_reader(line);
    let mut record = StringRecord::new();
    matches!(reader.read_record(&mut record), Ok(true)).then_some(record)
}

impl Columns {
    fn plan(&self, line: u64, bytes: &[u8]) -> Result<Plan, RowError> {
        self.read(line, bytes).map_err(|fault| RowError { line, fault })
    }

    fn read(&self, line: u64, bytes: &[u8]) -> Result<Plan, Fault> {
        let record = record(bytes).ok_or(Fault::NotText)?;
        if record.len() != self.width {
            return Err(Fault::Fields { found: record.len(), expected: self.width });
        }
        let row = Row { columns: self, record: &record };
        let trip = row.form()?.trip(id::of_row(line, bytes));
        Ok(Plan { trip, guest: row.status().guest()? })
    }
}

struct Row<'a> {
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl<'a> Row<'a> {
    fn field(&self, column: &'static str, at: usize) -> Field<'a> {
        Field { column, value: self.record.get(at).unwrap_or_default() }
    }

    fn form(&self) -> Result<Form<'a>, Fault> {
        let (year, month, day) = (self.year().number()?, self.month().month()?, self.day().number()?);
        let nights = self.weekend_nights().number()?.saturating_add(self.week_nights().number()?);
        if nights > MAX_NIGHTS {
            return Err(self.week_nights().not("a stay of at most a year"));
        }
        Ok(Form {
            hotel: self.hotel().hotel()?,
            letter: self.room().letter()?,
            first: Day::of(i32::from(year), month, u32::from(day)).ok_or(Fault::NoSuchDay)?,
            nights,
            rate: self.rate().cents()?,
            people: self.adults().number()?.saturating_add(self.children().number_or_na()?),
            country: self.country().country()?,
            parking: self.parking().number()? > 0,
        })
    }
}

/// One field, with its column's name for the error.
struct Field<'a> {
    column: &'static str,
    value: &'a str,
}

impl<'a> Field<'a> {
    fn not(&self, expected: &'static str) -> Fault {
        Fault::Field { column: self.column, value: self.value.chars().take(40).collect(), expected }
    }

    fn number(&self) -> Result<u16, Fault> {
        self.value.parse().map_err(|_| self.not("a small whole number"))
    }

    /// The data set writes `NA` for children nobody counted.
    fn number_or_na(&self) -> Result<u16, Fault> {
        if self.value == "NA" { Ok(0) } else { self.number() }
    }

    fn month(&self) -> Result<u32, Fault> {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let place = NAMES.iter().zip(1..).find(|(name, _)| **name == self.value);
        place.map(|(_, number)| number).ok_or_else(|| self.not("a month's English name"))
    }

    fn hotel(&self) -> Result<Hotel, Fault> {
        match self.value {
            "City Hotel" => Ok(Hotel::City),
            "Resort Hotel" => Ok(Hotel::Resort),
            _ => Err(self.not("City Hotel or Resort Hotel")),
        }
    }

    fn letter(&self) -> Result<char, Fault> {
        let mut letters = self.value.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_ascii_uppercase() => Ok(letter),
            _ => Err(self.not("a letter from A to Z")),
        }
    }

    fn country(&self) -> Result<&'a str, Fault> {
        let good = (2..=4).contains(&self.value.len()) && self.value.bytes().all(|b| b.is_ascii_uppercase());
        if good { Ok(self.value) } else { Err(self.not("a country's code in capitals, or NULL")) }
    }

    /// A decimal number of euros, rounded to cents (half up).
    fn cents(&self) -> Result<Cents, Fault> {
        let (whole, part) = self.value.split_once('.').unwrap_or((self.value, ""));
        let digits = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) {
            return Err(self.not("an amount in euros, not negative"));
        }
        let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        Ok(Cents(number(whole) * 100 + (number(&thousandths) + 5) / 10))
    }

    fn guest(&self) -> Result<Guest, Fault> {
        match self.value {
            "Check-Out" => Ok(Guest::Confirms),
            "Canceled" => Ok(Guest::Cancels),
            "No-Show" => Ok(Guest::Silent),
            _ => Err(self.not("Check-Out, Canceled or No-Show")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
