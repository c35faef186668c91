//! Envoy's ABI for dynamic modules, one way: what is called there.
//!
//! Declared by hand: what is released there is not changed any more, only added to. `unsafe` is in
//! this file and in `hooks.rs`, the other way, alone.
//!
//! Source: `source/extensions/dynamic_modules/abi/abi.h`; Envoy 1.40 says its version is v0.2.0.
#![allow(unsafe_code, reason = "the ABI passes pointers")]

use crate::grpc;
use limpet::authorizer::Question;
use limpet::edit::{Field, Reply};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::slice;
use std::time::Duration;

/// Bytes of whoever passes them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    ptr: *const u8,
    len: usize,
}

impl Buffer {
    const NONE: Self = Self {
        ptr: null(),
        len: 0,
    };

    fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    /// # Safety
    /// The bytes live as long as what `'b` is taken from.
    pub(crate) unsafe fn bytes<'b>(self) -> &'b [u8] {
        match self.ptr.is_null() {
            true => &[],
            // SAFETY: Envoy's buffers are what they say.
            false => unsafe { slice::from_raw_parts(self.ptr, self.len) },
        }
    }
}

/// A field of a head.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) name: Buffer,
    pub(crate) value: Buffer,
}

impl Header {
    fn of(name: &str, value: &[u8]) -> Self {
        Self {
            name: Buffer::of(name.as_bytes()),
            value: Buffer::of(value),
        }
    }
}

/// Which head.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head {
    Request = 0,
    Response = 2,
}

/// Which bytes of a request's body: those that come with a hook.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    Received = 0,
}

/// What Envoy knows about a stream, by its number.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attribute {
    RequestProtocol = 10,
    ResponseCodeDetails = 16,
    SourceAddress = 24,
    DestinationAddress = 26,
    UpstreamAddress = 41,
    ConnectionTlsVersion = 31,
    XdsRouteName = 61,
}

/// How much a log line matters.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

