//! Where something outside the log stands in it: positions that are compared before use, and tokens to wait for.
//! Knows how to compare and print them, never how to read a log.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;
use uuid::Uuid;

use crate::digest::Digest;

/// The last record of a partition that counted, and the state of the fold after it.
///
/// The record is read again and compared before a position is used: a log that was recreated, truncated or restored
/// is refused, never misread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The log's identity, from genesis.
    pub log_id: Uuid,
    /// Offset of the last record that counted.
    pub offset: u64,
    /// Term after it.
    pub term: u64,
    /// Claim id after it; nil before the first claim.
    pub claim_id: Uuid,
    /// Number of the last effective commit; zero before the first.
    pub pseq: u64,
    /// Digest of the last effective commit, or of genesis.
    pub digest: Digest,
}

/// Where to wait for the effects of an answer: a number of a shard, not an offset.
///
/// ```
/// use palinode::Token;
/// let token: Token = "hotel~0192a5b4-7d6e-7c3a-9f00-112233445566~3~42".parse()?;
/// assert_eq!((token.shard, token.pseq), (3, 42));
/// assert_eq!(token.to_string().parse::<Token>()?, token);
/// # Ok::<(), palinode::BadToken>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// The service whose log holds the commit.
    pub service: Arc<str>,
    /// That log's identity.
    pub log_id: Uuid,
    /// The shard.
    pub shard: u32,
    /// The commit's number in the shard.
    pub pseq: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}~{}~{}", self.service, self.log_id, self.shard, self.pseq)
    }
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a token: {0:?} (expected service~log~shard~number, as an answer gave it)")]
pub struct BadToken(String);

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let bad = || BadToken(text.chars().take(120).collect());
        let mut parts = text.split('~');
        let mut next = || parts.next().ok_or_else(bad);
        let token = Self {
            service: next()?.into(),
            log_id: next()?.parse().map_err(|_| bad())?,
            shard: next()?.parse().map_err(|_| bad())?,
            pseq: next()?.parse().map_err(|_| bad())?,
        };
        if parts.next().is_some() { Err(bad()) } else { Ok(token) }
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// Several tokens merged: of each shard of each log, the furthest.
///
/// ```
/// use palinode::{Token, Tokens};
/// let at = |shard, pseq| Token { service: "hotel".into(), log_id: uuid::Uuid::nil(), shard, pseq };
/// let mut tokens = Tokens::default();
/// for token in [at(1, 7), at(2, 3), at(1, 5)] {
///     tokens.merge(&token);
/// }
/// assert_eq!(tokens.of("hotel").collect::<Vec<_>>(), [at(1, 7), at(2, 3)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens(BTreeMap<(Arc<str>, Uuid, u32), u64>);

impl Tokens {
    /// Adds a token; the further one of a shard stays.
    pub fn merge(&mut self, token: &Token) {
        let at = self.0.entry((Arc::clone(&token.service), token.log_id, token.shard)).or_default();
        *at = (*at).max(token.pseq);
    }

    /// The tokens of one service, one for each shard.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = Token> + 'a {
        self.0.iter().filter(move |((s, ..), _)| &**s == service).map(|((s, log_id, shard), pseq)| Token {
            service: Arc::clone(s),
            log_id: *log_id,
            shard: *shard,
            pseq: *pseq,
        })
    }
}
