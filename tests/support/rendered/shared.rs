//! One Envoy for all tests that only send requests, each with listeners and clusters of its own
//! in it: what a start costs is the compiling of the module, and that is done once a process.

use super::edit::edit_plugin;
use crate::envoy::RealEnvoy;
use crate::wait;
use limpet_envoy::clusters::Cluster;
use limpet_envoy::render::envoy::write_in_place;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The shared process.
#[derive(Debug)]
struct Town {
    envoy: Arc<RealEnvoy>,
    folder: PathBuf,
    lots: Mutex<Lots>,
}

#[derive(Debug, Default)]
struct Lots {
    /// Ever opened.
    opened: usize,
    /// Counts up: Envoy skips a version it has.
    version: usize,
    /// By prefix: the listeners and the clusters.
    open: BTreeMap<String, [Vec<Value>; 2]>,
}

/// Which file holds what of a lot.
const FILES: [(&str, &str); 2] = [
    ("listeners.yaml", "envoy.config.listener.v3.Listener"),
    ("clusters.yaml", "envoy.config.cluster.v3.Cluster"),
];
const LISTENERS: usize = 0;
const CLUSTERS: usize = 1;

/// The cluster toward Envoy's own admin, which all share.
const ADMIN: &str = "prometheus_stats";

/// What one test has in the shared process; taken away when dropped.
#[derive(Debug)]
pub(super) struct Lot {
    town: &'static Town,
    /// Before every name of a listener, of a cluster and of statistics.
    prefix: String,
    /// Its clusters, as the bootstrap calls them.
    clusters: Vec<String>,
}

impl Lot {
    /// Puts the clusters of a bootstrap there, in a process with the bootstrap's settings.
    pub(super) fn open(bootstrap: &Value) -> Self {
        static TOWN: OnceLock<Town> = OnceLock::new();
        let town = TOWN.get_or_init(|| Town::start(bootstrap));
        let mut clusters = bootstrap["static_resources"]["clusters"].clone();
        let clusters = clusters.as_array_mut().unwrap();
        clusters.retain(|cluster| cluster["name"] != ADMIN);
        let names = clusters.iter().map(|cluster| cluster["name"].as_str());
        let lot = Self {
            town,
            prefix: format!("lot{}-", town.next_number()),
            clusters: names.map(|name| name.unwrap().to_owned()).collect(),
        };
        for cluster in clusters.iter_mut() {
            if cluster["type"] == "EDS" {
                // A twin names the other one.
                let name = cluster["name"].clone();
                let service = &mut cluster["eds_cluster_config"]["service_name"];
                if service.is_null() {
                    *service = name;
                }
            }
            lot.rename(&mut cluster["name"]);
        }
        town.put(&lot.prefix, CLUSTERS, std::mem::take(clusters));
        wait::until("the clusters are there", || {
            let text = town.envoy.admin("/clusters").text();
            let has = |name: &String| text.contains(&format!("{}::", lot.name(name)));
            lot.clusters.iter().all(has)
        });
        lot
    }

    pub(super) fn envoy(&self) -> Arc<RealEnvoy> {
        Arc::clone(&self.town.envoy)
    }

    /// Puts listeners there, sent to the clusters of this lot. `services`: of those that the
    /// plugin's configuration does not name.
    pub(super) fn add_listeners(&self, listeners: &Value, services: &[Cluster]) {
        let mut listeners = listeners.clone();
        self.rename(&mut listeners);
        self.rename_keys(&mut listeners);
        edit_plugin(&mut listeners, |config| {
            self.rename(&mut config["clusters"]);
            // A way that is nothing but a mirror is called as its cluster is.
            for key in ["authorizers", "policies"] {
                if let Some(named) = config.get_mut(key) {
                    self.rename(named);
                }
            }
            for service in services {
                let cluster = &mut config["clusters"][service.service_port.key()];
                if cluster.is_null() {
                    *cluster = self.name(&service.name()).into();
                }
            }
        });
        let listeners = listeners.as_array_mut().unwrap();
        for listener in listeners.iter_mut() {
            listener["name"] = self.name(listener["name"].as_str().unwrap()).into();
            listener["address"]["socket_address"]["address"] = next_address().to_string().into();
            set_prefix(listener, &self.prefix);
        }
        self.town
            .put(&self.prefix, LISTENERS, std::mem::take(listeners));
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Gives every string that is a cluster's name the name that it has here.
    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.clusters.contains(text) => *text = self.name(text),
            Value::Array(elements) => elements.iter_mut().for_each(|v| self.rename(v)),
            Value::Object(fields) => fields.values_mut().for_each(|v| self.rename(v)),
            _ => {}
        }
    }

    /// The same of what a matcher tree knows.
    fn rename_keys(&self, value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|v| self.rename_keys(v)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|v| self.rename_keys(v));
                let named = std::mem::take(fields).into_iter();
                let own = |key: String| match self.clusters.contains(&key) {
                    true => self.name(&key),
                    false => key,
                };
                *fields = named.map(|(key, value)| (own(key), value)).collect();
            }
            _ => {}
        }
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        self.town.lots.lock().unwrap().open.remove(&self.prefix);
        self.town.publish(LISTENERS);
        self.town.publish(CLUSTERS);
        if std::thread::panicking() {
            eprintln!("the shared Envoy's log:\n{}", self.town.envoy.log());
        }
    }
}

