//! A story of sagas told again and again, with a death at each append of a node in turn: what is seen of it must be the same.

use std::{collections::BTreeSet, pin::pin};

use palinode::{Micros, Node, testing::Deaf};

use super::{Forest, rules::must};

/// What was seen of a story.
#[derive(Debug)]
pub struct Told {
    /// Whether the node died: otherwise it did not append so often.
    pub died: bool,
    /// The spans.
    pub forest: Forest,
    /// The times of the commits that it did not hear of.
    pub unheard: BTreeSet<Micros>,
}

/// Lets a story go on until the log of this node is not heard of any more, takes the node away, has others started, and lets the
/// story end. What it ends with, whether the node died before, and the others.
pub async fn with_a_death<T>(
    story: impl Future<Output = T>,
    (node, deaf): (Node, &Deaf),
    others: impl AsyncFnOnce() -> Vec<Node>,
) -> (T, bool, Vec<Node>) {
    let mut story = pin!(story);
    let ended = tokio::select! {
        biased;
        () = deaf.landed() => None,
        ended = &mut story => Some(ended),
    };
    node.crash().await;
    let (died, others) = (ended.is_none(), others().await);
    let ended = match ended {
        Some(ended) => ended,
        None => story.await,
    };
    (ended, died, others)
}

/// Has the story told with a death at append 1, 2, 3.. until no node dies any more, and compares each time what was seen with
/// what is seen without a death. How many deaths there were.
///
/// # Panics
/// When a death changes anything that it may not change; when there is none, or deaths take hardly anything away.
pub async fn survives_each(story: &str, tell: impl AsyncFn(usize) -> Told) -> usize {
    let whole = tell(usize::MAX).await.forest;
    whole.check();
    let (mut deaths, mut lost) = (0, 0);
    loop {
        let Told { died, forest, unheard } = tell(deaths + 1).await;
        if !died {
            let cost = lost >= deaths && deaths > 0;
            must(cost, &format!("{story}: {deaths} deaths took away {lost} spans"));
            return deaths;
        }
        deaths += 1;
        lost += forest.survived(&whole, &unheard);
    }
}
