//! What `limpet render envoy` writes for many hosts: twice as much for twice as many.

use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, Rendered, render};
use limpet_tests::tls::{self, Kind, made};
use serde_json::{Value, json};

/// The Secret of host number `n`, if it has one, the names of its certificate, and what else its Ingress says.
struct Host {
    namespace: String,
    secret: Option<(String, Vec<String>)>,
    annotations: Value,
}

impl Host {
    fn of(namespace: &str, secret: String, names: &[String]) -> Self {
        Self {
            namespace: namespace.to_owned(),
            secret: Some((secret, names.to_vec())),
            annotations: json!({}),
        }
    }
}

fn name(number: usize) -> String {
    format!("h{number}.example.com")
}

fn rendered(hosts: usize, host: impl Fn(usize) -> Host, settings: &EnvoySettings) -> Rendered {
    let mut items = Vec::new();
    for number in 0..hosts {
        let host = host(number);
        let mut spec = json!({
            "ingressClassName": "nginx",
            "rules": [{ "host": name(number), "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": format!("s{number}"), "port": { "number": 80 } } },
            }] } }],
        });
        if let Some((secret, names)) = &host.secret {
            spec["tls"] = json!([{ "hosts": [name(number)], "secretName": secret }]);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            items.push(made(Kind::Elliptic, secret, &names).secret(&host.namespace, secret));
        }
        let created = format!("2026-01-01T{:02}:{:02}:00Z", number / 60, number % 60);
        items.push(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {
                "name": format!("i{number}"), "namespace": host.namespace,
                "creationTimestamp": created, "annotations": host.annotations,
            },
            "spec": spec,
        }));
    }
    items.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "ca", "namespace": "default" },
        "stringData": { "ca.crt": tls::of_authority("ca.crt") },
    }));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifests = Manifests::parse("hosts.json", &list.to_string()).unwrap();
    let flags = Flags {
        on_envoy: true,
        ..Flags::default()
    };
    render(&Compiled::new(&manifests, &flags).unwrap(), settings)
}

fn size(rendered: &Rendered) -> usize {
    let files = rendered.files.iter().map(|(_, content)| content);
    let all = files.chain([&rendered.bootstrap]);
    all.map(|one| one.to_string().len()).sum()
}

fn chains(rendered: &Rendered) -> &Vec<Value> {
    let listeners = &rendered.bootstrap["static_resources"]["listeners"];
    listeners[1]["filter_chains"].as_array().unwrap()
}

fn own(number: usize) -> Host {
    Host::of("default", format!("c{number}"), &[name(number)])
}

fn foreign(number: usize) -> Host {
    let namespace = if number == 190 { "victim" } else { "default" };
    Host::of(
        namespace,
        format!("c{number}"),
        &["other.example".to_owned()],
    )
}

#[test]
fn twice_as_many_hosts_take_twice_as_much_whatever_their_certificates() {
    type Kind = (&'static str, fn(usize) -> Host);
    let kinds: [Kind; 7] = [
        ("http", |_| Host {
            namespace: "default".to_owned(),
            secret: None,
            annotations: json!({}),
        }),
        ("one Secret", |_| {
            Host::of("default", "c".to_owned(), &["*.example.com".to_owned()])
        }),
        ("a Secret for each", own),
        ("a certificate that is for another host", foreign),
        ("a certificate that is for all hosts", |number| {
            Host::of(
                "default",
                format!("c{number}"),
                &["*.example.com".to_owned()],
            )
        }),
        ("certificates of clients", |number| {
            let asks = number.is_multiple_of(10);
            let said = json!({ "nginx.ingress.kubernetes.io/auth-tls-secret": "default/ca" });
            Host {
                annotations: if asks { said } else { json!({}) },
                ..own(number)
            }
        }),
        ("each another chain of clients' certificates", |number| {
            Host {
                annotations: json!({
                    "nginx.ingress.kubernetes.io/auth-tls-secret": "default/ca",
                    "nginx.ingress.kubernetes.io/auth-tls-verify-depth": (number + 1).to_string(),
                }),
                ..own(number)
            }
        }),
    ];
    for (kind, host) in kinds {
        for eds in [None, Some("/xds".into())] {
            let settings = EnvoySettings {
                eds,
                ..EnvoySettings::default()
            };
            let [once, twice] = [100, 200].map(|hosts| size(&rendered(hosts, host, &settings)));
            assert!(
                2 * twice < 5 * once,
                "{kind}, {:?}: {once} bytes, {twice} for twice as many hosts",
                settings.eds
            );
        }
    }
}

#[test]
fn who_has_a_certificate_for_its_own_names_shares_one_chain() {
    let all = rendered(100, own, &EnvoySettings::default());
    let [chain] = &chains(&all)[..] else {
        panic!("{} chains", chains(&all).len());
    };
    let context = &chain["transport_socket"]["typed_config"]["common_tls_context"];
    assert_eq!(context["tls_certificates"].as_array().unwrap().len(), 100);
    let names = chain["filter_chain_match"]["server_names"].as_array();
    assert_eq!(names.unwrap().len(), 100);
}

/// Somebody with many such certificates takes no room that others need, and is told.
#[test]
fn a_certificate_without_a_place_is_told_and_a_tenant_takes_not_all_places() {
    for tls in [None, Some(("c.pem".into(), "k.pem".into()))] {
        let settings = EnvoySettings {
            tls,
            ..EnvoySettings::default()
        };
        let all = rendered(200, foreign, &settings);
        let is_served = |host: usize| {
            chains(&all).iter().any(|chain| {
                let is_own = chain.pointer("/transport_socket/typed_config/common_tls_context/tls_certificates/0/private_key/inline_string").is_some();
                let names = chain["filter_chain_match"]["server_names"].as_array();
                is_own && names.is_some_and(|names| names.contains(&json!(name(host))))
            })
        };
        assert!(is_served(0) && is_served(190) && !is_served(199));
        let what = match &settings.tls {
            None => "get no https",
            Some(_) => "are served with the certificate of --tls",
        };
        let words = [
            "Secret default/c199 needs a filter chain of its own",
            "the certificate is not for these hosts",
            &name(199),
            what,
        ];
        let is_told = |note: &String| words.iter().all(|word| note.contains(word));
        assert!(all.notes.iter().any(is_told), "{:#?}", all.notes);
        let speaks = |note: &String| note.contains("the private key of Secret default/c199 ");
        assert!(!all.notes.iter().any(speaks));
        let by_default = chains(&all).iter().rev().nth(1).unwrap();
        let names = by_default["filter_chain_match"]["server_names"].as_array();
        let is_default = names.unwrap().contains(&json!(name(199)));
        assert_eq!(is_default, settings.tls.is_some());
    }
}
