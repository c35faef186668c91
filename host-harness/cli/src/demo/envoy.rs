//! Real Envoy, configured by `render envoy`, endpoints by files that are moved into place.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::browser;
use limpet_envoy::clusters::Cluster;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::render::envoy::{self, Address, EnvoySettings};
use limpet_envoy::render::yaml::to_yaml;

/// From the start to the first answer of `/ready`.
const START: Duration = Duration::from_secs(60);

/// One process; killed when dropped, and it dies with this one.
pub(super) struct RealEnvoy {
    child: Child,
    folder: TempDir,
    runtime: Runtime,
    address: SocketAddr,
    version: String,
}

impl RealEnvoy {
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
            ..EnvoySettings::default()
        };
        let rendered = envoy::render(compiled, &settings)?;
        for (path, content) in &rendered.files {
            envoy::write_in_place(path, &to_yaml(content)?)?;
        }
        let bootstrap = folder.path().join("bootstrap.yaml");
        envoy::write_in_place(&bootstrap, &to_yaml(&rendered.bootstrap)?)?;
        let child = spawn(&bootstrap, folder.path())?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut envoy = Self {
            child,
            folder,
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
        let file = envoy::endpoint_file(self.folder.path(), &name);
        envoy::write_in_place(&file, &to_yaml(&resource)?)
    }

    /// Waits for the listener; its address and Envoy's version are known then.
    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("Envoy ended with {status}\n{}", self.log());
            }
            if let Some((address, version)) = self.listening() {
                (self.address, self.version) = (address, version);
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "Envoy is not ready\n{}",
                self.log()
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
        let socket = admin_socket(self.folder.path());
        let ask = async {
            let socket = UnixStream::connect(socket).await?;
            browser::get(socket, "admin", path, None).await
        };
        let ask = async { tokio::time::timeout(Duration::from_secs(5), ask).await };
        let page = self.runtime.block_on(ask).ok()?.ok()?;
        serde_json::from_str(&page.text).ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RealEnvoy {
    fn drop(&mut self) {
        // Either it ended by itself, or it is killed here: nothing is left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn admin_socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

/// `ENVOY`, else what `cargo xtask envoy` linked: `target/envoy`, two folders above this binary.
fn binary() -> anyhow::Result<PathBuf> {
    let linked = || {
        std::env::current_exe()
            .ok()?
            .parent()?
            .parent()
            .map(|t| t.join("envoy"))
    };
    let path = std::env::var_os("ENVOY").map(PathBuf::from).or_else(linked);
    path.filter(|path| path.is_file())
        .context("no Envoy: run `cargo xtask envoy`, or name one in ENVOY")
}

fn spawn(bootstrap: &Path, folder: &Path) -> anyhow::Result<Child> {
    let binary = binary()?;
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = dying_with_its_parent(&binary);
    command
        .arg("-c")
        .arg(bootstrap)
        .args([
            "--use-dynamic-base-id",
            "--concurrency",
            "2",
            "-l",
            "warning",
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} cannot be started", binary.display()))
}

/// Envoy's release binary of `cargo xtask envoy` asks for that itself; for another one util-linux
/// does, where it is installed.
fn dying_with_its_parent(binary: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if setpriv.is_file() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
        command
    } else {
        Command::new(binary)
    }
}
