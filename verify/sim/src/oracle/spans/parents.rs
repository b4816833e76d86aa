//! V1, what spans hang below. Every parent was opened by an effective commit, or is a call; and it was told of, unless whoever
//! had to do that died before. An owner tells of its commits in their order, and of the messages to each receiver in theirs: so
//! what is missing of a term comes after everything that is there.

use std::collections::BTreeMap;

use palinode::trace::{Span, SpanContext, names::key};
use palinode_sagas::trace::names::role;
use palinode_verify::{
    Effective,
    journal::{Direction, Entry},
    record::Message,
};

use super::{Truth, number};

/// A term of a shard.
type Term = (String, u32, u64);

/// What an effective commit opened, by who has to tell of it.
#[derive(Clone)]
enum Opened {
    /// Told with this commit of a term: the handling of a message, the root of a saga.
    With(Term, u64),
    /// Told with a commit of its entity after so many: an attempt.
    After(String, usize),
    /// Told when it is handed over to this receiver: a message of this number.
    Sent(Term, String, u64),
}

/// What was opened and told in a world.
#[derive(Default)]
pub(super) struct Parents<'a> {
    told: BTreeMap<String, &'a Span>,
    opened: BTreeMap<String, Opened>,
    /// The commits of each entity.
    entities: BTreeMap<String, Vec<(Term, &'a Effective)>>,
    /// How far each term is told of.
    commits: BTreeMap<Term, u64>,
    /// How far its messages to each receiver are told of.
    sends: BTreeMap<(Term, String), u64>,
}

impl<'a> Parents<'a> {
    pub(super) fn of(truth: &'a Truth, told: &'a [(String, Span)]) -> Self {
        let mut all = Self::default();
        for ((service, shard), commits) in &truth.shards {
            for effective in commits {
                all.opens(&(service.clone(), *shard, effective.commit.term), effective);
            }
        }
        for (service, span) in told {
            all.told.insert(span.context.to_string(), span);
            all.tells(service, span);
        }
        all
    }

    /// What is wrong with what this span hangs below.
    pub(super) fn judge(&self, span: &Span) -> Option<&'static str> {
        let parent = span.parent?.to_string();
        if self.told.contains_key(&parent) {
            return None;
        }
        match self.opened.get(&parent) {
            None => Some("it hangs below what nobody opened"),
            Some(opened) if !self.died_with(opened) => Some("nobody told what it hangs below"),
            Some(_) => None,
        }
    }

    fn opens(&mut self, term: &Term, effective: &'a Effective) {
        let commit = &effective.commit;
        for sent in commit.sends.iter().filter_map(|raw| Message::read(raw).ok()) {
            let opened = Opened::Sent(term.clone(), sent.receiver().to_string(), sent.seq);
            self.opened.extend(sent.traceparent.map(|own| (own, opened)));
        }
        let entity = effective.entity().map(|entity| format!("{}/{entity}", term.0));
        let own = commit.traceparent.as_deref().and_then(|own| own.parse::<SpanContext>().ok());
        if let Some(own) = own {
            self.opened.entry(own.to_string()).or_insert_with(|| Opened::With(term.clone(), commit.pseq));
        }
        let (Some(name), Some(entity)) = (entity, effective.entity()) else { return };
        let commits = self.entities.entry(name.clone()).or_default();
        commits.push((term.clone(), effective));
        let (after, Some(own)) = (commits.len(), own) else { return };
        for (version, event) in (entity.version..).zip(&commit.events) {
            if let Some(branch) = asks(event) {
                let attempt = own.sibling(version, role::ATTEMPT, branch).to_string();
                self.opened.insert(attempt, Opened::After(name.clone(), after));
            }
        }
    }

    fn tells(&mut self, service: &str, span: &Span) {
        if let Some(Opened::Sent(term, to, seq)) = self.opened.get(&span.context.to_string()).cloned() {
            let upto = self.sends.entry((term, to)).or_default();
            *upto = (*upto).max(seq);
        }
        // A reader of the log says how far it has read.
        if span.attributes.iter().any(|(name, _)| *name == key::PROJECTION) {
            return;
        }
        let of = |name| number(span, name);
        if let (Some(shard), Some(term), Some(pseq)) = (of(key::SHARD), of(key::TERM), of(key::PSEQ)) {
            let term = (service.to_owned(), u32::try_from(shard).unwrap_or(u32::MAX), term);
            let upto = self.commits.entry(term).or_default();
            *upto = (*upto).max(pseq);
        }
    }

    /// Whether nobody may have been left to tell of it.
    fn died_with(&self, opened: &Opened) -> bool {
        match opened {
            Opened::With(term, pseq) => self.untold(term, *pseq),
            Opened::Sent(term, to, seq) => {
                self.sends.get(&(term.clone(), to.clone())).is_none_or(|upto| upto < seq)
            }
            Opened::After(entity, after) => {
                let commits = self.entities.get(entity).map_or(&[][..], Vec::as_slice);
                let mut later = commits.iter().skip(*after).peekable();
                let open =
                    !commits.iter().any(|(_, effective)| effective.commit.ended) || later.peek().is_none();
                open || later.any(|(term, effective)| self.untold(term, effective.commit.pseq))
            }
        }
    }

    fn untold(&self, term: &Term, pseq: u64) -> bool {
        self.commits.get(term).is_none_or(|upto| *upto < pseq)
    }
}

/// The branch of the attempt that an entry opens and something is sent or run for.
fn asks(event: &palinode_verify::record::Event) -> Option<String> {
    let (node, direction, round, attempt) = match Entry::read(event)?.ok()? {
        Entry::StepAsked(asked) => (asked.node, Direction::Do, asked.round, asked.attempt),
        Entry::UndoAsked { node, round, attempt, .. } => (node, Direction::Undo, round, attempt),
        Entry::SettleAsked(asked) => (asked.node, asked.direction, asked.round, asked.attempt),
        _ => return None,
    };
    Some(format!("{node}/{}/{round}/{attempt}", direction.word()))
}
