//! Demo replicas of the manifests' Deployments: in-process servers, each on its own address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};

use limpet_envoy::clusters::{Cluster, Endpoint, Health};
use limpet_envoy::manifests::{Manifests, Object};

/// One replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The Deployment's name.
    pub deployment: String,
    /// Counted from 1.
    pub number: usize,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Pod {
    /// As an endpoint.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address.to_string(),
            health: Health::Healthy,
        }
    }

    /// What its page under `/<application>/...` says: `app1-1`; under `/` the Deployment's name.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        let first = path
            .trim_start_matches('/')
            .split(['/', '?'])
            .next()
            .unwrap_or_default();
        let name = if first.is_empty() {
            &self.deployment
        } else {
            first
        };
        format!("{name}-{}", self.number)
    }
}

/// Every replica, and the runtime that serves them; dropping it stops them.
#[derive(Debug)]
pub struct Pods {
    /// In the order of the Deployments.
    pub pods: Vec<Pod>,
    selectors: Vec<(Object, Vec<Pod>)>,
    /// What serves each address that listens.
    servers: Mutex<HashMap<SocketAddr, AbortHandle>>,
    runtime: Runtime,
}

impl Pods {
    /// Starts the replicas of every Deployment on 127.0.0.2, 127.0.0.3, ...
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn start(manifests: &Manifests) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pods")
            .enable_all()
            .build()
            .context("the demo replicas cannot be started")?;
        let mut all = Vec::new();
        let mut servers = HashMap::new();
        let mut selectors = Vec::new();
        for deployment in &manifests.deployments {
            let replicas = deployment
                .value
                .pointer("/spec/replicas")
                .and_then(Value::as_u64);
            let mut pods = Vec::new();
            for number in 1..=usize::try_from(replicas.unwrap_or(1)).unwrap_or(1) {
                let ip = address(all.len());
                let at = SocketAddr::from((ip, 0));
                let (pod, server) = runtime.block_on(serve(deployment.name(), number, at))?;
                servers.insert(pod.address, server);
                all.push(pod.clone());
                pods.push(pod);
            }
            selectors.push((deployment.clone(), pods));
        }
        Ok(Self {
            pods: all,
            selectors,
            servers: Mutex::new(servers),
            runtime,
        })
    }

    /// One replica more of a Deployment, beyond the `index` that were started before it.
    ///
    /// # Errors
    /// When its address cannot be listened on.
    pub fn another(&self, deployment: &str, number: usize, index: usize) -> anyhow::Result<Pod> {
        self.serve(deployment, number, SocketAddr::from((address(index), 0)))
    }

    /// Starts a replica again where it was.
    ///
    /// # Errors
    /// When its address cannot be listened on.
    pub fn start_again(&self, pod: &Pod) -> anyhow::Result<()> {
        self.serve(&pod.deployment, pod.number, pod.address)?;
        Ok(())
    }

    fn serve(&self, deployment: &str, number: usize, at: SocketAddr) -> anyhow::Result<Pod> {
        let started = self.runtime.block_on(serve(deployment, number, at));
        let (pod, server) = started?;
        self.servers().insert(pod.address, server);
        Ok(pod)
    }

    /// Ends a replica: its connections break, and its address refuses new ones.
    pub fn stop(&self, pod: &Pod) {
        if let Some(server) = self.servers().remove(&pod.address) {
            server.abort();
        }
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<SocketAddr, AbortHandle>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the clusters the replicas that their Services select; a line for each without any.
    #[must_use]
    pub fn fill(&self, manifests: &Manifests, clusters: &mut [Cluster]) -> Vec<String> {
        let mut notes = Vec::new();
        for cluster in clusters {
            let id = cluster.service_port.service_id();
            let service = manifests.service(&id);
            let selected = self.selectors.iter().filter(|(deployment, _)| {
                service.is_some_and(|service| selects(service, deployment))
            });
            cluster.endpoints = selected
                .flat_map(|(_, pods)| pods)
                .map(Pod::endpoint)
                .collect();
            if cluster.endpoints.is_empty() {
                notes.push(format!(
                    "{}: no Deployment or StatefulSet among the manifests is selected by Service {id}: it answers 503",
                    cluster.place
                ));
            }
        }
        notes
    }
}

/// 127.0.0.2 for the first; the last part wraps long before anybody starts so many.
fn address(index: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(index + 2).unwrap_or(2).to_be_bytes();
    Ipv4Addr::new(127, 0, high, low)
}

/// Whether `spec.selector` of the Service holds for the Deployment's pods.
fn selects(service: &Object, deployment: &Object) -> bool {
    let labels = deployment.value.pointer("/spec/template/metadata/labels");
    let selector = service
        .value
        .pointer("/spec/selector")
        .and_then(Value::as_object);
    service.namespace() == deployment.namespace()
        && selector.is_some_and(|selector| {
            selector
                .iter()
                .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        })
}

async fn serve(
    deployment: &str,
    number: usize,
    at: SocketAddr,
) -> anyhow::Result<(Pod, AbortHandle)> {
    let listener = TcpListener::bind(at)
        .await
        .with_context(|| format!("a demo replica cannot listen on {at}"))?;
    let pod = Pod {
        deployment: deployment.to_owned(),
        number,
        address: listener.local_addr()?,
    };
    let server = tokio::spawn(accept(listener, pod.clone())).abort_handle();
    Ok((pod, server))
}

/// Serves until it is aborted; its connections end with it.
async fn accept(listener: TcpListener, pod: Pod) {
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            Ok((socket, _)) = listener.accept() => socket,
            Some(_) = connections.join_next() => continue,
            // Out of file descriptors, mostly.
            else => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let pod = pod.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let page = format!("{}\n", pod.page(request.uri().path()));
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page)))) }
        });
        connections.spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpet_envoy::compiled::{Compiled, Flags};

    #[test]
    fn a_page_says_the_application_and_the_replica() {
        let pod = Pod {
            deployment: "web".into(),
            number: 2,
            address: ([127, 0, 0, 3], 80).into(),
        };
        for (path, page) in [
            ("/app1/", "app1-2"),
            ("/app1?x", "app1-2"),
            ("/", "web-2"),
            ("", "web-2"),
        ] {
            assert_eq!(pod.page(path), page);
        }
    }

    #[test]
    fn replicas_become_the_endpoints_of_the_services_that_select_them() {
        let text = include_str!("../../../envoy/examples/sample-ingress.yaml");
        let manifests = Manifests::parse("sample", text).unwrap();
        let mut clusters = Compiled::new(&manifests, &Flags::default())
            .unwrap()
            .clusters;
        let pods = Pods::start(&manifests).unwrap();
        assert_eq!(pods.fill(&manifests, &mut clusters), Vec::<String>::new());
        assert_eq!(clusters[0].endpoints.len(), 2);
        assert!(clusters[0].endpoints[0].address.starts_with("127.0.0.2:"));
    }
}
