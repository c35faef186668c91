//! istiod and a plain Envoy on it, as a gateway or as a sidecar.
//!
//! The switches leave out what only Istio's own Envoy and its agent know: other filters,
//! certificates of the mesh. Who a proxy is, its token says, as that of an agent does: a gateway gets
//! certificates for its hosts.

use super::answer::{Answer, Running};
use super::cluster::Cluster;
use super::http::get;
use super::place::Place;
use super::processes::{Process, wait_for, with_files};
use super::recording::{ADMIN, configuration};
use super::services;
use crate::process;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const XDS: u16 = 15010;

/// What the proxies run as.
const ACCOUNT: &str = "proxy";

/// What no schema refuses, and istiod does.
const WRONG: &str = r#"{
  "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
  "metadata": { "name": "wrong", "namespace": "istio-system" }, "spec": { "hosts": ["a_b"] }
}"#;

/// What Envoy is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxy {
    Gateway,
    Sidecar,
}

impl Proxy {
    /// Further arguments of `limpet render istio`.
    pub(super) fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[],
            Self::Sidecar => &["--sidecar", "--namespace=client", "--selector=app=client"],
        }
    }

    fn node(self, rendering: &str) -> Value {
        let (id, label) = match self {
            Self::Gateway => (
                "router~10.0.0.1~gateway.istio-system~istio-system.svc.cluster.local",
                json!({ "istio": "ingressgateway" }),
            ),
            Self::Sidecar => (
                "sidecar~10.2.0.1~client.client~client.svc.cluster.local",
                json!({ "app": "client" }),
            ),
        };
        // The gateway's pods have that as an annotation: the head of what is rendered says when.
        let is_told = rendering.contains("numTrustedProxies");
        let proxies = u8::from(is_told);
        let metadata = json!({
            "NAMESPACE": self.namespace(), "LABELS": label, "ISTIO_VERSION": "1.31.0", "CLUSTER_ID": "Kubernetes",
            "PROXY_CONFIG": { "gatewayTopology": { "numTrustedProxies": proxies } },
        });
        json!({ "id": id, "cluster": "limpet", "metadata": metadata })
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Gateway => "istio-system",
            Self::Sidecar => "client",
        }
    }

    /// What has to be there beside a user's own: the gateway's Service, and no certificates of the
    /// mesh, which only Istio's agent has.
    fn surroundings(self) -> Value {
        match self {
            Self::Gateway => json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": { "name": "istio-ingressgateway", "namespace": "istio-system" },
                "spec": {
                    "clusterIP": "10.96.0.20",
                    "selector": { "istio": "ingressgateway" },
                    "ports": [
                        { "name": "http", "port": 80, "targetPort": 80 },
                        { "name": "https", "port": 443, "targetPort": 443 },
                    ],
                },
            }),
            Self::Sidecar => json!({
                "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": { "name": "plain", "namespace": "client" },
                "spec": { "mtls": { "mode": "DISABLE" } },
            }),
        }
    }
}

