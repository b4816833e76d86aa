//! The log contract as a suite.
