//! Certificates of clients in what is rendered for Envoy Gateway and Istio: which listeners ask.

use limpet::client_certificate::ClientCertificate;
use serde_json::{Value, json};

use crate::check::Platform;
use crate::compiled::{Clients, Compiled, Flags};
use crate::losses::{LossArgs, settle};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::resource::Resource;
use crate::render::served::Served;

fn authority() -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/recordings/rest/certs"
    );
    std::fs::read_to_string(format!("{folder}/ca.crt")).unwrap()
}

/// An Ingress for each `(namespace, host, Secret, asks)`, and an authority in each namespace.
fn manifests(all: &[(&str, &str, &str, bool)]) -> Manifests {
    with_authorities(all, &|_| authority())
}

/// The same with the authority of each namespace.
fn with_authorities(
    all: &[(&str, &str, &str, bool)],
    authority: &dyn Fn(&str) -> String,
) -> Manifests {
    let ingress = |(namespace, host, secret, asks): &(&str, &str, &str, bool)| {
        let mut annotations = json!({});
        if *asks {
            annotations["nginx.ingress.kubernetes.io/auth-tls-secret"] =
                json!(format!("{namespace}/ca"));
        }
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "namespace": namespace,
                "name": host.replace('*', "all"),
                "annotations": annotations,
            },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{ "hosts": [host], "secretName": secret }],
                "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }],
            },
        })
    };
    let secret = |(namespace, ..): &(&str, &str, &str, bool)| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "namespace": namespace, "name": "ca" },
            "stringData": { "ca.crt": authority(namespace) },
        })
    };
    let mut items: Vec<Value> = all.iter().map(ingress).collect();
    let mut secrets: Vec<Value> = all.iter().map(secret).collect();
    secrets.sort_by_key(ToString::to_string);
    secrets.dedup();
    items.extend(secrets);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("in.json", &list.to_string()).unwrap()
}

fn resources(manifests: &Manifests) -> Vec<Resource> {
    let flags = Flags {
        clients: Clients::Verified,
        ..Flags::default()
    };
    let compiled = Compiled::new(manifests, &flags).unwrap();
    let served = Served::on_envoy_gateway(&compiled);
    envoy_gateway::resources(&served, &EnvoyGatewayArgs::default())
}

/// The names of the hosts with listeners of their own, and for how many Secrets there is one for all.
fn listeners(resources: &[Resource]) -> (Vec<String>, usize) {
    let gateway = resources
        .iter()
        .find(|one| one.kind() == "Gateway")
        .unwrap();
    let all = gateway.value["spec"]["listeners"].as_array().unwrap();
    let own = all.iter().filter_map(|one| one["hostname"].as_str());
    let shared = all.iter().find(|one| one["name"] == "https");
    let shared = shared.map(|one| one["tls"]["certificateRefs"].as_array().unwrap().len());
    (own.map(str::to_owned).collect(), shared.unwrap_or_default())
}

/// The hosts whose listener asks.
fn asking(resources: &[Resource]) -> usize {
    let policies = resources
        .iter()
        .filter(|one| one.kind() == "ClientTrafficPolicy");
    let asks = |one: &&Resource| one.value.pointer("/spec/tls/clientValidation").is_some();
    policies.filter(asks).count()
}

#[test]
fn a_host_that_asks_has_a_listener_and_so_has_whoever_is_under_its_star() {
    let all = manifests(&[
        ("shop", "plain.test", "plain", false),
        ("shop", "*.wild.test", "wild", true),
        ("shop", "a.wild.test", "a", false),
        ("shop", "b.c.wild.test", "b", false),
        ("shop", "wild.test", "apex", false),
        ("shop", "other.test", "other", true),
    ]);
    let resources = resources(&all);
    let (mut own, shared) = listeners(&resources);
    own.sort();
    assert_eq!(
        own,
        ["*.wild.test", "a.wild.test", "b.c.wild.test", "other.test"]
    );
    // No certificate is in two listeners, or Envoy Gateway takes HTTP/2 away.
    assert_eq!(shared, 2);
    assert_eq!(asking(&resources), 2);
}

