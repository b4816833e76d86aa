//! Whoever looks after the sagas that wait for a person, as people do: in the table, and with a verb. An attempt that three
//! owners in turn have lost is not made again by itself. Touches no saga that the table does not call stuck, so that one that
//! hangs for another reason is left to hang.

use std::{convert::Infallible, time::Duration};

use palinode::{Activity as _, Answer, Client};
use palinode_sagas::{SagaClient as _, Sagas};
use tokio::time::sleep;

use crate::{
    domain::{Left, Ring, Side as _, Transfer, now},
    place::Place,
};

/// How often the table is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Looks, for as long as this is polled; `helped` counts the steps that were tried again.
pub(crate) async fn looks_after(place: &Place, client: &Client, helped: &mut u32) -> Infallible {
    let saga = now();
    let sagas = client.sagas(Left::SERVICE, &saga);
    loop {
        // Without the database nobody sees anything.
        if let Ok(stuck) = stuck(place, saga.definition().name()).await {
            for id in stuck {
                *helped += u32::from(rings_again(&sagas, id).await);
            }
        }
        sleep(LOOK).await;
    }
}

async fn stuck(place: &Place, definition: &str) -> anyhow::Result<Vec<String>> {
    let mut conn = place.connect().await?;
    let sql = "select id from palinode_saga where definition = $1 and status = 'stuck'";
    Ok(sqlx::query_scalar(sql).bind(definition).fetch_all(&mut conn).await?)
}

/// Only the activity can be lost with its owner; for any other step this is refused.
async fn rings_again(sagas: &Sagas<Transfer>, id: String) -> bool {
    let told = sagas.at(id).retry(Ring::NAME, "a person", "its owners are gone").await;
    matches!(told, Answer::Accepted(_))
}
