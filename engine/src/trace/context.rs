//! The place of a span as it travels: the `traceparent` of [W3C Trace Context], 3.2. Only what is well-formed is believed;
//! of a later version the part that is known. There is no `tracestate`: nothing here would read it.
//!
//! [W3C Trace Context]: https://www.w3.org/TR/trace-context/

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{SpanContext, SpanId, TraceId};

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: {0}")]
pub struct BadTraceparent(&'static str);

impl SpanContext {
    /// As it travels.
    #[must_use]
    pub fn traceparent(&self) -> Arc<str> {
        self.text().into()
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(LENGTH);
        text.push_str("00-");
        text.push_str(self.trace.hex(&mut [0; 32]));
        text.push('-');
        text.push_str(self.span.hex(&mut [0; 32]));
        text.push_str(if self.sampled { "-01" } else { "-00" });
        text
    }

    /// What a message says, if it says something that can be believed.
    #[must_use]
    pub fn read(traceparent: Option<&Arc<str>>) -> Option<Self> {
        traceparent?.parse().ok()
    }
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for SpanContext {
    type Err = BadTraceparent;

    /// ```
    /// use palinode::trace::SpanContext;
    /// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let context: SpanContext = text.parse()?;
    /// assert!(context.sampled);
    /// assert_eq!(context.to_string(), text);
    /// assert!("00-4bf9-00f0-01".parse::<SpanContext>().is_err());
    /// # Ok::<(), palinode::trace::BadTraceparent>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let known = text.get(..LENGTH).ok_or(BadTraceparent("it is too short"))?;
        let mut parts = known.split('-');
        let (version, trace, span, flags) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(version), Some(trace), Some(span), Some(flags)) => (version, trace, span, flags),
            _ => return Err(BadTraceparent("it has not four parts")),
        };
        let [version] = bytes(version)?;
        match (version, text.get(LENGTH..)) {
            (0xff, _) => return Err(BadTraceparent("version ff is forbidden")),
            (_, Some("")) => {}
            (1.., Some(rest)) if rest.starts_with('-') => {}
            _ => return Err(BadTraceparent("it is too long")),
        }
        let (trace, span, [flags]) = (TraceId(bytes(trace)?), SpanId(bytes(span)?), bytes(flags)?);
        if trace.0 == [0; 16] || span.0 == [0; 8] {
            return Err(BadTraceparent("an id is all zeros"));
        }
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

impl Serialize for SpanContext {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for SpanContext {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// So many bytes from lower-case hexadecimal digits.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], BadTraceparent> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BadTraceparent("a part is not of lower-case hexadecimal digits")),
    };
    if text.len() != 2 * N {
        return Err(BadTraceparent("a part has another length"));
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for half in pair {
            *byte = *byte << 4 | digit(*half)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_malformed_is_refused() {
        let bad = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-0f067aa0ba902b7-01",
        ];
        for text in bad {
            assert!(text.parse::<SpanContext>().is_err(), "{text}");
        }
    }

    #[test]
    fn of_a_later_version_the_known_part_is_taken() {
        for text in [
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
        ] {
            assert_eq!(text.parse::<SpanContext>().unwrap().to_string(), GOOD);
        }
        let unsampled: SpanContext = GOOD.replace("-01", "-02").parse().unwrap();
        assert!(!unsampled.sampled);
    }

    proptest! {
        #[test]
        fn it_comes_back_as_it_was(trace: [u8; 16], span: [u8; 8], sampled: bool) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let context = SpanContext { trace: TraceId(trace), span: SpanId(span), sampled };
            prop_assert_eq!(context.to_string().len(), LENGTH);
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,70}") {
            let _ = text.parse::<SpanContext>();
        }
    }
}
