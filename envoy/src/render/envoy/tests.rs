use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::compiled::Flags;
use crate::manifests::Manifests;

const SHOP: &str = include_str!("../../../examples/sample-ingress.yaml");

fn rendered(text: &str, change: impl FnOnce(&mut EnvoySettings)) -> Rendered {
    let manifests = Manifests::parse("m.yaml", text).unwrap();
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let mut settings = EnvoySettings::default();
    change(&mut settings);
    render(&compiled, &settings)
}

fn find<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name == key {
                Some(field)
            } else {
                find(field, key)
            }
        }),
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn the_ingress_is_in_the_bootstrap_unmodified() {
    let manifests = Manifests::parse("m.yaml", SHOP).unwrap();
    let out = rendered(SHOP, |_| {});
    let yaml = to_yaml(&out.bootstrap).unwrap();
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, out.bootstrap, "the YAML reads back as it was");
    let configuration = find(&read, "configuration").unwrap()["value"]
        .as_str()
        .unwrap();
    let plugin: Value = serde_json::from_str(configuration).unwrap();
    assert_eq!(plugin["ingresses"][0], manifests.ingresses[0].value);
}

#[test]
fn the_module_stands_before_the_session_filter_and_that_before_the_router() {
    let out = rendered(SHOP, |_| {});
    let filters = find(&out.bootstrap, "http_filters")
        .unwrap()
        .as_array()
        .unwrap();
    let names: Vec<&str> = filters
        .iter()
        .map(|filter| filter["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "limpet",
            "envoy.filters.http.stateful_session",
            "envoy.filters.http.router"
        ]
    );
}

#[test]
fn with_eds_listeners_and_endpoints_stand_in_files_of_their_own() {
    let out = rendered(SHOP, |settings| settings.eds = Some("/xds".into()));
    let paths: Vec<String> = out
        .files
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "/xds/default%2Fhttp-service%3A8080.yaml",
            "/xds/listeners.yaml"
        ]
    );
    assert_eq!(out.bootstrap["static_resources"].get("listeners"), None);
    assert!(find(&out.files[1].1, "early_header_mutation_extensions").is_some());
}

#[test]
fn no_service_name_leads_an_endpoint_file_out_of_its_folder() {
    let names = [
        "a-../../../etc/cron.d/x-80",
        "a-..-80",
        "/etc/passwd",
        "a\\b",
        "a%2fb",
        "a/b",
        "A",
        "a",
        "a\0",
        "",
        "..",
    ];
    let folder = std::path::Path::new("/xds");
    let files: std::collections::BTreeSet<_> = names
        .iter()
        .map(|name| {
            let file = endpoint_file(folder, name);
            assert_eq!(file.parent(), Some(folder), "{name:?}");
            file.to_string_lossy().to_lowercase()
        })
        .collect();
    assert_eq!(files.len(), names.len(), "{files:?}");
    assert_eq!(
        endpoint_file(folder, "prod-web-80"),
        folder.join("prod-web-80.yaml")
    );
}

#[test]
fn no_service_of_a_tenant_leads_to_envoys_admin() {
    let ingress = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 9901}}}}
---
";
    let name = |name: &str| {
        format!(
            "{ingress}{{apiVersion: v1, kind: Service, metadata: {{name: web}}, \
             spec: {{type: ExternalName, externalName: '{name}', ports: [{{port: 9901}}]}}}}"
        )
    };
    let slice = |address: &str| {
        format!(
            "{ingress}{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: w, \
             labels: {{kubernetes.io/service-name: web}}}}, ports: [{{port: 9901}}], \
             endpoints: [{{addresses: ['{address}']}}]}}"
        )
    };
    let attacks = [
        name("localhost"),
        name("127.0.0.1"),
        name("admin.tenant.example"),
        name("0x7f.1"),
        name("169.254.169.254"),
        name("::ffff:127.0.0.1"),
        slice("127.0.0.1"),
        slice("::1"),
        slice("0.0.0.0"),
        slice("::ffff:127.0.0.1"),
    ];
    for attack in attacks {
        for (allow_loopback, eds) in [(false, None), (true, None), (true, Some("/xds".into()))] {
            let out = rendered(&attack, |settings| {
                settings.allow_loopback = allow_loopback;
                settings.eds = eds;
            });
            let cluster = &out.bootstrap["static_resources"]["clusters"][0];
            let files = out.files.iter().map(|(_, content)| content);
            for endpoints in files
                .chain([cluster])
                .filter_map(|part| find(part, "lb_endpoints"))
            {
                assert_eq!(endpoints, &json!([]), "{attack}");
            }
            let told = |note: &String| note.contains("gets no requests");
            assert!(out.notes.iter().any(told), "{attack}: {:?}", out.notes);
        }
    }
    // Where it is no attack, the same cluster has its endpoint.
    let out = rendered(&slice("10.0.0.1"), |_| {});
    let cluster = &out.bootstrap["static_resources"]["clusters"][0];
    let address = find(cluster, "socket_address").unwrap();
    assert_eq!(address["address"], "10.0.0.1");
}

