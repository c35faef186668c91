//! The module as it is shipped.

use std::fs;
use std::path::Path;

/// Callbacks that Envoy would call for nothing: 1.5 to 2 µs of CPU per request.
const NEEDLESS: [&str; 7] = [
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_trailers",
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_new_connection",
];

fn module() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/module/limpet.wasm");
    fs::read(&path).unwrap_or_else(|why| panic!("{path:?}: {why}; run `cargo xtask wasm`"))
}

fn says(module: &[u8], text: &str) -> bool {
    module.windows(text.len()).any(|at| at == text.as_bytes())
}

#[test]
fn no_callback_is_exported_that_would_do_nothing() {
    let module = module();
    assert!(says(&module, "proxy_on_request_headers") && says(&module, "proxy_on_delete"));
    for name in NEEDLESS {
        assert!(!says(&module, name), "{name}");
    }
}

#[test]
fn nothing_of_the_machine_that_built_it_is_in_it() {
    let module = module();
    let here = env!("CARGO_MANIFEST_DIR").trim_end_matches("tests");
    for folder in [here, "/registry/src/", "/debian-rust/"] {
        assert!(!says(&module, folder), "{folder}");
    }
}

#[test]
fn of_wasi_it_imports_random_bytes_and_the_environment_alone() {
    let module = module();
    for name in ["random_get", "environ_sizes_get", "environ_get"] {
        assert!(says(&module, name), "{name}");
    }
    for name in ["clock_time_get", "args_get", "fd_write", "proc_exit"] {
        assert!(!says(&module, name), "{name}");
    }
}
