//! Letting a stream go on, and answering it.

use super::answer::answer;
use crate::abi::{self, Status};
use crate::guest::Span;
use crate::host::Host;
use crate::stream::{LocalReply, Phase};
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_continue_stream", continue_stream)?;
    linker.func_wrap("env", "proxy_send_local_response", send_local_response)?;
    Ok(())
}

/// Types 0 and 1 are the request and the response; connections (2, 3) are not filtered.
fn continue_stream(caller: Caller<'_, Host>, kind: u32) -> u32 {
    answer(caller, "proxy_continue_stream", |guest| {
        let mut stream = guest
            .host()
            .stream()
            .ok_or(Status::BadArgument)?
            .borrow_mut();
        match (kind, stream.phase) {
            (0, Phase::Request) | (1, Phase::Response) => {
                stream.continued = true;
                stream.wake();
                Ok(())
            }
            (0 | 1, _) => Ok(()), // not held: nothing to do, as in Envoy
            (2 | 3, _) => Err(Status::Unimplemented),
            _ => Err(Status::BadArgument),
        }
    })
}

/// The gRPC status is not used: it is for gRPC requests only.
#[expect(clippy::too_many_arguments, reason = "the signature of the ABI")]
fn send_local_response(
    caller: Caller<'_, Host>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    head: u32,
    head_size: u32,
    _grpc_status: i32,
) -> u32 {
    answer(caller, "proxy_send_local_response", |guest| {
        let details = guest.text(Span::new(details, details_size))?;
        let body = guest.copy(Span::new(body, body_size))?;
        let headers = abi::read_pairs(guest.read(Span::new(head, head_size))?.0)?;
        let mut stream = guest
            .host()
            .stream()
            .ok_or(Status::BadArgument)?
            .borrow_mut();
        if stream.phase == Phase::Log {
            return Err(Status::BadArgument);
        }
        stream.local_reply = Some(LocalReply {
            status: u16::try_from(status).map_err(|_| Status::BadArgument)?,
            headers,
            body,
            flags: 0,
            details: Some(details),
        });
        stream.wake();
        Ok(())
    })
}
