//! Ids of traces and spans: derived from what is in the log, never drawn. Whoever sees the end of a span finds the id under
//! which its beginning was passed on, also in another process and after a crash. Pure.
//!
//! ```text
//! trace id = first 16 bytes of SHA-256("palinode/trace" log_id service kind id [segment])     of an entity
//!                                     ("palinode/trace" what names the work)                  of anything else
//! span id  = first  8 bytes of SHA-256("palinode/span" trace_id version role branch)
//! ```
//!
//! The parts are text, one line each. Only the trace of a client's call has nothing in the log to be derived from: its id is the
//! call's own fresh one, its low half spread ([`TraceId::of_call`]). A hash and no UUID: samplers look at the low eight bytes, which must be evenly
//! distributed. All zeros are no id ([W3C Trace Context], 3.2.2): such a hash is hashed again.
//!
//! [W3C Trace Context]: https://www.w3.org/TR/trace-context/

use std::fmt::{Display, Write as _};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{SpanContext, SpanId, TraceId};
use crate::address::Address;

/// What the text of an id is rarely longer than.
const LENGTH: usize = 192;

impl TraceId {
    /// The trace of an entity of this log: the same for ever, and another one in a log that was created anew.
    ///
    /// ```
    /// use palinode::{Address, trace::TraceId};
    /// let (log, other) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    /// let trip = Address::new("trip", "book-trip", "42");
    /// assert_eq!(TraceId::of_entity(log, &trip), TraceId::of_entity(log, &trip));
    /// assert_ne!(TraceId::of_entity(log, &trip), TraceId::of_entity(other, &trip));
    /// ```
    #[must_use]
    pub fn of_entity(log_id: Uuid, entity: &Address) -> Self {
        let Address { service, kind, id } = entity;
        Self::derived(format_args!("{log_id}\n{service}\n{kind}\n{id}"))
    }

    /// The trace of a later part of an entity's work, which has to be looked at by itself: 1, 2, 3..
    #[must_use]
    pub fn of_segment(log_id: Uuid, entity: &Address, segment: u32) -> Self {
        let Address { service, kind, id } = entity;
        Self::derived(format_args!("{log_id}\n{service}\n{kind}\n{id}\n{segment}"))
    }

    /// The trace of work that is named like this.
    #[must_use]
    pub fn derived(name: impl Display) -> Self {
        Self(not_zero(hash(format_args!("palinode/trace\n{name}"))))
    }

    /// The trace of a call that nobody can name afterwards, from a fresh id of its own: another id is another trace. Cheap,
    /// because most of them are not kept.
    #[must_use]
    pub fn of_call(call: Uuid) -> Self {
        let (high, low) = call.as_u64_pair();
        let trace = u128::from(high) << 64 | u128::from(spread(low ^ spread(high)));
        Self(trace.max(1).to_be_bytes())
    }

    /// Whether a sampler that keeps this share of all traces keeps this one: the rule of the SDK's `TraceIdRatioBased`, so
    /// that every process that asks finds the same.
    ///
    /// ```
    /// use palinode::trace::TraceId;
    /// let trace = TraceId::derived("some work");
    /// assert!(trace.sampled(1.0) && !trace.sampled(0.0));
    /// ```
    #[must_use]
    pub fn sampled(self, ratio: f64) -> bool {
        if ratio >= 1.0 {
            return true;
        }
        let bound = (ratio.max(0.0) * (1_u64 << 63) as f64) as u64;
        let low = u128::from_be_bytes(self.0) as u64;
        (low >> 1) < bound
    }
}

impl SpanId {
    /// The span of this trace that was opened by the commit of an entity of this version, in this role; `branch` tells
    /// apart what one commit opens in one role.
    ///
    /// ```
    /// use palinode::trace::{SpanId, TraceId};
    /// let trace = TraceId::derived("some work");
    /// assert_ne!(SpanId::derived(trace, 1, "step", "pay"), SpanId::derived(trace, 2, "step", "pay"));
    /// ```
    #[must_use]
    pub fn derived(trace: TraceId, version: u64, role: &str, branch: impl Display) -> Self {
        Self(not_zero(hash(format_args!("palinode/span\n{trace}\n{version}\n{role}\n{branch}"))))
    }
}