impl Town {
    fn start(bootstrap: &Value) -> Self {
        let folder = folder();
        let mut bootstrap = bootstrap.clone();
        let clusters = &mut bootstrap["static_resources"]["clusters"];
        let clusters = clusters.as_array_mut().unwrap();
        clusters.retain(|cluster| cluster["name"] == ADMIN);
        // They come with their lots: here the clusters that their routes name are not known.
        bootstrap["static_resources"]["listeners"] = json!([]);
        let source = |file: &str| {
            json!({ "resource_api_version": "V3",
                "path_config_source": { "path": folder.join(file) } })
        };
        bootstrap["dynamic_resources"] = json!({
            "lds_config": source(FILES[LISTENERS].0),
            "cds_config": source(FILES[CLUSTERS].0),
        });
        let lots = Lots::default();
        write(&folder, LISTENERS, &lots);
        write(&folder, CLUSTERS, &lots);
        Self {
            envoy: Arc::new(RealEnvoy::start_below(&folder, &bootstrap.to_string(), 2)),
            folder,
            lots: Mutex::new(lots),
        }
    }

    fn next_number(&self) -> usize {
        let mut lots = self.lots.lock().unwrap();
        lots.opened += 1;
        lots.opened
    }

    fn put(&self, prefix: &str, kind: usize, resources: Vec<Value>) {
        let mut lots = self.lots.lock().unwrap();
        lots.open.entry(prefix.into()).or_default()[kind] = resources;
        drop(lots);
        self.publish(kind);
    }

    fn publish(&self, kind: usize) {
        let mut lots = self.lots.lock().unwrap();
        lots.version += 1;
        write(&self.folder, kind, &lots);
    }
}

/// Each listener has an address of its own: Envoy gives a new one the socket of one that drains
/// and was to listen on the same address and any port.
fn next_address() -> Ipv4Addr {
    static COUNT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = COUNT.fetch_add(1, Ordering::SeqCst).to_be_bytes();
    Ipv4Addr::new(127, 65, high, low)
}

/// The folder of this process. Nothing in a process is dropped when it ends: those of earlier
/// ones are removed.
fn folder() -> PathBuf {
    const NAME: &str = "limpet-shared-";
    let all = std::env::temp_dir();
    for entry in std::fs::read_dir(&all).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(process) = name.strip_prefix(NAME)
            && !Path::new("/proc").join(process).exists()
        {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    let folder = all.join(format!("{NAME}{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(folder: &Path, kind: usize, lots: &Lots) {
    let (file, type_name) = FILES[kind];
    let resources = lots.open.values().flat_map(|lot| &lot[kind]);
    let resources = resources.map(|resource| {
        let mut resource = resource.clone();
        resource["@type"] = format!("type.googleapis.com/{type_name}").into();
        resource
    });
    let content = json!({
        "version_info": lots.version.to_string(),
        "resources": resources.collect::<Vec<_>>(),
    });
    write_in_place(&folder.join(file), &content.to_string()).unwrap();
}

fn set_prefix(value: &mut Value, prefix: &str) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|v| set_prefix(v, prefix)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| match field {
            Value::String(text) if key == "stat_prefix" => text.insert_str(0, prefix),
            _ => set_prefix(field, prefix),
        }),
        _ => {}
    }
}
