//! The sending and receiving ends of an owner's channels: what is handed over when, acknowledged, advertised, sent again.

use std::collections::VecDeque;

use super::*;
use crate::{
    machine::channels::Channels,
    message::{Control, Says},
    trace::SpanContext,
};

/// How far each outgoing channel has come.
pub(super) struct Links(BTreeMap<Peer, Link>);

#[derive(Default)]
struct Link {
    /// The highest number whose commit is effective: only those may leave.
    effective: u64,
    /// The highest number handed over since the last resend.
    relayed: u64,
    /// The highest number acknowledged at the last look.
    acked_then: u64,
    /// What was sent under this claim for a span and is not handed over yet: number and span. Whatever an earlier owner
    /// may have handed over is not in it.
    unseen: VecDeque<(u64, SpanContext)>,
}

impl Links {
    /// Everything folded is effective, nothing is handed over yet.
    pub(super) fn new(channels: &Channels) -> Self {
        let link = |(to, last, acked): (&Peer, u64, u64)| {
            (to.clone(), Link { effective: last, relayed: acked, acked_then: acked, ..Link::default() })
        };
        Self(channels.outgoing().map(link).collect())
    }

    /// The commit that sent this number is effective.
    pub(super) fn effective(&mut self, to: &Peer, seq: u64, sent_for: Option<SpanContext>) {
        if !self.0.contains_key(to) {
            self.0.insert(to.clone(), Link::default());
        }
        if let Some(link) = self.0.get_mut(to) {
            link.effective = seq;
            link.unseen.extend(sent_for.map(|span| (seq, span)));
        }
    }
}

impl Link {
    /// The span that this number is sent for, the first time it is handed over.
    fn seen(&mut self, seq: u64) -> Option<SpanContext> {
        while self.unseen.pop_front_if(|(unseen, _)| *unseen < seq).is_some() {}
        self.unseen.pop_front_if(|(unseen, _)| *unseen == seq).map(|(_, span)| span)
    }
}

impl Owner<'_> {
    /// Hands over what is effective and not yet handed over, as far as the receiver's window goes.
    pub(super) fn pump(&mut self, to: &Peer) {
        let Some(link) = self.links.0.get_mut(to) else { return };
        let acked = self.machine.channels().outgoing_to(to).map_or(0, |(_, acked)| acked);
        let most = link.effective.min(acked.saturating_add(self.limits.window));
        let ready = self.machine.channels().open_after(to, link.relayed).take_while(|(seq, _)| *seq <= most);
        let (mut batch, mut seen) = (Vec::new(), Vec::new());
        for (seq, message) in ready {
            link.relayed = seq;
            let again = || {
                let said = || SpanContext::read(message.message().traceparent.as_ref());
                zoo!("send-seen-again").then(said).flatten()
            };
            seen.extend(link.seen(seq).or_else(again).map(|span| (message.clone(), span)));
            batch.push(message.clone());
        }
        let relayed = link.relayed;
        if !seen.is_empty() {
            self.tell_sent(to, seen);
        }
        if let Some(last) = batch.last().map(|message| message.digest()) {
            let produced = zoo!("closed-by-inbox-produce") && self.ports.router.owner(to).is_none();
            self.ports.router.messages(to, batch);
            if produced {
                self.machine.channels_mut().ack(to, relayed, last);
            }
            if zoo!("closed-at-hand-over") {
                self.machine.channels_mut().ack(to, relayed, last);
            }
        }
    }

    /// After a take-over: everything open, to everybody.
    pub(super) fn pump_all(&mut self) {
        let all: Vec<Peer> = self.links.0.keys().cloned().collect();
        all.iter().for_each(|to| self.pump(to));
    }

    /// Says to every receiver how far this sender has come, so that a lost tail is noticed.
    pub(super) fn advertise_all(&mut self) {
        let open = self.machine.channels().outgoing().filter(|(_, last, acked)| last > acked);
        let open: Vec<Peer> = open.map(|(to, ..)| to.clone()).collect();
        if zoo!("tail-never-advertised") {
            return;
        }
        open.into_iter().for_each(|to| self.advertise(to));
    }

    /// The same, to those receivers that have acknowledged nothing since the last look.
    pub(super) fn advertise_stalled(&mut self) {
        let mut stalled = Vec::new();
        for (to, last, acked) in self.machine.channels().outgoing() {
            let Some(link) = self.links.0.get_mut(to) else { continue };
            if last > acked && link.acked_then == acked {
                stalled.push(to.clone());
            }
            link.acked_then = acked;
        }
        if zoo!("tail-never-advertised") {
            return;
        }
        stalled.into_iter().for_each(|to| self.advertise(to));
    }

    fn advertise(&self, to: Peer) {
        let highest = self.links.0.get(&to).map_or(0, |link| link.effective);
        self.say(to, Says::Advertise { highest });
    }

    /// Repeats the acknowledgement of what was accepted before.
    pub(super) fn acknowledge(&self, from: Peer) {
        let (upto, digest) = self.machine.channels().acknowledged(&from);
        if upto > 0 {
            self.say(from, Says::Ack { upto, digest });
        }
    }

    /// Asks for what is missing: once until the next look, however many messages show the same hole.
    pub(super) fn ask_once(&mut self, from: Peer, missing: u64) {
        if self.asked.insert(from.clone(), missing) != Some(missing) {
            self.say(from, Says::Resend { from: missing });
        }
    }

    /// Asks every sender that is known for what it may have sent; one that is not known says so itself, in time.
    pub(super) fn ask_all(&mut self) {
        let senders: Vec<Peer> = self.machine.channels().incoming().cloned().collect();
        for from in senders {
            let missing = self.machine.channels().missing(&from);
            self.ask_once(from, missing);
        }
    }

    fn say(&self, to: Peer, says: Says) {
        self.ports.router.control(Control { from: self.place.me.clone(), to, says });
    }

    /// What the other end of a channel says.
    pub(super) fn control(&mut self, control: Control) {
        if control.to != self.place.me {
            say!(warn, self, ?control, "a control message for another shard or another log is dropped");
            return;
        }
        match control.says {
            Says::Ack { upto, digest } => {
                if self.machine.channels_mut().ack(&control.from, upto, digest) {
                    self.pump(&control.from);
                }
            }
            Says::Advertise { highest } => {
                // The last acknowledgement may be lost, and a sender whose window is full waits for it.
                let missing = self.machine.channels().missing(&control.from);
                if highest < missing || !zoo!("lost-acknowledgement-never-repeated") {
                    self.acknowledge(control.from.clone());
                }
                if highest >= missing {
                    self.ask_once(control.from, missing);
                }
            }
            Says::Resend { .. } if zoo!("resend-ignored") => {}
            Says::Resend { from } => {
                sometimes!("resend asked");
                if let Some(link) = self.links.0.get_mut(&control.from) {
                    link.relayed = link.relayed.min(from.saturating_sub(1));
                    self.pump(&control.from);
                }
            }
        }
    }
}
