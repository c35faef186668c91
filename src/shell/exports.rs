//! The functions that the host calls, by the names of proxy-wasm 0.2.1. Callbacks that would
//! do nothing (bodies, trailers, log, done) are not there: every call costs.
#![allow(
    unsafe_code,
    reason = "an export needs its exact name; no other unsafe code is here"
)]

use super::{Action, host, with_vm};

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // There should be none; if there is, it says where before the VM is gone.
    std::panic::set_hook(Box::new(|panic| {
        let line = panic.to_string().replace('\n', " ");
        host::log(host::Level::Critical, &format!("limpet: {line}"));
    }));
}

/// Memory for the host to write an answer into; `host::fetch` takes it over.
#[unsafe(export_name = "malloc")]
extern "C" fn allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with_vm((), |vm| vm.create(context, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_vm((), |vm| vm.delete(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> bool {
    with_vm(false, |vm| vm.configure(context, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    with_vm((), |vm| vm.tick(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    headers: usize,
    body: usize,
    _trailers: usize,
) {
    with_vm((), |vm| vm.answered(context, token, headers, body));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, _end: bool) -> u32 {
    with_vm(Action::Continue, |vm| vm.request(context)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: usize, _end: bool) -> u32 {
    with_vm(Action::Continue, |vm| vm.response(context)) as u32
}
