//! Books trips through a saga over four services.

fn main() {}