#[test]
fn where_all_hosts_ask_there_is_no_listener_for_all() {
    let resources = resources(&manifests(&[("shop", "on.test", "on", true)]));
    assert_eq!(listeners(&resources), (vec!["on.test".to_owned()], 0));
    let routes = resources.iter().filter(|one| one.kind() == "HTTPRoute");
    let parents = routes.flat_map(|one| one.value["spec"]["parentRefs"].as_array().unwrap());
    let mut sections = parents.filter_map(|parent| parent["sectionName"].as_str());
    assert!(sections.all(|section| section != "https"));
}

#[test]
fn where_nobody_asks_nothing_is_rendered_for_it() {
    let resources = resources(&manifests(&[("shop", "plain.test", "plain", false)]));
    let texts = resources.iter().map(|one| one.value.to_string());
    for text in texts {
        assert!(!text.contains("client"), "{text}");
        assert!(!text.contains("alpn"), "{text}");
    }
}

#[test]
fn beyond_its_listeners_a_gateway_lets_nobody_in_and_no_tenant_takes_them_all() {
    let hosts: Vec<String> = (0..70).map(|n| format!("h{n}.test")).collect();
    let mut all: Vec<(&str, &str, &str, bool)> = hosts
        .iter()
        .map(|host| ("many", host.as_str(), "many", true))
        .collect();
    all.push(("one", "z.test", "one", true));
    let manifests = manifests(&all);
    let resources = resources(&manifests);
    let (own, _) = listeners(&resources);
    assert_eq!(own.len(), 62);
    assert!(own.iter().any(|host| host == "z.test"));
    let args = EnvoyGatewayArgs::default();
    let text = envoy_gateway::text(&manifests, &args).unwrap();
    let told = "9 of them ask for none, and refuse whoever has to show one: h61.test, ";
    assert!(text.contains(told), "{text}");
}

// Whose hosts ask took the listeners of hosts that did not, and these were shown another host's certificate.
#[test]
fn whoever_asks_for_certificates_takes_no_listener_from_others_who_do_not() {
    let named = |n: usize| (format!("shop-{n:02}"), format!("h{n:02}.test"));
    let quiet: Vec<(String, String)> = (0..70).map(named).collect();
    let hosts: Vec<String> = (0..70).map(|n| format!("a{n}.test")).collect();
    let mut all: Vec<(&str, &str, &str, bool)> = quiet
        .iter()
        .map(|(namespace, host)| (namespace.as_str(), host.as_str(), "tls", false))
        .collect();
    all.extend(
        hosts
            .iter()
            .map(|host| ("many", host.as_str(), "many", true)),
    );
    let (own, shared) = listeners(&resources(&manifests(&all)));
    assert_eq!((own.len(), shared), (62, 64));
    let theirs = own.iter().filter(|host| host.starts_with('h'));
    // With the certificate of "many" there are 71, of which the first 64 share a listener.
    assert_eq!(theirs.count(), 6);
}

// The listener of a wildcard took the connections of hosts that had no room for their own.
#[test]
fn a_wildcard_that_asks_takes_no_host_of_others_away() {
    let hosts: Vec<String> = (0..70).map(|n| format!("h{n}.wild.test")).collect();
    let with_star = |hosts: &[String]| {
        let mut all: Vec<(&str, &str, &str, bool)> = hosts
            .iter()
            .map(|host| ("shop", host.as_str(), "tls", false))
            .collect();
        all.extend([
            ("evil", "*.wild.test", "evil", true),
            ("evil", "a.test", "evil", true),
        ]);
        manifests(&all)
    };
    let (own, _) = listeners(&resources(&with_star(&hosts)));
    assert_eq!(own, ["a.test"]);
    let text = envoy_gateway::text(&with_star(&hosts), &EnvoyGatewayArgs::default()).unwrap();
    let told = "1 of them ask for none, and refuse whoever has to show one: *.wild.test. ";
    assert!(text.contains(told), "{text}");
    // Where all of them have room it asks.
    let (own, _) = listeners(&resources(&with_star(&hosts[..60])));
    assert_eq!(own.len(), 62);
}

