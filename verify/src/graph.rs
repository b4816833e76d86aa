//! What the journal of a saga does not say of its definition: which nodes follow which. Given by the caller; a
//! program that has the definition at hand can copy it from there.

use std::collections::{BTreeMap, BTreeSet};

/// The nodes of one version of a definition.
///
/// ```
/// use palinode_verify::Graph;
/// let graph = Graph::new("book-trip", 1)
///     .node("hold-room", &[])
///     .node("hold-seat", &["hold-room"])
///     .node("hold-car", &["hold-room"])
///     .node("capture-payment", &["hold-seat", "hold-car"]);
/// # let _ = graph;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    definition: String,
    version: u32,
    after: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Of a definition, without nodes yet.
    #[must_use]
    pub fn new(definition: impl Into<String>, version: u32) -> Self {
        Self { definition: definition.into(), version, after: BTreeMap::new() }
    }

    /// With a node, by its path, and the nodes it directly follows.
    #[must_use]
    pub fn node(mut self, path: &str, after: &[&str]) -> Self {
        let after = after.iter().map(|a| (*a).to_owned()).collect();
        self.after.insert(path.to_owned(), after);
        self
    }

    /// Whether it is the graph of this version.
    pub(crate) fn is(&self, definition: &str, version: u32) -> bool {
        self.version == version && self.definition == definition
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.after.keys().map(String::as_str)
    }

    /// What a node directly follows; `None` when the definition has no such node.
    pub(crate) fn after(&self, path: &str) -> Option<&BTreeSet<String>> {
        self.after.get(path)
    }

    /// Whether a node follows another, directly or through others.
    pub(crate) fn follows(&self, path: &str, before: &str) -> bool {
        let (mut left, mut seen) = (vec![path], BTreeSet::from([path]));
        while let Some(at) = left.pop() {
            for next in self.after.get(at).into_iter().flatten() {
                if next == before {
                    return true;
                }
                if seen.insert(next) {
                    left.push(next);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_follows_what_stands_before_it_on_any_road() {
        let graph = Graph::new("g", 1)
            .node("a", &[])
            .node("b", &["a"])
            .node("c", &["a"])
            .node("d", &["b", "c"])
            .node("e", &["e"]);
        assert!(graph.follows("d", "a") && graph.follows("d", "c") && graph.follows("b", "a"));
        assert!(!graph.follows("a", "d") && !graph.follows("b", "c") && !graph.follows("a", "a"));
        assert!(!graph.follows("e", "a"), "a circle ends");
    }
}
