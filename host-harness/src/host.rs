//! What the host functions find in the store.

use crate::environment::{Environment, LogLevel};
use crate::http_call::{CallResponse, HttpCall};
use crate::metrics::Metric;
use crate::refusal::{Callback, Refusal};
use crate::stream::SharedStream;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

/// The first root context; streams are numbered from the next on.
pub(crate) const ROOT: u32 = 1;

/// No guest gets more memory, in bytes: far more than any configuration that is taken.
const MEMORY_LIMIT: usize = 512 << 20;

/// The host's side of one VM.
pub(crate) struct Host {
    pub(crate) environment: Environment,
    /// Clusters that need not exist, because the host answers for them.
    pub(crate) admin_clusters: Rc<[String]>,
    pub(crate) plugin_name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) environment_variables: Vec<(String, Vec<u8>)>,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) configuration: Vec<u8>,
    /// The context of the plugin.
    pub(crate) root: u32,
    /// The streams by context.
    pub(crate) streams: HashMap<u32, SharedStream>,
    /// Which host calls are refused.
    pub(crate) refusal: Option<Refusal>,
    /// The callback under way, or the last one, and its context.
    pub(crate) callback: Callback,
    pub(crate) active: u32,
    /// The context that host calls are about.
    pub(crate) effective: u32,
    pub(crate) tick_period: Option<Duration>,
    /// Calls that the driver has not taken yet.
    pub(crate) new_calls: Vec<HttpCall>,
    /// Unanswered calls: token, and the context that made it.
    pub(crate) pending_calls: HashMap<u32, u32>,
    pub(crate) next_token: u32,
    /// The response that is being handed over.
    pub(crate) call_response: Option<CallResponse>,
    /// Metrics this VM has used, so that the registry is not locked for each value.
    pub(crate) metrics: HashMap<u32, Arc<Metric>>,
    /// Wakes the driver for new calls and tick periods.
    pub(crate) waker: Option<Waker>,
    /// Memory for values on their way to the guest, kept from call to call.
    pub(crate) scratch: Vec<u8>,
    pub(crate) memory: Option<Memory>,
    pub(crate) limits: StoreLimits,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
}

/// How long the two configurations are.
pub(crate) struct ConfigurationSizes {
    pub(crate) vm: u32,
    pub(crate) plugin: u32,
}

impl Host {
    /// Of a plugin without a name, whose configurations are empty.
    pub(crate) fn new(
        environment: &Environment,
        admin_clusters: Rc<[String]>,
        first_token: u32,
    ) -> Self {
        Self {
            environment: environment.clone(),
            admin_clusters,
            plugin_name: String::new(),
            root_id: String::new(),
            vm_id: String::new(),
            environment_variables: Vec::new(),
            vm_configuration: Vec::new(),
            configuration: Vec::new(),
            root: ROOT,
            streams: HashMap::new(),
            refusal: None,
            callback: Callback::Configure,
            active: ROOT,
            effective: ROOT,
            tick_period: None,
            new_calls: Vec::new(),
            pending_calls: HashMap::new(),
            next_token: first_token,
            call_response: None,
            metrics: HashMap::new(),
            waker: None,
            scratch: Vec::new(),
            memory: None,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            allocate: None,
        }
    }

    pub(crate) fn set_memory(
        &mut self,
        memory: Option<Memory>,
        allocate: Option<TypedFunc<u32, u32>>,
    ) {
        self.memory = memory;
        self.allocate = allocate;
    }

    pub(crate) fn configuration_sizes(&self) -> ConfigurationSizes {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        ConfigurationSizes {
            vm: size(&self.vm_configuration),
            plugin: size(&self.configuration),
        }
    }

    /// The stream that host calls are about, `None` in the root context.
    pub(crate) fn stream(&self) -> Option<&SharedStream> {
        self.streams.get(&self.effective)
    }

    pub(crate) fn log(&self, level: LogLevel, message: &str) {
        let sink = &self.environment.log;
        if level >= sink.level() {
            sink.log(level, &self.plugin_name, message);
        }
    }

    /// The status that `call` answers instead of being carried out.
    pub(crate) fn refusal_of(&self, call: &str) -> Option<u32> {
        self.refusal.as_ref()?.status(call, self.callback)
    }

    /// Wakes the driver.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
