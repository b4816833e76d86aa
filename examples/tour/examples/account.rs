//! Account: decide, evolve, reply; the rules tested without any log; then the same rules on a node.
//! Run it: `cargo run -p tour --example account`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{fmt, time::Duration};

use palinode::{Aggregate, Answer, Context, Node, Service, testing::given};
use serde::{Deserialize, Serialize};

use Command::{Deposit, Withdraw};
use Event::{Deposited, Withdrawn};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("The rules, tested without a log:");
    given::<Account>([]).when(Deposit(500)).then([Deposited(500)]).then_reply(500);
    println!("  given nothing          when deposit 500   then deposited 500");
    given::<Account>([Deposited(500)]).when(Withdraw(200)).then([Withdrawn(200)]).then_reply(300);
    println!("  given deposited 500    when withdraw 200  then withdrawn 200");
    given::<Account>([Deposited(500)]).when(Withdraw(600)).then_rejected(|no| no.0 == 500);
    println!("  given deposited 500    when withdraw 600  then rejected");
    given::<Account>([Deposited(500)]).when(Deposit(0)).then_nothing();
    println!("  given deposited 500    when deposit 0     then nothing");

    let folder = tempfile::tempdir()?;
    let node = Node::embedded(folder.path()).service(Service::new("bank").aggregate::<Account>());
    let node = node.start().await?;
    let client = node.client();
    println!("\nThe same rules on a node:");
    say("deposit 500", &client.execute(Account::at("ada").ask(Deposit(500))).await);
    say("withdraw 600", &client.execute(Account::at("ada").ask(Withdraw(600))).await);

    println!("\nTwo people saw version 1 and both withdraw 400; the second one is told:");
    for _person in ["first", "second"] {
        let ask = Account::at("ada").ask(Withdraw(400));
        say("withdraw 400", &client.execute(ask).expect_version(1).await);
    }

    println!("\nAn answer got lost, so the caller asks again with the same id. It is done once:");
    let id = client.fresh_id();
    say("deposit 50", &client.execute(Account::at("ada").ask(Deposit(50))).with_id(id).await);
    say("deposit 50", &client.execute(Account::at("ada").ask(Deposit(50))).with_id(id).await);
    say("how much?", &client.execute(Account::at("ada").ask(Deposit(0))).await);
    node.stop(Duration::from_secs(10)).await;
    Ok(())
}

fn say(command: &str, answer: &Answer<u64, NotEnough>) {
    let text = match answer {
        Answer::Accepted(receipt) => format!("balance {}, version {}", receipt.reply, receipt.version),
        Answer::Rejected(receipt) => format!("no: {}", receipt.reply),
        Answer::Conflict { expected, actual, .. } => format!("conflict: version {actual}, not {expected}"),
        other => format!("{other:?}"),
    };
    println!("  {command:<13} -> {text}");
}

/// The state: what decisions need, and nothing else.
#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
}

#[derive(Serialize, Deserialize)]
enum Command {
    Deposit(u64),
    Withdraw(u64),
}

/// What can happen. The tag is stored, so a name is for ever: `account.deposited`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Deposited(u64),
    Withdrawn(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct NotEnough(u64);

impl fmt::Display for NotEnough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the balance is only {}", self.0)
    }
}

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Reply = u64;
    type Rejection = NotEnough;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, NotEnough> {
        match command {
            Deposit(0) | Withdraw(0) => Ok(vec![]),
            Deposit(n) => Ok(vec![Deposited(*n)]),
            Withdraw(n) if *n > self.balance => Err(NotEnough(self.balance)),
            Withdraw(n) => Ok(vec![Withdrawn(*n)]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Deposited(n) => self.balance += n,
            Withdrawn(n) => self.balance -= n,
        }
    }

    fn reply(&self, _command: &Command) -> u64 {
        self.balance
    }
}
