//! Real Envoy, configured by `render envoy`, endpoints by files that are moved into place; what it
//! says of its requests comes through a pipe.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::browser;
use crate::envoy_process::{EnvoyProcess, Launch};
use crate::page::fleet::Tell;
use crate::page::ledger::{Ledger, Record};
use limpet_envoy::clusters::Cluster;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::render::envoy::{self, Address, EnvoySettings, Rendered};
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
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("limpet-demo-").tempdir()?;
        let settings = EnvoySettings {
            listen: Address::Socket(listen),
            admin: Address::Pipe(admin_socket(folder.path()).display().to_string()),
            wasm: wasm.canonicalize()?,
            eds: Some(folder.path().to_owned()),
            allow_loopback: true,
            report: true,
            ..EnvoySettings::default()
        };
        let mut rendered = envoy::render(compiled, &settings);
        let log = folder.path().join("requests");
        write_log_to(&mut rendered, &log);
        read_log(&log, Arc::clone(ledger))?;
        for (path, content) in &rendered.files {
            envoy::write_in_place(path, &to_yaml(content)?)?;
        }
        let launch = Launch {
            bootstrap: &to_yaml(&rendered.bootstrap)?,
            environment: &[],
            workers: 2,
            drain: 2,
            instead_of: None,
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

    /// How a cluster is given new endpoints.
    pub(super) fn tell(&self) -> Box<Tell> {
        let folder = self.process.folder().to_owned();
        Box::new(move |cluster: &Cluster| {
            let name = cluster.name();
            let resource = envoy::endpoint_resource(&name, &cluster.endpoints);
            envoy::write_in_place(&envoy::endpoint_file(&folder, &name), &to_yaml(&resource)?)
        })
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

/// Lets every listener write a JSON line about each request to `path`.
fn write_log_to(rendered: &mut Rendered, path: &Path) {
    let log = json!([{
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": { "json_format": {
                "from": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
                "method": "%REQ(:METHOD)%",
                "host": "%REQ(:AUTHORITY)%",
                "path": "%REQ(:PATH)%",
                "status": "%RESPONSE_CODE%",
                "endpoint": "%UPSTREAM_HOST%",
                "milliseconds": "%DURATION%",
                "decision": "%FILTER_STATE(wasm.limpet_decision:PLAIN)%",
            } },
        },
    }]);
    let files = rendered.files.iter_mut().map(|(_, content)| content);
    for content in files.chain([&mut rendered.bootstrap]) {
        replace(content, "access_log", &log);
    }
}

/// Replaces every field of this name.
fn replace(value: &mut Value, name: &str, with: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, name, with)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if key == name {
                    value.clone_from(with);
                } else {
                    replace(value, name, with);
                }
            }
        }
        _ => {}
    }
}

/// Reads those lines for as long as this process lives.
fn read_log(path: &Path, ledger: Arc<Ledger>) -> anyhow::Result<()> {
    let made = Command::new("mkfifo").arg(path).status();
    let made = made.context("mkfifo cannot be started")?;
    anyhow::ensure!(made.success(), "mkfifo {}: {made}", path.display());
    // Open for writing too: it has no end then, and nobody waits for anybody.
    let mut options = std::fs::OpenOptions::new();
    let pipe = options.read(true).write(true).open(path)?;
    std::thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if let Some((from, record)) = parse(&line) {
                    ledger.record(from, record);
                }
            }
        })?;
    Ok(())
}

/// One line: where the request came from, and what became of it.
fn parse(line: &str) -> Option<(SocketAddr, Record)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let word = |key: &str| text(key).unwrap_or_default().to_owned();
    let decision = text("decision").and_then(|record| serde_json::from_str(record).ok());
    // Where it is JSON, Envoy writes it as such.
    let decision = decision.or_else(|| line.get("decision").cloned());
    let record = Record {
        method: word("method"),
        host: word("host"),
        path: word("path"),
        status: line.get("status")?.as_u64()?.try_into().ok()?,
        endpoint: text("endpoint").map(str::to_owned),
        milliseconds: line.get("milliseconds")?.as_f64()?,
        decision: decision.unwrap_or_default(),
    };
    Some((text("from")?.parse().ok()?, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_envoys_log_is_a_record() {
        let line = r#"{"from":"127.0.0.1:4711","method":"GET","host":"h","path":"/a","status":200,
            "endpoint":"127.0.0.2:80","milliseconds":3,"decision":"{\"outcome\":\"forward\"}"}"#;
        let (from, record) = parse(line).unwrap();
        assert_eq!((from.port(), record.status), (4711, 200));
        assert_eq!(record.decision["outcome"], "forward");
        assert_eq!(record.endpoint.as_deref(), Some("127.0.0.2:80"));
        assert!(parse("half a li").is_none());
    }
}
