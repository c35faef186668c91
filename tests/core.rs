//! What runs on the native core alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod allocations;
mod dependencies;
mod layering;
mod open_redirects;
mod readme;
mod refusals;
mod ring;
mod seeds;
mod traces;
