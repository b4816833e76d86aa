//! A read model: what every account holds, and of how many events.

use std::{collections::BTreeMap, marker::PhantomData};

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::postgres::PgDb,
};
use sqlx::PgConnection;

use super::account::{Account, Event, Side};

/// Keeps `balance`: a row an account, of this side's service.
pub(crate) struct Balances<S>(PhantomData<fn() -> S>);

impl<S> Default for Balances<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Side> Projection<PgDb> for Balances<S> {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["balance"];
    type Event = Of<Account<S>>;
    /// Cents and events.
    type Batch = BTreeMap<String, (i64, i64)>;

    async fn prepare(&self, tx: &mut PgConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql = "create table if not exists {balance} (service text not null, account text not null, \
                   cents bigint not null, events bigint not null, primary key (service, account))";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Self::Event>) -> Result<(), ApplyError> {
        let row = batch.entry(e.entity.id.to_string()).or_default();
        row.0 += match *e.event {
            Event::Deposited(cents) => cents,
            Event::Withdrawn(cents) => -cents,
        };
        row.1 += 1;
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut PgConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        let sql = "insert into {balance} as b \
                   select $1, account, cents, events from unnest($2::text[], $3::bigint[], $4::bigint[]) \
                     as new (account, cents, events) \
                   on conflict (service, account) do update set cents = b.cents + excluded.cents, \
                     events = b.events + excluded.events";
        let (accounts, sums): (Vec<String>, Vec<(i64, i64)>) = batch.into_iter().unzip();
        let (cents, events): (Vec<i64>, Vec<i64>) = sums.into_iter().unzip();
        let query = sqlx::query(tables.sql(sql)).bind(S::SERVICE).bind(accounts).bind(cents).bind(events);
        query.execute(tx).await?;
        Ok(())
    }
}
