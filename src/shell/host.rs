//! Every call to the host, in bytes and `Result`s.
//!
//! The imports are declared here and not taken from the SDK, whose wrappers panic on any
//! status that they do not expect, and a panic takes down every request of the VM.
//! This is the only file with `unsafe` blocks.
//!
//! Source: proxy-wasm/spec, `abi-versions/v0.2.1`; statuses as Envoy 1.40 answers them.
#![allow(
    unsafe_code,
    reason = "calls through the proxy-wasm ABI pass pointers into this module's own memory"
)]

use crate::edit::Reply;
use crate::pairs;
use std::fmt;
use std::ptr::null_mut;

/// A host call that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostError {
    /// The call's name in the ABI.
    pub(crate) call: &'static str,
    /// What the host answered; the numbers are the ABI's (1 not found, 2 bad argument, ...).
    pub(crate) status: u32,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host call {} answered status {}", self.call, self.status)
    }
}

/// What a host call gives.
pub(crate) type Result<T> = std::result::Result<T, HostError>;

/// How much a log line matters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

/// The head of which message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head {
    /// Readable and writable until the request goes on; afterwards Envoy answers status 2.
    Request = 0,
    /// Only in `on_response_headers`.
    Response = 2,
}

/// What a metric does with the numbers it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Metric {
    Counter = 0,
    Gauge = 1,
}

const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;
const HTTP_REQUEST: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(
            map: u32,
            name: *const u8,
            name_len: usize,
        ) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_len: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_len: usize,
            value: *const u8,
            value_len: usize,
        ) -> u32;
        pub(super) fn proxy_get_shared_data(
            key: *const u8,
            key_len: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(
            key: *const u8,
            key_len: usize,
            value: *const u8,
            value_len: usize,
            cas: u32,
        ) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_len: usize,
            body: *const u8,
            body_len: usize,
            headers: *const u8,
            headers_len: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_http_call(
            cluster: *const u8,
            cluster_len: usize,
            headers: *const u8,
            headers_len: usize,
            body: *const u8,
            body_len: usize,
            trailers: *const u8,
            trailers_len: usize,
            timeout_ms: u32,
            token: *mut u32,
        ) -> u32;
        pub(super) fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_len: usize,
            id: *mut u32,
        ) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn random_get(bytes: *mut u8, len: usize) -> u32;
        pub(super) fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
        pub(super) fn environ_get(variables: *mut *mut u8, bytes: *mut u8) -> u32;
    }
}

fn done(call: &'static str, status: u32) -> Result<()> {
    match status {
        0 => Ok(()),
        status => Err(HostError { call, status }),
    }
}

/// Runs a call that hands over a buffer; `None` where the host says "not found".
fn fetch(
    call: &'static str,
    ask: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<Vec<u8>>> {
    let (mut data, mut size) = (null_mut(), 0);
    match ask(&raw mut data, &raw mut size) {
        0 if data.is_null() => Ok(Some(Vec::new())),
        // SAFETY: the host allocated `size` bytes by our `malloc` and hands them over.
        0 => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        NOT_FOUND => Ok(None),
        status => Err(HostError { call, status }),
    }
}

/// Writes a log line. In any callback; a refusal is not reported, there is nowhere to.
pub(crate) fn log(level: Level, text: &str) {
    // SAFETY: pointer and length of one live string.
    unsafe { raw::proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// Nanoseconds since 1970 by the host's clock, 0 if it has none. In any callback.
pub(crate) fn now_ns() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes eight bytes.
    unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// Microseconds since 1970. In any callback.
pub(crate) fn now_us() -> u64 {
    now_ns() / 1_000
}

/// Random bits; 0 if the host has none. In any callback.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: pointer and length of one live array.
    unsafe { raw::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// The VM's environment variables, `NAME=value` with a zero byte behind each; none if the host
/// has none. In any callback.
pub(crate) fn environment() -> Vec<u8> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes two numbers.
    if unsafe { raw::environ_sizes_get(&raw mut count, &raw mut size) } != 0 {
        return Vec::new();
    }
    let (mut variables, mut bytes) = (vec![null_mut(); count], vec![0; size]);
    // SAFETY: the host writes as many addresses and bytes as it has just said.
    match unsafe { raw::environ_get(variables.as_mut_ptr(), bytes.as_mut_ptr()) } {
        0 => bytes,
        _ => Vec::new(),
    }
}

/// How often `on_tick` comes. In callbacks of the root context.
pub(crate) fn set_tick_period(ms: u32) -> Result<()> {
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_set_tick_period_milliseconds(ms) };
    done("set_tick_period_milliseconds", status)
}

/// Makes the calls that follow act on `context`, until the callback ends. In any callback.
pub(crate) fn set_effective_context(context: u32) -> Result<()> {
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_set_effective_context(context) };
    done("set_effective_context", status)
}

/// Lets the paused request of the effective context go on, after the callback.
pub(crate) fn continue_request() -> Result<()> {
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_continue_stream(HTTP_REQUEST) };
    done("continue_stream", status)
}

/// The plugin configuration of `size` bytes. Only in `on_configure`.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>> {
    buffer(PLUGIN_CONFIGURATION, size)
}

/// The body of an answer to [`http_call`], of `size` bytes. Only in `on_http_call_response`.
pub(crate) fn call_body(size: usize) -> Result<Vec<u8>> {
    buffer(CALL_RESPONSE_BODY, size)
}

