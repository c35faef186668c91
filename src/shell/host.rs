//! The calls to the host for which the `proxy-wasm` crate's own do not do, in bytes and `Result`s.
//!
//! Where Envoy answers a call with nothing that the crate does not expect, the crate's is used.
//! Declared here are those at which it would panic, which takes down every request of the VM,
//! or which take text where any bytes may stand:
//!
//! - header maps and properties: Envoy has a status for "not now", the crate panics at it; it
//!   unwraps UTF-8 of names, and takes memory twice a field;
//! - `send_local_response`: the crate's headers are `&str`, a `Location` may hold any byte;
//! - of WASI random bytes and the environment, which the crate does not have.
//!
//! The statuses of these calls are numbers: the crate's `Status` lacks 5, 6, 9, 11 and 12.
//! This is the only file with `unsafe` blocks.
//!
//! Source: proxy-wasm/spec, `abi-versions/v0.2.1`; `hostcalls.rs`, proxy-wasm 0.2.5; statuses as
//! Envoy 1.40 answers them.
#![allow(
    unsafe_code,
    reason = "calls through the proxy-wasm ABI pass pointers into this module's own memory"
)]

use crate::authorizer::{Answer, PATIENCE, Question};
use crate::discovery::UNANSWERED;
use crate::edit::Reply;
use crate::error_pages::LONGEST;
use crate::pairs;
use crate::plugin::Host;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType};
use std::fmt;
use std::ptr::null_mut;
use std::time::{Duration, UNIX_EPOCH};

/// A host call that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostError {
    /// The call's name in the ABI.
    pub(super) call: &'static str,
    /// What the host answered; the numbers are the ABI's (1 not found, 2 bad argument, ...).
    pub(super) status: u32,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host call {} answered status {}", self.call, self.status)
    }
}

/// What a host call gives.
pub(super) type Result<T> = std::result::Result<T, HostError>;

const NOT_FOUND: u32 = 1;

mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
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

