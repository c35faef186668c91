//! Tenants that reach for what is not theirs: each may write any Ingress, Service, EndpointSlice and
//! Secret of its own namespace. What `limpet render envoy` writes of it runs on a real Envoy.

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, render};
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, edit_plugin, native};
use limpet_tests::tls;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// An Ingress whose only host goes to `service`, the older the smaller `age`.
fn ingress(id: &str, age: u8, host: &str, service: &str, port: u16) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name,
            "creationTimestamp": format!("2026-01-{age:02}T00:00:00Z") },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": service, "port": { "number": port } } },
        }] } }] },
    })
}

fn service(id: &str, spec: Value) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": namespace, "name": name },
        "spec": spec,
    })
}

fn slice(id: &str, address: SocketAddr) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "namespace": namespace, "name": name,
            "labels": { "kubernetes.io/service-name": name } },
        "addressType": "IPv4",
        "ports": [{ "port": address.port() }],
        "endpoints": [{ "addresses": [address.ip().to_string()], "conditions": { "ready": true } }],
    })
}

fn manifests(documents: &[Value]) -> Manifests {
    let text: Vec<String> = documents.iter().map(Value::to_string).collect();
    Manifests::parse("tenants.json", &text.join("\n---\n")).unwrap()
}

fn flags(endpoints: &[String]) -> Flags {
    let endpoints = endpoints.iter().map(|flag| flag.parse().unwrap());
    Flags {
        endpoints: endpoints.collect(),
        on_envoy: true,
        ..Flags::default()
    }
}

/// As an operator has it but for the addresses; loopback is where all pods of tests are.
fn settings() -> EnvoySettings {
    let module = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
    EnvoySettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        listen_tls: "127.0.0.1:0".parse().unwrap(),
        admin: "unix:admin.sock".parse().unwrap(),
        wasm: module.canonicalize().unwrap(),
        native: native(),
        allow_loopback: true,
        ..EnvoySettings::default()
    }
}

/// Envoy with what is printed for `documents`, and the files beside it.
fn start(documents: &[Value], endpoints: &[String], settings: &EnvoySettings) -> RealEnvoy {
    let manifests = manifests(documents);
    let compiled = Compiled::new(&manifests, &flags(endpoints)).unwrap();
    let rendered = render(&compiled, settings);
    rendered.write_files().unwrap();
    RealEnvoy::start(&rendered.text(&[]).unwrap())
}

#[test]
fn no_service_of_a_tenant_leads_to_the_host_that_envoy_runs_on() {
    // Stands for whatever listens there; nobody comes.
    let decoy = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = decoy.local_addr().unwrap();
    decoy.set_nonblocking(true).unwrap();
    let names = [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "LOCALHOST.",
    ];
    let mut documents = vec![
        ingress("evil/sliced", 1, "sliced.test", "sliced", at.port()),
        slice("evil/sliced", at),
        ingress("evil/flag", 1, "flag.test", "flag", at.port()),
    ];
    let mut hosts = vec!["sliced.test".to_owned(), "flag.test".to_owned()];
    for (number, name) in names.iter().enumerate() {
        let (host, id) = (format!("{number}.test"), format!("evil/n{number}"));
        let backend = format!("n{number}");
        documents.push(ingress(&id, 1, &host, &backend, at.port()));
        documents.push(service(
            &id,
            json!({ "type": "ExternalName", "externalName": name, "ports": [{ "port": at.port() }] }),
        ));
        hosts.push(host);
    }
    let endpoints = [format!("evil/flag:{}={at}", at.port())];
    let as_usual = EnvoySettings {
        allow_loopback: false,
        ..settings()
    };
    let envoy = start(&documents, &endpoints, &as_usual);
    for host in &hosts {
        let answer = http::send(envoy.listener("http"), &Request::get(host, "/")).unwrap();
        assert_eq!(answer.status, 503, "{host}");
    }
    let came = decoy.accept().map(|(_, from)| from);
    assert!(came.is_err(), "{came:?} came");

    // Where loopback is allowed such a slice leads to its pod: the routes above are alive.
    let pod = Pod::start();
    let documents = [
        ingress(
            "evil/sliced",
            1,
            "sliced.test",
            "sliced",
            pod.address().port(),
        ),
        slice("evil/sliced", pod.address()),
    ];
    let envoy = start(&documents, &[], &settings());
    let answer = http::send(envoy.listener("http"), &Request::get("sliced.test", "/")).unwrap();
    assert_eq!((answer.status, pod.requests()), (200, 1));
}

