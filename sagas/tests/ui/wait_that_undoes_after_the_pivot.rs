use palinode_sagas::{Saga, Undo};
use serde::{Deserialize, Serialize};

include!("parts/activities.rs");

fn main() {
    let _ = Undo;
    let _: Saga<Trip> = Saga::define("trip", 1)
        .pivot("pay", |_: &Trip| Hold)
        .wait::<Word>("word", std::time::Duration::from_secs(1))
        .on_timeout(Undo)
        .finish();
}