// 62 hosts under it closed the wildcard of others.
#[test]
fn whoever_comes_under_a_wildcard_that_asks_when_it_is_full_takes_nothing_from_it() {
    let hosts: Vec<String> = (0..70).map(|n| format!("h{n}.wild.test")).collect();
    let mut all: Vec<(&str, &str, &str, bool)> = vec![("shop", "*.wild.test", "tls", true)];
    all.extend(
        hosts
            .iter()
            .map(|host| ("evil", host.as_str(), "evil", false)),
    );
    let manifests = manifests(&all);
    let (own, _) = listeners(&resources(&manifests));
    assert_eq!(own.len(), 62);
    assert!(own.iter().any(|host| host == "*.wild.test"));
    let text = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
    let told = "9 hosts are served with the certificate of another host, and asked for one where its clients are: h61.wild.test, ";
    assert!(text.contains(told), "{text}");
}

// What an authority takes is written for each host that asks.
#[test]
fn whose_authority_is_too_long_for_all_of_his_hosts_lets_nobody_in_there() {
    let hosts: Vec<String> = (0..9).map(|n| format!("h{n}.test")).collect();
    let mut all: Vec<(&str, &str, &str, bool)> = hosts
        .iter()
        .map(|host| ("evil", host.as_str(), "tls", true))
        .collect();
    all.push(("shop", "z.test", "tls", true));
    let manifests = with_authorities(&all, &|namespace| match namespace {
        "evil" => authority().repeat(2_000),
        _ => authority(),
    });
    assert_eq!(listeners(&resources(&manifests)).0, ["z.test"]);
    let flags = Flags {
        clients: Clients::Verified,
        ..Flags::default()
    };
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let unusable = compiled.virtual_host("h8.test").unwrap();
    assert!(matches!(
        unusable.client_certificate(),
        Some(ClientCertificate::Unusable)
    ));
    let mut notes = compiled.all_notes();
    let told = "that the certificates of one namespace may have, in all copies): the hosts of ingress evil/h8.test answer 403";
    assert!(notes.any(|note| note.contains(told)));
}

#[test]
fn nobody_takes_the_room_of_an_authority_of_others_by_naming_it() {
    let ingress = |namespace: &str, name: String| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "namespace": namespace, "name": name, "annotations": {
                "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/ca",
            } },
            "spec": { "ingressClassName": "nginx", "rules": [{ "host": format!("{name}.test"), "http": {
                "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }] },
        })
    };
    let mut items: Vec<Value> = (0..20).map(|n| ingress("evil", format!("e{n}"))).collect();
    items.push(ingress("shop", "shop".to_owned()));
    items.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": "ca" },
        "stringData": { "ca.crt": authority().repeat(2_000) },
    }));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifests = Manifests::parse("in.json", &list.to_string()).unwrap();
    let flags = Flags {
        clients: Clients::Verified,
        ..Flags::default()
    };
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let asks = |host: &str| {
        let host = compiled.virtual_host(host).unwrap().client_certificate();
        matches!(host, Some(ClientCertificate::Asked(_)))
    };
    assert!(asks("shop.test") && !asks("e0.test"));
}

// Others' pods were kept from what an operator's gateway tells them of certificates.
#[test]
fn on_istio_what_pods_are_told_of_certificates_changes_where_clients_are_asked_alone() {
    let all = [
        ("shop", "a.test", "tls", true),
        ("other", "b.test", "tls", false),
    ];
    let compiled_of = manifests(&all);
    let flags = Flags {
        clients: Clients::Any,
        ..Flags::default()
    };
    let compiled = Compiled::new(&compiled_of, &flags).unwrap();
    let resources = istio::resources(&Served::new(&compiled), &IstioArgs::default());
    let of_it = resources
        .iter()
        .filter(|one| one.value.to_string().contains("x-forwarded-client-cert"));
    let names: Vec<&str> = of_it
        .map(|one| one.value["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].starts_with("limpet-client-"), "{names:?}");
}

#[test]
fn a_host_that_asks_and_has_no_certificate_is_told() {
    let mut list: Value = json!({ "apiVersion": "v1", "kind": "List", "items": [] });
    list["items"] = json!([
        {
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "namespace": "shop", "name": "bare", "annotations": {
                "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/ca",
            } },
            "spec": { "ingressClassName": "nginx", "rules": [{ "host": "bare.test", "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": "web", "port": { "number": 80 } } },
            }] } }] },
        },
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": "ca" },
            "stringData": { "ca.crt": authority() },
        },
    ]);
    let manifests = Manifests::parse("in.json", &list.to_string()).unwrap();
    let text = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
    let told = "hosts bare.test ask clients for certificates and have none themselves";
    assert!(text.contains(told), "{text}");
}

