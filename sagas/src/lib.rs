//! Sagas for Palinode: definitions as data, a pure coordinator, compensation that is never lost.
