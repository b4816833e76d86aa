//! The compile errors of forbidden orders: one file each, the message checked.

#[test]
fn forbidden_orders_do_not_compile_and_say_why() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
