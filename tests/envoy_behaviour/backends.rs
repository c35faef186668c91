//! The pods, clusters and routes that every row has behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_tests::pod::{Manner, Pod, Script};

/// Clusters by name with their pods.
///
/// `a`: two pods. `b`: one. `empty`: none. `refused`: one that refuses connections.
/// `reset`: one that closes connections. `hold`: one that never answers. `failing`: one
/// that answers 503. `half`: one that refuses and one that answers.
/// `draining`: one healthy, one draining, which an override may name.
pub(super) struct Backends {
    clusters: Vec<(&'static str, Vec<Pod>)>,
}

/// One row of the route table: requests whose path begins with `/name` go to cluster `name`.
#[derive(Clone, Copy)]
pub(super) struct RouteRow {
    pub(super) name: &'static str,
    /// One retry on connect failures, elsewhere.
    pub(super) retry: bool,
    /// In milliseconds; 0: none.
    pub(super) timeout: u64,
}

/// The routes by path; before them stands `by-header` (`x-route: b` goes to `b`), after them
/// `/cluster-header` (the header `x-cluster` names the cluster and does not reach the pod).
pub(super) const ROUTES: [RouteRow; 9] = [
    RouteRow {
        name: "a",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "b",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "empty",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "refused",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "reset",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "hold",
        retry: false,
        timeout: 300,
    },
    RouteRow {
        name: "failing",
        retry: false,
        timeout: 0,
    },
    RouteRow {
        name: "half",
        retry: true,
        timeout: 0,
    },
    RouteRow {
        name: "draining",
        retry: false,
        timeout: 0,
    },
];

impl Backends {
    pub(super) fn start() -> Self {
        let sizes = ROUTES.map(|route| match route.name {
            "empty" => (route.name, 0),
            "a" | "half" | "draining" => (route.name, 2),
            _ => (route.name, 1),
        });
        let mut clusters = sizes.map(|(name, size)| (name, Pod::several(size)));
        for (name, pods) in &mut clusters {
            let manner = |manner, status| Script {
                status,
                manner,
                ..Script::default()
            };
            match *name {
                "refused" | "half" => pods[0].stop(),
                "reset" => pods[0].behave(manner(Manner::Reset, 200)),
                "hold" => pods[0].behave(manner(Manner::Hold, 200)),
                "failing" => pods[0].behave(manner(Manner::Answer, 503)),
                _ => {}
            }
        }
        Self {
            clusters: clusters.into(),
        }
    }

    /// The clusters with their endpoints and whether each is draining.
    pub(super) fn clusters(
        &self,
    ) -> impl Iterator<Item = (&'static str, Vec<(std::net::SocketAddr, bool)>)> {
        self.clusters.iter().map(|(name, pods)| {
            let draining = |index| *name == "draining" && index == 1;
            let pods = pods.iter().enumerate();
            (
                *name,
                pods.map(|(i, pod)| (pod.address(), draining(i))).collect(),
            )
        })
    }

    /// `{a0}` is the first pod of cluster `a`, `{pick:a0}` its address in base64, `{ip:a0}`
    /// and `{port:a0}` its parts.
    pub(super) fn fill_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, pods) in &self.clusters {
            for (index, pod) in pods.iter().enumerate() {
                let (name, address) = (format!("{name}{index}"), pod.endpoint());
                text = text
                    .replace(&format!("{{{name}}}"), &address)
                    .replace(&format!("{{pick:{name}}}"), &STANDARD.encode(&address))
                    .replace(&format!("{{ip:{name}}}"), &pod.address().ip().to_string())
                    .replace(
                        &format!("{{port:{name}}}"),
                        &pod.address().port().to_string(),
                    );
            }
        }
        text
    }

    /// What an endpoint may be called in a row: `a0` and `a`; nothing is `none`.
    pub(super) fn names(&self, endpoint: Option<&str>) -> Vec<&str> {
        let Some(endpoint) = endpoint else {
            return vec!["none"];
        };
        const NUMBERED: [&str; 2] = ["a0", "a1"];
        let mut names = Vec::new();
        for (name, pods) in &self.clusters {
            let Some(index) = pods.iter().position(|pod| pod.endpoint() == endpoint) else {
                continue;
            };
            names.push(*name);
            names.push(match *name {
                "a" => NUMBERED[index],
                "half" => ["half0", "half1"][index],
                "draining" => ["draining0", "draining1"][index],
                _ => *name,
            });
        }
        names
    }
}
