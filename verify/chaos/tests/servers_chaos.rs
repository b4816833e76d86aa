//! Every disaster once, on servers of its own.

use palinode_chaos::Campaign;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn every_disaster_leaves_what_was_acknowledged_as_it_was() {
    let campaign = Campaign {
        within: None,
        seed: u64::from(std::process::id()),
        only: None,
        program: env!("CARGO_BIN_EXE_chaos").into(),
        kept: env!("CARGO_TARGET_TMPDIR").into(),
    };
    let outcome = campaign.run().await.unwrap();
    assert!(outcome.held, "{}", outcome.table());
}
