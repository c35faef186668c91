//! A real Envoy that runs what `limpet render envoy` writes, on free ports.

mod edit;
mod shared;

pub use edit::{edit_plugin, edit_plugin_text};

use crate::eds::Lb;
use crate::envoy::{DRAIN, RealEnvoy};
use crate::wait;
use limpet_cli::envoy_process::Launch;
use limpet_envoy::clusters::{Cluster, EndpointsFlag};
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render;
use limpet_envoy::render::envoy::{EnvoySettings, endpoint_file, write_in_place};
use serde_json::Value;
use shared::Lot;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The file of the listeners.
const LISTENERS: &str = "listeners.yaml";

/// What a test asks for beyond the manifests.
pub struct Setup {
    /// Worker threads.
    pub workers: usize,
    /// Environment variables of the process.
    pub environment: &'static [(&'static str, &'static str)],
    /// The module; `None`: the one that `cargo xtask wasm` built.
    pub wasm: Option<PathBuf>,
    /// A module that Envoy loads natively; `None`: what `LIMPET_NATIVE` says, else the wasm module.
    pub native: Option<PathBuf>,
    /// Where it listens, for plain http and for https: with port 0.
    pub listen: &'static str,
    /// `--report`.
    pub report: bool,
    /// Between two questions of the module about the endpoints.
    pub interval_ms: u64,
    /// Seconds that are left to requests whose listener or process is replaced.
    pub drain: u32,
    /// Changes of the bootstrap and of the files beside it, before Envoy sees them.
    pub edit: fn(&mut Value),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 1,
            environment: &[],
            wasm: None,
            native: None,
            listen: "127.0.0.1:0",
            report: false,
            // So that a test waits for little; the module's own default is a second.
            interval_ms: 200,
            drain: DRAIN,
            edit: |_| {},
        }
    }
}

/// The process, and the folder of endpoints and listeners that it watches.
#[derive(Debug)]
pub struct Rendered {
    /// The process.
    pub envoy: Arc<RealEnvoy>,
    /// In a process that others use too.
    lot: Option<Lot>,
    folder: TempDir,
}

impl Rendered {
    /// Starts it and waits until the listener is there and every cluster has its endpoints.
    ///
    /// # Panics
    /// It cannot be rendered, or Envoy does not take it.
    #[must_use]
    pub fn start(manifests: &Manifests, endpoints: &[EndpointsFlag], setup: &Setup) -> Self {
        let started = Self::boot(manifests, endpoints, setup);
        let _ = started.http();
        started.wait_for_endpoints(&compiled(manifests, endpoints).clusters);
        started
    }

    /// As [`Rendered::start`], for listeners that Envoy may refuse: waits for the admin alone.
    ///
    /// # Panics
    /// It cannot be rendered, or Envoy ends.
    #[must_use]
    pub fn boot(manifests: &Manifests, endpoints: &[EndpointsFlag], setup: &Setup) -> Self {
        let compiled = compiled(manifests, endpoints);
        let folder = folder();
        let rendered = rendered(&compiled, setup, folder.path());
        for (path, content) in rendered.files {
            write_in_place(&path, &content.to_string()).unwrap();
        }
        let bootstrap = rendered.bootstrap.to_string();
        let envoy = RealEnvoy::launched(Launch {
            bootstrap: &bootstrap,
            environment: setup.environment,
            workers: setup.workers,
            drain: setup.drain,
            instead_of: None,
        });
        Self {
            envoy: Arc::new(envoy),
            lot: None,
            folder,
        }
    }

    /// As [`Rendered::start`] for a test that does not look at the process (its counters but those
    /// of its own listeners and clusters, its log), nor does anything to it: in one that others use
    /// too, with two workers. `edit` as in [`Setup`].
    ///
    /// # Panics
    /// As [`Rendered::start`].
    #[must_use]
    pub fn share(manifests: &Manifests, endpoints: &[EndpointsFlag], edit: fn(&mut Value)) -> Self {
        let setup = Setup {
            interval_ms: 1_000,
            edit,
            ..Setup::default()
        };
        let compiled = compiled(manifests, endpoints);
        let folder = folder();
        let rendered = rendered(&compiled, &setup, folder.path());
        let (listeners, endpoints): (Vec<_>, Vec<_>) = rendered
            .files
            .into_iter()
            .partition(|(path, _)| path.ends_with(LISTENERS));
        for (path, content) in endpoints {
            write_in_place(&path, &content.to_string()).unwrap();
        }
        let lot = Lot::open(&rendered.bootstrap);
        let shared = Self {
            envoy: lot.envoy(),
            lot: Some(lot),
            folder,
        };
        // The module asks for the endpoints when it is configured: they are there by then.
        shared.wait_for_endpoints(&compiled.clusters);
        shared.add_listeners(&listeners[0].1["resources"], &compiled.clusters);
        shared
    }

