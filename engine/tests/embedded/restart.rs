//! Answers are durable: after an orderly stop, and after the node was dropped, which is a crash.

use palinode::{Aggregate, Answer, Invalid};

use crate::bank::{Account, Command, NotEnough, close, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_and_its_effect_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let receipt = node.client().execute(Account::at("a").ask(Command::Deposit(5))).await.accepted().unwrap();
    assert_eq!((receipt.reply, receipt.version), (5, 1));
    close(node).await;
    let node = open(dir.path()).await;
    let receipt = node.client().execute(Account::at("a").ask(Command::Withdraw(2))).await.accepted().unwrap();
    assert_eq!((receipt.reply, receipt.version), (3, 2));
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_id_gets_the_same_answer_across_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let client = node.client();
    let id = client.fresh_id();
    let first = client.execute(Account::at("a").ask(Command::Deposit(5))).with_id(id).await;
    let again = client.execute(Account::at("a").ask(Command::Deposit(5))).with_id(id).await;
    assert_eq!(first, again);
    node.crash().await;
    let node = open(dir.path()).await;
    let after = node.client().execute(Account::at("a").ask(Command::Deposit(5))).with_id(id).await;
    assert_eq!(first, after);
    let other = node.client().execute(Account::at("a").ask(Command::Deposit(6))).with_id(id).await;
    assert_eq!(other, Answer::Invalid(Invalid::IdReused { id }));
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_and_a_conflict_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let client = node.client();
    let Answer::Rejected(no) = client.execute(Account::at("a").ask(Command::Withdraw(1))).await else {
        panic!()
    };
    assert_eq!(no.reply, NotEnough { balance: 0 });
    let conflict = client.execute(Account::at("a").ask(Command::Deposit(1))).expect_version(7).await;
    assert!(matches!(conflict, Answer::Conflict { expected: 7, actual: 0, .. }), "{conflict:?}");
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_user_code_broke_in_memory_goes_on_from_its_events() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let client = node.client();
    client.execute(Account::at("a").ask(Command::Deposit(5))).await.accepted().unwrap();
    let Answer::Invalid(Invalid::Bug { text }) = client.execute(Account::at("a").ask(Command::Curse)).await
    else {
        panic!("expected a refusal")
    };
    assert_eq!(&*text, "evolve panicked: cursed");
    let receipt = client.execute(Account::at("a").ask(Command::Deposit(1))).await.accepted().unwrap();
    assert_eq!((receipt.reply, receipt.version), (6, 2));
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_are_each_applied_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..2_000 {
        let client = node.client();
        tasks.spawn(async move {
            let id = format!("a{}", n % 50);
            let answer = client.execute(Account::at(id).ask(Command::Deposit(1))).await;
            assert!(matches!(answer, Answer::Accepted(_) | Answer::Overloaded), "{answer:?}");
            matches!(answer, Answer::Accepted(_))
        });
    }
    let mut done = 0;
    while let Some(accepted) = tasks.join_next().await {
        done += i64::from(accepted.unwrap());
    }
    let mut sum = 0;
    for n in 0..50 {
        let ask = Account::at(format!("a{n}")).ask(Command::Deposit(0));
        sum += node.client().execute(ask).await.accepted().unwrap().reply;
    }
    assert_eq!(sum, done);
    assert_eq!(node.halted(), Vec::<String>::new());
    close(node).await;
}
