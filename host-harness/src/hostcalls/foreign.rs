//! Foreign functions and the effective context.

use super::answer::answer;
use crate::abi::Status;
use crate::guest::Span;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_call_foreign_function", call_foreign_function)?;
    linker.func_wrap("env", "proxy_set_effective_context", set_effective_context)?;
    linker.func_wrap("env", "proxy_done", |_: Caller<'_, Host>| {
        u32::from(Status::Ok)
    })?;
    Ok(())
}

/// `clear_route_cache` is there, as in Envoy; it adds nothing to what writing a header does.
fn call_foreign_function(
    caller: Caller<'_, Host>,
    name: u32,
    name_size: u32,
    _arguments: u32,
    _arguments_size: u32,
    _results_to: u32,
    _size_to: u32,
) -> u32 {
    answer(caller, "proxy_call_foreign_function", |guest| {
        let (name, host) = guest.read(Span::new(name, name_size))?;
        if name != b"clear_route_cache" {
            return Err(Status::NotFound);
        }
        if let Some(stream) = host.stream() {
            stream.borrow_mut().route_cleared = true;
        }
        Ok(())
    })
}

fn set_effective_context(mut caller: Caller<'_, Host>, context: u32) -> u32 {
    let host = caller.data_mut();
    if context == host.active {
        host.effective = context;
        return Status::Ok.into();
    }
    answer(caller, "proxy_set_effective_context", |guest| {
        let host = guest.host_mut();
        if context != host.root && !host.streams.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        host.effective = context;
        Ok(())
    })
}
