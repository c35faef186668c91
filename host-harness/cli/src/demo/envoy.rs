//! Real Envoy, configured by `render envoy`, endpoints by files that are moved into place.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::browser;
use crate::envoy_process::{EnvoyProcess, Launch};
use limpet_envoy::clusters::Cluster;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::render::envoy::{self, Address, EnvoySettings};
use limpet_envoy::render::yaml::to_yaml;

/// From the start to the first answer of `/ready`.
const START: Duration = Duration::from_secs(60);

/// The process, and where it listens.
pub(super) struct Envoy {
    process: EnvoyProcess,
    runtime: Runtime,
    address: SocketAddr,
    version: String,
}

impl Envoy {
    pub(super) fn start(
        compiled: &Compiled<'_>,
        wasm: &Path,
        listen: SocketAddr,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("limpet-demo-").tempdir()?;
        let settings = EnvoySettings {
            listen: Address::Socket(listen),
            admin: Address::Pipe(admin_socket(folder.path()).display().to_string()),
            wasm: wasm.canonicalize()?,
            eds: Some(folder.path().to_owned()),
            allow_loopback: true,
            ..EnvoySettings::default()
        };
        let rendered = envoy::render(compiled, &settings);
        for (path, content) in &rendered.files {
            envoy::write_in_place(path, &to_yaml(content)?)?;
        }
        let launch = Launch {
            bootstrap: &to_yaml(&rendered.bootstrap)?,
            environment: &[],
            workers: 2,
        };
        let process = EnvoyProcess::start(folder, launch)?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut envoy = Self {
            process,
            runtime,
            address: unknown,
            version: String::new(),
        };
        envoy.wait_until_ready()?;
        Ok(envoy)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `Envoy 1.40.0`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn set_endpoints(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let name = cluster.name();
        let resource = envoy::endpoint_resource(&name, &cluster.endpoints);
        let file = envoy::endpoint_file(self.process.folder(), &name);
        envoy::write_in_place(&file, &to_yaml(&resource)?)
    }

    /// Waits for the listener; its address and Envoy's version are known then.
    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.process.ended()? {
                anyhow::bail!("Envoy ended with {status}\n{}", self.process.log());
            }
            if let Some((address, version)) = self.listening() {
                (self.address, self.version) = (address, version);
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "Envoy is not ready\n{}",
                self.process.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn listening(&self) -> Option<(SocketAddr, String)> {
        let listeners = self.admin("/listeners?format=json")?;
        let socket = listeners.pointer("/listener_statuses/0/local_address/socket_address")?;
        let ip = socket.get("address")?.as_str()?;
        let address = format!("{ip}:{}", socket.get("port_value")?.as_u64()?)
            .parse()
            .ok()?;
        let info = self.admin("/server_info")?;
        let version = info.get("version")?.as_str()?.split('/').nth(1)?.to_owned();
        (info.get("state")?.as_str()? == "LIVE").then(|| (address, format!("Envoy {version}")))
    }

    /// One question to Envoy's admin.
    fn admin(&self, path: &str) -> Option<Value> {
        let socket = admin_socket(self.process.folder());
        let ask = async {
            let socket = UnixStream::connect(socket).await?;
            browser::get(socket, "admin", path, None).await
        };
        let ask = async { tokio::time::timeout(Duration::from_secs(5), ask).await };
        let page = self.runtime.block_on(ask).ok()?.ok()?;
        serde_json::from_str(&page.text).ok()
    }
}

fn admin_socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}
