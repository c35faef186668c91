//! All tests in one binary: each further one would link wasmtime again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod behaviour;
mod cases;
mod check;
mod chromium;
mod configure;
mod crds;
mod faults;
mod fixtures;
mod host_calls;
mod hostile;
mod module_file;
mod nginx;
mod platforms;
mod raw_bytes;
mod recorded;
mod sessions;
