//! A bank in another process. Whatever may have reached it and was not answered is unknown: the next attempt asks again
//! under the same key, and the bank's own fence knows.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use palinode::{Attempt, Clock, Failure, Perform, SystemClock};
use serde::de::DeserializeOwned;

use super::{
    CapturePayment, Captured,
    book::Charge,
    ledger::Ledger,
    wire::{CHARGES, End, LEDGER, Order},
};

/// How long an answer may take before its outcome counts as unknown.
const ANSWERS: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes: a ledger of a few million charges.
const LARGEST: usize = 512 * 1024 * 1024;
/// Connections that are kept for the next charge.
const KEPT: usize = 64;

/// The way to the bank. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RemoteBank {
    authority: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why there is no answer.
enum Missing {
    /// Nobody was asked.
    NotAsked(String),
    /// It was not understood, and never will be.
    Strange(String),
    /// It may have been heard.
    Silence(String),
}

impl RemoteBank {
    /// The bank at `http://HOST:PORT`. Nothing is asked yet.
    ///
    /// # Errors
    /// When that is no such address.
    pub(crate) fn at(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is no address of a bank"))?;
        let plain =
            uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = match uri.authority() {
            Some(authority) if plain && authority.port().is_some() => authority.to_string(),
            _ => bail!("{url:?} is no bank: it is http://HOST:PORT"),
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(ANSWERS));
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(KEPT).build(connector);
        Ok(Self { authority, client })
    }

    /// What its book says now.
    ///
    /// # Errors
    /// When the bank does not say.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Ledger> {
        let asked = self.ask(Method::GET, LEDGER, Bytes::new(), None).await;
        asked.map_err(|missing| {
            let (Missing::NotAsked(why) | Missing::Strange(why) | Missing::Silence(why)) = missing;
            anyhow::anyhow!("the bank at {}: {why}", self.authority)
        })
    }

    /// Charges, and says of which trace that is a part: a bank that traces hangs its own spans below the attempt.
    async fn charge(&self, charge: Charge, traceparent: Option<&str>) -> Result<String, Failure> {
        let order = serde_json::to_vec(&Order::from(charge));
        let order = order.map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
        let says = |why: String| format!("the bank at {}: {why}", self.authority).into();
        match self.ask::<End>(Method::POST, CHARGES, order.into(), traceparent).await {
            Ok(end) => end.into(),
            Err(Missing::NotAsked(why)) => Err(Failure::Transient(says(why))),
            Err(Missing::Strange(why)) => Err(Failure::Fatal(says(why))),
            Err(Missing::Silence(why)) => Err(Failure::Unknown(says(why))),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        traceparent: Option<&str>,
    ) -> Result<T, Missing> {
        let uri = format!("http://{}{path}", self.authority);
        let mut request =
            Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let request = request.body(Full::new(body)).map_err(|e| Missing::NotAsked(e.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|e| {
                let why = chain(&e);
                if e.is_connect() { Missing::NotAsked(why) } else { Missing::Silence(why) }
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|e| Missing::Silence(format!("its answer broke off: {e}")))?.to_bytes();
            read(status, &body)
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = SystemClock.wait_until(SystemClock.now().plus(ANSWERS)) => {
                Err(Missing::Silence(format!("no answer within {ANSWERS:?}")))
            }
        }
    }
}

impl Perform<CapturePayment> for RemoteBank {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        let charged = self.charge(Charge::of(payment, cx)?, cx.traceparent.as_deref()).await;
        charged.map(|reference| Captured { reference })
    }
}

/// A status of 400 and above but below 500 is said before anything is done, but for two that ask for patience.
fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, Missing> {
    if status == StatusCode::OK {
        return serde_json::from_slice(body).map_err(|e| Missing::Silence(format!("its answer: {e}")));
    }
    let text = format!("{status}: {}", String::from_utf8_lossy(body.get(..200).unwrap_or(body)));
    let patience = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if status.is_client_error() && !patience {
        Err(Missing::Strange(text))
    } else {
        Err(Missing::Silence(text))
    }
}

/// An error with its causes, which hold what matters.
fn chain(e: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(e), |e| e.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
