//! A real Envoy that runs what `limpet render envoy` writes, on free ports.

use crate::eds::Lb;
use crate::envoy::RealEnvoy;
use crate::wait;
use limpet_cli::clusters::{Cluster, EndpointsFlag, clusters};
use limpet_cli::manifests::Manifests;
use limpet_cli::render::envoy::{EnvoySettings, endpoint_file, render, write_in_place};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;

/// What a test asks for beyond the manifests.
pub struct Setup {
    /// Worker threads.
    pub workers: usize,
    /// Environment variables of the process.
    pub environment: &'static [(&'static str, &'static str)],
    /// The module; `None`: the one that `cargo xtask wasm` built.
    pub wasm: Option<PathBuf>,
    /// Between two questions of the module about the endpoints.
    pub interval_ms: u64,
    /// Changes of the bootstrap and of the files beside it, before Envoy sees them.
    pub edit: fn(&mut Value),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 1,
            environment: &[],
            wasm: None,
            // So that a test waits for little; the module's own default is a second.
            interval_ms: 200,
            edit: |_| {},
        }
    }
}

/// The process, and the folder of endpoints and listeners that it watches.
#[derive(Debug)]
pub struct Rendered {
    /// The process.
    pub envoy: RealEnvoy,
    folder: TempDir,
    clusters: Vec<Cluster>,
}

impl Rendered {
    /// Starts it and waits until the listener is there and every cluster has its endpoints.
    ///
    /// # Panics
    /// It cannot be rendered, or Envoy does not take it.
    #[must_use]
    pub fn start(manifests: &Manifests, endpoints: &[EndpointsFlag], setup: &Setup) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("limpet-xds-")
            .tempdir()
            .unwrap();
        let (clusters, _) = clusters(manifests, endpoints);
        let module = || limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
        let settings = EnvoySettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            listen_tls: "127.0.0.1:0".parse().unwrap(),
            admin: "unix:admin.sock".parse().unwrap(),
            wasm: setup
                .wasm
                .clone()
                .unwrap_or_else(module)
                .canonicalize()
                .unwrap(),
            eds: Some(folder.path().to_owned()),
            ..EnvoySettings::default()
        };
        let mut rendered = render(manifests, &clusters, &settings, false).unwrap();
        let edit = |value: &mut Value| {
            edit_plugin(value, |config| {
                config["discovery"]["interval_ms"] = setup.interval_ms.into();
                // A machine that stalls for a second must not look like an admin that does not
                // answer.
                config["discovery"]["hold_ms"] = 10_000.into();
            });
            (setup.edit)(value);
        };
        edit(&mut rendered.bootstrap);
        for (path, mut content) in rendered.files {
            edit(&mut content);
            write_in_place(&path, &content.to_string()).unwrap();
        }
        let envoy = RealEnvoy::start_in(
            setup.environment,
            &rendered.bootstrap.to_string(),
            setup.workers,
        );
        let started = Self {
            envoy,
            folder,
            clusters,
        };
        let _ = started.http();
        for cluster in &started.clusters {
            let addresses: Vec<_> = cluster
                .endpoints
                .iter()
                .map(|e| e.address.clone())
                .collect();
            started
                .envoy
                .wait_for_endpoints(&cluster.name(), &addresses);
        }
        started
    }

    /// Where it listens for plain http.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.envoy.listener("http")
    }

    /// Replaces the endpoints of a cluster, and waits until Envoy has them.
    pub fn set_endpoints(&self, cluster: &str, endpoints: &[Lb]) {
        crate::eds::write(
            &endpoint_file(self.folder.path(), cluster),
            cluster,
            endpoints,
        );
        let mut wanted: Vec<_> = endpoints
            .iter()
            .map(|e| (e.address.clone(), e.health == "DRAINING"))
            .collect();
        wanted.sort();
        wait::until(&format!("cluster {cluster} has {wanted:?}"), || {
            let have = self.envoy.endpoints(cluster).into_iter();
            let mut have: Vec<_> = have
                .map(|(address, flags)| (address, flags.contains("draining")))
                .collect();
            have.sort();
            have == wanted
        });
    }

    /// Waits until the module has asked for the endpoints three times more: every VM has then
    /// ticked, and knows what Envoy knew when this was called.
    pub fn wait_until_discovered(&self) {
        let polls = || self.envoy.stat("wasmcustom.limpet_discovery_polls");
        let before = polls();
        wait::until("the module asks for the endpoints", || {
            polls() >= before + 3
        });
    }

    /// Rewrites the listeners' file.
    ///
    /// # Panics
    /// It is not there.
    pub fn edit_listeners(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.folder.path().join("listeners.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut content: Value = serde_saphyr::from_str(&text).unwrap();
        edit(&mut content);
        content["version_info"] = format!("edited-{}", text.len()).into();
        write_in_place(&path, &content.to_string()).unwrap();
    }
}

/// Calls `edit` on every plugin configuration in a bootstrap or a listeners' file, as a text.
pub fn edit_plugin_text(value: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    if value["@type"] == "type.googleapis.com/google.protobuf.StringValue" {
        return edit(&mut value["value"]);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|v| edit_plugin_text(v, edit)),
        Value::Array(elements) => elements.iter_mut().for_each(|v| edit_plugin_text(v, edit)),
        _ => {}
    }
}

/// As [`edit_plugin_text`], as the object that the text is.
///
/// # Panics
/// It is not JSON.
pub fn edit_plugin(value: &mut Value, mut edit: impl FnMut(&mut Value)) {
    edit_plugin_text(value, &mut |text| {
        let mut config = serde_json::from_str(text.as_str().unwrap()).unwrap();
        edit(&mut config);
        *text = config.to_string().into();
    });
}
