//! What the tests share: pods that echo, a client that speaks in bytes, a browser with
//! a cookie jar, a real Envoy, and endpoint files that it watches.
//!
//! No fixed port anywhere: everything binds port 0 and is asked where it is. No sleeps:
//! [`wait::until`] waits for a condition, with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a fixture that fails is a test that fails"
)]

pub mod browser;
pub mod chromium;
pub mod client_certificates;
pub mod crowd;
pub mod eds;
pub mod envoy;
pub mod grpc;
pub mod guest;
pub mod http;
mod latin1;
pub mod manifest;
pub mod pod;
pub mod recorded;
pub mod recordings;
pub mod rendered;
pub mod ring;
pub mod target;
pub mod tls;
pub mod wait;
