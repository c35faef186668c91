//! Endpoint files for Envoy's file-based EDS, moved into place as Envoy wants it.

use crate::pod::Pod;
use serde_json::json;
use std::path::{Path, PathBuf};

/// One endpoint of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lb {
    /// `ip:port`, or the path of a socket.
    pub address: String,
    /// Envoy's word: `HEALTHY`, `DRAINING`, `UNHEALTHY`, ...
    pub health: &'static str,
}

/// The pods, all healthy.
pub fn healthy<'p>(pods: impl IntoIterator<Item = &'p Pod>) -> Vec<Lb> {
    let healthy = |pod: &Pod| Lb {
        address: pod.endpoint(),
        health: "HEALTHY",
    };
    pods.into_iter().map(healthy).collect()
}

/// Writes the endpoints of `cluster` beside `file` and moves them into place.
///
/// # Panics
/// The folder cannot be written to.
pub fn write(file: &Path, cluster: &str, endpoints: &[Lb]) {
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|endpoint| {
            json!({"health_status": endpoint.health,
                "endpoint": {"address": address(&endpoint.address)}})
        })
        .collect();
    let resource = json!({
        "version_info": version(),
        "resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": cluster,
            "endpoints": [{"lb_endpoints": endpoints}],
        }],
    });
    let next: PathBuf = file.with_extension("next");
    std::fs::write(&next, resource.to_string()).expect("the endpoint file");
    std::fs::rename(&next, file).expect("the endpoint file");
}

fn address(text: &str) -> serde_json::Value {
    match text.rsplit_once(':') {
        None => json!({"pipe": {"path": text}}),
        Some((ip, port)) => {
            let port: u16 = port.parse().unwrap();
            let ip = ip.trim_matches(['[', ']']);
            json!({"socket_address": {"address": ip, "port_value": port}})
        }
    }
}

/// A number that only grows: Envoy skips a version it has.
fn version() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static VERSION: AtomicU64 = AtomicU64::new(1);
    VERSION.fetch_add(1, Ordering::SeqCst).to_string()
}
