//! Sagas on a real node over the embedded log, from the outside, across restarts.

mod node;