/// What Istio gets: the hosts of each https server, and how many EnvoyFilters ask.
fn on_istio(manifests: &Manifests, clients: Clients) -> (Vec<Vec<String>>, usize) {
    let flags = Flags {
        clients,
        ..Flags::default()
    };
    let args = IstioArgs {
        sidecar: clients == Clients::Unasked,
        ..IstioArgs::default()
    };
    let compiled = Compiled::new(manifests, &flags).unwrap();
    let resources = istio::resources(&Served::new(&compiled), &args);
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let servers = gateway.map(|one| one.value["spec"]["servers"].as_array().unwrap().clone());
    let hosts = |server: &Value| -> Vec<String> {
        let hosts = server["hosts"].as_array().unwrap().iter();
        hosts
            .map(|host| host.as_str().unwrap().to_owned())
            .collect()
    };
    let servers = servers.iter().flatten();
    let servers = servers.filter(|server| server["port"]["protocol"] == "HTTPS");
    let asks = |one: &&Resource| {
        let text = one.value.to_string();
        one.kind() == "EnvoyFilter" && text.contains("trusted_ca")
    };
    let filters = resources.iter().filter(asks).count();
    (servers.map(hosts).collect(), filters)
}

#[test]
fn on_istio_hosts_of_one_secret_that_ask_alike_share_a_server() {
    let all = manifests(&[
        ("shop", "a.test", "tls", false),
        ("shop", "b.test", "tls", true),
        ("shop", "c.test", "tls", false),
        ("shop", "d.test", "tls", true),
        ("shop", "e.test", "other", true),
    ]);
    let (mut servers, filters) = on_istio(&all, Clients::Any);
    servers.sort();
    let wanted: [&[&str]; 3] = [&["a.test", "c.test"], &["b.test", "d.test"], &["e.test"]];
    assert_eq!(servers, wanted);
    assert_eq!(filters, 2);
}

// What an earlier rendering left would be merged into another host's server, or hold for its own host beside what
// is rendered anew: a copy of an authority that is trusted no more.
#[test]
fn on_istio_what_asks_keeps_its_name_whoever_comes_and_goes() {
    let args = IstioArgs::default();
    let flags = Flags {
        clients: Clients::Any,
        ..Flags::default()
    };
    let names = |all: &[(&str, &str, &str, bool)]| -> Vec<(String, Value)> {
        let manifests = manifests(all);
        let compiled = Compiled::new(&manifests, &flags).unwrap();
        let resources = istio::resources(&Served::new(&compiled), &args);
        let asks = |one: &&Resource| one.value.to_string().contains("trusted_ca");
        let asking = resources.iter().filter(asks);
        let named = asking.map(|one| {
            let name = one.value["metadata"]["name"].as_str().unwrap();
            (name.to_owned(), one.value["spec"]["configPatches"].clone())
        });
        named.collect()
    };
    let later = [("shop", "b.test", "b", true), ("shop", "c.test", "c", true)];
    let earlier = [
        &[
            ("evil", "a.test", "a", true),
            ("evil", "q.test", "q", false),
        ],
        &later[..],
    ];
    let (earlier, later) = (names(&earlier.concat()), names(&later));
    assert_eq!((earlier.len(), later.len()), (3, 2));
    assert!(
        later.iter().all(|one| earlier.contains(one)),
        "{earlier:?} {later:?}"
    );
}

#[test]
fn sidecars_ask_nobody_and_what_they_would_have_to_ask_is_lost() {
    let mut all = manifests(&[("shop", "on.test", "tls", true)]);
    assert_eq!(on_istio(&all, Clients::Unasked).1, 0);
    let args = LossArgs::default();
    let lost = settle(&mut all, &Flags::default(), &args, Platform::Istio);
    assert!(lost.unwrap_err().to_string().contains("auth-tls-secret"));
}
