//! The participants of the tests: a hotel room and a seat (aggregates), a payment and a voucher (activities).

#![allow(dead_code, reason = "every test binary uses another part of it")]

use std::{sync::Arc, time::Duration};

use palinode::{Activity, Aggregate, Context, NoUndo};
use palinode_sagas::{
    Outcome, Saga, Signal,
    outcome::{Probed, Voided},
};
use serde::{Deserialize, Serialize};

/// The data of a trip.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub id: Arc<str>,
    pub(crate) price: u32,
    pub(crate) car: bool,
    pub(crate) guest: Option<String>,
}

pub(crate) fn trip() -> Trip {
    Trip { id: "t1".into(), ..Trip::default() }
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Hold { trip: Arc<str> },
    Release { trip: Arc<str>, paid: Option<u32> },
    Confirm { trip: Arc<str> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) price: u32,
}

pub(crate) fn held(price: u32) -> Held {
    Held { price }
}

macro_rules! thing {
    ($name:ident, $service:literal, $kind:literal) => {
        #[derive(Default, Serialize, Deserialize)]
        pub(crate) struct $name {}

        impl Aggregate for $name {
            const SERVICE: &'static str = $service;
            const KIND: &'static str = $kind;
            type Command = Command;
            type Event = ();
            type Reply = Held;
            type Rejection = String;
            fn decide(&self, _: &Command, _: &Context) -> Result<Vec<()>, String> {
                Ok(Vec::new())
            }
            fn evolve(&mut self, (): &()) {}
            fn reply(&self, _: &Command) -> Held {
                held(1)
            }
        }
    };
}
thing!(Room, "hotel", "room");
thing!(Seat, "flight", "seat");
thing!(Car, "car", "car");

macro_rules! activity {
    ($name:ident, $stable:literal, $reply:ty, $undo:ty) => {
        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) trip: Arc<str>,
        }
        impl Activity for $name {
            const NAME: &'static str = $stable;
            type Reply = $reply;
            type Undo = $undo;
        }
    };
}
activity!(Pay, "pay", String, NoUndo);
activity!(AskBank, "ask-bank", Probed<String>, NoUndo);
activity!(VoidPay, "void-pay", Voided<String>, NoUndo);
activity!(Reserve, "reserve", u32, Free);
activity!(Free, "free", (), NoUndo);
activity!(Voucher, "voucher", (), NoUndo);
activity!(Quote, "quote", u32, NoUndo);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) by: String,
}
impl Signal for Confirmed {
    const NAME: &'static str = "confirmed";
}

pub(crate) fn hold(t: &Trip) -> Command {
    Command::Hold { trip: Arc::clone(&t.id) }
}

pub(crate) fn release(t: &Trip, outcome: Outcome<'_, Held>) -> Command {
    let paid = match outcome {
        Outcome::Done(held) => Some(held.price),
        Outcome::Unknown => None,
    };
    Command::Release { trip: Arc::clone(&t.id), paid }
}

/// Room, seat, payment, confirmation, one after the other.
pub(crate) fn linear() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .save(|t, held| t.price += held.price)
        .undo(release)
        .step("seat", |t| Seat::at("12A").ask(hold(t)))
        .save(|t, held| t.price += held.price)
        .undo(release)
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .retriable("confirm", |t| Room::at("12").ask(Command::Confirm { trip: Arc::clone(&t.id) }))
        .deadline(Duration::from_secs(3_600))
        .finish()
}

/// Room, then seat and car side by side (a car only when it is wanted, after a quote), the guest's word, payment, then
/// confirmation and voucher side by side.
pub(crate) fn branched() -> Saga<Trip> {
    Saga::define("book-trip", 2)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .parallel(|p| {
            p.step("seat", |t| Seat::at("12A").ask(hold(t))).undo(release).branch("car", |flow| {
                flow.read("quote", |t| Quote { trip: Arc::clone(&t.id) }, |t, quote| t.price += quote)
                    .when(|t| t.car)
                    .step("hold", |t| Car::at("c1").ask(hold(t)))
                    .when(|t| t.car)
                    .undo(release)
            })
        })
        .wait::<Confirmed>("guest", Duration::from_secs(60))
        .save(|t, said| t.guest = Some(said.by.clone()))
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .parallel(|p| {
            p.retriable("confirm", |t| Room::at("12").ask(Command::Confirm { trip: Arc::clone(&t.id) }))
                .retriable("voucher", |t| Voucher { trip: Arc::clone(&t.id) })
        })
        .finish()
}

/// An activity that can be taken back, then a payment.
pub(crate) fn outside() -> Saga<Trip> {
    Saga::define("outside", 1)
        .step("reserve", |t: &Trip| Reserve { trip: Arc::clone(&t.id) })
        .undo(|t, _| Free { trip: Arc::clone(&t.id) })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .retriable("voucher", |t| Voucher { trip: Arc::clone(&t.id) })
        .finish()
}
