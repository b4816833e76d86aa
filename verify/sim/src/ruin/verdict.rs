//! What must come of a ruin, held against what came of it: who stopped and why, and what was acknowledged.

use palinode::message::ClientMessage;

use crate::{history::Answered, world::World};

/// What must come of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The shard stops, for one of these reasons.
    Stops(&'static [&'static str]),
    /// Nobody serves it, and nobody says that it is broken: what is missing may only be late.
    Waits,
    /// Nobody can know.
    Serves,
}

impl Verdict {
    pub(super) fn judge(
        &self,
        world: &World,
        service: &str,
        shard: u32,
        asked: &[ClientMessage],
    ) -> Vec<String> {
        let mut wrong = world.complaints();
        let names = [format!("{service}.events/{shard}"), format!("{service}/{shard}")];
        let halts = world.halts();
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            halts.iter().partition(|halt| names.iter().any(|name| halt.contains(name.as_str())));
        let name = format!("the ruin of {service}/{shard} ({:?})", world.script.ruin);
        for halt in elsewhere {
            wrong.push(format!("A9: {name} stopped another shard: {halt}"));
        }
        match self {
            Self::Stops(reasons) if here.is_empty() => {
                wrong.push(format!("A9: {name} was not noticed: expected a stop because of {reasons:?}"));
            }
            Self::Stops(reasons) => {
                let fits = |halt: &String| reasons.iter().any(|reason| halt.contains(reason));
                let other = here.into_iter().filter(|halt| !fits(halt));
                wrong.extend(
                    other.map(|halt| format!("A9: {name} gave another reason than {reasons:?}: {halt}")),
                );
            }
            Self::Waits | Self::Serves => {
                wrong.extend(here.into_iter().map(|halt| format!("A9: {name} stopped it: {halt}")));
            }
        }
        let all = world.history.all();
        for message in asked {
            let here =
                *message.to.service == *service && message.to.key().shard(world.script.shards) == shard;
            let answered = all.iter().find(|a| a.id() == message.id).is_some_and(|asked| {
                asked.answers.iter().any(|(_, told)| matches!(told, Answered::Recorded { .. }))
            });
            let serves = !here || matches!(self, Self::Serves);
            if answered && !serves {
                wrong.push(format!("A4: after {name}, {} was acknowledged for {}", message.id, message.to));
            }
            if !answered && serves {
                wrong.push(format!("A10: after {name}, nobody answered {} for {}", message.id, message.to));
            }
        }
        wrong
    }
}
