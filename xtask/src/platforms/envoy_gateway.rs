//! Envoy Gateway and an Envoy as its Deployment would start it.

use super::answer::{Answer, Running};
use super::api::namespace_exists;
use super::cluster::Cluster;
use super::http::get;
use super::place::Place;
use super::processes::{Process, wait_for, with_files};
use super::recording::{ADMIN, configuration};
use super::{services, status};
use crate::process;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const NAMESPACE: &str = "envoy-gateway-system";

/// Where its Envoys look for it: with a dot at the end, which no hosts file has.
const ITS_NAME: &str = "envoy-gateway.envoy-gateway-system.svc.cluster.local.";

/// Its own answers: whether it runs.
const ITS_ADMIN: u16 = 19000;

/// Writes the certificates that it and its Envoys know each other by.
///
/// # Errors
/// It makes none.
pub(super) fn prepare(place: &Place, cluster: &Cluster) -> Result<()> {
    namespace_exists(NAMESPACE)?;
    let mut certgen = program(place, cluster, Command::new(place.programs.envoy_gateway()));
    certgen.args(["certgen", "--disable-topology-injector"]);
    process::output(&mut certgen)?;
    for secret in ["envoy-gateway", "envoy"] {
        let folder = place.folder.join(format!("certs-{secret}"));
        fs::create_dir_all(&folder)?;
        let template = "{{range $name, $value := .data}}{{$name}} {{base64decode $value | printf \"%q\"}}\n{{end}}";
        let template = format!("go-template={template}");
        let said = cluster.kubectl(&["get", "secret", "-n", NAMESPACE, secret, "-o", &template])?;
        for line in said.lines() {
            let (name, value) = line.split_once(' ').context("a file and its content")?;
            let text: String = serde_json::from_str(value)?;
            fs::write(folder.join(name), text)?;
        }
    }
    let config = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyGateway",
        "gateway": { "controllerName": "gateway.envoyproxy.io/gatewayclass-controller" },
        "provider": { "type": "Kubernetes", "kubernetes": {
            "leaderElection": { "disable": true },
            // It writes into pods where they are, which there are none of.
            "proxyTopologyInjector": { "disabled": true },
        } },
    });
    fs::write(place.folder.join("gateway.json"), config.to_string())?;
    Ok(())
}

/// Applies what limpet rendered and reads what its Envoy gets.
///
/// # Errors
/// Something does not come up.
pub(super) fn ask(place: &Place, cluster: &Cluster, rendering: &str) -> Result<Answer> {
    let running = start(place, cluster, rendering)?;
    let envoy = configuration()?;
    Ok(Answer {
        status: status::settled(cluster)?,
        envoy,
        applied: running.applied,
    })
}

/// Applies what limpet rendered, and starts Envoy Gateway and its Envoy.
///
/// # Errors
/// Something does not come up.
pub(super) fn start(place: &Place, cluster: &Cluster, rendering: &str) -> Result<Running> {
    services::certify(
        place,
        cluster,
        &services::secrets(&cluster.all("ingresses")?),
    )?;
    let applied = cluster.apply(rendering)?;
    let own = place.folder.join("certs-envoy-gateway");
    let gateway = with_files(place, &[("certs", &own)], &place.programs.envoy_gateway());
    let mut gateway = program(place, cluster, gateway);
    gateway
        .args(["server", "--config-path"])
        .arg(place.folder.join("gateway.json"));
    let gateway = Process::start(place, "envoy-gateway", &mut gateway)?;
    wait_for("Envoy Gateway runs", || Ok(get(ITS_ADMIN, "/").map(|_| ())))?;
    let arguments = wait_for("Envoy Gateway wants an Envoy", || deployed(cluster))?;
    fs::write(place.folder.join("envoy.yaml"), arguments)?;
    let certs = place.folder.join("certs-envoy");
    let sds = secret_files(place, cluster)?;
    let mut envoy = with_files(place, &[("certs", &certs), ("sds", &sds)], &place.envoy);
    envoy
        .arg("-c")
        .arg(place.folder.join("envoy.yaml"))
        .args([
            "--service-cluster",
            &format!("{NAMESPACE}/limpet"),
            "--service-node",
            "envoy",
        ])
        .args(["--disable-hot-restart", "-l", "warn", "--concurrency", "1"]);
    let envoy = Process::start(place, "envoy", &mut envoy)?;
    Ok(Running {
        applied,
        processes: [gateway, envoy],
    })
}

fn program(place: &Place, cluster: &Cluster, mut command: Command) -> Command {
    command
        .current_dir(&place.folder)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("ENVOY_GATEWAY_NAMESPACE", NAMESPACE)
        .env("POD_NAMESPACE", NAMESPACE)
        .env("ENVOY_POD_NAME", "envoy-gateway")
        .env("KUBERNETES_CLUSTER_DOMAIN", "cluster.local");
    command
}

/// The bootstrap in the arguments of its Deployment. Both programs want the ports 19000 and 19001
/// of the pod that each has elsewhere.
fn deployed(cluster: &Cluster) -> Result<Option<String>> {
    let deployments = cluster.all("deployments")?;
    let arguments = deployments.iter().find_map(|deployment| {
        let container = deployment.pointer("/spec/template/spec/containers/0/args")?;
        let mut arguments = container.as_array()?.iter().filter_map(Value::as_str);
        arguments.find(|argument| *argument == "--config-yaml")?;
        arguments.next()
    });
    Ok(arguments.map(|yaml| {
        yaml.replace(ITS_NAME, "127.0.0.1")
            .replace("port_value: 19000", &format!("port_value: {ADMIN}"))
            .replace("port_value: 19001", "port_value: 15021")
            .replace("$(ENVOY_SERVICE_ZONE)", "")
    }))
}

/// The files by which its Envoys find their certificates.
fn secret_files(place: &Place, cluster: &Cluster) -> Result<std::path::PathBuf> {
    let folder = place.folder.join("sds");
    fs::create_dir_all(&folder)?;
    wait_for("Envoy Gateway says where the certificates are", || {
        let mut any = None;
        for map in cluster.all("configmaps")? {
            let data = map.get("data").and_then(Value::as_object);
            for (name, text) in data.into_iter().flatten() {
                if let (true, Some(text)) = (name.starts_with("xds-"), text.as_str()) {
                    fs::write(folder.join(name), text)?;
                    any = Some(());
                }
            }
        }
        Ok(any)
    })?;
    Ok(folder)
}
