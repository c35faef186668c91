//! Buffers: the configurations and the body of a call's response. Of the bodies of
//! requests the module learns the sizes of their pieces, of those of responses nothing.

use super::answer::answer;
use crate::abi::Status;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_buffer_bytes", get_buffer_bytes)?;
    Ok(())
}

/// Envoy answers a start beyond the end with no bytes, and cuts what is too long.
fn get_buffer_bytes(
    caller: Caller<'_, Host>,
    buffer: u32,
    start: u32,
    length: u32,
    address_to: u32,
    size_to: u32,
) -> u32 {
    answer(caller, "proxy_get_buffer_bytes", |guest| {
        guest.give_filled(address_to, size_to, |host, out| {
            let bytes = find(host, buffer)?;
            let start = usize::try_from(start).map_err(|_| Status::BadArgument)?;
            let length = usize::try_from(length).map_err(|_| Status::BadArgument)?;
            let rest = bytes.get(start..).unwrap_or_default();
            out.extend_from_slice(rest.get(..length).unwrap_or(rest));
            Ok(())
        })
    })
}

fn find(host: &Host, buffer: u32) -> std::result::Result<&[u8], Status> {
    match buffer {
        4 => host
            .call_response
            .as_ref()
            .map(|response| response.body.as_slice()),
        6 => Some(host.vm_configuration.as_slice()),
        7 => Some(host.configuration.as_slice()),
        _ => None,
    }
    .ok_or(Status::NotFound)
}
