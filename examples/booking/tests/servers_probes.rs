//! `/livez` and `/readyz` while the servers are away: a process without its broker or its database lives and is not ready, and
//! is ready again when they are back, without having been started anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    reason = "tests may be blunt"
)]

#[path = "../../../engine/tests/kafka_broker/broker.rs"]
mod broker;
#[path = "support/server.rs"]
mod server;
#[path = "support/servers.rs"]
mod servers;

use std::{
    io::{self, BufRead, BufReader},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use broker::Broker;
use server::{Answer, ask_at};
use servers::Place;

const DATABASE: &str = "PALINODE_POSTGRES_URL";
const BROKER: &str = "PALINODE_KAFKA_BOOTSTRAP";

/// A process that serves. Killed when it is dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, address) = line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { child, address: address.to_owned() }
    }

    /// Asks until it answers so, and meanwhile that it lives.
    fn until(&self, status: u16) -> Answer {
        let mut last = None;
        for _ in 0..1_200 {
            let alive = ask_at(&self.address, "GET", "/livez", &[], "");
            assert_eq!(alive.map(|answer| answer.status), Some(200), "it lives, whatever is away");
            let ready = ask_at(&self.address, "GET", "/readyz", &[], "").expect("it answers");
            if ready.status == status {
                return ready;
            }
            last = Some(ready);
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it never says {status}: {last:?}")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the command would be told of this variable.
fn told(command: &Command, variable: &str) -> String {
    let found = command.get_envs().find(|(name, _)| *name == variable).and_then(|(_, value)| value);
    found.unwrap().to_str().unwrap().to_owned()
}

/// The way to a server, which can be shut. Whoever comes before it was ever opened waits at it.
#[derive(Clone)]
struct Gate(Arc<Mutex<(bool, Vec<TcpStream>)>>, u16, mpsc::Sender<()>);

impl Gate {
    fn before(server: u16) -> Self {
        let gate = Self::closed_before(server);
        gate.set(true);
        gate
    }

    fn closed_before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (open, opened) = mpsc::channel();
        let gate =
            Self(Arc::new(Mutex::new((false, Vec::new()))), listener.local_addr().unwrap().port(), open);
        let through = gate.clone();
        thread::spawn(move || {
            opened.recv().unwrap();
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = through.0.lock().unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                if state.0 {
                    for (mut from, mut to) in [
                        (client.try_clone().unwrap(), server.try_clone().unwrap()),
                        (server.try_clone().unwrap(), client.try_clone().unwrap()),
                    ] {
                        thread::spawn(move || {
                            let _ = io::copy(&mut from, &mut to);
                            let _ = to.shutdown(Shutdown::Both);
                        });
                    }
                    state.1.extend([client, server]);
                }
            }
        });
        gate
    }

    fn set(&self, open: bool) {
        let mut state = self.0.lock().unwrap();
        state.0 = open;
        if open {
            self.2.send(()).unwrap();
        }
        for stream in state.1.drain(..).filter(|_| !open) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn detail(answer: &Answer) -> &str {
    answer.is(503, "not-ready");
    answer.body["detail"].as_str().unwrap()
}

/// A command that meets one of its servers, told to it in this variable, behind a gate.
fn gated(place: &Place, args: &[&str], variable: &str, gate: impl Fn(u16) -> Gate) -> (Command, Gate) {
    let mut command = place.command(args);
    let told = told(&command, variable);
    let authority = told.rsplit_once('@').map_or(&*told, |(_, after)| after).split('/').next().unwrap();
    let (host, port) = authority.rsplit_once(':').unwrap();
    let gate = gate(port.parse().unwrap());
    command.env(variable, told.replacen(authority, &format!("{host}:{}", gate.1), 1));
    (command, gate)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_process_whose_database_does_not_answer_yet_starts() {
    starts(DATABASE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_process_whose_broker_does_not_answer_yet_starts() {
    starts(BROKER).await;
}

/// A process that starts lives and is not ready.
async fn starts(without: &str) {
    // Given a process one of whose servers does not answer yet
    let place = Place::created().await;
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    let (mut command, gate) = gated(&place, &["run", "--listen", &free], without, Gate::closed_before);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut serving = Serving { child, address: free };
    // When somebody asks as soon as it listens, then it says that it lives, and that it starts
    let ask = |path: &str| ask_at(&serving.address, "GET", path, &[], "");
    let alive = loop {
        if let Some(alive) = ask("/livez") {
            break alive;
        }
        assert_eq!(serving.child.try_wait().unwrap(), None, "it ended before it listened");
    };
    assert_eq!((alive.status, &alive.body["status"]), (200, &"alive".into()), "{alive:?}");
    let not_ready = ask("/readyz").unwrap();
    assert!(detail(&not_ready).starts_with("it starts"), "{not_ready:?}");
    assert_eq!(detail(&ask("/trips").unwrap()), detail(&not_ready));
    // And when it has started, that it is ready
    gate.set(true);
    let ready = serving.until(200);
    assert_eq!(ready.body["services"].as_array().unwrap().len(), 4, "{ready:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn without_its_database_a_process_lives_and_is_not_ready() {
    // Given a process with a gate before its database
    let place = Place::created().await;
    let (command, gate) = gated(&place, &["run", "--listen", "127.0.0.1:0"], DATABASE, Gate::before);
    let serving = Serving::start(command);
    serving.until(200);
    // When the gate is shut, then it says so
    gate.set(false);
    let not_ready = serving.until(503);
    assert!(detail(&not_ready).contains("database"), "{not_ready:?}");
    // And when it is open again, that it is ready
    gate.set(true);
    serving.until(200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn without_its_broker_a_process_lives_and_is_not_ready() {
    // Given a process on a broker of its own
    let mut broker = Broker::new("PLAINTEXT", &[]);
    broker.start(None);
    let place = Place::new().await;
    let on = |args: &[&str]| {
        let mut command = place.command(args);
        command.env(BROKER, broker.address());
        command
    };
    let create = ["create", "--shards", "2", "--replication", "1"];
    while !on(&create).output().unwrap().status.success() {
        thread::sleep(Duration::from_millis(100));
    }
    let serving = Serving::start(on(&["run", "--listen", "127.0.0.1:0"]));
    serving.until(200);
    // When the broker dies, then it says which shards are in trouble
    broker.kill();
    let not_ready = serving.until(503);
    assert!(detail(&not_ready).starts_with("shard "), "{not_ready:?}");
    // And when it is back, that it is ready
    broker.start(None);
    serving.until(200);
}
