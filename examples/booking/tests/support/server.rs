//! A served child process, and clients that speak HTTP over plain sockets, as well or as badly as a test wants.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

/// No answer takes so long; then the test fails instead of hanging.
const HANGS: Duration = Duration::from_secs(60);

/// A server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn token(&self) -> &str {
        self.header("palinode-token").unwrap_or_else(|| panic!("no token in {self:?}"))
    }

    /// It is this problem, told as problems are.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, name: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.body["type"], format!("urn:palinode:problem:{name}"), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("retry-after").is_some(), status == 503, "{self:?}");
        for said in ["title", "detail", "help"] {
            assert!(self.body[said].as_str().is_some_and(|text| !text.is_empty()), "no {said} in {self:?}");
        }
    }
}

impl Server {
    /// Serves this data on a free port.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_booking"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("it said {line:?}"));
        let server = Self { address: address.to_owned(), child };
        server.until("GET", "/readyz", |answer| answer.status == 200);
        server
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_ask(method, path, headers, body).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// The same, when the server may go away meanwhile.
    pub(crate) fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        ask_at(&self.address, method, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// Posts a trip under a key.
    pub(crate) fn post(&self, key: &str, trip: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.ask("POST", "/trips", &headers, &trip.to_string())
    }

    /// Asks until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, method: &str, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = None;
        for _ in 0..20_000 {
            let answer = self.ask(method, path, &[], "");
            if wanted(&answer) {
                return answer;
            }
            last = Some(answer);
        }
        panic!("{method} {path} is never as wanted: {last:?}")
    }

    /// Asks until every trip that is shown has ended, page by page: one that is under way has some status at every moment, but
    /// need not have the one that is asked for.
    #[track_caller]
    pub(crate) fn rests(&self) {
        let mut after = String::new();
        loop {
            let has_ended =
                |trip: &Value| !["running", "waiting", "undoing"].contains(&trip["status"].as_str().unwrap());
            let page = self.until("GET", &format!("/trips?limit=500{after}"), |answer| {
                answer.body["trips"].as_array().unwrap().iter().all(has_ended)
            });
            match page.body["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return,
            }
        }
    }

    /// Confirms the trip until it has ended, and shows how.
    #[track_caller]
    pub(crate) fn ended(&self, id: &str) -> Value {
        let no = self.until("POST", &format!("/trips/{id}/confirm"), |answer| {
            answer.body["type"] == "urn:palinode:problem:trip-ended"
        });
        let shown = self.ask("GET", &format!("/trips/{id}"), &[("palinode-token", no.token())], "");
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.body
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(&self.address).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(asked.success());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to whoever listens there; none when there is no whole answer.
pub(crate) fn ask_at(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut wire = Wire::connect(address)?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{more}{length}\r\n{body}");
    // A server that refuses early may have closed before all was sent; its answer counts.
    let _ = wire.try_send(request.as_bytes());
    wire.try_answer()
}

/// A connection.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    fn connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.set_write_timeout(Some(HANGS)).unwrap();
        Some(Self(BufReader::new(stream)))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// The same, when the server may have closed it.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().unwrap()
    }

    /// The next answer; none when the connection ends before it is whole.
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Value::Null };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        answer.body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(answer)
    }

    /// Whether the server closes it, with nothing more said.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 64]), Ok(0))
    }
}

/// A trip that is not refused anywhere, unless its id has bad luck.
pub(crate) fn trip(country: &str) -> Value {
    serde_json::json!({
        "hotel": "resort", "room": "A", "first_night": "2030-01-12", "nights": 2, "rate_cents": 6_800,
        "people": 2, "country": country
    })
}

/// A test is skipped for the want of a tool. It is said past the capture of the harness, which drops what a test that
/// passes says, and in the file that `cargo xtask test` reads at its end; in a pipeline it is a failure.
pub(crate) fn needs(what: &str, why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{what}: {why}");
    std::io::stderr().write_all(format!("\nSKIPPED: {what}: {why}\n").as_bytes()).unwrap();
    if let Some(list) = std::env::var_os("PALINODE_SKIPPED") {
        let line = format!("{what}: {}\n", why.replace('\n', " "));
        std::fs::File::options().append(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
    }
}
