//! What may break a rule, one line each: the rule, the file, the reason.

pub(crate) const EXCEPTIONS: &[(&str, &str, &str)] = &[];