#[test]
fn no_service_of_a_tenant_leads_to_envoys_admin_though_loopback_is_allowed() {
    // An address that nobody else of these tests has.
    let mut pod = Pod::start();
    let admin = pod.address();
    pod.stop();
    let (ip, port) = (admin.ip(), admin.port());
    let external = |name: &str| json!({ "type": "ExternalName", "externalName": name, "ports": [{ "port": port }] });
    let documents = [
        ingress("evil/name", 1, "name.test", "name", port),
        service("evil/name", external(&ip.to_string())),
        ingress("evil/dns", 1, "dns.test", "dns", port),
        service("evil/dns", external("localhost")),
        ingress("evil/sliced", 1, "sliced.test", "sliced", port),
        slice("evil/sliced", admin),
        ingress("evil/flag", 1, "flag.test", "flag", port),
    ];
    let settings = EnvoySettings {
        admin: admin.to_string().parse().unwrap(),
        ..settings()
    };
    let envoy = start(
        &documents,
        &[format!("evil/flag:{port}={admin}")],
        &settings,
    );
    assert!(envoy.admin("/server_info").text().contains("version"));
    for host in ["name.test", "dns.test", "sliced.test", "flag.test"] {
        let request =
            Request::get(host, "/server_info").header("x-limpet-cluster", "prometheus_stats");
        let answer = http::send(envoy.listener("http"), &request).unwrap();
        assert_eq!(answer.status, 503, "{host}: {}", answer.text());
    }
}

#[test]
fn two_services_whose_names_joined_are_one_stay_two_whoever_comes_first() {
    let (owners, thiefs) = (Pod::start(), Pod::start());
    let flag = |service: &str, pod: &Pod| -> EndpointsFlag {
        format!("{service}:80={}", pod.endpoint()).parse().unwrap()
    };
    let endpoints = [
        flag("prod/web-admin", &owners),
        flag("prod-web/admin", &thiefs),
    ];
    for (owner, thief) in [(1, 2), (2, 1)] {
        let manifests = manifests(&[
            ingress("prod/web", owner, "shop.test", "web-admin", 80),
            ingress("prod-web/x", thief, "evil.test", "admin", 80),
        ]);
        let envoy = Rendered::share(&manifests, &endpoints, |_| {});
        for (host, pod) in [("shop.test", &owners), ("evil.test", &thiefs)] {
            let answer = http::send(envoy.http(), &Request::get(host, "/")).unwrap();
            assert_eq!(answer.endpoint(), Some(pod.endpoint()), "{host}");
        }
    }
}

/// What the thief has; its name is the owner's.
const STOLEN: &str = include_str!("tenants/cert.pem");
const OWN: &str = include_str!("../support/tls/cert.pem");

fn stolen(namespace: &str) -> Value {
    let mut secret = tls::secret();
    secret["metadata"] = json!({ "name": "stolen", "namespace": namespace });
    secret["stringData"] = json!({ "tls.crt": STOLEN, "tls.key": include_str!("tenants/key.pem") });
    secret
}

fn with_tls(mut ingress: Value, hosts: &[&str], secret: &str) -> Value {
    ingress["spec"]["tls"] = json!([{ "hosts": hosts, "secretName": secret }]);
    ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/ssl-redirect"] = json!("false");
    ingress
}

/// Certificates and keys that Envoy refuses, and with them all else that it is given, or such as it
/// takes; `(name, certificate and key)`.
fn pairs(kind: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = root.join("envoy/src/key_pair/pairs").join(kind);
    let paths = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pair = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_lowercase();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.map(pair).collect()
}

