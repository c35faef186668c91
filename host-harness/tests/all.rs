//! The harness against small guests, and its proxy over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

#[path = "all/header_map.rs"]
mod header_map;
#[path = "all/support.rs"]
mod support;
