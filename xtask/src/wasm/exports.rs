//! Drops the exports that Envoy would call for nothing.
//!
//! Envoy calls every callback that a module exports, and the SDK exports all of
//! them: one crossing into the VM per body chunk, trailer, log line and end of
//! stream, 1.5 to 2 µs of CPU per request, each to do nothing.

use anyhow::{Context, Result};
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

/// The functions a host may call. A module without one of the optional
/// callbacks is asked nothing; `proxy_on_delete` stays, for without it the SDK
/// never frees a stream.
///
/// Source: `WasmBase::getFunctions`, proxy-wasm-cpp-host `src/wasm.cc`.
const CALLED: [&str; 14] = [
    "_initialize",
    "_start",
    "malloc",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "memory",
];

/// The same module, exporting only [`CALLED`].
///
/// # Errors
/// When the bytes are not a WebAssembly module.
pub(crate) fn prune(module: &[u8]) -> Result<Vec<u8>> {
    let mut pruned = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("not a WebAssembly module")?;
        if let Payload::ExportSection(exports) = &payload {
            let mut kept = ExportSection::new();
            for export in exports.clone() {
                let export = export.context("the export section cannot be read")?;
                if CALLED.contains(&export.name) {
                    kept.export(export.name, kind(export.kind)?, export.index);
                }
            }
            pruned.section(&kept);
        } else if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).context("a section beyond the end")?;
            pruned.section(&RawSection { id, data });
        }
    }
    Ok(pruned.finish())
}

fn kind(kind: ExternalKind) -> Result<ExportKind> {
    Ok(match kind {
        ExternalKind::Func => ExportKind::Func,
        ExternalKind::Memory => ExportKind::Memory,
        other => anyhow::bail!("an export of kind {other:?}, expected a function or the memory"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporting(names: &[&str]) -> Vec<u8> {
        let mut exports = ExportSection::new();
        for name in names {
            exports.export(name, ExportKind::Func, 7);
        }
        Module::new().section(&exports).clone().finish()
    }

    #[test]
    fn only_what_a_host_may_call_stays() {
        let all = [
            "proxy_on_log",
            "proxy_on_delete",
            "proxy_on_request_body",
            "proxy_on_tick",
        ];
        let kept = ["proxy_on_delete", "proxy_on_tick"];
        assert_eq!(prune(&exporting(&all)).unwrap(), exporting(&kept));
    }

    #[test]
    fn what_is_not_a_module_is_refused() {
        assert!(prune(b"#!/bin/sh").is_err());
    }
}
