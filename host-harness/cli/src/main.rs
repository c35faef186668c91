//! limpet.
fn main() {}
