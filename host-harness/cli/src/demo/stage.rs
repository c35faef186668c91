//! Where the story is played: the harness, or real Envoy.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use host_harness::Environment;
use host_harness::proxy::Proxy;

use super::envoy::Envoy;
use super::report::Report;
use crate::{filter_chain, module, run};
use limpet_envoy::clusters::{Cluster, Endpoint};
use limpet_envoy::compiled::Compiled;

/// A running proxy, and its one cluster.
pub(super) struct Stage {
    proxy: Kind,
    cluster: Cluster,
}

enum Kind {
    Harness(Box<(Proxy, Environment)>),
    Envoy(Envoy),
}

impl Stage {
    pub(super) fn harness(
        compiled: &Compiled<'_>,
        wasm: &Path,
        listen: SocketAddr,
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        report.progress(&format!("compiling {}", wasm.display()));
        let module = module::load(wasm)?;
        let environment = Environment::new(filter_chain::host_clusters(&compiled.clusters));
        let mut config = run::proxy_config(module, compiled, listen);
        config.access_log = None;
        config.workers = 2;
        let proxy = Proxy::start(config, &environment)?;
        report.progress(&format!(
            "limpet's own host listens on {}",
            proxy.local_addr()
        ));
        Ok(Self {
            proxy: Kind::Harness(Box::new((proxy, environment))),
            cluster: only(&compiled.clusters)?,
        })
    }

    pub(super) fn envoy(
        compiled: &Compiled<'_>,
        wasm: &Path,
        listen: SocketAddr,
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        report.progress("starting Envoy");
        let envoy = Envoy::start(compiled, wasm, listen)?;
        report.progress(&format!(
            "{} listens on {}",
            envoy.version(),
            envoy.address()
        ));
        Ok(Self {
            proxy: Kind::Envoy(envoy),
            cluster: only(&compiled.clusters)?,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.proxy {
            Kind::Harness(harness) => harness.0.local_addr(),
            Kind::Envoy(envoy) => envoy.address(),
        }
    }

    /// Replaces the endpoint list.
    pub(super) fn set_endpoints(&self, endpoints: Vec<Endpoint>) -> anyhow::Result<()> {
        let cluster = Cluster {
            endpoints,
            ..self.cluster.clone()
        };
        match &self.proxy {
            Kind::Harness(harness) => {
                harness
                    .1
                    .clusters
                    .set(cluster.name(), filter_chain::host_cluster(&cluster));
                Ok(())
            }
            Kind::Envoy(envoy) => envoy.set_endpoints(&cluster),
        }
    }

    pub(super) fn end(self, grace: Duration) {
        match self.proxy {
            Kind::Harness(harness) => harness.0.shutdown(grace),
            Kind::Envoy(envoy) => drop(envoy),
        }
    }
}

fn only(clusters: &[Cluster]) -> anyhow::Result<Cluster> {
    let first = clusters.first().cloned();
    first.context("the manifest names no Service")
}
