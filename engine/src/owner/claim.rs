//! Taking a shard: read to the end, confirm, claim, read to the claim. Works only if that claim was met and counted.

use std::{sync::Arc, time::Duration};

use super::{
    ports::{Limits, Place, Ports},
    recover::{Halt, Recovered, shown},
};
use crate::{
    address::Topic,
    codec::claim_record,
    commit::Claim,
    log::{Append, Confirm, Confirmed},
    position::Position,
    telemetry::Fact,
};

/// What became of the attempt to take a shard.
pub(crate) enum Taken {
    /// It is ours: the claim was read and counts.
    Ours,
    /// The group says it is somebody else's.
    Lost,
    /// Not this time, whoever was in the way: confirm and claim again after a while.
    NotYet(String),
    /// Not this time, because the log did not take the claim.
    Failed(String),
}

/// One attempt. What an earlier owner of this process has proven must be in the log still.
pub(crate) async fn take(
    place: &Place,
    ports: &Ports,
    limits: &Limits,
    confirm: &dyn Confirm,
    shard: &mut Recovered,
    proven: Option<&Position>,
) -> Result<Taken, Halt> {
    if let Some(proven) = proven {
        shown(place, ports, proven, "the last record proven here").await?;
    }
    match confirm.confirm(place.me.shard).await {
        Confirmed::Yes => {}
        Confirmed::Refused => {
            sometimes!("claim not confirmed");
            return Ok(Taken::Lost);
        }
        Confirmed::Unknown => return Ok(Taken::NotYet("the group did not answer".into())),
    }
    let Some(at) = shard.fold.position() else {
        return Ok(Taken::NotYet("the log does not show its genesis yet".into()));
    };
    let now = ports.clock.now();
    let claim = Claim {
        term: at.term.saturating_add(1),
        claim_id: if zoo!("claim-id-of-the-node") {
            uuid::Uuid::from_u128(u128::from(at.term.saturating_add(1)))
        } else {
            ports.ids.fresh(now)
        },
        owner: Arc::clone(&place.node),
        time: now,
    };
    let record = claim_record(&claim, now).map_err(|e| place.refused(format!("a claim: {e}")))?;
    let topic = Topic::events(Arc::clone(&place.me.service));
    let unknown = match ports.log.append(&topic, place.me.shard, vec![record]).await {
        Append::Refused(error) if error.advice == crate::log::Advice::Stop => {
            return Err(place.log_halt(error));
        }
        Append::Refused(error) => return Ok(Taken::Failed(error.to_string())),
        // It may be there all the same, so it is looked for.
        Append::Unknown(error) => Some(error),
        Append::Appended(_) => None,
    };
    let told = |counts| ports.telemetry.fact(&place.me.service, || Fact::Claimed { counts });
    let (mut waited, pause) = (Duration::ZERO, limits.look / 50);
    loop {
        let claims = shard.read_on(place, ports).await?;
        match claims.last() {
            Some(last) if last.claim_id == claim.claim_id || zoo!("claim-not-compared") => {
                let at = shard.fold.position();
                if let (Some(at), Some(proven)) = (at, proven)
                    && at.offset <= proven.offset
                {
                    // One's own record lies where another had been proven: this is no late read.
                    let what = format!(
                        "its claim lies at record {}, record {} was proven",
                        at.offset, proven.offset
                    );
                    return Err(
                        place.refused(format!("the log was truncated: {what}; bring the right log back"))
                    );
                }
                told(true);
                shard.machine.claimed(claim.term, claim.claim_id);
                return Ok(Taken::Ours);
            }
            Some(last) => {
                sometimes!("claim beaten by another");
                told(false);
                return Ok(Taken::NotYet(format!("{} claimed it first", last.owner)));
            }
            None => {}
        }
        if waited >= limits.patience {
            sometimes!("claim lost");
            told(false);
            let why = unknown.map(|error| format!(": {error}")).unwrap_or_default();
            return Ok(Taken::Failed(format!("its claim did not appear in the log{why}")));
        }
        ports.clock.pass(pause).await;
        waited = waited.saturating_add(pause);
    }
}
