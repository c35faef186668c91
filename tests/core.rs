//! What runs on the native core alone. `README.md` says what each suite is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod attacks {
    mod fuzz_seeds;
    mod open_redirects;
}
mod charts;
mod costs {
    mod allocations;
    mod rendering;
}
mod house {
    mod dependencies;
    mod documents;
    mod layering;
}
mod recordings {
    mod on_core;
}
mod refusals;
mod sessions {
    mod migration;
}
