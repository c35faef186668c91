//! One instance of a module with its contexts: how the host calls the guest.

mod exports;

use crate::abi::Status;
use crate::environment::{Environment, LogLevel};
use crate::host::{Host, ROOT};
use crate::http_call::{CallResponse, HttpCall};
use crate::module::EPOCH;
use crate::plugin::{PluginConfig, StartError};
use crate::refusal::Callback;
use crate::stream::SharedStream;
use exports::Exports;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::Store;

/// A callback that runs longer is stopped, which is a trap.
const CALLBACK_LIMIT: Duration = Duration::from_secs(5);

/// The same for starting and configuring.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What a header callback wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Continue,
    Pause,
}

/// The guest trapped; it is not called again. Why is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trapped;

/// A running instance.
pub(crate) struct Vm {
    store: Store<Host>,
    exports: Exports,
    last_context: u32,
    failed: bool,
}

impl Vm {
    /// Instantiates the module, creates the root context, starts and configures it.
    pub(crate) fn start(
        config: &PluginConfig,
        environment: &Environment,
        admin_clusters: Rc<[String]>,
        first_token: u32,
    ) -> Result<Self, StartError> {
        let failed = |error: wasmtime::Error| StartError::Failed {
            plugin: config.name.clone(),
            reason: format!("{error:#}"),
        };
        let host = Host {
            plugin_name: config.name.clone(),
            root_id: config.root_id.clone(),
            vm_id: config.vm_id.clone(),
            environment_variables: config.environment_variables.clone(),
            vm_configuration: config.vm_configuration.clone(),
            configuration: config.configuration.clone(),
            refusal: config.refusal.clone(),
            ..Host::new(environment, admin_clusters, first_token)
        };
        let mut store = Store::new(config.module.pre().module().engine(), host);
        store.limiter(|host| &mut host.limits);
        store.set_epoch_deadline(epochs(START_LIMIT));
        // An error where nothing is counted.
        let _ = store.set_fuel(u64::MAX);
        let instance = config
            .module
            .pre()
            .instantiate(&mut store)
            .map_err(failed)?;
        let exports = Exports::find(&instance, &mut store).map_err(failed)?;
        let mut vm = Self {
            store,
            exports,
            last_context: ROOT,
            failed: false,
        };
        vm.exports.initialize(&mut vm.store).map_err(failed)?;
        vm.configure().map_err(failed)?.map_err(|callback| {
            let plugin = config.name.clone();
            StartError::Refused { plugin, callback }
        })?;
        Ok(vm)
    }

    /// Another configuration in the same instance, as Envoy does it where nothing else of the plugin changes: a
    /// new root context takes it, then the one before ends. No stream may be under way.
    pub(crate) fn reconfigure(&mut self, configuration: Vec<u8>) -> Result<(), StartError> {
        let root = self.next_context();
        let host = self.store.data_mut();
        let before = std::mem::replace(&mut host.root, root);
        host.configuration = configuration;
        host.tick_period = None;
        let plugin = host.plugin_name.clone();
        let configured = self.configure();
        let configured = self.check(configured);
        if configured.is_ok() {
            self.enter(before, Callback::Close);
            let _ = self.end(before); // a trap is noted
        }
        let host = self.store.data_mut();
        host.pending_calls.retain(|_, context| *context != before);
        host.wake();
        match configured {
            Ok(Ok(())) => Ok(()),
            Ok(Err(callback)) => Err(StartError::Refused { plugin, callback }),
            Err(Trapped) => Err(StartError::Failed {
                plugin,
                reason: "it trapped".to_owned(),
            }),
        }
    }

    fn next_context(&mut self) -> u32 {
        self.last_context = self.last_context.wrapping_add(1).max(ROOT + 1);
        self.last_context
    }