#[test]
fn no_certificate_of_a_tenant_stops_the_bootstrap_of_all() {
    let pod = Pod::start();
    let mut documents = Vec::new();
    let mut hosts = Vec::new();
    for (name, pair) in [pairs("taken"), pairs("refused")].concat() {
        let (id, host) = (format!("{name}/web"), format!("{name}.test"));
        let mut secret = tls::secret();
        secret["metadata"] = json!({ "name": "own", "namespace": name });
        secret["stringData"] = json!({ "tls.crt": pair, "tls.key": pair });
        documents.push(with_tls(ingress(&id, 1, &host, "web", 80), &[&host], "own"));
        documents.push(secret);
        hosts.push((id, host));
    }
    let endpoints: Vec<String> = hosts
        .iter()
        .map(|(id, _)| format!("{id}:80={}", pod.endpoint()))
        .collect();
    let envoy = start(&documents, &endpoints, &settings());
    for (_, host) in &hosts {
        let answer = http::send(envoy.listener("http"), &Request::get(host, "/")).unwrap();
        assert_eq!(answer.status, 200, "{host}");
    }
    // Each that Envoy takes is there, of some filter chain.
    let certificates = envoy.admin("/certs").text();
    let there = certificates.matches("\"serial_number\"").count();
    assert_eq!(there, pairs("taken").len(), "{certificates}");
}

/// An Envoy that asks `to` by TLS, and takes an answer under one certificate alone: the path says
/// for which host, and which certificate (`/own/HOST`).
fn client(to: SocketAddr, hosts: &[&str]) -> RealEnvoy {
    let (ip, port) = (to.ip().to_string(), to.port());
    let address = json!({ "socket_address": { "address": ip, "port_value": port } });
    let any_port = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    let mut clusters = Vec::new();
    let mut routes = Vec::new();
    for host in hosts {
        for (name, certificate) in [("own", OWN), ("stolen", STOLEN)] {
            let cluster = format!("/{name}/{host}");
            routes.push(json!({
                "match": { "prefix": cluster },
                "route": { "cluster": cluster, "host_rewrite_literal": host },
            }));
            clusters.push(json!({
                "name": cluster,
                "type": "STATIC",
                "load_assignment": { "cluster_name": cluster, "endpoints": [{ "lb_endpoints": [
                    { "endpoint": { "address": address } },
                ] }] },
                "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": host,
                    "common_tls_context": { "validation_context": {
                        "trusted_ca": { "inline_string": certificate },
                    } },
                } },
            }));
        }
    }
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "client",
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
            "route_config": { "virtual_hosts": [
                { "name": "all", "domains": ["*"], "routes": routes },
            ] },
        },
    });
    let bootstrap = json!({
        "admin": { "address": any_port },
        "static_resources": {
            "listeners": [{
                "name": "client",
                "address": any_port,
                "filter_chains": [{ "filters": [manager] }],
            }],
            "clusters": clusters,
        },
    });
    RealEnvoy::start(&bootstrap.to_string())
}

/// Every file below `folder`, by its path in it, with its mode.
fn files(folder: &Path) -> BTreeSet<(String, u32)> {
    let mut open = vec![folder.to_owned()];
    let mut files = BTreeSet::new();
    while let Some(one) = open.pop() {
        for entry in std::fs::read_dir(one).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                open.push(path);
            }
            files.insert((name, mode));
        }
    }
    files
}

#[test]
fn a_thief_of_certificates_serves_its_own_hosts_alone_and_reads_nobodys_key() {
    let pod = Pod::start();
    let owned = |id: &str, age, host: &str| ingress(id, age, host, "web", 80);
    // The thief is older, lists everything, and has a wildcard over a host of the owner.
    let everything = [
        "shop.test",
        "named.wild.test",
        "*.test",
        "*.wild.test",
        "evil.test",
    ];
    let mut thief = with_tls(owned("evil/x", 1, "evil.test"), &everything, "stolen");
    let mut wildcard = thief["spec"]["rules"][0].clone();
    wildcard["host"] = json!("*.wild.test");
    thief["spec"]["rules"]
        .as_array_mut()
        .unwrap()
        .push(wildcard);
    // A younger one has a rule for the host too.
    let second = with_tls(owned("evil/y", 3, "shop.test"), &["shop.test"], "stolen");
    // Names that would lead out of the folder.
    let out = ingress("evil/out", 1, "out.test", "../../out", 80);
    let documents = [
        thief,
        second,
        out,
        with_tls(
            owned("default/shop", 2, "shop.test"),
            &["shop.test"],
            tls::SECRET,
        ),
        with_tls(
            owned("default/named", 2, "named.wild.test"),
            &["named.wild.test"],
            tls::SECRET,
        ),
        stolen("evil"),
        tls::secret(),
    ];
    let home = tempfile::tempdir().unwrap();
    let settings = EnvoySettings {
        eds: Some(home.path().join("a/xds")),
        ..settings()
    };
    let endpoints =
        ["evil", "default"].map(|namespace| format!("{namespace}/web:80={}", pod.endpoint()));
    let envoy = start(&documents, &endpoints, &settings);

    let written = files(home.path());
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"a/xds/listeners.yaml"), "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| *name == "a" || name.starts_with("a/xds")),
        "{names:?}"
    );
    let mut within = written.iter().filter(|(name, _)| name.starts_with("a/xds"));
    assert!(within.all(|(_, mode)| mode & 0o077 == 0), "{written:?}");

    let hosts = [
        "shop.test",
        "named.wild.test",
        "evil.test",
        "other.wild.test",
    ];
    let client = client(envoy.listener("https"), &hosts);
    for (host, served) in hosts.into_iter().zip(["own", "own", "stolen", "stolen"]) {
        for name in ["own", "stolen"] {
            let request = Request::get("client", format!("/{name}/{host}"));
            let answer = http::send(client.listener("client"), &request).unwrap();
            let expected = if name == served { 200 } else { 503 };
            assert_eq!(
                answer.status,
                expected,
                "{name} for {host}: {}",
                answer.text()
            );
        }
    }
}

