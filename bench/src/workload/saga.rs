//! W2 and W3: a saga of three steps on three services.

use std::{sync::Arc, time::Duration};

use palinode::{Answer, Node};
use palinode_sagas::{SagaClient, client::Sagas};

use crate::{
    domain::{Trip, travel, trip},
    limit::Bare,
    load::{Run, closed},
};

pub(crate) async fn engine(
    sagas: Sagas<Trip>,
    first: u64,
    in_flight: usize,
    time: Duration,
    refused: u64,
) -> anyhow::Result<Run> {
    closed(first, in_flight, time, move |n| {
        let sagas = sagas.clone();
        async move {
            let data =
                Trip { counter: u32::try_from(n % 1_000)?, refused: n % 100 < refused, guest: "ada".into() };
            match sagas.start(n.to_string(), data).await {
                Answer::Accepted(started) => {
                    started.reply.finished().await.ok_or_else(|| anyhow::anyhow!("stopped"))??;
                    Ok(())
                }
                other => anyhow::bail!("{other:?}"),
            }
        }
    })
    .await
}

pub(crate) async fn quick(secs: u64, n: usize, refused: u64) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut node = Node::embedded(dir.path())
        .partitions(std::env::var("PARTS").ok().and_then(|s| s.parse().ok()).unwrap_or(8));
    for s in travel() {
        node = node.service(s);
    }
    let node = node.start().await?;
    let sagas = node.client().sagas("trip", &trip());
    let run = engine(sagas, 0, n, Duration::from_secs(secs), refused).await?;
    println!(
        "w2 {n}: {:.0}/s p50 {} p99 {} us cpu {:.1} us",
        run.rate,
        run.latency.value_at_quantile(0.5),
        run.latency.value_at_quantile(0.99),
        run.cpu_us
    );
    println!("mem {:.0} MB", crate::host::memory_mb());
    node.stop(Duration::from_secs(10)).await;
    if std::env::var_os("KEEP").is_some() {
        println!("{}", dir.keep().display());
        return Ok(());
    }
    if std::env::var_os("NOBARE").is_some() {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let bare = Arc::new(Bare::open(dir.path())?);
    let bytes: Arc<[u8]> = vec![b'x'; 700].into();
    let run = closed(0, n, Duration::from_secs(secs), move |_| {
        let (b, v) = (Arc::clone(&bare), Arc::clone(&bytes));
        async move {
            for _ in 0..7 {
                b.append(Arc::clone(&v)).await?;
            }
            Ok(())
        }
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
