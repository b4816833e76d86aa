//! The snapshot contract as a suite.
