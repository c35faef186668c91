//! The functions that a module imports, a file for each family.
//!
//! `env.proxy_*` of proxy-wasm 0.2.1, and of WASI random bytes and environment variables. What an
//! HTTP filter has no use for (gRPC, shared queues, writing bodies, resetting streams) answers
//! `Unimplemented`.

mod answer;
mod buffer;
mod clock;
mod environ;
mod foreign;
mod header_map;
mod http_call;
mod log;
mod metric;
mod property;
mod shared_data;
mod stream;

use crate::abi::Status;
use crate::host::Host;
use wasmtime::{ExternType, Linker, Module, Result, Val};

/// Defines everything that `module` may import.
pub(crate) fn define(linker: &mut Linker<Host>, module: &Module) -> Result<()> {
    buffer::define(linker)?;
    clock::define(linker)?;
    environ::define(linker)?;
    foreign::define(linker)?;
    header_map::define(linker)?;
    http_call::define(linker)?;
    log::define(linker)?;
    metric::define(linker)?;
    property::define(linker)?;
    shared_data::define(linker)?;
    stream::define(linker)?;
    define_unimplemented(linker, module)
}

/// The other functions of the ABI, whatever their parameters.
fn define_unimplemented(linker: &mut Linker<Host>, module: &Module) -> Result<()> {
    const FAMILIES: [&str; 4] = [
        "proxy_close_stream",
        "proxy_get_status",
        "proxy_grpc_",
        "proxy_set_buffer_bytes",
    ];
    for import in module.imports() {
        let known = FAMILIES
            .iter()
            .any(|family| import.name().starts_with(family))
            || import.name().ends_with("_shared_queue");
        if let ("env", true, ExternType::Func(shape)) = (import.module(), known, import.ty()) {
            linker.func_new("env", import.name(), shape, |_, _, results| {
                results.fill(Val::I32(Status::Unimplemented as i32));
                Ok(())
            })?;
        }
    }
    Ok(())
}
