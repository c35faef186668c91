//! How a module is run as a plugin, and what happens when it fails.

use crate::module::Module;
use crate::refusal::Refusal;
use std::time::Duration;

/// What happens to requests once a VM has trapped; Envoy's `failure_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// 503 until the plugin is started anew.
    FailClosed,
    /// The filter is skipped.
    FailOpen,
    /// 503 until the back-off has passed, then a new VM on the next request.
    FailReload {
        /// The back-off since the VM was last loaded, lengthened at random by up to half
        /// (Envoy's default is 1 s).
        base_interval: Duration,
    },
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self::FailReload {
            base_interval: Duration::from_secs(1),
        }
    }
}

/// A module and its configuration.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The compiled module.
    pub module: Module,
    /// The plugin's name in logs, statistics and the property `plugin_name`.
    pub name: String,
    /// The property `plugin_root_id`.
    pub root_id: String,
    /// Names the shared-data namespace; the same string, the same data.
    pub vm_id: String,
    /// The VM's environment variables, for WASI's `environ_get`: names and values.
    pub environment_variables: Vec<(String, Vec<u8>)>,
    /// What `proxy_on_vm_start` can read.
    pub vm_configuration: Vec<u8>,
    /// What `proxy_on_configure` can read.
    pub configuration: Vec<u8>,
    /// What happens after a trap.
    pub failure_policy: FailurePolicy,
    /// Which host calls are refused; `None` but for tests of what the module does then.
    pub refusal: Option<Refusal>,
}

impl PluginConfig {
    /// `module` with `configuration`, otherwise empty ids and the default policy.
    #[must_use]
    pub fn new(module: Module, name: impl Into<String>, configuration: Vec<u8>) -> Self {
        Self {
            module,
            name: name.into(),
            root_id: String::new(),
            vm_id: String::new(),
            environment_variables: Vec::new(),
            vm_configuration: Vec::new(),
            configuration,
            failure_policy: FailurePolicy::default(),
            refusal: None,
        }
    }
}

/// Why a plugin did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The module could not be instantiated, or trapped while starting.
    #[error("plugin {plugin:?} did not start: {reason}")]
    Failed {
        /// The plugin's name.
        plugin: String,
        /// What happened.
        reason: String,
    },
    /// The module refused its configuration; why is in its log lines.
    #[error("plugin {plugin:?} refused its configuration: {callback} returned false")]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// `proxy_on_vm_start` or `proxy_on_configure`.
        callback: &'static str,
    },
}
