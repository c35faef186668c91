//! The key-value store of all VMs with the same `vm_id`.

use super::answer::answer;
use crate::abi::Status;
use crate::guest::Span;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_shared_data", get_shared_data)?;
    linker.func_wrap("env", "proxy_set_shared_data", set_shared_data)?;
    Ok(())
}

fn get_shared_data(
    caller: Caller<'_, Host>,
    key: u32,
    key_size: u32,
    address_to: u32,
    size_to: u32,
    cas_to: u32,
) -> u32 {
    answer(caller, "proxy_get_shared_data", |guest| {
        let (key, host) = guest.read(Span::new(key, key_size))?;
        let found = host.environment.shared_data.get(&host.vm_id, key);
        let (value, cas) = found.ok_or(Status::NotFound)?;
        guest.give(&value, address_to, size_to)?;
        guest.write_number(cas_to, cas)
    })
}

fn set_shared_data(
    caller: Caller<'_, Host>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> u32 {
    answer(caller, "proxy_set_shared_data", |guest| {
        let key = guest.copy(Span::new(key, key_size))?;
        let (value, host) = guest.read(Span::new(value, value_size))?;
        let stored = host
            .environment
            .shared_data
            .set(&host.vm_id, &key, value, cas);
        stored.map_err(|_| Status::CasMismatch)
    })
}