impl SpanContext {
    /// The context of another span of this trace, with an id of [`SpanId::derived`].
    #[must_use]
    pub fn sibling(self, version: u64, role: &str, branch: impl Display) -> Self {
        Self { span: SpanId::derived(self.trace, version, role, branch), ..self }
    }
}

/// A bijection whose every bit depends on all bits: the last step of SplitMix64 (Steele, Lea and Flood, 2014).
fn spread(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn hash(text: impl Display) -> [u8; 32] {
    let mut whole = String::with_capacity(LENGTH);
    // Text that cannot show itself is hashed as far as it goes.
    let _ = write!(whole, "{text}");
    Sha256::digest(whole).into()
}

/// The first bytes of a hash, or of the hash of the hash, when those are all zero.
fn not_zero<const N: usize>(mut hash: [u8; 32]) -> [u8; N] {
    loop {
        let mut head = [0; N];
        head.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        if head != [0; N] {
            return head;
        }
        hash = Sha256::digest(hash).into();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn trip() -> Address {
        Address::new("trip", "book-trip", "42")
    }

    #[test]
    fn anybody_can_derive_them() {
        let log = Uuid::from_u128(7);
        let text = "palinode/trace\n00000000-0000-0000-0000-000000000007\ntrip\nbook-trip\n42";
        let expected: Vec<u8> = Sha256::digest(text).iter().take(16).copied().collect();
        let trace = TraceId::of_entity(log, &trip());
        assert_eq!(trace.0.to_vec(), expected);
        let text = format!("palinode/span\n{trace}\n3\nstep\npay/1/2");
        let expected: Vec<u8> = Sha256::digest(text).iter().take(8).copied().collect();
        assert_eq!(SpanId::derived(trace, 3, "step", "pay/1/2").0.to_vec(), expected);
        assert_ne!(TraceId::of_segment(log, &trip(), 1), trace);
    }

    #[test]
    fn zeros_are_hashed_again() {
        let hash = [0; 32];
        let again: [u8; 32] = Sha256::digest(hash).into();
        assert_eq!(not_zero::<8>(hash).to_vec(), again.get(..8).unwrap().to_vec());
        let mut late = [0; 32];
        late[20] = 1;
        let again: [u8; 32] = Sha256::digest(late).into();
        assert_eq!(not_zero::<16>(late).to_vec(), again.get(..16).unwrap().to_vec());
    }

    #[test]
    fn calls_are_traces_of_their_own() {
        let traces = (0..20_000).map(|n| TraceId::of_call(Uuid::from_u128(n)));
        let all: BTreeSet<[u8; 16]> = traces.map(|trace| trace.0).collect();
        assert_eq!((all.len(), all.contains(&[0; 16])), (20_000, false));
    }

    #[test]
    fn a_ratio_keeps_about_its_share_and_the_larger_one_keeps_all_of_the_smaller() {
        let call = |n| TraceId::of_call(Uuid::from_u128(n));
        for traces in [(0..20_000).map(TraceId::derived).collect(), (0..20_000).map(call).collect()] {
            share(traces);
        }
    }

    fn share(traces: Vec<TraceId>) {
        let mut before = 0;
        for (ratio, share) in
            [(0.0, 0), (0.01, 200), (0.25, 5_000), (0.5, 10_000), (0.9, 18_000), (1.0, 20_000)]
        {
            let kept = traces.iter().filter(|trace| trace.sampled(ratio)).count();
            assert!(kept.abs_diff(share) <= 20 + share / 10, "{kept} of {share} at {ratio}");
            assert!(kept >= before);
            before = kept;
        }
        assert!(traces.iter().all(|trace| !trace.sampled(0.1) || trace.sampled(0.2)));
    }
}
