//! What a host function answers.

use crate::abi::Status;
use crate::guest::Guest;
use crate::host::Host;
use wasmtime::Caller;

/// Runs the body of a WASI function and answers WASI's numbers: 0 or `EFAULT`.
pub(super) fn answer_wasi(
    caller: Caller<'_, Host>,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Status>,
) -> u32 {
    const EFAULT: u32 = 21;
    body(&mut Guest::new(caller)).map_or(EFAULT, |()| 0)
}

/// Runs the body of a host function and answers its status.
pub(super) fn answer(
    caller: Caller<'_, Host>,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Status>,
) -> u32 {
    match body(&mut Guest::new(caller)) {
        Ok(()) => Status::Ok.into(),
        Err(status) => status.into(),
    }
}
