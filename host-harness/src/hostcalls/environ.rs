//! The VM's environment variables, by way of WASI.
//!
//! Source: `wasi_unstable_environ_get`, `src/exports.cc`, proxy-wasm-cpp-host 52a0291.

use super::answer::answer_wasi;
use crate::abi::Status;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

const MODULE: &str = "wasi_snapshot_preview1";

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(MODULE, "environ_sizes_get", environ_sizes_get)?;
    linker.func_wrap(MODULE, "environ_get", environ_get)?;
    Ok(())
}

/// `NAME=value` and a zero byte.
fn texts(host: &Host) -> Vec<Vec<u8>> {
    let variables = host.environment_variables.iter();
    let text = variables.map(|(name, value)| [name.as_bytes(), b"=", value, b"\0"].concat());
    text.collect()
}

fn environ_sizes_get(caller: Caller<'_, Host>, count_to: u32, size_to: u32) -> u32 {
    answer_wasi(caller, "environ_sizes_get", |guest| {
        let texts = texts(guest.host());
        let size = texts.iter().map(Vec::len).sum();
        guest.write_number(count_to, number(texts.len())?)?;
        guest.write_number(size_to, number(size)?)
    })
}

fn environ_get(caller: Caller<'_, Host>, addresses_to: u32, bytes_to: u32) -> u32 {
    answer_wasi(caller, "environ_get", |guest| {
        let (mut address_to, mut byte_to) = (addresses_to, bytes_to);
        for text in texts(guest.host()) {
            guest.write_number(address_to, byte_to)?;
            guest.write(byte_to, &text)?;
            address_to = address_to.wrapping_add(4);
            byte_to = byte_to.wrapping_add(number(text.len())?);
        }
        Ok(())
    })
}

fn number(length: usize) -> std::result::Result<u32, Status> {
    u32::try_from(length).map_err(|_| Status::InternalFailure)
}
