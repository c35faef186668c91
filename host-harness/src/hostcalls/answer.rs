//! What a host function answers.

use crate::abi::Status;
use crate::guest::Guest;
use crate::host::Host;
use wasmtime::Caller;

/// Runs the body of the WASI function `call` and answers WASI's numbers: 0 or `EFAULT`.
pub(super) fn answer_wasi(
    caller: Caller<'_, Host>,
    call: &str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Status>,
) -> u32 {
    const EFAULT: u32 = 21;
    if let Some(status) = caller.data().refusal_of(call) {
        return status;
    }
    body(&mut Guest::new(caller)).map_or(EFAULT, |()| 0)
}

/// Runs the body of the host function `call` and answers its status.
pub(super) fn answer(
    caller: Caller<'_, Host>,
    call: &str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Status>,
) -> u32 {
    if let Some(status) = caller.data().refusal_of(call) {
        return status;
    }
    match body(&mut Guest::new(caller)) {
        Ok(()) => Status::Ok.into(),
        Err(status) => status.into(),
    }
}
