//! All tests that need the module, a host or a process, in one binary: each further one would
//! link wasmtime again. `README.md` says what each suite is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod attacks {
    mod certificates;
    mod client_certificates;
    mod costly_at_once;
    mod costly_patterns;
    mod costly_texts;
    mod denials;
    pub(crate) mod edge;
    mod hostile_clients;
    mod ipv6;
    mod path_rules;
    mod random_requests;
    mod raw_bytes;
    mod secrets;
    mod tenants;
}
mod cases;
mod check;
mod chromium;
mod costs {
    mod checking;
    mod configure;
    mod flat;
    mod guest_work;
    mod host_calls;
    mod memory;
    mod worker;
}
mod envoy_behaviour;
mod example_guest;
mod faults;
mod fixtures;
mod house {
    mod module_file;
}
mod page;
mod platforms;
mod recordings {
    mod nginx;
    mod on_envoy;
    mod on_module;
    mod on_platforms;
}
mod sessions {
    mod in_the_harness;
}