fn buffer(which: u32, size: usize) -> Result<Vec<u8>> {
    fetch("get_buffer_bytes", |data, len| {
        // SAFETY: `data` and `len` are live; see `fetch`.
        unsafe { raw::proxy_get_buffer_bytes(which, 0, size, data, len) }
    })
    .map(Option::unwrap_or_default)
}

/// The `:status` of an answer to [`http_call`]. Only in `on_http_call_response`.
pub(crate) fn call_status() -> Result<Option<Vec<u8>>> {
    value(CALL_RESPONSE_HEADERS, ":status")
}

/// The whole head of a message, for [`pairs::decode`].
pub(crate) fn headers(of: Head) -> Result<Vec<u8>> {
    let bytes = fetch("get_header_map_pairs", |data, size| {
        // SAFETY: `data` and `size` are live; see `fetch`.
        unsafe { raw::proxy_get_header_map_pairs(of as u32, data, size) }
    })?;
    Ok(bytes.unwrap_or_default())
}

/// One header of a message; duplicates are joined by the host.
pub(crate) fn header(of: Head, name: &str) -> Result<Option<Vec<u8>>> {
    value(of as u32, name)
}

fn value(map: u32, name: &str) -> Result<Option<Vec<u8>>> {
    fetch("get_header_map_value", |data, size| {
        // SAFETY: `name`, `data` and `size` are live; see `fetch`.
        unsafe { raw::proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size) }
    })
}

/// Replaces every field of this name by one.
pub(crate) fn set_header(of: Head, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: pointers and lengths of live slices.
    let status = unsafe {
        raw::proxy_replace_header_map_value(
            of as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    done("replace_header_map_value", status)
}

/// Adds a field.
pub(crate) fn add_header(of: Head, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: pointers and lengths of live slices.
    let status = unsafe {
        raw::proxy_add_header_map_value(
            of as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    done("add_header_map_value", status)
}

/// Removes every field of this name.
pub(crate) fn remove_header(of: Head, name: &str) -> Result<()> {
    // SAFETY: pointer and length of one live string.
    let status =
        unsafe { raw::proxy_remove_header_map_value(of as u32, name.as_ptr(), name.len()) };
    done("remove_header_map_value", status)
}

/// A property in Envoy's encoding. In callbacks of a stream; what is there depends on the
/// callback. Errors count as absent: Envoy has several for "not now".
pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    fetch("get_property", |data, size| {
        // SAFETY: `path`, `data` and `size` are live; see `fetch`.
        unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) }
    })
    .ok()
    .flatten()
}

/// Sets a property of the stream; Envoy shows it as filter state `wasm.<name>`.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: pointers and lengths of live slices.
    let status =
        unsafe { raw::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    done("set_property", status)
}

/// A value that all VMs of the process share, and the number to compare and swap by. In any
/// callback.
pub(crate) fn shared(key: &str) -> Result<Option<(Vec<u8>, u32)>> {
    let mut cas = 0;
    let value = fetch("get_shared_data", |data, size| {
        // SAFETY: `key`, `data`, `size` and `cas` are live; see `fetch`.
        unsafe { raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) }
    })?;
    Ok(value.map(|value| (value, cas)))
}

/// Shares a value; `cas` 0 writes over whatever is there. `false`: somebody else wrote since
/// `cas` was read. In any callback.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> Result<bool> {
    // SAFETY: pointers and lengths of live slices.
    let status = unsafe {
        raw::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    };
    match status {
        CAS_MISMATCH => Ok(false),
        status => done("set_shared_data", status).map(|()| true),
    }
}

/// Answers the request of the effective context here. In `on_request_headers`, or while it
/// is paused.
pub(crate) fn reply(reply: &Reply) -> Result<()> {
    let headers = reply.headers.iter().map(|(n, v)| (&**n, v.as_slice()));
    let headers = pairs::encode(headers);
    // SAFETY: pointers and lengths of live slices; no details.
    let status = unsafe {
        raw::proxy_send_local_response(
            u32::from(reply.status),
            null_mut(),
            0,
            reply.body.as_ptr(),
            reply.body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
    done("send_local_response", status)
}

/// Sends a request without a body to a cluster; the answer comes to `on_http_call_response`
/// of the effective context under the token returned. In any callback.
pub(crate) fn http_call(cluster: &str, headers: &[(&str, &str)], timeout_ms: u32) -> Result<u32> {
    let headers = pairs::encode(headers.iter().map(|(n, v)| (*n, v.as_bytes())));
    let trailers = pairs::encode(std::iter::empty());
    let mut token = 0;
    // SAFETY: pointers and lengths of live slices; no body.
    let status = unsafe {
        raw::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            null_mut(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut token,
        )
    };
    done("http_call", status).map(|()| token)
}

/// The id of a metric, defined now if the process does not have it. In callbacks of the root.
pub(crate) fn define_metric(kind: Metric, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: pointer and length of one live string; the host writes four bytes.
    let status =
        unsafe { raw::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    done("define_metric", status).map(|()| id)
}

/// Adds to a counter. In any callback.
pub(crate) fn increment(id: u32, by: i64) -> Result<()> {
    // SAFETY: no pointers.
    done("increment_metric", unsafe {
        raw::proxy_increment_metric(id, by)
    })
}

/// Sets a gauge. In any callback.
pub(crate) fn record(id: u32, value: u64) -> Result<()> {
    // SAFETY: no pointers.
    done("record_metric", unsafe {
        raw::proxy_record_metric(id, value)
    })
}