/// Random bits; 0 if the host has none. In any callback.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: pointer and length of one live array.
    unsafe { raw::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// The whole head of a message, for [`pairs::decode`].
pub(super) fn headers(of: MapType) -> Result<Vec<u8>> {
    let bytes = fetch("get_header_map_pairs", |data, size| {
        // SAFETY: `data` and `size` are live; see `fetch`.
        unsafe { raw::proxy_get_header_map_pairs(of as u32, data, size) }
    })?;
    Ok(bytes.unwrap_or_default())
}

/// One header of a message: the value of its first field, where there are several.
pub(super) fn header(of: MapType, name: &str) -> Result<Option<Vec<u8>>> {
    fetch("get_header_map_value", |data, size| {
        // SAFETY: `name`, `data` and `size` are live; see `fetch`.
        unsafe { raw::proxy_get_header_map_value(of as u32, name.as_ptr(), name.len(), data, size) }
    })
}

/// Replaces every field of this name by one.
pub(super) fn set_header(of: MapType, name: &str, value: &[u8]) -> Result<()> {
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
pub(super) fn add_header(of: MapType, name: &str, value: &[u8]) -> Result<()> {
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
pub(super) fn remove_header(of: MapType, name: &str) -> Result<()> {
    // SAFETY: pointer and length of one live string.
    let status =
        unsafe { raw::proxy_remove_header_map_value(of as u32, name.as_ptr(), name.len()) };
    done("remove_header_map_value", status)
}

/// Sets a property of the stream; Envoy shows it as filter state `wasm.<name>`.
pub(super) fn set_property(name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: pointers and lengths of live slices.
    let status =
        unsafe { raw::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    done("set_property", status)
}

/// Answers the request of the effective context here. In `on_request_headers` and
/// `on_response_headers`, or while it is paused.
pub(super) fn reply(reply: &Reply) -> Result<()> {
    let headers = reply.headers.iter().map(|(n, v)| (&**n, &**v));
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

/// Writes a log line. In any callback.
pub(super) fn log(level: LogLevel, line: &str) {
    let _ = hostcalls::log(level, line);
}

/// The plugin configuration of `size` bytes. Only in `on_configure`.
pub(super) fn configuration(size: usize) -> Vec<u8> {
    buffer(BufferType::PluginConfiguration, size)
}

/// The body of a 200 that answers a call. Only in `on_http_call_response`.
pub(super) fn call_answer(headers: usize, body: usize) -> std::result::Result<Vec<u8>, String> {
    if headers == 0 {
        return Err(UNANSWERED.to_owned());
    }
    match header(MapType::HttpCallResponseHeaders, ":status") {
        Ok(Some(status)) if status == b"200" => Ok(buffer(BufferType::HttpCallResponseBody, body)),
        Ok(status) => {
            let status = status.unwrap_or_default();
            Err(format!("status {:?}", String::from_utf8_lossy(&status)))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Sends a question to an authorizer or to who has a page; the answer comes to the context whose callback this is. It is
/// asked in the root's name: Envoy forgets the questions of a stream that is gone, and the crate does
/// not, which would take a little memory each time.
pub(super) fn ask(question: &Question, root: u32, stream: u32) -> bool {
    let headers = question.headers.iter();
    let headers = headers.map(|(name, value)| {
        // SAFETY: the crate copies the bytes of a value and reads them as nothing else, and a header
        // may have any.
        (name.as_str(), unsafe {
            std::str::from_utf8_unchecked(value)
        })
    });
    let _ = hostcalls::set_effective_context(root);
    let sent = hostcalls::dispatch_http_call(
        &question.cluster,
        headers.collect(),
        None,
        Vec::new(),
        PATIENCE,
    );
    let _ = hostcalls::set_effective_context(stream);
    sent.is_ok()
}

/// What came back, with `body` bytes of its body. Only in `on_http_call_response`.
pub(super) fn answer(headers: usize, body: usize, root: u32, stream: u32) -> Answer {
    if headers == 0 || body > LONGEST {
        return Answer::default();
    }
    let _ = hostcalls::set_effective_context(root);
    let head = self::headers(MapType::HttpCallResponseHeaders).unwrap_or_default();
    let mut answer = Answer::of(pairs::decode(&head).into_iter());
    if body > 0 {
        answer.body = buffer(BufferType::HttpCallResponseBody, body);
    }
    let _ = hostcalls::set_effective_context(stream);
    answer
}

/// Empty where it is not there.
fn buffer(of: BufferType, size: usize) -> Vec<u8> {
    let bytes = hostcalls::get_buffer(of, 0, size);
    bytes.ok().flatten().unwrap_or_default()
}

/// The host, as the core asks it.
pub(super) struct Calls;

impl Host for Calls {
    fn now_ns(&self) -> u64 {
        let now = hostcalls::get_current_time().ok();
        let since = now.and_then(|now| now.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }

    /// What is there depends on the callback. Errors count as absent: Envoy has several for
    /// "not now".
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let path = path.join("\0");
        let value = fetch("get_property", |data, size| {
            // SAFETY: `path`, `data` and `size` are live; see `fetch`.
            unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) }
        });
        value.ok().flatten()
    }

    fn environment(&self) -> Vec<u8> {
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

    fn shared_data(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        let (value, cas) = hostcalls::get_shared_data(key).ok()?;
        // An empty value is there, too.
        Some((value.unwrap_or_default(), cas?))
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> bool {
        // The one error is that the numbers differ.
        hostcalls::set_shared_data(key, Some(value), Some(cas)).is_ok()
    }

    /// The answer comes to the context whose callback this is: the root's.
    fn http_call(
        &self,
        cluster: &str,
        path: &str,
        timeout_us: u64,
    ) -> std::result::Result<u32, String> {
        let headers = vec![
            (":method", "GET"),
            (":path", path),
            (":authority", "limpet"),
        ];
        let timeout = Duration::from_micros(timeout_us);
        hostcalls::dispatch_http_call(cluster, headers, None, Vec::new(), timeout)
            .map_err(|status| format!("host call http_call answered status {}", status as u32))
    }
}
