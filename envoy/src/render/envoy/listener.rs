//! The listeners: http, and https where there are certificates.

use limpet::client_certificate::HEADERS;
use serde_json::{Value, json};
use std::path::Path;

use super::client::{self, Asking};
use super::passthrough;
use super::route;
use super::settings::EnvoySettings;
use super::tls;
use crate::compiled::Compiled;
use crate::filter_chain::{DEFAULT_HOST, PLUGIN_NAME, RELOAD_BACKOFF, proxy_protocol};
use crate::forwarding::envoy::{HTTP, HTTPS, ListenerSide, Written};
use crate::forwarding::{self, DROPPED_HEADERS, ENDPOINT_HEADER, POLICY_HEADER};
use crate::inert;
use crate::passthrough::Passthrough;
use crate::plugin_config;
use crate::render::edge;
use crate::render::resource::insert;
use crate::render::way::Ways;
use crate::tls_params::TlsParams;

/// Both listeners' common part.
pub(super) struct Chain<'c> {
    pub(super) compiled: &'c Compiled<'c>,
    pub(super) plugin: &'c Value,
    pub(super) ways: &'c Ways,
    pub(super) settings: &'c EnvoySettings,
    /// Some host asks for certificates.
    pub(super) has_certificates: bool,
    /// The hosts whose connections go to pods as they come.
    pub(super) passed: &'c [Passthrough],
}

