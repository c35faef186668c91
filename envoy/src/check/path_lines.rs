//! Where the paths of an Ingress stand: read once, for there may be as many remarks as paths.

use std::collections::HashMap;

use crate::clusters::ServicePort;
use crate::manifests::Object;
use crate::taken::paths;

/// The lines of an Ingress's paths.
pub(super) struct PathLines {
    /// Of several that are the same, the first.
    paths: HashMap<String, u64>,
    /// By the Service and the port that they name, the first.
    backends: HashMap<String, u64>,
    /// The Ingress's own, for what is none of its paths.
    own: u64,
}

impl PathLines {
    pub(super) fn of(object: &Object) -> Self {
        let (mut by_path, mut backends) = (HashMap::new(), HashMap::new());
        let ingress = object.ingress().unwrap_or_default();
        for path in paths(&ingress) {
            let line = object.line_of(&path.text_pointer());
            by_path.entry(path.path.path.clone()).or_insert(line);
            let backend = path.path.backend.as_ref();
            let named = backend.and_then(|backend| ServicePort::named(&ingress.namespace, backend));
            if let Some(named) = named {
                backends.entry(named.key()).or_insert(line);
            }
        }
        Self {
            paths: by_path,
            backends,
            own: object.line_of(""),
        }
    }

    /// The line of a path as written.
    pub(super) fn path(&self, path: &str) -> u64 {
        self.paths.get(path).copied().unwrap_or(self.own)
    }

    /// The line of the first path that names `namespace/service:port`.
    pub(super) fn backend(&self, key: &str) -> u64 {
        self.backends.get(key).copied().unwrap_or(self.own)
    }
}
