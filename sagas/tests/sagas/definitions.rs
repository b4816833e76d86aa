//! What a definition says about itself: problems, fingerprint, golden text.

use std::sync::Arc;

use palinode::{Aggregate, Service};
use palinode_sagas::{Class, Saga, SagaService};

use crate::world::{Pay, Room, Trip, branched, hold, linear, release, trip};

#[test]
fn names_twice_bad_names_and_missing_nodes_are_found_together() {
    let saga = Saga::define("Trip", 0)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .pivot("room", |t| Pay { trip: Arc::clone(&t.id) })
        .retriable("Confirm It", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let found: Vec<String> = saga.check().unwrap_err().iter().map(ToString::to_string).collect();
    let text = found.join("\n");
    for part in ["\"Trip\"", "version 0", "two nodes are named \"room\"", "\"Confirm It\""] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(found.len(), 4, "{text}");
    let empty: Saga<Trip> = Saga::define("empty", 1).finish();
    assert!(empty.check().unwrap_err()[0].what.contains("no nodes"));
}

#[test]
fn the_same_name_in_two_branches_is_no_mistake() {
    assert_eq!(branched().check(), Ok(()));
    let paths: Vec<String> = branched().definition().nodes().map(|(_, n)| n.path.to_string()).collect();
    assert_eq!(paths, ["room", "seat", "car/quote", "car/hold", "guest", "pay", "confirm", "voucher"]);
}

#[test]
fn the_fingerprint_sees_structure_and_no_policy() {
    let same = linear().definition().fingerprint();
    assert_eq!(same, linear().definition().fingerprint());
    let longer = |patient: bool| {
        let flow = Saga::define("x", 1).pivot("pay", |t: &Trip| Pay { trip: Arc::clone(&t.id) });
        let flow = if patient { flow.retry(palinode_sagas::Retry::retriable()) } else { flow };
        flow.finish().definition().fingerprint()
    };
    assert_eq!(longer(true), longer(false));
    assert_ne!(longer(true), same);
}

#[test]
fn the_golden_text_holds_every_ask_and_undo_of_the_samples() {
    let golden = linear().samples([Trip { price: 5, ..trip() }]).golden().unwrap();
    let lines: Vec<&str> = golden.lines().collect();
    assert_eq!(lines.len(), 1 + 6, "{golden}");
    assert!(
        golden.contains(r#"0 room undo"#) && golden.contains(r#"{"Release":{"trip":"t1","paid":null}}"#),
        "{golden}"
    );
}

#[test]
fn a_definition_knows_what_its_nodes_are() {
    let saga = branched();
    let late: Vec<(Class, bool)> = saga.definition().nodes().map(|(_, n)| (n.class, n.late)).collect();
    assert_eq!(late[5], (Class::Pivot, false));
    assert_eq!(late[6], (Class::Retriable, true));
}

#[test]
fn a_service_takes_a_saga() {
    let service = Service::new("trip").saga(&linear());
    assert_eq!(&**service.name(), "trip");
}
