//! The harness against small guests, and its proxy over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "test helpers"
)]

#[path = "all/failure.rs"]
mod failure;
#[path = "all/header_map.rs"]
mod header_map;
#[path = "all/host_calls.rs"]
mod host_calls;
#[path = "all/proxy.rs"]
mod proxy;
#[path = "all/routing.rs"]
mod routing;
#[path = "all/support.rs"]
mod support;
#[path = "all/upstream.rs"]
mod upstream;