/// An istiod that only judges what is applied: the API server asks it, as on every installation.
#[derive(Debug)]
pub(super) struct Webhook(#[expect(dead_code, reason = "ends when it is dropped")] Process);

impl Webhook {
    /// # Errors
    /// It does not come up, or the API server does not know it.
    pub(super) fn start(place: &Place, cluster: &Cluster) -> Result<Webhook> {
        let mut certificate = Command::new("openssl");
        certificate.current_dir(&place.folder).args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=istiod",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "webhook.key",
            "-out",
            "webhook.crt",
        ]);
        process::output(&mut certificate)?;
        let file = |name: &str| place.folder.join(name);
        fs::copy(file("webhook.crt"), file("webhook-ca.crt"))?; // it watches no file twice
        let mut istiod = discovery(place, cluster)?;
        istiod
            .args([
                "--grpcAddr",
                "127.0.0.1:15110",
                "--httpAddr",
                "127.0.0.1:8188",
            ])
            .args(["--monitoringAddr", "127.0.0.1:15114", "--ctrlz_port", "0"])
            .args(["--httpsAddr", "127.0.0.1:15117"])
            .args([
                "--tlsCertFile",
                "webhook.crt",
                "--tlsKeyFile",
                "webhook.key",
            ])
            .args(["--caCertFile", "webhook-ca.crt"]);
        let process = Process::start(place, "webhook", &mut istiod)?;
        wait_for("istiod judges", || Ok(get(8188, "/ready").map(|_| ())))?;
        let mut encode = Command::new("base64");
        encode
            .args(["-w0", "webhook.crt"])
            .current_dir(&place.folder);
        let bundle = process::output(&mut encode)?;
        // As `validatingwebhookconfiguration.yaml` of Istio's chart, but for where it is.
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "istio-validator" },
            "webhooks": [{
                "name": "rev.validation.istio.io",
                "clientConfig": { "url": "https://127.0.0.1:15117/validate", "caBundle": bundle },
                "rules": [{
                    "operations": ["CREATE", "UPDATE"],
                    "apiGroups": [
                        "security.istio.io", "networking.istio.io", "telemetry.istio.io",
                        "extensions.istio.io",
                    ],
                    "apiVersions": ["*"],
                    "resources": ["*"],
                }],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }],
        });
        cluster.set_up(&[configuration])?;
        wait_for("istiod refuses what is wrong", || {
            let said = cluster.apply(WRONG)?.refused;
            let denied = said.iter().any(|line| line.contains("denied the request"));
            Ok(denied.then_some(()))
        })?;
        Ok(Webhook(process))
    }
}

/// Applies what limpet rendered and reads what an Envoy of that kind gets.
///
/// # Errors
/// Something does not come up.
pub(super) fn ask(
    place: &Place,
    cluster: &Cluster,
    proxy: Proxy,
    rendering: &str,
) -> Result<Answer> {
    let running = start(place, cluster, proxy, rendering)?;
    Ok(Answer {
        status: Map::new(), // istiod writes none by default
        envoy: configuration()?,
        applied: running.applied,
    })
}

/// Applies what limpet rendered, and starts istiod and an Envoy of that kind.
///
/// # Errors
/// Something does not come up.
pub(super) fn start(
    place: &Place,
    cluster: &Cluster,
    proxy: Proxy,
    rendering: &str,
) -> Result<Running> {
    cluster.set_up(&[proxy.surroundings()])?;
    let token = token(cluster, proxy)?;
    let applied = cluster.apply(rendering)?;
    certify(place, cluster)?;
    let mut istiod = discovery(place, cluster)?;
    istiod
        .args([
            "--grpcAddr",
            &format!("127.0.0.1:{XDS}"),
            "--httpAddr",
            "127.0.0.1:8088",
        ])
        .args(["--monitoringAddr", "127.0.0.1:15014", "--httpsAddr", ""]);
    let istiod = Process::start(place, "istiod", &mut istiod)?;
    wait_for("istiod is ready", || Ok(get(8088, "/ready").map(|_| ())))?;
    fs::write(
        place.folder.join("envoy.json"),
        bootstrap(proxy, &token, rendering).to_string(),
    )?;
    let mut envoy = with_files(place, &[("limpet.wasm", &place.module)], &place.envoy);
    envoy.arg("-c").arg(place.folder.join("envoy.json")).args([
        "--disable-hot-restart",
        "-l",
        "warn",
        "--concurrency",
        "1",
    ]);
    let envoy = Process::start(place, "envoy", &mut envoy)?;
    Ok(Running {
        applied,
        processes: [istiod, envoy],
    })
}

/// What a proxy's agent shows of its ServiceAccount, which may read the Secrets beside it.
///
/// Source: `role.yaml` of Istio's chart for gateways.
fn token(cluster: &Cluster, proxy: Proxy) -> Result<String> {
    let namespace = proxy.namespace();
    let named = json!({ "name": ACCOUNT, "namespace": namespace });
    let rbac = "rbac.authorization.k8s.io";
    cluster.set_up(&[
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": named }),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": named,
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"] }],
        }),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": named,
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": ACCOUNT },
            "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace }],
        }),
    ])?;
    let create = [
        "create",
        "token",
        ACCOUNT,
        "--audience=istio-ca",
        "-n",
        namespace,
    ];
    Ok(cluster.kubectl(&create)?.trim().to_owned())
}

