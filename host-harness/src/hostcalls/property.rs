//! Properties: of the stream, of the plugin, and those a module sets itself.

use super::answer::answer;
use crate::abi::Status;
use crate::guest::Span;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_property", get_property)?;
    linker.func_wrap("env", "proxy_set_property", set_property)?;
    Ok(())
}

fn get_property(
    caller: Caller<'_, Host>,
    path: u32,
    path_size: u32,
    address_to: u32,
    size_to: u32,
) -> u32 {
    answer(caller, "proxy_get_property", |guest| {
        let (path, host) = guest.read(Span::new(path, path_size))?;
        if UNSERIALIZABLE.contains(&path) {
            return Err(Status::SerializationFailure);
        }
        let value = find(host, path).ok_or(Status::NotFound)?;
        guest.give(&value, address_to, size_to)
    })
}

/// What Envoy cannot turn into bytes: a whole map, and the metadata of a host without any.
const UNSERIALIZABLE: [&[u8]; 2] = [b"filter_state", b"xds\0upstream_host_metadata"];

fn find(host: &Host, path: &[u8]) -> Option<Vec<u8>> {
    match path {
        b"plugin_name" => Some(host.plugin_name.clone().into_bytes()),
        b"plugin_root_id" => Some(host.root_id.clone().into_bytes()),
        b"plugin_vm_id" => Some(host.vm_id.clone().into_bytes()),
        _ => host.stream()?.borrow().property(path),
    }
}

/// Envoy keeps it as filter state `wasm.<path>` of the stream.
fn set_property(
    caller: Caller<'_, Host>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> u32 {
    answer(caller, "proxy_set_property", |guest| {
        let path = guest.copy(Span::new(path, path_size))?;
        let value = guest.copy(Span::new(value, value_size))?;
        let stream = guest.host().stream().ok_or(Status::NotFound)?;
        stream.borrow_mut().filter_state.insert(path, value);
        Ok(())
    })
}
