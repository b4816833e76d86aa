//! What is wrong with a node's services, all of it at once, before anything is opened.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    entity::{Kind, TargetKind},
    service::Service,
};

/// Everything wrong with these services, one sentence each. A node that can have no peers has none, not an empty list.
pub(super) fn problems(services: &[Service], peers: Option<&[Arc<str>]>) -> Vec<String> {
    let mut problems: Vec<String> = services.iter().flat_map(|s| s.problems.iter().cloned()).collect();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for service in services {
        *names.entry(&service.name).or_default() += 1;
    }
    let twice = names.iter().filter(|(_, n)| **n > 1);
    problems.extend(twice.map(|(name, _)| format!("two services are named {name:?}")));
    let both = peers.unwrap_or_default().iter().filter(|peer| names.contains_key(&***peer));
    problems.extend(both.map(|name| format!("this node runs service {name:?} itself: it is no peer of it")));
    for service in services {
        for kind in service.kinds.iter() {
            let targets = kind.targets().into_iter();
            problems.extend(targets.flat_map(|target| missing((services, peers), service, &**kind, target)));
        }
    }
    problems.sort();
    problems.dedup();
    problems
}

/// What a kind asks something of and this node does not have. What the kinds of a peer are is not seen from here.
fn missing(
    (services, peers): (&[Service], Option<&[Arc<str>]>),
    of: &Service,
    kind: &dyn Kind,
    target: TargetKind,
) -> Vec<String> {
    let asks = format!("{:?} of service {:?} asks", kind.name(), of.name);
    match target {
        TargetKind::Aggregate { service, kind } => match services.iter().find(|s| &*s.name == service) {
            None if peers.unwrap_or_default().iter().any(|peer| **peer == *service) => Vec::new(),
            None => {
                let or = match peers {
                    Some(_) => format!(", or say `.peer({service:?})` when another process runs it"),
                    None => "; what other processes run cannot be asked from an embedded node".into(),
                };
                vec![format!("{asks} service {service:?}, which this node does not run: add it{or}")]
            }
            Some(there) if there.kinds.get(kind).is_none() => {
                vec![format!(
                    "{asks} {kind:?} of service {service:?}, which has no such aggregate: add it there"
                )]
            }
            Some(_) => Vec::new(),
        },
        TargetKind::Activity { name, undo } => std::iter::once(name)
            .chain(undo)
            .filter(|name| of.performers.get(name).is_none())
            .map(|name| {
                format!("{asks} the activity {name:?}, which nothing performs: add `.perform` to the service")
            })
            .collect(),
    }
}
