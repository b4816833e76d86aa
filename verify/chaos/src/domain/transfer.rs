//! The sagas: an amount is taken on the left, put down on the right, and written into the book, which is the point of no
//! return; afterwards a bell rings. The second one waits for a word first, and gives up without it.

use std::time::Duration;

use palinode::{Activity, Aggregate as _, Attempt, Failure, NoUndo, Perform};
use palinode_sagas::{Data, Saga, Signal};
use palinode_verify::Graph;
use serde::{Deserialize, Serialize};

use super::account::{Account, Book, Command, Left, Right, Write};

/// How long the second one waits for its word.
const WORD: Duration = Duration::from_secs(2);
/// How long it rests before that.
const REST: Duration = Duration::from_millis(100);

/// What is moved, and between which accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) cents: i64,
}

/// The word.
#[derive(Serialize, Deserialize)]
pub(crate) struct Go;

impl Signal for Go {
    const NAME: &'static str = "go";
}

/// A side effect that may be repeated.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ring;

impl Activity for Ring {
    const NAME: &'static str = "ring";
    type Reply = ();
    type Undo = NoUndo;
}

/// Whoever rings.
pub(crate) struct Bell;

impl Perform<Ring> for Bell {
    async fn perform(&self, _: &Ring, _: &Attempt) -> Result<(), Failure> {
        Ok(())
    }
}

fn take(t: &Transfer) -> palinode::Ask<Account<Left>> {
    Account::at(&*t.from).ask(Command::Withdraw(t.cents))
}

fn put(t: &Transfer) -> palinode::Ask<Account<Right>> {
    Account::at(&*t.to).ask(Command::Deposit(t.cents))
}

fn write(t: &Transfer) -> palinode::Ask<Book> {
    Book::at(format!("book-{}", t.cents % 3)).ask(Write(t.cents))
}

/// Moves it now.
pub(crate) fn now() -> Saga<Transfer> {
    Saga::define("transfer", 1)
        .step("take", take)
        .undo(|t, _| Command::Return(t.cents))
        .step("put", put)
        .undo(|t, _| Command::TakeBack(t.cents))
        .pivot("write", write)
        .retriable("ring", |_| Ring)
        .finish()
}

/// Moves it when the word was given.
pub(crate) fn later() -> Saga<Transfer> {
    Saga::define("transfer-later", 1)
        .step("take", take)
        .undo(|t, _| Command::Return(t.cents))
        .timer("rest", REST)
        .wait::<Go>("word", WORD)
        .step("put", put)
        .undo(|t, _| Command::TakeBack(t.cents))
        .pivot("write", write)
        .finish()
}

/// Both, as the checker wants them.
pub(crate) fn graphs() -> [Graph; 2] {
    [graph(&now()), graph(&later())]
}

fn graph<T: Data>(saga: &Saga<T>) -> Graph {
    let definition = saga.definition();
    let graph = Graph::new(&**definition.name(), 1);
    definition.nodes().fold(graph, |graph, (_, node)| {
        let after: Vec<&str> = node.after.iter().map(|id| &*definition[*id].path).collect();
        graph.node(&node.path, &after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        assert!(now().check().is_ok() && later().check().is_ok());
    }
}