/// Where a patch names the certificate that pods are shown.
const SHOWN: &str = "/patch/value/transport_socket/typed_config/common_tls_context/tls_certificate_sds_secret_configs/0/name";

/// Puts the Secrets of the gateways' certificates beside the gateway, as the head of what is rendered asks
/// for.
///
/// # Errors
/// The API server refuses one.
pub(super) fn certify(place: &Place, cluster: &Cluster) -> Result<()> {
    services::certify(place, cluster, &credentials(cluster)?)
}

fn credentials(cluster: &Cluster) -> Result<BTreeSet<(String, String)>> {
    let mut all = BTreeSet::new();
    for gateway in cluster.all("gateways.networking.istio.io")? {
        let servers = gateway.pointer("/spec/servers").and_then(Value::as_array);
        for server in servers.into_iter().flatten() {
            if let Some(name) = server
                .pointer("/tls/credentialName")
                .and_then(Value::as_str)
            {
                all.insert(("istio-system".to_owned(), name.to_owned()));
            }
        }
    }
    for filter in cluster.all("envoyfilters.networking.istio.io")? {
        let patches = filter
            .pointer("/spec/configPatches")
            .and_then(Value::as_array);
        for patch in patches.into_iter().flatten() {
            let shown = patch.pointer(SHOWN).and_then(Value::as_str);
            if let Some(name) = shown.and_then(|name| name.strip_prefix("kubernetes://")) {
                all.insert(("istio-system".to_owned(), name.to_owned()));
            }
        }
    }
    Ok(all)
}

fn discovery(place: &Place, cluster: &Cluster) -> Result<Command> {
    let mesh = json!({ "enableAutoMtls": false, "enablePrometheusMerge": false });
    fs::write(place.folder.join("mesh.json"), mesh.to_string())?;
    let mut istiod = Command::new(place.programs.istiod());
    istiod
        .env("PILOT_ENABLE_METADATA_EXCHANGE", "false")
        .env("PILOT_ENABLE_ALPN_FILTER", "false")
        .env("ENABLE_CA_SERVER", "false")
        .env("INJECT_ENABLED", "false")
        .env("XDS_AUTH_PLAINTEXT", "true")
        .env("POD_NAMESPACE", "istio-system")
        .args(["discovery", "--registries", "Kubernetes", "--kubeconfig"])
        .arg(cluster.kubeconfig())
        .args(["--meshConfig", "mesh.json", "--secureGRPCAddr", ""]);
    Ok(istiod)
}

fn bootstrap(proxy: Proxy, token: &str, rendering: &str) -> Value {
    let address =
        |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let assignment = |name: &str, port: u16| json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(port) } }] }] });
    let source = json!({ "ads": {}, "resource_api_version": "V3" });
    json!({
        "node": proxy.node(rendering),
        "admin": { "address": address(ADMIN) },
        "dynamic_resources": {
            "lds_config": source, "cds_config": source,
            "ads_config": {
                "api_type": "GRPC", "transport_api_version": "V3",
                "grpc_services": [{
                    "envoy_grpc": { "cluster_name": "xds-grpc" },
                    "initial_metadata": [{ "key": "authorization", "value": format!("Bearer {token}") }],
                }],
            },
        },
        "static_resources": { "clusters": [
            {
                "name": "xds-grpc", "type": "STATIC",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": { "http2_protocol_options": {} },
                    },
                },
                "load_assignment": assignment("xds-grpc", XDS),
            },
            // As in Istio's own bootstrap.
            {
                "name": "prometheus_stats", "type": "STATIC",
                "load_assignment": assignment("prometheus_stats", ADMIN),
            },
        ] },
    })
}