impl Chain<'_> {
    /// Every listener.
    pub(super) fn listeners(&self, certificates: &[tls::Chain]) -> Vec<Value> {
        let proxied = self.compiled.forwarding.proxied.then(proxy_protocol);
        let mut http = json!({
            "name": "http",
            "address": self.settings.listen.listened(),
            "filter_chains": [{ "filters": [self.connection_manager(HTTP, None)] }],
        });
        if let (Some(filter), Some(http)) = (&proxied, http.as_object_mut()) {
            http.insert("listener_filters".to_owned(), json!([filter]));
        }
        let mut listeners = vec![http];
        let tls_inspector = json!({
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": { "@type":
                "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" },
        });
        let filters: Vec<Value> = proxied.into_iter().chain([tls_inspector]).collect();
        if !certificates.is_empty() || !self.passed.is_empty() {
            let chains = tls::filter_chains(
                certificates,
                |asked| self.connection_manager(HTTPS, asked),
                &self.header_timeout(),
                &TlsParams::of_listeners(self.compiled.manifests),
            );
            let passed = passthrough::filter_chains(self.passed);
            let chains: Vec<Value> = passed.chain(chains).collect();
            listeners.push(json!({
                "name": "https",
                "address": self.settings.listen_tls.listened(),
                "listener_filters": filters,
                "filter_chains": chains,
            }));
        }
        listeners
    }

    /// What a chain takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.connection_manager(HTTPS, None).to_string().len()
    }

    fn header_timeout(&self) -> String {
        format!("{}s", edge::header_timeout(self.compiled.manifests))
    }

    /// The connection manager of one listener, or of those of its hosts that ask for certificates.
    fn connection_manager(&self, side: ListenerSide, asked: Option<&Asking>) -> Value {
        let mut http2 = edge::http2(self.compiled.manifests);
        insert(&mut http2, "allow_connect", json!(true));
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": format!("ingress_{}", side.scheme),
            "codec_type": "AUTO",
            // The forwarding headers are written below, one by Envoy itself: X-Forwarded-Proto.
            "use_remote_address": true,
            "skip_xff_append": true,
            "preserve_external_request_id": true,
            "server_header_transformation": "PASS_THROUGH",
            // Paths reach the module as they came: it normalises as nginx does.
            "normalize_path": false,
            "merge_slashes": false,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            // Without a Host the pod sees nginx's name of its default server.
            "http_protocol_options": {
                "accept_http_10": true,
                "default_host_for_http_10": DEFAULT_HOST,
            },
            "http2_protocol_options": http2,
            "request_headers_timeout": self.header_timeout(),
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "common_http_protocol_options": {
                "idle_timeout": format!("{}s", edge::idle_timeout(self.compiled.manifests)),
                "max_headers_count": edge::HEADERS,
                "headers_with_underscores_action": self.underscores(),
            },
            "early_header_mutation_extensions": [{
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    "mutations": self.early_mutations(side, asked),
                },
            }],
            // nginx answers 502 where a pod refuses, breaks off or speaks no HTTP, and keeps 503 for
            // Services without pods. A page in place of such an answer keeps its own status.
            "local_reply_config": { "mappers": [{
                "filter": { "and_filter": { "filters": [
                    { "response_flag_filter": { "flags": ["UF", "UC", "UR", "UPE"] } },
                    { "status_code_filter": { "comparison": {
                        "op": "EQ",
                        "value": { "default_value": 503, "runtime_key": "limpet.unanswered" },
                    } } },
                ] } },
                "status_code": 502,
            }] },
            "http_filters": self.http_filters(),
            "route_config": route::routes(self.ways, &self.compiled.clusters, self.has_certificates, asked),
        });
        let mut set = |key: &str, value: Value| {
            if let Some(fields) = manager.as_object_mut() {
                fields.insert(key.to_owned(), value);
            }
        };
        if self.settings.report {
            set("access_log", json!([access_log()]));
        }
        if self.compiled.forwarding.trusted {
            // Else Envoy writes its own X-Forwarded-Proto over the proxy's, and ssl-redirect would
            // send every request round and round.
            set("xff_num_trusted_hops", json!(1));
        } else {
            // What is https is the connection's to say, as in nginx, not an HTTP/2 client's. It
            // goes into X-Forwarded-Proto too.
            let scheme = json!({ "scheme_to_overwrite": side.scheme });
            set("scheme_header_transformation", scheme);
        }
        json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
    }

    /// `enable-underscores-in-headers`, off by default in ingress-nginx.
    fn underscores(&self) -> &'static str {
        if forwarding::drops_underscores(self.compiled.manifests.settings()) {
            "DROP_HEADER"
        } else {
            "ALLOW"
        }
    }

    /// Before the module, and even where it is skipped: nobody outside chooses a pod.
    fn early_mutations(&self, side: ListenerSide, asked: Option<&Asking>) -> Vec<Value> {
        let forwarding = &self.compiled.forwarding;
        let originals = forwarding::envoy::originals(forwarding);
        let certificates = HEADERS.iter().filter(|_| self.has_certificates);
        let strip = DROPPED_HEADERS.iter().chain([&POLICY_HEADER]);
        let strip = strip.chain(certificates);
        let strip = strip.map(|name| json!({ "remove": name }));
        let strip_envoy = json!({ "remove_on_match": { "key_matcher": { "prefix": "x-envoy-" } } });
        // X-Forwarded-Proto Envoy writes itself, over whatever came, unless a proxy in front is trusted.
        let mut write = forwarding::envoy::early(forwarding, side);
        write.retain(|header| forwarding.trusted || header.name != "x-forwarded-proto");
        // Before anything is written over what came.
        let spoofed = originals
            .iter()
            .map(|header| json!({ "remove": header.name }));
        let spoofed: Vec<Value> = spoofed.collect();
        let write = originals.iter().chain(&write).map(Written::mutation);
        let is_told = self.has_certificates && side == HTTPS;
        let told = if is_told {
            client::told(asked)
        } else {
            Vec::new()
        };
        strip
            .chain([strip_envoy])
            .chain(spoofed)
            .chain(write)
            .chain(told)
            .collect()
    }

    fn http_filters(&self) -> Vec<Value> {
        match &self.settings.native {
            // It pins by itself.
            Some(file) => vec![self.native_module(file), router()],
            None => vec![self.wasm_module(), session_state(), router()],
        }
    }

    fn native_module(&self, file: &Path) -> Value {
        json!({
            "name": PLUGIN_NAME,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
                "dynamic_module_config": {
                    "module": { "local": { "filename": file } },
                    // Its metrics are called as those of the wasm module are.
                    "metrics_namespace": "wasmcustom",
                    // A thread of its own ends with the configuration; its code stays.
                    "do_not_close": true,
                },
                "filter_name": PLUGIN_NAME,
                "filter_config": self.plugin_text(),
            },
        })
    }

    /// The plugin's configuration. A Struct reaches the module as protobuf, not as JSON (Envoy 1.40).
    fn plugin_text(&self) -> Value {
        json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": inert::json(&format!("{:#}\n", self.plugin)),
        })
    }

    fn wasm_module(&self) -> Value {
        let mut vm = json!({
            "vm_id": PLUGIN_NAME,
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": self.settings.wasm } },
        });
        let variables = plugin_config::variables(&self.compiled.config);
        if let (false, Some(fields)) = (variables.is_empty(), vm.as_object_mut()) {
            let keys = json!({ "host_env_keys": variables });
            fields.insert("environment_variables".to_owned(), keys);
        }
        json!({
            "name": PLUGIN_NAME,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": PLUGIN_NAME,
                    "root_id": PLUGIN_NAME,
                    "failure_policy": "FAIL_RELOAD",
                    "reload_config": { "backoff": {
                        "base_interval": format!("{}s", RELOAD_BACKOFF.as_secs_f64()),
                    } },
                    "vm_config": vm,
                    "configuration": self.plugin_text(),
                },
            },
        })
    }
}

fn session_state() -> Value {
    json!({
        "name": "envoy.filters.http.stateful_session",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
            "strict": false,
            "session_state": {
                "name": "envoy.http.stateful_session.header",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
                    "name": ENDPOINT_HEADER,
                },
            },
        },
    })
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    })
}

fn access_log() -> Value {
    let line = "%START_TIME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
                \"%REQ(:METHOD)% %REQ(:AUTHORITY)% %REQ(:PATH)%\" %RESPONSE_CODE% \
                %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %DURATION%ms \
                %FILTER_STATE(wasm.limpet_decision:PLAIN)%\n";
    json!({
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": { "text_format_source": { "inline_string": line } },
        },
    })
}
