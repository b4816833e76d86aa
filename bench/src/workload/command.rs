//! W1: one command to one of 1 000 aggregates, an event of 200 bytes.

use std::{sync::Arc, time::Duration};

use palinode::{Aggregate, Answer, Client, Node};

use crate::{
    domain::{Command, Hotel, counters, text},
    limit::Bare,
    load::{Run, closed},
};

pub(crate) async fn engine(
    client: Client,
    first: u64,
    in_flight: usize,
    time: Duration,
) -> anyhow::Result<Run> {
    let text: Arc<str> = text().into();
    closed(first, in_flight, time, move |n| {
        let (client, text) = (client.clone(), Arc::clone(&text));
        async move {
            let ask = Hotel::at((n % 1_000).to_string()).ask(Command::Enter(text.to_string()));
            match client.execute(ask).await {
                Answer::Accepted(_) => Ok(()),
                other => anyhow::bail!("{other:?}"),
            }
        }
    })
    .await
}

pub(crate) async fn quick(secs: u64, n: usize) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut node = Node::embedded(dir.path());
    for s in counters() {
        node = node.service(s);
    }
    let node = node.start().await?;
    let run = engine(node.client(), 0, n, Duration::from_secs(secs)).await?;
    println!(
        "w1 {n}: {:.0}/s p50 {} p99 {} us cpu {:.1} us",
        run.rate,
        run.latency.value_at_quantile(0.5),
        run.latency.value_at_quantile(0.99),
        run.cpu_us
    );
    node.stop(Duration::from_secs(10)).await;
    let dir = tempfile::tempdir()?;
    let bare = Arc::new(Bare::open(dir.path())?);
    let bytes: Arc<[u8]> = vec![b'x'; 700].into();
    let run = closed(0, n, Duration::from_secs(secs), move |_| {
        let (b, v) = (Arc::clone(&bare), Arc::clone(&bytes));
        async move { b.append(v).await }
    })
    .await?;
    println!(
        "bare {n}: {:.0}/s p50 {} p99 {} us cpu {:.1} us",
        run.rate,
        run.latency.value_at_quantile(0.5),
        run.latency.value_at_quantile(0.99),
        run.cpu_us
    );
    Ok(())
}
