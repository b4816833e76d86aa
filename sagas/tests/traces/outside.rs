//! Outside.
