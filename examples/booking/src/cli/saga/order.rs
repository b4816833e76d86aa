//! A verb: sent, answered, and its consequences given some time.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::bail;
use palinode::{Answer, Clock, SystemClock};
use palinode_sagas::{No, Order, Situation, Verb};

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
    let answer = world.saga(trip).order(order).await;
    let told = match answer {
        Answer::Accepted(receipt) => Ok(receipt.reply),
        Answer::Rejected(receipt) => Err(receipt.reply),
        other => bail!("{verb} of trip {trip}: {other:?}"),
    };
    let end = match &told {
        Ok(situation) if goes_on(verb, situation) => ended(&world, trip, wait).await?,
        _ => None,
    };
    World::close(world).await;
    say(trip, verb, &by, &told, end.as_ref(), common)?;
    Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether something follows that this process should stay for.
fn goes_on(verb: Verb, situation: &Situation) -> bool {
    verb != Verb::Pause && !situation.phase.terminal()
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
    told: &Result<Situation, No>,
    end: Option<&Ended>,
    common: &Common,
) -> anyhow::Result<()> {
    let ink = Ink::of_stdout();
    let title = format!("{verb} of trip {trip}, by {by}");
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    match told {
        Ok(situation) => {
            let end = end.map_or(String::new(), |end| format!("\n  and then: {end:?}").to_lowercase());
            say::part(format!("  {situation}{end}"));
        }
        Err(no) => say::part(format!("  {}", ink.paint(Tone::Bad, format!("refused: {no}")))),
    }
    if common.json {
        let said = match told {
            Ok(situation) => serde_json::json!({ "situation": situation }),
            Err(no) => serde_json::json!({ "refused": { "code": no.code(), "text": no.to_string() } }),
        };
        let end = end.map(|end| format!("{end:?}").to_lowercase());
        let about = serde_json::json!({ "trip": trip, "verb": verb, "by": by, "end": end });
        report::json(&merged(about, said))?;
    }
    Ok(())
}

fn merged(mut one: serde_json::Value, other: serde_json::Value) -> serde_json::Value {
    if let (Some(one), serde_json::Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}
