//! The module under test.

use std::sync::OnceLock;

/// The module, compiled once for all tests of a process.
///
/// # Panics
/// There is none: says which command builds it.
#[must_use]
pub fn module() -> host_harness::Module {
    static MODULE: OnceLock<host_harness::Module> = OnceLock::new();
    let compile = || {
        let path = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
        limpet_cli::module::load(&path).unwrap_or_else(|why| panic!("{why:#}"))
    };
    MODULE.get_or_init(compile).clone()
}
