//! What a failure of the synchronous driver means: the same as of the other one.

use crate::{
    checkpoint::{ApplyError, Class},
    store::driver::of_result_code,
};

impl From<rusqlite::Error> for ApplyError {
    fn from(e: rusqlite::Error) -> Self {
        let code = e.sqlite_error().map(|e| e.extended_code);
        Self::new(code.map_or(Class::Poison, of_result_code), e.to_string())
    }
}
