//! The functions of the guest, looked up once. Modules may lack most of them.

use crate::host::Host;
use wasmtime::{Instance, Result, Store, TypedFunc};

/// A header callback: context, number of headers, end of stream; answers an action.
pub(super) type OnHeaders = TypedFunc<(u32, u32, u32), u32>;

/// A body callback: context, size of the piece, end of stream; answers an action.
pub(super) type OnBody = TypedFunc<(u32, u32, u32), u32>;

/// A configuration callback: context, size of the configuration; answers a truth value.
pub(super) type OnConfigure = TypedFunc<(u32, u32), u32>;

/// A call's response: context, token, and how much there is of head, body and trailers.
pub(super) type OnCallResponse = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// The callbacks that this host makes.
pub(super) struct Exports {
    start: Option<TypedFunc<(), ()>>,
    pub(super) on_context_create: TypedFunc<(u32, u32), ()>,
    pub(super) on_vm_start: Option<OnConfigure>,
    pub(super) on_configure: Option<OnConfigure>,
    pub(super) on_tick: Option<TypedFunc<u32, ()>>,
    pub(super) on_request_headers: Option<OnHeaders>,
    pub(super) on_request_body: Option<OnBody>,
    pub(super) on_response_headers: Option<OnHeaders>,
    pub(super) on_http_call_response: Option<OnCallResponse>,
    pub(super) on_log: Option<TypedFunc<u32, ()>>,
    pub(super) on_done: Option<TypedFunc<u32, u32>>,
    pub(super) on_delete: Option<TypedFunc<u32, ()>>,
}

impl Exports {
    /// Looks the functions up and tells the host where the guest's memory is.
    pub(super) fn find(instance: &Instance, store: &mut Store<Host>) -> Result<Self> {
        let memory = instance.get_memory(&mut *store, "memory");
        let allocate = match optional(instance, store, "proxy_on_memory_allocate")? {
            Some(allocate) => Some(allocate),
            None => optional(instance, store, "malloc")?,
        };
        store.data_mut().set_memory(memory, allocate);
        let start = match optional(instance, store, "_initialize")? {
            Some(start) => Some(start),
            None => optional(instance, store, "_start")?,
        };
        Ok(Self {
            start,
            on_context_create: instance.get_typed_func(&mut *store, "proxy_on_context_create")?,
            on_vm_start: optional(instance, store, "proxy_on_vm_start")?,
            on_configure: optional(instance, store, "proxy_on_configure")?,
            on_tick: optional(instance, store, "proxy_on_tick")?,
            on_request_headers: optional(instance, store, "proxy_on_request_headers")?,
            on_request_body: optional(instance, store, "proxy_on_request_body")?,
            on_response_headers: optional(instance, store, "proxy_on_response_headers")?,
            on_http_call_response: optional(instance, store, "proxy_on_http_call_response")?,
            on_log: optional(instance, store, "proxy_on_log")?,
            on_done: optional(instance, store, "proxy_on_done")?,
            on_delete: optional(instance, store, "proxy_on_delete")?,
        })
    }

    /// Runs the guest's own initialisation.
    pub(super) fn initialize(&self, store: &mut Store<Host>) -> Result<()> {
        self.start
            .as_ref()
            .map_or(Ok(()), |start| start.call(store, ()))
    }
}

/// `None` if the module lacks `name`; an error if it has it in another shape.
fn optional<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    instance: &Instance,
    store: &mut Store<Host>,
    name: &str,
) -> Result<Option<TypedFunc<P, R>>> {
    if instance.get_func(&mut *store, name).is_none() {
        return Ok(None);
    }
    instance.get_typed_func(&mut *store, name).map(Some)
}