    /// The name of the callback that refused, if one did.
    fn configure(&mut self) -> wasmtime::Result<Result<(), &'static str>> {
        let root = self.store.data().root;
        let sizes = self.store.data().configuration_sizes();
        self.enter(root, Callback::Configure);
        let create = self.exports.on_context_create.clone();
        create.call(&mut self.store, (root, 0))?;
        for (callback, name, size) in [
            (&self.exports.on_vm_start, "proxy_on_vm_start", sizes.vm),
            (
                &self.exports.on_configure,
                "proxy_on_configure",
                sizes.plugin,
            ),
        ] {
            if let Some(callback) = callback
                && callback.call(&mut self.store, (root, size))? == 0
            {
                return Ok(Err(name));
            }
        }
        Ok(Ok(()))
    }

    /// Whether the guest trapped.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Creates a context for `stream`. A trap in there shows in the next callback.
    pub(crate) fn open(&mut self, stream: &SharedStream) -> u32 {
        let id = self.next_context();
        let root = self.store.data().root;
        self.store.data_mut().streams.insert(id, stream.clone());
        self.enter(id, Callback::RequestHeaders);
        let create = self.exports.on_context_create.clone();
        let created = create.call(&mut self.store, (id, root));
        let _ = self.check(created);
        id
    }

    /// `proxy_on_request_headers`; a module without it lets everything pass.
    pub(crate) fn on_request_headers(
        &mut self,
        id: u32,
        count: usize,
        end: bool,
    ) -> Result<Action, Trapped> {
        let callback = self.exports.on_request_headers.clone();
        self.enter(id, Callback::RequestHeaders);
        self.on_headers(callback, id, count, end)
    }

    /// `proxy_on_request_body` with the size of a piece. It goes on at once, whatever is answered.
    pub(crate) fn on_request_body(
        &mut self,
        id: u32,
        size: usize,
        end: bool,
    ) -> Result<(), Trapped> {
        if self.failed {
            return Err(Trapped);
        }
        if let Some(callback) = self.exports.on_request_body.clone() {
            self.enter(id, Callback::RequestBody);
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            let action = callback.call(&mut self.store, (id, size, u32::from(end)));
            self.check(action)?;
        }
        Ok(())
    }

    /// `proxy_on_response_headers`; a module without it lets everything pass.
    pub(crate) fn on_response_headers(
        &mut self,
        id: u32,
        count: usize,
        end: bool,
    ) -> Result<Action, Trapped> {
        let callback = self.exports.on_response_headers.clone();
        self.enter(id, Callback::ResponseHeaders);
        self.on_headers(callback, id, count, end)
    }

    fn on_headers(
        &mut self,
        callback: Option<exports::OnHeaders>,
        id: u32,
        count: usize,
        end: bool,
    ) -> Result<Action, Trapped> {
        if self.failed {
            return Err(Trapped);
        }
        let Some(callback) = callback else {
            return Ok(Action::Continue);
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let action = callback.call(&mut self.store, (id, count, u32::from(end)));
        Ok(match self.check(action)? {
            0 => Action::Continue,
            _ => Action::Pause,
        })
    }

    /// Ends a stream: log, done, delete, in Envoy's order, each where the module has it.
    pub(crate) fn close(&mut self, id: u32) {
        if !self.failed {
            let _ = self.call_closing(id); // a trap is noted; nobody waits for this stream
        }
        let host = self.store.data_mut();
        host.streams.remove(&id);
        host.pending_calls.retain(|_, context| *context != id);
    }

    fn call_closing(&mut self, id: u32) -> Result<(), Trapped> {
        self.enter(id, Callback::Close);
        if let Some(on_log) = self.exports.on_log.clone() {
            let logged = on_log.call(&mut self.store, id);
            self.check(logged)?;
        }
        self.end(id)
    }

    /// Of a stream or a root context: done, delete.
    fn end(&mut self, id: u32) -> Result<(), Trapped> {
        if let Some(on_done) = self.exports.on_done.clone() {
            let done = on_done.call(&mut self.store, id);
            self.check(done)?;
        }
        if let Some(on_delete) = self.exports.on_delete.clone() {
            let deleted = on_delete.call(&mut self.store, id);
            self.check(deleted)?;
        }
        Ok(())
    }

    /// `proxy_on_tick` of the root context.
    pub(crate) fn tick(&mut self) {
        if let Some(on_tick) = self.exports.on_tick.clone().filter(|_| !self.failed) {
            let root = self.store.data().root;
            self.enter(root, Callback::Tick);
            let ticked = on_tick.call(&mut self.store, root);
            let _ = self.check(ticked);
        }
    }

    /// Instructions that the guest has run; `None`: they are not counted.
    pub(crate) fn guest_work(&self) -> Option<u64> {
        let left = self.store.get_fuel().ok()?;
        Some(u64::MAX.saturating_sub(left))
    }

    /// How many bytes of memory the guest has.
    pub(crate) fn guest_memory(&self) -> Option<usize> {
        let memory = self.store.data().memory?;
        Some(memory.data_size(&self.store))
    }

    /// How often the root context wants to tick.
    pub(crate) fn tick_period(&self) -> Option<Duration> {
        let period = self.store.data().tick_period;
        period.filter(|_| !self.failed)
    }

    /// The HTTP calls made since the last time.
    pub(crate) fn take_calls(&mut self) -> Vec<HttpCall> {
        std::mem::take(&mut self.store.data_mut().new_calls)
    }

    /// The number for the first call of the VM that follows this one.
    pub(crate) fn next_token(&self) -> u32 {
        self.store.data().next_token
    }

    /// `proxy_on_http_call_response`; an unknown token or one of a gone stream is ignored.
    pub(crate) fn answer_call(&mut self, token: u32, response: Option<CallResponse>) {
        let Some(context) = self.store.data_mut().pending_calls.remove(&token) else {
            return;
        };
        let Some(callback) = self
            .exports
            .on_http_call_response
            .clone()
            .filter(|_| !self.failed)
        else {
            return;
        };
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (headers, body, trailers) = response.as_ref().map_or((0, 0, 0), |response| {
            let trailers = size(response.trailers.len());
            (
                size(response.head.len()),
                size(response.body.len()),
                trailers,
            )
        });
        self.enter(context, Callback::HttpCallResponse);
        self.store.data_mut().call_response = Some(response.unwrap_or_default());
        let root = self.store.data().root;
        let called = callback.call(&mut self.store, (root, token, headers, body, trailers));
        self.store.data_mut().call_response = None;
        let _ = self.check(called);
    }

    /// Tells `wake` when there are new calls or the tick period changes.
    pub(crate) fn set_waker(&mut self, waker: std::task::Waker) {
        self.store.data_mut().waker = Some(waker);
    }

    fn enter(&mut self, context: u32, callback: Callback) {
        let limit = match callback {
            Callback::Configure => START_LIMIT,
            _ => CALLBACK_LIMIT,
        };
        self.store.set_epoch_deadline(epochs(limit));
        let host = self.store.data_mut();
        host.callback = callback;
        host.active = context;
        host.effective = context;
    }

    /// Notes a trap: all streams of this VM have failed.
    fn check<T>(&mut self, called: wasmtime::Result<T>) -> Result<T, Trapped> {
        called.map_err(|error| {
            self.failed = true;
            let host = self.store.data_mut();
            host.log(LogLevel::Critical, &format!("trapped: {error:#}"));
            for stream in host.streams.values() {
                let mut stream = stream.borrow_mut();
                stream.failed = true;
                stream.wake();
            }
            Trapped
        })
    }
}

fn epochs(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis() / EPOCH.as_millis()).unwrap_or(u64::MAX)
}

impl From<Status> for u32 {
    fn from(status: Status) -> Self {
        status as Self
    }
}
