//! The module as it is shipped.

use std::fs;
use std::path::Path;

/// What the module exports. A callback that is there is called: three that would do nothing
/// cost a request 1.5 to 2 µs of CPU.
const EXPORTS: [&str; 14] = [
    "__data_end",
    "__heap_base",
    "_initialize",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
];

fn module() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/module/limpet.wasm");
    fs::read(&path).unwrap_or_else(|why| panic!("{path:?}: {why}; run `cargo xtask wasm`"))
}

fn says(module: &[u8], text: &str) -> bool {
    module.windows(text.len()).any(|at| at == text.as_bytes())
}

/// A number of the binary format (LEB128), cut off the front.
fn number(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The names in the export section, sorted.
fn exports(module: &[u8]) -> Vec<String> {
    const EXPORT: u8 = 7;
    let mut rest = &module[8..];
    loop {
        let id = rest[0];
        rest = &rest[1..];
        let size = number(&mut rest);
        let (mut section, after) = rest.split_at(size);
        rest = after;
        if id != EXPORT {
            continue;
        }
        let count = number(&mut section);
        let name = |_| {
            let length = number(&mut section);
            let name = String::from_utf8(section[..length].to_vec()).unwrap();
            section = &section[length + 1..]; // a byte for the kind
            number(&mut section);
            name
        };
        let mut names: Vec<String> = (0..count).map(name).collect();
        names.sort();
        return names;
    }
}

#[test]
fn no_callback_is_exported_that_would_do_nothing() {
    assert_eq!(exports(&module()), EXPORTS);
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