unsafe extern "C" {
    safe fn envoy_dynamic_module_callback_is_validation_mode() -> bool;
    fn envoy_dynamic_module_callback_log(level: LogLevel, line: Buffer);
    fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: *mut c_void,
        name: Buffer,
        labels: *mut Buffer,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        config: *mut c_void,
        name: Buffer,
        labels: *mut Buffer,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
        config: *mut c_void,
        id: usize,
        labels: *mut Buffer,
        labels_len: usize,
        value: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_set_gauge(
        config: *mut c_void,
        id: usize,
        labels: *mut Buffer,
        labels_len: usize,
        value: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(
        config: *mut c_void,
    ) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
        scheduler: *mut c_void,
        event: u64,
    );
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void);
    fn envoy_dynamic_module_callback_http_filter_config_http_callout(
        config: *mut c_void,
        id: *mut u64,
        cluster: Buffer,
        headers: *const Header,
        headers_len: usize,
        body: Buffer,
        timeout_ms: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_get_headers_size(
        filter: *mut c_void,
        head: Head,
    ) -> usize;
    fn envoy_dynamic_module_callback_http_get_headers(
        filter: *mut c_void,
        head: Head,
        headers: *mut Header,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_get_header(
        filter: *mut c_void,
        head: Head,
        name: Buffer,
        value: *mut Buffer,
        index: usize,
        count: *mut usize,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_add_header(
        filter: *mut c_void,
        head: Head,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_set_header(
        filter: *mut c_void,
        head: Head,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_send_response(
        filter: *mut c_void,
        status: u32,
        headers: *const Header,
        headers_len: usize,
        body: Buffer,
        details: Buffer,
    );
    fn envoy_dynamic_module_callback_http_send_response_headers(
        filter: *mut c_void,
        headers: *const Header,
        headers_len: usize,
        end_of_stream: bool,
    );
    fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        filter: *mut c_void,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        filter: *mut c_void,
        attribute: Attribute,
        value: *mut Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_get_body_size(filter: *mut c_void, of: Body) -> usize;
    fn envoy_dynamic_module_callback_http_filter_http_callout(
        filter: *mut c_void,
        id: *mut u64,
        cluster: Buffer,
        headers: *const Header,
        headers_len: usize,
        body: Buffer,
        timeout_ms: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_set_upstream_override_host(
        filter: *mut c_void,
        host: Buffer,
        strict: bool,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_clear_route_cache(filter: *mut c_void);
    fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: *mut c_void);
    fn envoy_dynamic_module_callback_http_filter_scheduler_new(filter: *mut c_void) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_scheduler_commit(
        scheduler: *mut c_void,
        event: u64,
    );
    fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void);
}

/// Writes a line to Envoy's log, under `dynamic_modules`. On any thread.
pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: the line lives as long as the call.
    unsafe { envoy_dynamic_module_callback_log(level, Buffer::of(line.as_bytes())) }
}

/// Whether Envoy only reads its configuration (`--mode validate`). On the main thread.
pub(crate) fn is_validation() -> bool {
    envoy_dynamic_module_callback_is_validation_mode()
}

/// The configuration of one filter, as Envoy holds it. It outlives every filter of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterConfig(pub(crate) *mut c_void);

// SAFETY: metrics may be counted on any thread; schedulers and calls are made on the main one.
unsafe impl Send for FilterConfig {}
// SAFETY: as above.
unsafe impl Sync for FilterConfig {}

impl FilterConfig {
    /// Defines a counter; `None`: Envoy refuses it. While the configuration is made.
    pub(crate) fn define_counter(self, name: &str) -> Option<usize> {
        let (name, mut id) = (Buffer::of(name.as_bytes()), 0);
        // SAFETY: the name and the number's place live as long as the call; no labels.
        let result = unsafe {
            envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.0,
                name,
                null_mut(),
                0,
                &raw mut id,
            )
        };
        (result == 0).then_some(id)
    }

    /// Defines a gauge; `None`: Envoy refuses it. While the configuration is made.
    pub(crate) fn define_gauge(self, name: &str) -> Option<usize> {
        let (name, mut id) = (Buffer::of(name.as_bytes()), 0);
        // SAFETY: as for a counter.
        let result = unsafe {
            envoy_dynamic_module_callback_http_filter_config_define_gauge(
                self.0,
                name,
                null_mut(),
                0,
                &raw mut id,
            )
        };
        (result == 0).then_some(id)
    }

    /// Adds one to a counter. On any thread.
    pub(crate) fn count(self, id: usize) {
        // SAFETY: no labels. What cannot be counted has nowhere to be counted.
        unsafe {
            envoy_dynamic_module_callback_http_filter_config_increment_counter(
                self.0,
                id,
                null_mut(),
                0,
                1,
            );
        }
    }

    /// Sets a gauge. On any thread.
    pub(crate) fn set(self, id: usize, value: u64) {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_callback_http_filter_config_set_gauge(
                self.0,
                id,
                null_mut(),
                0,
                value,
            );
        }
    }

    /// What wakes the main thread. On the main thread.
    pub(crate) fn scheduler(self) -> ConfigScheduler {
        // SAFETY: Envoy's configuration is alive.
        ConfigScheduler(unsafe {
            envoy_dynamic_module_callback_http_filter_config_scheduler_new(self.0)
        })
    }

    /// Sends a GET; the answer comes under the number. On the main thread.
    ///
    /// # Errors
    /// Says why it was not sent.
    pub(crate) fn call(
        self,
        cluster: &str,
        path: &str,
        timeout_ms: u64,
    ) -> Result<u64, &'static str> {
        let head = [(":method", "GET"), (":path", path), ("host", "limpet")];
        let headers = head.map(|(name, value)| Header::of(name, value.as_bytes()));
        let mut id = 0;
        // SAFETY: everything lives as long as the call.
        let result = unsafe {
            envoy_dynamic_module_callback_http_filter_config_http_callout(
                self.0,
                &raw mut id,
                Buffer::of(cluster.as_bytes()),
                headers.as_ptr(),
                headers.len(),
                Buffer::NONE,
                timeout_ms,
            )
        };
        match result {
            0 => Ok(id),
            1 => Err("a header is missing"),
            2 => Err("there is no such cluster"),
            3 => Err("its number is taken"),
            _ => Err("no endpoint can be asked"),
        }
    }
}

