//! Crash: a process that books trips is killed with SIGKILL in the middle of it, and started again.
//! Run it: `cargo run -p tour --example crash`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    time::Duration,
};

use palinode::{Activity, Aggregate, Answer, Attempt, Failure, NoUndo, Node, Perform, Service};
use palinode_sagas::{Policy, Saga, SagaClient, SagaService};
use serde::{Deserialize, Serialize};
use tour::stock::{Command, Stock};

/// How many guests want a trip; there are rooms and seats for ten.
const GUESTS: usize = 12;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1) {
        Some(folder) => book(folder.into()),
        None => watch(),
    }
}

/// The parent: kills the child when it is in the middle of it, and lets it try again.
fn watch() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut first = start(folder.path())?;
    for line in lines(&mut first).take(4) {
        println!("  first life:  {line}");
    }
    first.kill()?;
    first.wait()?;
    let charges = || fs::read_dir(folder.path().join("charges")).map(Iterator::count);
    println!("It is killed (SIGKILL); the bank has made {} charges. It is started again:", charges()?);
    let mut second = start(folder.path())?;
    let ends: Vec<String> = lines(&mut second).collect();
    anyhow::ensure!(second.wait()?.success(), "the second life failed");
    let completed = ends.iter().filter(|line| line.ends_with("Completed")).count();
    let compensated = ends.iter().filter(|line| line.ends_with("Compensated")).count();
    println!("  second life: {completed} trips completed, {compensated} taken back");
    println!("The bank has made {} charges.", charges()?);
    Ok(())
}

fn start(folder: &Path) -> anyhow::Result<Child> {
    Ok(Process::new(std::env::current_exe()?).arg(folder).stdout(Stdio::piped()).spawn()?)
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> {
    child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines().map_while(Result::ok))
}

/// The child: books a trip for every guest. Starting a saga again under its id changes nothing.
#[tokio::main]
async fn book(folder: PathBuf) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("charges"))?;
    let (bank, one_at_a_time) = (Bank(folder.join("charges")), Policy::default().bulkhead(1));
    let travel = Service::new("travel").aggregate::<Stock>().saga(&book_trip());
    let travel = travel.perform_with::<Pay>(bank, one_at_a_time);
    let node = Node::embedded(&folder).service(travel).start().await?;
    let trips = node.client().sagas("travel", &book_trip());
    let mut started = Vec::new();
    for n in 0..GUESTS {
        let trip = Trip { guest: format!("guest-{n}") };
        let Answer::Accepted(receipt) = trips.start(trip.guest.clone(), trip).await else {
            anyhow::bail!("a trip was not started")
        };
        started.push(receipt.reply);
    }
    for trip in started {
        let Some(end) = trip.finished().await.transpose()? else { break };
        println!("{}: {:?}", end.data.guest, end.outcome);
    }
    node.stop(Duration::from_secs(10)).await;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Trip {
    guest: String,
}

fn book_trip() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("hold-room", |t: &Trip| Stock::at("rooms").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .step("hold-seat", |t| Stock::at("seats").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .pivot("pay", |t| Pay { guest: t.guest.clone() })
        .finish()
}

#[derive(Serialize, Deserialize)]
struct Pay {
    guest: String,
}

impl Activity for Pay {
    const NAME: &'static str = "pay";
    type Reply = ();
    type Undo = NoUndo;
}

/// A bank that takes its time. A charge is a file named by the guest, so charging twice is charging once.
struct Bank(PathBuf);

impl Perform<Pay> for Bank {
    async fn perform(&self, pay: &Pay, cx: &Attempt) -> Result<(), Failure> {
        cx.clock.wait_until(cx.clock.now().plus(Duration::from_millis(50))).await;
        fs::write(self.0.join(&pay.guest), "paid").map_err(|e| Failure::Unknown(e.to_string().into()))
    }
}
