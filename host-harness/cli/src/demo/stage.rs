//! Where the story is played: the harness, or real Envoy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host_harness::Environment;
use host_harness::proxy::{AccessRecord, Proxy};
use limpet_envoy::compiled::Compiled;
use limpet_envoy::plugin_config::Report as Detail;

use super::envoy::Envoy;
use super::report::Report;
use crate::page::fleet::Tell;
use crate::page::ledger::{Ledger, Record};
use crate::{filter_chain, module, run};
use limpet_envoy::clusters::Cluster;

/// A running proxy.
pub(super) struct Stage {
    proxy: Kind,
}

enum Kind {
    Harness(Box<(Proxy, Environment)>),
    Envoy(Box<Envoy>),
}

impl Stage {
    pub(super) fn harness(
        compiled: &Compiled<'_>,
        wasm: &Path,
        listen: SocketAddr,
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let module = module::load(wasm)?;
        let environment = Environment::new(filter_chain::host_clusters(compiled));
        let mut config = run::proxy_config(module, compiled, listen, Detail::Why);
        let ledger = Arc::clone(ledger);
        config.access_log = Some(Arc::new(move |record: &AccessRecord| {
            ledger.record(record.source, Record::from(record));
        }));
        config.workers = 2;
        let proxy = Proxy::start(config, &environment)?;
        Ok(Self {
            proxy: Kind::Harness(Box::new((proxy, environment))),
        })
    }

    pub(super) fn envoy(
        compiled: &Compiled<'_>,
        wasm: &Path,
        listen: SocketAddr,
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let envoy = Envoy::start(compiled, wasm, listen, ledger)?;
        Ok(Self {
            proxy: Kind::Envoy(Box::new(envoy)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.proxy {
            Kind::Harness(harness) => harness.0.local_addr(),
            Kind::Envoy(envoy) => envoy.address(),
        }
    }

    /// What it is.
    pub(super) fn name(&self) -> String {
        match &self.proxy {
            Kind::Harness(_) => run::OWN_HOST.to_owned(),
            Kind::Envoy(envoy) => envoy.version().to_owned(),
        }
    }

    pub(super) fn announce(&self, report: &Report) {
        report.progress(&format!("{} listens on {}", self.name(), self.address()));
    }

    /// How a cluster is given new endpoints.
    pub(super) fn tell(&self) -> Box<Tell> {
        match &self.proxy {
            Kind::Harness(harness) => {
                let clusters = Arc::clone(&harness.1.clusters);
                Box::new(move |cluster: &Cluster| {
                    clusters.set(cluster.name(), filter_chain::host_cluster(cluster));
                    Ok(())
                })
            }
            Kind::Envoy(envoy) => envoy.tell(),
        }
    }

    pub(super) fn end(self, grace: Duration) {
        match self.proxy {
            Kind::Harness(harness) => harness.0.shutdown(grace),
            Kind::Envoy(envoy) => drop(envoy),
        }
    }
}
