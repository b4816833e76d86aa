//! Words for people on stdout, in colours only where a terminal shows them.

use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
};

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Bold.
    Strong,
    /// Dim.
    Faint,
    /// Green: done.
    Good,
    /// Yellow: taken back.
    Back,
    /// Red: refused, wrong.
    Bad,
}

/// Whether tones are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(bool);

impl Ink {
    /// Colours for a terminal, unless `NO_COLOR` is set; none for a file or a pipe.
    pub(super) fn of_stdout() -> Self {
        Self(io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// No colours.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self(false)
    }

    /// The text in this tone.
    pub(super) fn paint(self, tone: Tone, text: impl fmt::Display) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Back => "33",
            Tone::Bad => "31",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// Prints a line. A reader that went away is no error of ours.
pub(super) fn line(text: impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints a part of a page, with an empty line after it; nothing when there is nothing in it.
pub(super) fn part(text: impl AsRef<str>) {
    let text = text.as_ref().trim_end();
    if !text.is_empty() {
        line(format_args!("{text}\n"));
    }
}

/// Tells a person something that is no result.
pub(super) fn aside(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "booking: {text}");
}

/// Prints why nothing came of it.
pub(super) fn error(error: &anyhow::Error) {
    let _ = writeln!(io::stderr().lock(), "booking: {error:#}");
}

/// A number with its thousands apart: `12 345`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A duration of so many microseconds, in the unit that reads best.
pub(super) fn micros(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} us"),
        1_000..1_000_000 => format!("{}.{} ms", n / 1_000, n % 1_000 / 100),
        _ => format!("{}.{:02} s", n / 1_000_000, n % 1_000_000 / 10_000),
    }
}

/// A size in bytes, in the unit that reads best.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", n / 1_000),
        _ => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (count(7), count(1_234), count(12_345_678)),
            ("7".into(), "1 234".into(), "12 345 678".into())
        );
        assert_eq!(
            (micros(812), micros(4_190), micros(2_040_000)),
            ("812 us".into(), "4.1 ms".into(), "2.04 s".into())
        );
        assert_eq!(
            (bytes(12), bytes(4_096), bytes(2_600_000)),
            ("12 B".into(), "4 kB".into(), "2.6 MB".into())
        );
    }

    #[test]
    fn colours_are_only_for_terminals() {
        assert_eq!(Ink::plain().paint(Tone::Bad, "no"), "no");
        assert_eq!(Ink(true).paint(Tone::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
    }
}