    /// As [`Rendered::share`], of a whole bootstrap without files beside it, whose plugin names all
    /// clusters.
    ///
    /// # Panics
    /// As [`Rendered::start`].
    #[must_use]
    pub fn share_bootstrap(bootstrap: &Value) -> Self {
        let lot = Lot::open(bootstrap);
        let shared = Self {
            envoy: lot.envoy(),
            lot: Some(lot),
            folder: folder(),
        };
        shared.add_listeners(&bootstrap["static_resources"]["listeners"], &[]);
        shared
    }

    fn add_listeners(&self, listeners: &Value, services: &[Cluster]) {
        let lot = self.lot.as_ref().unwrap();
        lot.add_listeners(listeners, services);
        let _ = self.http();
    }

    /// A hot restart, of a process whose listeners have fixed ports: waits until the old one has ended,
    /// and gives what that one had logged.
    ///
    /// # Panics
    /// The new one does not start, or somebody else looks at the old one.
    pub fn restart(&mut self, setup: &Setup) -> String {
        let new = self.envoy.restarted(setup.workers, setup.drain);
        let new = Arc::new(new);
        let old = std::mem::replace(&mut self.envoy, new);
        let mut old = Arc::into_inner(old).expect("nobody else looks at it");
        wait::until("the old process ends", || old.has_ended());
        old.log()
    }

    /// Where it listens for plain http.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.envoy.listener(&self.name("http"))
    }

    /// Where it listens for https.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.envoy.listener(&self.name("https"))
    }

    /// What a cluster, a listener, or the prefix of a connection manager's counters is called.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        let lot = self.lot.as_ref();
        lot.map_or_else(|| name.to_owned(), |lot| lot.name(name))
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
        let cluster = self.name(cluster);
        wait::until(&format!("cluster {cluster} has {wanted:?}"), || {
            let have = self.envoy.endpoints(&cluster).into_iter();
            let mut have: Vec<_> = have
                .map(|(address, flags)| (address, flags.contains("draining")))
                .collect();
            have.sort();
            have == wanted
        });
    }

    fn wait_for_endpoints(&self, clusters: &[Cluster]) {
        for cluster in clusters {
            let addresses = cluster.endpoints.iter().map(|e| e.address.clone());
            let addresses: Vec<_> = addresses.collect();
            self.envoy
                .wait_for_endpoints(&self.name(&cluster.name()), &addresses);
        }
    }

    /// Waits until the module has asked for the endpoints three times more: every VM has then
    /// ticked, and knows what Envoy knew when this was called.
    ///
    /// # Panics
    /// It is a shared process: nobody knows who asked.
    pub fn wait_until_discovered(&self) {
        assert!(self.lot.is_none(), "not in a shared process");
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
        let path = self.folder.path().join(LISTENERS);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut content: Value = serde_saphyr::from_str(&text).unwrap();
        edit(&mut content);
        content["version_info"] = format!("edited-{}", text.len()).into();
        write_in_place(&path, &content.to_string()).unwrap();
    }
}

/// The native module that everything is to run on, if any: `cargo xtask test` asks for it.
#[must_use]
pub fn native() -> Option<PathBuf> {
    std::env::var_os("LIMPET_NATIVE").map(PathBuf::from)
}

fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("limpet-xds-").tempdir().unwrap()
}

fn compiled<'m>(manifests: &'m Manifests, endpoints: &[EndpointsFlag]) -> Compiled<'m> {
    let flags = Flags {
        endpoints: endpoints.to_vec(),
        on_envoy: true,
        ..Flags::default()
    };
    Compiled::new(manifests, &flags).unwrap()
}

/// What `limpet render envoy --eds` writes, edited.
fn rendered(compiled: &Compiled<'_>, setup: &Setup, folder: &Path) -> render::envoy::Rendered {
    let module = || limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
    let wasm = setup.wasm.clone().unwrap_or_else(module);
    let settings = EnvoySettings {
        listen: setup.listen.parse().unwrap(),
        listen_tls: setup.listen.parse().unwrap(),
        admin: "unix:admin.sock".parse().unwrap(),
        wasm: wasm.canonicalize().unwrap(),
        native: setup.native.clone().or_else(native),
        eds: Some(folder.to_owned()),
        allow_loopback: true,
        report: setup.report,
        ..EnvoySettings::default()
    };
    let mut rendered = render::envoy::render(compiled, &settings);
    let files = rendered.files.iter_mut().map(|(_, content)| content);
    for value in files.chain([&mut rendered.bootstrap]) {
        edit_plugin(value, |config| {
            config["discovery"]["interval_ms"] = setup.interval_ms.into();
            // A machine that stalls for a second must not look like an admin that does not answer.
            config["discovery"]["hold_ms"] = 10_000.into();
        });
        (setup.edit)(value);
    }
    rendered
}