#[cfg(unix)]
#[test]
fn a_private_key_that_is_written_can_be_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &std::path::Path| {
        let about = std::fs::metadata(path).unwrap();
        about.permissions().mode() & 0o777
    };
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("xds");
    let eds = |settings: &mut EnvoySettings| settings.eds = Some(folder.clone());
    let out = rendered(&[TLS, &secret("shop-tls", "tls.key")].concat(), eds);
    out.write_files().unwrap();
    assert_eq!(mode(&folder), 0o700);
    let listeners = folder.join("listeners.yaml");
    let text = std::fs::read_to_string(&listeners).unwrap();
    assert!(text.contains("EC PRIVATE KEY"), "{text}");
    for (path, _) in &out.files {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    // What was readable before does not stay so, nor does what an earlier run left half done.
    let everyone = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&listeners, everyone.clone()).unwrap();
    let next = folder.join("listeners.next");
    std::fs::write(&next, "").unwrap();
    std::fs::set_permissions(&next, everyone).unwrap();
    out.write_files().unwrap();
    assert_eq!(mode(&listeners), 0o600);
}

// With it anybody makes cookies for the pod of their choice.
#[test]
fn a_cookie_key_that_is_written_can_be_read_by_its_owner_alone() {
    for (key, readers) in [
        (json!("0123456789abcdef"), Readers::Owner),
        (json!({ "environment": "KEY" }), Readers::AsUsual),
    ] {
        let mut manifests = Manifests::parse("m.yaml", SHOP).unwrap();
        manifests
            .given
            .insert("cookie_keys".to_owned(), json!([key]));
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let settings = EnvoySettings {
            eds: Some("xds".into()),
            ..EnvoySettings::default()
        };
        assert_eq!(render(&compiled, &settings).readers, readers, "{key}");
    }
}

#[test]
fn with_dns_a_headless_service_is_resolved_to_its_pods_and_their_port() {
    let out = rendered(SHOP, |settings| settings.dns = true);
    let address = find(
        &out.bootstrap["static_resources"]["clusters"],
        "socket_address",
    )
    .unwrap();
    assert_eq!(address["address"], "http-service.default.svc.cluster.local");
}

const TLS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [Shop.example.com, '*.example.com'], secretName: shop-tls}]
  rules: [{host: shop.example.com, http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
";

const PAIR: &str = include_str!("../../key_pair/pairs/taken/P-256.pem");

fn secret(name: &str, key: &str) -> String {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": { "name": name },
        "data": { "tls.crt": STANDARD.encode(PAIR), key: STANDARD.encode(PAIR) },
    });
    format!("---\n{secret}\n")
}

