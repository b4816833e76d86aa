//! A verb: sent, answered, and its consequences given some time.

use std::{fmt::Debug, process::ExitCode, sync::Arc, time::Duration};

use anyhow::bail;
use palinode::{Answer, Clock, SystemClock};
use palinode_sagas::{No, Order, Verb, client::Unparked};
use serde::Serialize;
use serde_json::Value;

use super::{
    super::{
        Common, report,
        say::{self, Ink, Tone},
    },
    open,
};
use crate::{
    domain::TripId,
    world::{Ended, World},
};

/// Carries out a verb; a refusal is a failure of the command.
///
/// # Errors
/// When the folder is in use, or the answer is neither.
pub(super) async fn run(
    trip: TripId,
    order: Order,
    wait: Duration,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    let world = Arc::new(open(common).await?);
    let (verb, by) = (order.verb, Arc::clone(&order.by));
    let told = if verb == Verb::Unpark {
        unparked(&world, trip, &order).await
    } else {
        told(world.saga(trip).order(order).await, |situation| situation.to_string())
    };
    let told = match told {
        Ok(told) => told,
        Err(other) => {
            World::close(world).await;
            bail!("{verb} of trip {trip}: {other}")
        }
    };
    let end = if verb != Verb::Pause && told.is_ok() { ended(&world, trip, wait).await? } else { None };
    World::close(world).await;
    say(trip, verb, &by, &told, end.as_ref(), common)?;
    Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the answer says: a sentence and the same as data, or why not.
type Told = Result<(String, Value), No>;

fn told<R: Serialize + Debug>(answer: Answer<R, No>, says: impl Fn(&R) -> String) -> Result<Told, String> {
    match answer {
        Answer::Accepted(receipt) => {
            let data = serde_json::to_value(&receipt.reply).map_err(|e| e.to_string())?;
            Ok(Ok((says(&receipt.reply), data)))
        }
        Answer::Rejected(receipt) => Ok(Err(receipt.reply)),
        Answer::Parked { why } => Err(format!("it is set aside: {why}")),
        other => Err(format!("{other:?}").to_lowercase()),
    }
}

async fn unparked(world: &World, trip: TripId, order: &Order) -> Result<Told, String> {
    let answer = world.saga(trip).unpark(&order.by, &order.reason).await;
    told(answer, |unparked| match unparked {
        Unparked::Itself(situation) => situation.to_string(),
        Unparked::ByTheEngine { taken } => format!("set free by the engine; it took {taken} inputs"),
    })
}

async fn ended(world: &World, trip: TripId, wait: Duration) -> anyhow::Result<Option<Ended>> {
    tokio::select! {
        ended = world.ended(trip) => ended,
        () = SystemClock.wait_until(SystemClock.now().plus(wait)) => Ok(None),
    }
}

fn say(
    trip: TripId,
    verb: Verb,
    by: &str,
    told: &Told,
    end: Option<&Ended>,
    common: &Common,
) -> anyhow::Result<()> {
    let ink = Ink::of_stdout();
    let title = format!("{verb} of trip {trip}, by {by}");
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    match told {
        Ok((situation, _)) => {
            let end = end.map_or(String::new(), |end| format!("\n  and then: {end:?}").to_lowercase());
            say::part(format!("  {situation}{end}"));
        }
        Err(no) => say::part(format!("  {}", ink.paint(Tone::Bad, format!("refused: {no}")))),
    }
    if common.json {
        let said = match told {
            Ok((_, situation)) => serde_json::json!({ "situation": situation }),
            Err(no) => serde_json::json!({ "refused": { "code": no.code(), "text": no.to_string() } }),
        };
        let end = end.map(|end| format!("{end:?}").to_lowercase());
        let about = serde_json::json!({ "trip": trip, "verb": verb, "by": by, "end": end });
        report::json(&merged(about, said))?;
    }
    Ok(())
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}