/// Wakes the main thread from any other.
#[derive(Debug)]
pub(crate) struct ConfigScheduler(*mut c_void);

// SAFETY: made for calls from any thread.
unsafe impl Send for ConfigScheduler {}
// SAFETY: as above.
unsafe impl Sync for ConfigScheduler {}

impl ConfigScheduler {
    /// Has the main thread call the hook of the configuration.
    pub(crate) fn commit(&self) {
        // SAFETY: alive until it is dropped.
        unsafe {
            envoy_dynamic_module_callback_http_filter_config_scheduler_commit(self.0, 0);
        }
    }
}

impl Drop for ConfigScheduler {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_delete(self.0) }
    }
}

/// One request and its response, as Envoy holds them, during one hook. What is borrowed of its
/// heads is valid until the first change: the borrow checker sees to that.
pub(crate) struct Filter<'h> {
    envoy: *mut c_void,
    hook: PhantomData<&'h ()>,
}

impl Filter<'_> {
    /// # Safety
    /// It is the one that Envoy gave to a hook, and that hook has not returned.
    pub(crate) unsafe fn of(envoy: *mut c_void) -> Self {
        Self {
            envoy,
            hook: PhantomData,
        }
    }

    /// A whole head, in order.
    pub(crate) fn headers(&self, of: Head) -> Vec<Field<'_>> {
        // SAFETY: the filter is alive during its hooks.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.envoy, of) };
        let mut headers: Vec<Header> = Vec::with_capacity(count);
        // SAFETY: there is room for as many as there are; Envoy fills in each of them.
        let headers = unsafe {
            if !envoy_dynamic_module_callback_http_get_headers(self.envoy, of, headers.as_mut_ptr())
            {
                return Vec::new();
            }
            headers.set_len(count);
            headers
        };
        // SAFETY: they are not changed as long as the filter is borrowed.
        let field = |header: Header| unsafe { (header.name.bytes(), header.value.bytes()) };
        headers.into_iter().map(field).collect()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, of: Head, name: &str) -> Option<&[u8]> {
        let mut value = Buffer::NONE;
        // SAFETY: the name and the value's place live as long as the call.
        let found = unsafe {
            envoy_dynamic_module_callback_http_get_header(
                self.envoy,
                of,
                Buffer::of(name.as_bytes()),
                &raw mut value,
                0,
                null_mut(),
            )
        };
        // SAFETY: it is not changed as long as the filter is borrowed.
        (found && !value.ptr.is_null()).then(|| unsafe { value.bytes() })
    }

    /// Replaces every field of this name by one; `false`: refused.
    pub(crate) fn set_header(&mut self, of: Head, name: &str, value: &[u8]) -> bool {
        // SAFETY: both live as long as the call. An empty value is not a null one.
        unsafe {
            envoy_dynamic_module_callback_http_set_header(
                self.envoy,
                of,
                Buffer::of(name.as_bytes()),
                Buffer::of(value),
            )
        }
    }

    /// Adds a field; `false`: refused.
    pub(crate) fn add_header(&mut self, of: Head, name: &str, value: &[u8]) -> bool {
        // SAFETY: as above.
        unsafe {
            envoy_dynamic_module_callback_http_add_header(
                self.envoy,
                of,
                Buffer::of(name.as_bytes()),
                Buffer::of(value),
            )
        }
    }

    /// Removes every field of this name; `false`: refused.
    pub(crate) fn remove_header(&mut self, of: Head, name: &str) -> bool {
        // SAFETY: a null value removes.
        unsafe {
            envoy_dynamic_module_callback_http_set_header(
                self.envoy,
                of,
                Buffer::of(name.as_bytes()),
                Buffer::NONE,
            )
        }
    }

    /// Has the balancer take this endpoint, `ip:port`, if it may be taken; `false`: that is none.
    pub(crate) fn set_upstream_override_host(&mut self, endpoint: &[u8]) -> bool {
        // SAFETY: the address lives as long as the call.
        unsafe {
            envoy_dynamic_module_callback_http_set_upstream_override_host(
                self.envoy,
                Buffer::of(endpoint),
                false,
            )
        }
    }

    /// The route is to be chosen by the head as it is now.
    pub(crate) fn clear_route_cache(&mut self) {
        // SAFETY: the filter is alive during its hooks.
        unsafe { envoy_dynamic_module_callback_http_clear_route_cache(self.envoy) }
    }

    /// An attribute of the stream as text; `None` where Envoy has none.
    pub(crate) fn attribute(&self, attribute: Attribute) -> Option<Vec<u8>> {
        let mut value = Buffer::NONE;
        // SAFETY: the value's place lives as long as the call, the value as long as the hook.
        unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_string(
                self.envoy,
                attribute,
                &raw mut value,
            )
            .then(|| value.bytes().to_vec())
        }
    }

    /// How many bytes of the request's body came with this hook.
    pub(crate) fn body_size(&self) -> usize {
        // SAFETY: the filter is alive during its hooks.
        unsafe { envoy_dynamic_module_callback_http_get_body_size(self.envoy, Body::Received) }
    }

    /// Shows a value as filter state; `false`: refused.
    pub(crate) fn set_filter_state(&mut self, key: &str, value: &[u8]) -> bool {
        // SAFETY: both live as long as the call.
        unsafe {
            envoy_dynamic_module_callback_http_set_filter_state_bytes(
                self.envoy,
                Buffer::of(key.as_bytes()),
                Buffer::of(value),
            )
        }
    }

    /// What wakes this request once it is paused.
    pub(crate) fn scheduler(&self) -> FilterScheduler {
        // SAFETY: the filter is alive during its hooks.
        FilterScheduler(unsafe {
            envoy_dynamic_module_callback_http_filter_scheduler_new(self.envoy)
        })
    }

    /// Sends a question in the name of a paused request; `false`: it cannot be asked. The answer
    /// comes by its hook, and never once the request is gone.
    pub(crate) fn ask(self, question: &Question, timeout: Duration) -> bool {
        let fields = question.headers.iter();
        let headers: Vec<Header> = fields
            .map(|(name, value)| Header::of(name, value))
            .collect();
        let mut id = 0;
        // SAFETY: everything lives as long as the call.
        let result = unsafe {
            envoy_dynamic_module_callback_http_filter_http_callout(
                self.envoy,
                &raw mut id,
                Buffer::of(question.cluster.as_bytes()),
                headers.as_ptr(),
                headers.len(),
                Buffer::NONE,
                u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            )
        };
        result == 0
    }

    /// Answers the request here. The answer's own hooks come before this returns.
    pub(crate) fn reply(self, reply: &Reply) {
        if grpc::is_call(self.header(Head::Request, "content-type")) {
            return self.end_call(&grpc::head(reply));
        }
        let fields = reply.headers.iter();
        let headers: Vec<Header> = fields
            .map(|(name, value)| Header::of(name, value))
            .collect();
        // SAFETY: everything lives as long as the call.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.envoy,
                reply.status.into(),
                headers.as_ptr(),
                headers.len(),
                Buffer::of(&reply.body),
                Buffer::of(b"limpet"),
            );
        }
    }

    /// Answers by a head alone.
    fn end_call(self, head: &[(&str, Vec<u8>)]) {
        let fields = head.iter().map(|(name, value)| Header::of(name, value));
        let headers: Vec<Header> = fields.collect();
        // SAFETY: everything lives as long as the call.
        unsafe {
            envoy_dynamic_module_callback_http_send_response_headers(
                self.envoy,
                headers.as_ptr(),
                headers.len(),
                true,
            );
        }
    }

    /// Lets a paused request go on. Further hooks of it may come before this returns.
    pub(crate) fn continue_decoding(self) {
        // SAFETY: the filter is alive during its hooks.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_decoding(self.envoy) }
    }
}

/// Wakes a paused request from any thread; nothing happens where it is gone.
#[derive(Debug)]
pub(crate) struct FilterScheduler(*mut c_void);

// SAFETY: made for calls from any thread.
unsafe impl Send for FilterScheduler {}

impl FilterScheduler {
    /// Has the request's worker call its hook.
    pub(crate) fn commit(&self) {
        // SAFETY: alive until it is dropped.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_commit(self.0, 0) }
    }
}

impl Drop for FilterScheduler {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_delete(self.0) }
    }
}