#[test]
fn timeouts_of_an_ingress_hold_for_its_own_paths_alone() {
    let ingress = |name: &str, service: &str, annotations: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
             metadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
             spec: {{rules: [{{host: {name}.example.com, http: {{paths: [{{path: /, pathType: Prefix, \
             backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        )
    };
    let (read, connect) = (
        "nginx.ingress.kubernetes.io/proxy-read-timeout: '3600'",
        "nginx.ingress.kubernetes.io/proxy-connect-timeout: '2'",
    );
    let text = [
        ingress("socket", "chat", &format!("{read}, {connect}")),
        ingress("plain", "web", ""),
        ingress("one", "both", read),
        ingress("other", "both", ""),
    ]
    .concat();
    let out = rendered(&text, |_| {});
    let matcher = find(&out.bootstrap, "matcher").unwrap();
    let own = &matcher["matcher_tree"]["exact_match_map"]["map"]["read=3600s"];
    let routes = [own, &matcher["on_no_match"]].map(|found| find(found, "routes").unwrap());
    let routes = routes
        .into_iter()
        .flat_map(|routes| routes.as_array().unwrap());
    let read: Vec<_> = routes
        .map(|route| {
            let action = &route["route"];
            let idle = action.get("idle_timeout").and_then(Value::as_str);
            let read = action["retry_policy"].get("per_try_idle_timeout");
            (
                route["name"].as_str().unwrap(),
                read.and_then(Value::as_str),
                idle,
            )
        })
        .collect();
    let expected = [
        ("read=3600s-idempotent", Some("3600s"), Some("3600s")),
        ("read=3600s-not-idempotent", Some("3600s"), Some("3600s")),
        // Of GET, and of the others.
        ("idempotent", Some("60s"), None),
        ("idempotent", Some("60s"), None),
        ("not-idempotent", Some("60s"), None),
        ("unknown-policy", None, None),
    ];
    assert_eq!(read, expected);
    let configuration = find(&out.bootstrap, "configuration").unwrap();
    let plugin = configuration["value"].as_str().unwrap();
    let plugin: Value = serde_json::from_str(plugin).unwrap();
    let long = json!({ "default/one": "read=3600s", "default/socket": "read=3600s" });
    assert_eq!(plugin["policies"], long);
    let clusters = out.bootstrap["static_resources"]["clusters"].as_array();
    let connect = clusters.unwrap().iter().take(3);
    let connect: Vec<_> = connect.map(|cluster| &cluster["connect_timeout"]).collect();
    assert_eq!(connect, ["2s", "5s", "5s"]);
    let differs = |note: &String| note.contains("proxy-read-timeout");
    assert!(!out.notes.iter().any(differs), "{:?}", out.notes);
}

/// The routes of a list are tried one by one, for every request.
#[test]
fn however_many_ways_there_are_few_routes_are_tried() {
    const PREFIX: &str = "nginx.ingress.kubernetes.io";
    let ingress = |name: &str, service: usize, annotation: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
             metadata: {{name: {name}, annotations: {{{annotation}}}}}\n\
             spec: {{rules: [{{host: {name}.example.com, http: {{paths: [{{path: /, pathType: Prefix, \
             backend: {{service: {{name: web-{service}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        )
    };
    let text: String = (0..40)
        .flat_map(|of| {
            let timeout = format!("{PREFIX}/proxy-read-timeout: '{}'", 100 + of);
            let protocol = format!("{PREFIX}/backend-protocol: GRPC");
            [
                ingress(&format!("a-{of}"), of, &timeout),
                ingress(&format!("b-{of}"), of, &protocol),
            ]
        })
        .collect();
    let out = rendered(&text, |_| {});
    fn longest(value: &Value) -> usize {
        let here = value.get("routes").and_then(Value::as_array);
        let here = here.map_or(0, Vec::len);
        let below = match value {
            Value::Object(fields) => fields.values().map(longest).max(),
            Value::Array(items) => items.iter().map(longest).max(),
            _ => None,
        };
        here.max(below.unwrap_or_default())
    }
    let matcher = find(&out.bootstrap, "matcher").unwrap();
    let known = &matcher["matcher_tree"]["exact_match_map"]["map"];
    let known = known.as_object().unwrap();
    assert_eq!(known.len(), 41, "{:?}", known.keys());
    let twins = &known["speaks=GRPC"]["matcher"]["matcher_tree"]["exact_match_map"]["map"];
    assert_eq!(twins.as_object().unwrap().len(), 40, "{twins}");
    assert_eq!(longest(&out.bootstrap), 4);
}

#[test]
fn redirects_to_https_without_an_https_listener_are_noted() {
    let out = rendered(TLS, |_| {});
    assert!(
        out.notes.iter().any(|note| note.contains("lead nowhere")),
        "{:?}",
        out.notes
    );
    let out = rendered(TLS, |settings| {
        settings.tls = Some(("c.pem".into(), "k.pem".into()))
    });
    assert!(
        !out.notes.iter().any(|note| note.contains("lead nowhere")),
        "{:?}",
        out.notes
    );
}

#[test]
fn a_tls_secret_serves_its_hosts_by_sni() {
    let out = rendered(&[TLS, &secret("shop-tls", "tls.key")].concat(), |_| {});
    let https = &out.bootstrap["static_resources"]["listeners"][1];
    assert_eq!(
        find(https, "server_names").unwrap(),
        &json!(["shop.example.com"])
    );
    let key = find(https, "private_key").unwrap()["inline_string"].as_str();
    let key = key.unwrap();
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----\n") && PAIR.ends_with(key));
}

#[test]
fn a_pair_that_envoy_refuses_costs_its_own_hosts_and_not_the_whole_bootstrap() {
    let listeners = |crt: &str, key: &str| {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": { "name": "shop-tls" },
            "stringData": { "tls.crt": crt, "tls.key": key },
        });
        let out = rendered(&format!("{TLS}---\n{secret}\n"), |_| {});
        let listeners = out.bootstrap["static_resources"]["listeners"].as_array();
        let is_told = |note: &&String| {
            note.contains("Secret default/shop-tls: tls.") && note.contains("shop.example.com")
        };
        (
            listeners.unwrap().len(),
            out.notes.iter().find(is_told).cloned(),
        )
    };
    assert_eq!(listeners(PAIR, PAIR), (2, None));
    let foreign = include_str!("../../key_pair/pairs/taken/P-384.pem");
    for (crt, key, why) in [
        ("", PAIR, "tls.crt has no certificate in PEM"),
        (PAIR, "", "tls.key has no private key in PEM"),
        (
            PAIR,
            foreign,
            "tls.key is not the key of the certificate in tls.crt",
        ),
    ] {
        let (count, told) = listeners(crt, key);
        assert!(
            count == 1 && told.as_ref().is_some_and(|told| told.contains(why)),
            "{told:?}"
        );
    }
}

// ingress-nginx goes by the keys of a Secret, whatever its type: getPemCertificate in
// internal/ingress/controller/store/backend_ssl.go, dbb11b92d.
#[test]
fn a_secret_of_another_type_serves_where_it_holds_a_pair() {
    let secret = secret("shop-tls", "tls.key").replace("kubernetes.io/tls", "Opaque");
    let out = rendered(&[TLS, &secret].concat(), |_| {});
    let listeners = out.bootstrap["static_resources"]["listeners"].as_array();
    assert_eq!(listeners.unwrap().len(), 2, "{:?}", out.notes);
}

// ingress-nginx serves such a host with its own certificate, not with a wildcard's above it.
#[test]
fn a_host_without_a_usable_secret_is_not_served_by_another_ones_wildcard() {
    let text = [
        "rules: [{host: '*.example.com'}], tls: [{hosts: ['*.example.com'], secretName: shop-tls}]",
        "rules: [{host: a.example.com}], tls: [{hosts: [a.example.com]}]",
        "rules: [{host: b.example.com}], tls: [{hosts: [b.example.com], secretName: missing}]",
        "rules: [{host: c.example.com}], tls: [{hosts: [c.example.com], secretName: broken}]",
    ];
    let ingress = |(number, spec): (usize, &&str)| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i{number}}}\n\
             spec: {{{spec}}}\n"
        )
    };
    let mut text: String = text.iter().enumerate().map(ingress).collect();
    text.push_str(&secret("shop-tls", "tls.key"));
    text.push_str(&secret("broken", "key"));
    let out = rendered(&text, |settings| {
        settings.tls = Some(("c.pem".into(), "k.pem".into()));
    });
    let chains = &out.bootstrap["static_resources"]["listeners"][1]["filter_chains"];
    let chains = chains.as_array().unwrap().iter().map(|chain| {
        let of_files = find(&chain["transport_socket"], "filename").is_some();
        let names = chain.pointer("/filter_chain_match/server_names");
        (names.cloned().unwrap_or_default(), of_files)
    });
    let chains: Vec<_> = chains.collect();
    assert_eq!(
        chains,
        [
            (json!(["*.example.com"]), false),
            (
                json!(["a.example.com", "b.example.com", "c.example.com"]),
                true
            ),
            (Value::Null, true),
        ]
    );
}

#[test]
fn the_envoy_yaml_of_the_repository_is_what_render_prints_for_the_first_manifest() {
    let out = rendered(SHOP, |settings| settings.dns = true);
    let printed = to_yaml(&out.bootstrap).unwrap();
    let kept = include_str!("../../../envoy.yaml");
    assert!(
        printed == kept,
        "envoy/envoy.yaml is out of date: cargo run --bin limpet -- render envoy \
         -f envoy/examples/sample-ingress.yaml --dns > envoy/envoy.yaml"
    );
}

// The name in DNS won, and the endpoints were given for nothing.
#[test]
fn dns_and_endpoints_together_are_refused() {
    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: EnvoyArgs,
    }
    let parse = |flags: &[&str]| {
        let all = ["render", "-f", "in.yaml"].iter().chain(flags);
        <Command as clap::Parser>::try_parse_from(all).map(|command| command.args.settings.dns)
    };
    let endpoints = ["--endpoints", "prod/web:80=10.0.0.1:80"];
    assert!(!parse(&endpoints).unwrap());
    assert!(parse(&["--dns"]).unwrap());
    assert!(parse(&[&endpoints[..], &["--dns"]].concat()).is_err());
}

// The tenant chooses whom Envoy asks, and with what head.
#[test]
fn no_authorizer_is_on_envoys_own_host_nor_its_admin() {
    for (url, is_attack) in [
        ("http://localhost:9901/quitquitquit", true),
        ("http://127.0.0.1:80/", true),
        ("http://0x7f.1/", true),
        ("http://169.254.169.254/latest/meta-data", true),
        ("http://a.localhost/", true),
        ("http://0/", true),
        ("http://admin.tenant.example:9901/", true),
        ("http://sso.example/", false),
    ] {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: shop\n  annotations: \
             {{nginx.ingress.kubernetes.io/auth-url: '{url}'}}\nspec: {{rules: [{{http: {{paths: [{{path: /, \
             pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        );
        let out = rendered(&text, |_| {});
        let clusters = out.bootstrap["static_resources"]["clusters"]
            .as_array()
            .unwrap();
        let is_it = |one: &&Value| one["name"].as_str().unwrap().starts_with("authorizer/");
        let cluster = clusters.iter().find(is_it).unwrap();
        let endpoints = find(cluster, "lb_endpoints").unwrap();
        assert_eq!(endpoints == &json!([]), is_attack, "{url}: {cluster}");
        let told = out
            .notes
            .iter()
            .any(|note| note.contains("gets no requests"));
        assert_eq!(told, is_attack, "{url}: {:?}", out.notes);
    }
}

/// The later one decided for both whether its copies have the arguments.
#[test]
fn mirrors_of_two_tenants_are_one_where_they_are_the_same_alone() {
    let ingress = |namespace: &str, target: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
             metadata: {{name: {namespace}, namespace: {namespace}, annotations: \
             {{nginx.ingress.kubernetes.io/mirror-target: {target}}}}}\n\
             spec: {{rules: [{{host: {namespace}.example.com, http: {{paths: [{{path: /, pathType: Prefix, \
             backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        )
    };
    let text = [
        ingress("one", "http://mirror.example/$namespace"),
        ingress("two", "http://mirror.example/one"),
        ingress("three", "http://mirror.example/one"),
    ]
    .concat();
    let out = rendered(&text, |_| {});
    let clusters = out.bootstrap["static_resources"]["clusters"].as_array();
    let mirrors = clusters.unwrap().iter().filter_map(|cluster| {
        let name = cluster["name"].as_str()?.strip_prefix("mirror=")?;
        let has_arguments = cluster.to_string().contains("path:sub(query)");
        Some((name, has_arguments))
    });
    let expected = [
        ("http://mirror.example:80/one", true),
        ("http://mirror.example:80/one,without=args", false),
    ];
    assert_eq!(mirrors.collect::<Vec<_>>(), expected);
}

#[test]
fn copies_go_where_a_mirror_says_and_nowhere_near_envoy() {
    let with = |target: &str| {
        let target = json!({ "nginx.ingress.kubernetes.io/mirror-target": target });
        rendered(
            &format!(
                "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: shop, uid: u1, annotations: \
                 {target}}}, spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}}}"
            ),
            |_| {},
        )
    };
    for target in [
        "http://localhost/",
        "http://127.0.0.1:8080$request_uri",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://mirror.example:9901/",
        "http://$host/",
        "http://mirror.example$uri$remote_addr",
        "http://mirror.example/$",
        "http://mirror.example$args",
        "mirror.example",
        "/mirror",
        "http://mirror.example/a|b",
        "http://mirror.example/\\",
        "ftp://mirror.example/",
        "http:///x",
        "http://mirror.example:99999/",
    ] {
        let out = with(target);
        let policies = find(&out.bootstrap, "request_mirror_policies");
        assert_eq!(policies, None, "{target}");
        let told = |note: &String| note.contains("nobody gets copies");
        assert!(out.notes.iter().any(told), "{target}: {:?}", out.notes);
    }
    for (target, name, path) in [
        (
            "https://mirror.example$request_uri",
            "mirror=https://mirror.example:443",
            None,
        ),
        (
            "http://mirror.example:81",
            "mirror=http://mirror.example:81/_mirror-u1",
            Some("/_mirror-u1"),
        ),
        (
            "http://mirror.example/copy",
            "mirror=http://mirror.example:80/copy",
            Some("/copy"),
        ),
        (
            "http://mirror.example/$namespace$request_uri",
            "mirror=http://mirror.example:80/default$request_uri",
            Some("/default"),
        ),
        (
            "http://mirror.example$uri?$args",
            "mirror=http://mirror.example:80/_mirror-u1?$args",
            Some("/_mirror-u1?"),
        ),
    ] {
        let out = with(target);
        let policies = find(&out.bootstrap, "request_mirror_policies").unwrap();
        assert_eq!(policies[0]["cluster"], name, "{target}");
        let clusters = out.bootstrap["static_resources"]["clusters"]
            .as_array()
            .unwrap();
        let cluster = clusters.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(
            find(cluster, "transport_socket").is_some(),
            name.contains("https")
        );
        let code = find(cluster, "inline_string").and_then(Value::as_str);
        assert_eq!(code.is_some(), path.is_some(), "{target}");
        let writes = |code: &str| code.contains(&format!("\"{}\"", path.unwrap_or_default()));
        assert!(code.is_none_or(writes), "{target}: {code:?}");
    }
}

/// 0 is "never" to Envoy, and it refuses a bootstrap with more streams than a third of what one may write.
#[test]
fn no_setting_of_a_config_map_ends_what_bounds_clients() {
    let settings = |keep_alive: &str, head: &str, streams: &str| {
        let text = format!(
            "{SHOP}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: ingress-nginx-controller, namespace: ingress-nginx }}\n\
             data: {{ keep-alive: '{keep_alive}', client-header-timeout: '{head}', http2-max-concurrent-streams: '{streams}' }}\n"
        );
        let out = rendered(&text, |_| {}).bootstrap;
        let common = find(&out, "common_http_protocol_options").unwrap();
        let idle = common["idle_timeout"].as_str().unwrap().to_owned();
        let head = find(&out, "request_headers_timeout").unwrap();
        let head = head.as_str().unwrap().to_owned();
        (
            idle,
            head,
            find(&out, "max_concurrent_streams")
                .unwrap()
                .as_u64()
                .unwrap(),
        )
    };
    let of = |idle: &str, head: &str, streams| (idle.to_owned(), head.to_owned(), streams);
    assert_eq!(settings("75", "60", "128"), of("75s", "60s", 128));
    assert_eq!(settings("0", "0", "0"), of("1s", "1s", 1));
    assert_eq!(
        settings("0", "0", "4294967295"),
        of("1s", "1s", 0x7fff_ffff)
    );
}

#[test]
fn no_copy_goes_to_the_proxys_host_by_the_name_of_a_service() {
    let mirror = |external: &str| {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  annotations:\n    \
             nginx.ingress.kubernetes.io/mirror-target: http://ext.default.svc/\nspec:\n  rules:\n  - host: a.example\n    \
             http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}] }}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{ name: ext, namespace: default }}\n\
             spec: {{ type: ExternalName, externalName: {external} }}\n"
        );
        let out = rendered(&text, |_| {});
        let told = out
            .notes
            .iter()
            .any(|note| note.contains("nobody gets copies"));
        (
            find(&out.bootstrap, "request_mirror_policies").is_some(),
            told,
        )
    };
    assert_eq!(mirror("copies.example.net"), (true, false));
    assert_eq!(mirror("localhost"), (false, true));
}
