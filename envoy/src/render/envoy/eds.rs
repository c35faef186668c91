//! Endpoints and listeners in files that Envoy re-reads when one is moved into place.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::{Value, json};

use super::address::Address;
use super::reach;
use super::settings::EnvoySettings;
use crate::clusters::{Cluster, Endpoint, Health};

/// The file of one cluster's endpoints in the folder of `--eds`: in it, whatever the cluster is
/// called, and another one for each cluster.
#[must_use]
pub fn endpoint_file(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(format!("{}.yaml", file_name(cluster)))
}

/// A name with every byte written as `%XX` that could mean something in a path, or the same as
/// another one where files have no case.
fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

/// The content of such a file. Envoy skips a version that it has, so each call makes a new one.
#[must_use]
pub fn endpoint_resource(cluster: &str, endpoints: &[Endpoint]) -> Value {
    let mut assignment = load_assignment(cluster, endpoints);
    if let Some(fields) = assignment.as_object_mut() {
        let any = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
        fields.insert("@type".to_owned(), json!(any));
    }
    json!({ "version_info": version(), "resources": [assignment] })
}

/// A `ClusterLoadAssignment`.
#[must_use]
pub fn load_assignment(cluster: &str, endpoints: &[Endpoint]) -> Value {
    let endpoints: Vec<Value> = endpoints.iter().filter_map(lb_endpoint).collect();
    json!({ "cluster_name": cluster, "endpoints": [{ "lb_endpoints": endpoints }] })
}

fn lb_endpoint(endpoint: &Endpoint) -> Option<Value> {
    let address: std::net::SocketAddr = endpoint.address.parse().ok()?;
    let mut entry = json!({ "endpoint": { "address": Address::Socket(address).to_envoy() } });
    if endpoint.health == Health::Draining {
        entry
            .as_object_mut()?
            .insert("health_status".to_owned(), json!("DRAINING"));
    }
    Some(entry)
}

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Whoever the user's umask lets.
    AsUsual,
    /// The user alone: there is a private key or a cookie key in it.
    Owner,
}

/// Writes beside `path` and moves it there: the only way Envoy notices.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn write_in_place(path: &Path, text: &str) -> anyhow::Result<()> {
    write_for(Readers::AsUsual, path, text)
}

/// The same, for these readers.
pub(super) fn write_for(readers: Readers, path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("{}: cannot be written", path.display());
    if let Some(folder) = path.parent() {
        make_folder(folder, readers).with_context(failed)?;
    }
    let next = path.with_extension("next");
    // What a run that was cut short left behind has other permissions, perhaps.
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(failed);
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(&next).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    std::fs::rename(&next, path).with_context(failed)
}

/// A folder that is there keeps its permissions: it is the operator's.
fn make_folder(folder: &Path, readers: Readers) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    builder.create(folder)
}

/// Takes the listeners out of the bootstrap into a file; the clusters name their own files.
pub(super) fn move_to_files<'c>(
    bootstrap: &mut Value,
    folder: &Path,
    clusters: impl Iterator<Item = &'c Cluster>,
    settings: &EnvoySettings,
) -> Vec<(PathBuf, Value)> {
    let mut files: Vec<(PathBuf, Value)> = clusters
        .filter(|cluster| cluster.external_name.is_none())
        .map(|cluster| {
            let name = cluster.name();
            (
                endpoint_file(folder, &name),
                endpoint_resource(&name, &reach::endpoints(settings, cluster)),
            )
        })
        .collect();
    let listeners = bootstrap
        .pointer_mut("/static_resources")
        .and_then(|resources| resources.as_object_mut()?.shift_remove("listeners"));
    let resources: Vec<Value> = listeners
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .map(|listener| {
            let mut resource =
                json!({ "@type": "type.googleapis.com/envoy.config.listener.v3.Listener" });
            if let (Some(to), Some(from)) = (resource.as_object_mut(), listener.as_object()) {
                to.extend(from.clone());
            }
            resource
        })
        .collect();
    let path = folder.join("listeners.yaml");
    if let Some(fields) = bootstrap.as_object_mut() {
        fields.insert(
            "dynamic_resources".to_owned(),
            json!({ "lds_config": source(&path) }),
        );
    }
    files.push((
        path,
        json!({ "version_info": version(), "resources": resources }),
    ));
    files
}

/// A config source that reads `path`.
pub(super) fn source(path: &Path) -> Value {
    json!({ "resource_api_version": "V3", "path_config_source": { "path": path } })
}

fn version() -> String {
    static STEP: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{}.{}",
        now.as_millis(),
        STEP.fetch_add(1, Ordering::Relaxed)
    )
}
