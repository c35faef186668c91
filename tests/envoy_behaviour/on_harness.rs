//! The rows on the harness: the same clusters, a proxy per row.

use super::backends::{Backends, ROUTES};
use super::row::{Place, Row};
use host_harness::environment::Discard;
use host_harness::proxy::{Proxy, ProxyConfig};
use host_harness::{
    Cluster, ClusterSpecifier, Clusters, Endpoint, EngineConfig, Environment, FailurePolicy,
    HeaderEdit, Health, Module, PluginConfig, RetryPolicy, Route, RouteMatch,
};
use limpet_tests::guest;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Every row's proxy, and the admin that they share.
pub(super) struct Harness {
    proxies: Vec<Proxy>,
}

impl Harness {
    pub(super) fn place(&self, index: usize) -> Place {
        let proxy = &self.proxies[index];
        Place {
            listener: proxy.local_addr(),
            admin: proxy.admin_addr().expect("an admin").into(),
        }
    }
}

pub(super) fn start(rows: &[Row], backends: &Backends) -> Harness {
    let mut environment = Environment::new(clusters(backends));
    environment.log = Arc::new(Discard);
    let proxies = rows.iter().enumerate().map(|(index, row)| {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ProxyConfig::new(any_port, engine(index, row));
        config.admin = Some(any_port);
        config.workers = 1;
        Proxy::start(config, &environment).unwrap_or_else(|why| panic!("{}: {why}", row.name))
    });
    Harness {
        proxies: proxies.collect(),
    }
}

fn engine(index: usize, row: &Row) -> EngineConfig {
    let module = Module::compile(&guest::module(&row.guest)).unwrap();
    let mut plugin = PluginConfig::new(module, "plugin", b"{}".to_vec());
    plugin.root_id = "root".to_owned();
    plugin.vm_id = format!("row-{index}");
    plugin.failure_policy = match row.failure_policy.as_deref() {
        Some("FAIL_OPEN") => FailurePolicy::FailOpen,
        Some("FAIL_RELOAD") => FailurePolicy::default(),
        _ => FailurePolicy::FailClosed,
    };
    let mut engine = EngineConfig::new(routes());
    engine.plugin = Some(plugin);
    engine.session_header = Some("x-pick".to_owned());
    engine
}

fn routes() -> Vec<Route> {
    let header = ClusterSpecifier::Header {
        name: "x-cluster".to_owned(),
        fallback: None,
    };
    let mut by_cluster_header = Route::to(header);
    by_cluster_header.name = "cluster-header".to_owned();
    by_cluster_header.matches.prefix = Some("/cluster-header".to_owned());
    by_cluster_header.request_edits = vec![HeaderEdit::Remove("x-cluster".to_owned())];
    let mut by_header = Route::to(ClusterSpecifier::Name("b".to_owned()));
    by_header.name = "by-header".to_owned();
    by_header.matches.header = Some(("x-route".to_owned(), "b".to_owned()));
    let by_path = ROUTES.map(|row| {
        let mut route = Route::to(ClusterSpecifier::Name(row.name.to_owned()));
        route.name = format!("to-{}", row.name);
        route.matches = RouteMatch {
            prefix: Some(format!("/{}", row.name)),
            ..RouteMatch::any()
        };
        route.timeout = (row.timeout > 0).then(|| Duration::from_millis(row.timeout));
        if row.retry {
            route.retry = RetryPolicy {
                retries: 1,
                on_connect_failure: true,
                previous_hosts: true,
                ..RetryPolicy::default()
            };
        }
        route
    });
    [by_cluster_header, by_header]
        .into_iter()
        .chain(by_path)
        .collect()
}

fn clusters(backends: &Backends) -> Clusters {
    let clusters = backends.clusters().map(|(name, pods)| {
        let endpoints = pods.into_iter().map(|(address, draining)| Endpoint {
            address,
            health: if draining {
                Health::Draining
            } else {
                Health::Healthy
            },
        });
        let mut cluster = Cluster::new(endpoints.collect());
        cluster.override_draining = true;
        (name.to_owned(), cluster)
    });
    clusters.collect()
}
