use palinode_sagas::{Saga, Undo};
use serde::{Deserialize, Serialize};

include!("parts/activities.rs");

fn main() {
    let _ = Undo;
    let _: Saga<Trip> = Saga::define("trip", 1)
        .branch("a", |flow| flow.step("hold", |_: &Trip| Hold).undo(|_, _| Release))
        .finish();
}