#[test]
fn text_that_tenants_inject_is_read_by_envoy_as_the_text_that_it_is() {
    let pod = Pod::start();
    let injected = "x\nstatic_resources:\n  clusters:\n  - name: evil\n---\nadmin: {}\n";
    let hostile = [
        injected,
        "\u{85}static_resources: {}\u{2028}admin: {}\u{2029}",
        "\"}\n- 'a': \"b\\\"\r\nadmin: !!binary |\n",
        "# no: &anchor *alias ${HOME} %REQ(:authority)% {{x}}\u{0}\u{7f}\u{1b}[2J",
        "~",
        "yes",
        "0o17",
        "1e3",
        "- - -",
        "? x",
        ": ",
        "\t",
        "\u{feff}x",
        "\u{1f600}",
        "::error::\u{a0}\u{85}",
        "\n::error::\u{a0}\u{85}",
    ];
    let mut shop = ingress("shop/web", 1, "shop.test", "web", 80);
    for (number, text) in hostile.iter().enumerate() {
        shop["metadata"]["annotations"][format!("example.test/{number}")] = json!(text);
        shop["metadata"]["labels"][*text] = json!(text);
    }
    let mut evil = ingress("evil/web", 1, "evil.test", "web", 80);
    evil["metadata"]["name"] = json!(injected);
    let key = "nginx.ingress.kubernetes.io/default-backend";
    evil["metadata"]["annotations"][key] = json!(injected);
    let documents = [shop.clone(), evil.clone()];
    let manifests = manifests(&documents);
    let endpoints = [format!("shop/web:80={}", pod.endpoint())];
    let compiled = Compiled::new(&manifests, &flags(&endpoints)).unwrap();
    let rendered = render(&compiled, &settings());
    // Whatever is said at the head, in one line each.
    let head: Vec<String> = hostile.iter().map(|text| (*text).to_owned()).collect();
    let envoy = RealEnvoy::start(&rendered.text(&head).unwrap());

    let dump: Value = serde_json::from_slice(&envoy.admin("/config_dump").body).unwrap();
    let configs = dump["configs"].as_array().unwrap();
    let of_type = |name: &str| {
        let is_it = |one: &&Value| one["@type"].as_str().unwrap().ends_with(name);
        configs.iter().find(is_it).unwrap()
    };
    let bootstrap = &of_type("BootstrapConfigDump")["bootstrap"];
    let resources = &bootstrap["static_resources"];
    let clusters = resources["clusters"].as_array().unwrap().iter();
    let names: BTreeSet<&str> = clusters.map(|one| one["name"].as_str().unwrap()).collect();
    let expected = ["shop/web:80", "evil/web:80", "prometheus_stats"];
    assert_eq!(names, expected.into());
    let mut plugins = Vec::new();
    edit_plugin(&mut resources.clone(), |plugin| {
        plugins.push(plugin.clone())
    });
    assert_eq!(plugins[0]["ingresses"], json!([shop, evil]));
    let answer = http::send(envoy.listener("http"), &Request::get("shop.test", "/")).unwrap();
    assert_eq!(answer.endpoint(), Some(pod.endpoint()));
}
