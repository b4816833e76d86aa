//! A client with one connection, which it opens again whenever it broke. It says when an outcome is not known.

use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use palinode::{Clock, SystemClock};
use tokio::{net::TcpStream, sync::watch};

/// How long an answer may take before its outcome counts as unknown.
const ANSWERS: Duration = Duration::from_secs(20);

/// Host and port of a server's address.
///
/// # Errors
/// When it is no `http://HOST:PORT`.
pub(super) fn authority(url: &str) -> anyhow::Result<String> {
    let uri: hyper::Uri = url.parse().with_context(|| format!("{url:?} is no address"))?;
    let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    match uri.authority() {
        Some(authority) if plain && authority.port().is_some() => Ok(authority.to_string()),
        _ => bail!("{url:?} is no server: it is http://HOST:PORT"),
    }
}

/// An answer.
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// Its token, if it has one.
    pub(super) token: Option<String>,
    /// What it says.
    pub(super) body: Bytes,
}

/// Asks one server, wherever it is by now.
pub(super) struct Client {
    server: watch::Receiver<String>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(super) fn new(server: watch::Receiver<String>) -> Self {
        Self { server, connection: None }
    }

    /// Asks once; none when the outcome is not known: the server is away, the connection broke, or no answer came.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Option<Answer> {
        // An answer that never comes must not be taken for that of a later question.
        let connection = self.connection.take();
        let asked = async {
            let mut connection = match connection {
                Some(connection) if !connection.is_closed() => connection,
                _ => self.connect().await?,
            };
            let answer = ask(&mut connection, method, path, token, body).await?;
            Some((connection, answer))
        };
        let (connection, answer) = tokio::select! {
            biased;
            answered = asked => answered?,
            () = SystemClock.wait_until(SystemClock.now().plus(ANSWERS)) => return None,
        };
        self.connection = Some(connection);
        Some(answer)
    }

    async fn connect(&self) -> Option<SendRequest<Full<Bytes>>> {
        let server = self.server.borrow().clone();
        let stream = TcpStream::connect(server).await.ok()?;
        let _ = stream.set_nodelay(true);
        let (mut connection, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(driver);
        connection.ready().await.ok()?;
        Some(connection)
    }
}

async fn ask(
    connection: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<String>,
) -> Option<Answer> {
    connection.ready().await.ok()?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "booking");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(token) = token {
        request = request.header("palinode-token", token);
    }
    let request = request.body(Full::from(body.unwrap_or_default())).ok()?;
    let answer = connection.send_request(request).await.ok()?;
    let token =
        answer.headers().get("palinode-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some(Answer { status, token, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_address_is_one() {
        assert_eq!(authority("http://127.0.0.1:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(authority("http://localhost:1/").unwrap(), "localhost:1");
        for bad in ["", "127.0.0.1:8080", "https://a:1", "http://a", "http://a:1/trips", "http://a:1?b", "::"]
        {
            assert!(authority(bad).is_err(), "{bad}");
        }
    }
}
