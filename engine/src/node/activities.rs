//! What is to be seen of a node's activities: how many attempts wait and run, and which participants are left alone.

use std::sync::Arc;

use super::Node;
use crate::activity::Traffic;

/// The attempts of one activity of a node. Activities that share a participant's limits show the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityTraffic {
    /// The service that carries it out.
    pub service: Arc<str>,
    /// Its name.
    pub activity: Arc<str>,
    /// What waits and runs.
    pub traffic: Traffic,
}

impl Node {
    /// What waits and runs of each activity, at this moment.
    #[must_use]
    pub fn activities(&self) -> Vec<ActivityTraffic> {
        let all = self.services.iter().flat_map(|(service, place)| {
            place.performers.traffic().map(|(activity, traffic)| ActivityTraffic {
                service: Arc::clone(service),
                activity: Arc::clone(activity),
                traffic,
            })
        });
        all.collect()
    }
}
