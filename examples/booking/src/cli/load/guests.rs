//! One client after another guest: posts a trip until it is accepted, says yes or no, and in the end looks at every trip
//! it was promised.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use hyper::Method;
use palinode::{Clock, Micros, SystemClock};
use serde::Deserialize;
use tokio::sync::watch;

use super::{
    client::{Answer, Client},
    pace::Pace,
    seen::Seen,
};
use crate::{
    domain::TripId,
    http::form::TripForm,
    read::pages::TripStatus,
    trips::{Guest, generate, id},
};

/// How long one request is sent again before the server counts as gone, and how long trips may take to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// One client.
pub(super) struct Guests {
    client: Client,
    seed: u64,
    pace: Arc<Pace>,
    seen: Seen,
}

/// The part of a trip that is looked at.
#[derive(Deserialize)]
struct Stands {
    status: TripStatus,
}

impl Guests {
    /// Books the trips of this seed whose numbers it draws.
    pub(super) fn new(server: watch::Receiver<String>, seed: u64, pace: Arc<Pace>) -> Self {
        Self { client: Client::new(server), seed, pace, seen: Seen::new() }
    }

    /// Books until then, and looks what became of the trips.
    ///
    /// # Errors
    /// When the server does not come back.
    pub(super) async fn book(mut self, until: Micros) -> anyhow::Result<Seen> {
        let mut promised = Vec::new();
        while let Some(n) = self.pace.next(until).await {
            promised.extend(self.one(n).await?);
        }
        let patience = SystemClock.now().plus(PATIENCE);
        for (trip, token) in promised {
            self.look(trip, token, patience).await?;
        }
        Ok(self.seen)
    }

    /// One trip; its id and the token of the last word, if it was accepted.
    async fn one(&mut self, n: u64) -> anyhow::Result<Option<(TripId, Option<String>)>> {
        let (form, guest) = generate::form(self.seed, n);
        let trip = id::of_generated(self.seed, n);
        let body = serde_json::to_string(&TripForm::of(&form, Some(trip)))?;
        let began = SystemClock.now();
        let posted = self.ask(Method::POST, "/trips", None, Some(body)).await?;
        if posted.status != 202 {
            self.unexpected("POST /trips", &posted);
            return Ok(None);
        }
        let took = SystemClock.now().since(began).as_micros();
        self.seen.accept(u64::try_from(took).unwrap_or(u64::MAX));
        let word = if guest == Guest::Confirms { "confirm" } else { "cancel" };
        let heard = self.ask(Method::POST, &format!("/trips/{trip}/{word}"), None, None).await?;
        match heard.status {
            // 409: it has come to its end already, refused somewhere; or the first try was heard after all.
            202 | 409 => {}
            404 => self.seen.lost.push(trip),
            _ => self.unexpected(&format!("POST /trips/../{word}"), &heard),
        }
        Ok(Some((trip, heard.token)))
    }

    /// Waits until the trip has ended.
    async fn look(&mut self, trip: TripId, token: Option<String>, patience: Micros) -> anyhow::Result<()> {
        let path = format!("/trips/{trip}");
        loop {
            let shown = self.ask(Method::GET, &path, token.as_deref(), None).await?;
            let stands = serde_json::from_slice::<Stands>(&shown.body);
            match (shown.status, stands) {
                (200, Ok(Stands { status })) if ended(status) => {
                    let word = serde_json::to_string(&status)?.trim_matches('"').to_owned();
                    *self.seen.ends.entry(word).or_default() += 1;
                    return Ok(());
                }
                (200 | 412, _) if SystemClock.now() < patience => pause().await,
                (200 | 412, _) => {
                    self.seen.unfinished += 1;
                    return Ok(());
                }
                (404, _) => {
                    self.seen.lost.push(trip);
                    return Ok(());
                }
                _ => {
                    self.unexpected("GET /trips/..", &shown);
                    return Ok(());
                }
            }
        }
    }

    /// Asks until there is an answer that is one.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let until = SystemClock.now().plus(PATIENCE);
        loop {
            match self.client.ask(method.clone(), path, token, body.clone()).await {
                Some(answer) if answer.status != 503 => return Ok(answer),
                _ if SystemClock.now() >= until => {
                    bail!("{method} {path}: no answer for {} s, the server is gone", PATIENCE.as_secs())
                }
                _ => {
                    self.seen.asked_again += 1;
                    pause().await;
                }
            }
        }
    }

    fn unexpected(&mut self, what: &str, answer: &Answer) {
        let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
        *self.seen.unexpected.entry(format!("{what}: {} {text}", answer.status)).or_default() += 1;
    }
}

fn ended(status: TripStatus) -> bool {
    use TripStatus::{
        Cancelled, Compensated, Completed, Expired, Killed, Parked, Running, Stuck, Undoing, Waiting,
    };
    match status {
        Completed | Compensated | Cancelled | Expired | Killed => true,
        Running | Waiting | Undoing | Stuck | Parked => false,
    }
}

async fn pause() {
    SystemClock.wait_until(SystemClock.now().plus(PAUSE)).await;
}
