//! Calls that a module makes on its own.

use super::answer::answer;
use crate::abi::{self, Status};
use crate::guest::Span;
use crate::host::Host;
use crate::http_call::HttpCall;
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_http_call", http_call)?;
    Ok(())
}

/// Envoy refuses an unknown cluster and a head without `:method`, `:path`, `:authority`.
/// Trailers of the request are not sent.
#[expect(clippy::too_many_arguments, reason = "the signature of the ABI")]
fn http_call(
    caller: Caller<'_, Host>,
    cluster: u32,
    cluster_size: u32,
    head: u32,
    head_size: u32,
    body: u32,
    body_size: u32,
    _trailers: u32,
    _trailers_size: u32,
    timeout: u32,
    token_to: u32,
) -> u32 {
    answer(caller, "proxy_http_call", |guest| {
        let cluster = guest.text(Span::new(cluster, cluster_size))?;
        let head = abi::read_pairs(guest.read(Span::new(head, head_size))?.0)?;
        let body = guest.copy(Span::new(body, body_size))?;
        if [":method", ":path", ":authority"]
            .iter()
            .any(|name| !head.contains(name))
        {
            return Err(Status::BadArgument);
        }
        let host = guest.host_mut();
        if host.environment.clusters.get(&cluster).is_none()
            && !host.admin_clusters.contains(&cluster)
        {
            return Err(Status::BadArgument);
        }
        let token = host.next_token;
        host.next_token = token.wrapping_add(1);
        host.pending_calls.insert(token, host.effective);
        host.new_calls.push(HttpCall {
            token,
            cluster,
            head,
            body,
            timeout: Duration::from_millis(timeout.into()),
        });
        host.wake();
        guest.write_number(token_to, token)
    })
}
