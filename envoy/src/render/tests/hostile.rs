//! Hostile text in every string of the input: what is rendered has the objects that it has without.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::inert;
use crate::manifests::Manifests;
use crate::render::envoy::{EnvoySettings, render};
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::yaml::to_yaml;

/// Ends a comment, a scalar and a document; an object, a control sequence, a workflow command.
const HOSTILE: &str = "x\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
    metadata: {name: owned}\n---\n'\"\r# \u{1b}[2J\u{85}\u{2028}\n  ::error::owned\n##[error]owned";

const INPUT: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  labels: {team: shop}
  creationTimestamp: '2024-01-01T00:00:00Z'
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
    nginx.ingress.kubernetes.io/backend-protocol: HTTPS
    nginx.ingress.kubernetes.io/session-cookie-name: sticky
    nginx.ingress.kubernetes.io/server-alias: www.example.com, shop.example.org
    nginx.ingress.kubernetes.io/upstream-vhost: inside.example.com
    nginx.ingress.kubernetes.io/default-backend: fallback
    nginx.ingress.kubernetes.io/proxy-read-timeout: '30'
    nginx.ingress.kubernetes.io/app-root: /start
    other.example.com/words: words
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.example.com], secretName: shop-tls}]
  defaultBackend: {service: {name: web, port: {name: http}}}
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: partner, namespace: legacy}
spec:
  ingressClassName: nginx
  rules:
  - host: partner.example.com
    http: {paths: [{path: /, pathType: Exact, backend: {service: {name: partner, port: {number: 443}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: web, protocol: TCP}]}
---
apiVersion: v1
kind: Service
metadata: {name: fallback, namespace: prod}
spec: {type: ClusterIP, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: partner, namespace: legacy}
spec: {type: ExternalName, externalName: api.example.net, ports: [{port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: prod, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.0.0.1], nodeName: one, hostname: a, targetRef: {kind: Pod, name: web-0}}]
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: shop-tls, namespace: prod}
data: {tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyVnlkQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K, tls.key: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCmEyVjUKLS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo=}
stringData: {tls.crt: -----BEGIN CERTIFICATE-----Y2VydA==-----END CERTIFICATE-----}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data: {use-forwarded-headers: 'true', forwarded-for-header: X-Client, proxy-connect-timeout: '3', other: words}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: example.com/v1
kind: Unknown
metadata: {name: unknown}
";

/// A platform, and what is rendered for it.
type Text = (&'static str, String);

/// What an operator would apply, by platform; where something cannot be rendered, nothing is.
fn rendered(documents: &[Value]) -> Vec<Text> {
    let text: Vec<String> = documents.iter().map(Value::to_string).collect();
    let manifests = Manifests::parse("hostile.json", &text.join("\n")).unwrap();
    let sidecar = IstioArgs {
        sidecar: true,
        ..IstioArgs::default()
    };
    let envoy = |change: fn(&mut EnvoySettings)| {
        let compiled = Compiled::new(&manifests, &Flags::default())?;
        let mut settings = EnvoySettings::default();
        change(&mut settings);
        let rendered = render(&compiled, &settings);
        let files = rendered.files.iter().map(|(_, content)| content);
        let all = [&rendered.bootstrap].into_iter().chain(files);
        let texts: anyhow::Result<Vec<String>> = all.map(to_yaml).collect();
        texts.map(|texts| texts.join("---\n"))
    };
    [
        ("envoy --dns", envoy(|settings| settings.dns = true)),
        (
            "envoy --eds",
            envoy(|settings| settings.eds = Some("/xds".into())),
        ),
        ("istio", istio::text(&manifests, &IstioArgs::default())),
        ("istio --sidecar", istio::text(&manifests, &sidecar)),
        (
            "envoy-gateway",
            envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()),
        ),
    ]
    .into_iter()
    .filter_map(|(platform, text)| Some((platform, text.ok()?)))
    .collect()
}

/// The objects of a text: kind, namespace and name, or the keys of a part of Envoy's configuration.
fn objects(text: &str) -> BTreeSet<String> {
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let identity = |object: &Value| match object.get("kind") {
        Some(kind) => format!("{kind} {}", object["metadata"]),
        None => {
            let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
            format!("{keys:?}")
        }
    };
    objects.iter().map(identity).collect()
}

/// The JSON pointer of every string, and of every object: it may get a further key.
fn places(value: &Value, at: &str, strings: &mut Vec<String>, maps: &mut Vec<String>) {
    match value {
        Value::String(_) => strings.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), strings, maps);
            }
        }
        Value::Object(fields) => {
            maps.push(at.to_owned());
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{key}"), strings, maps);
            }
        }
        _ => {}
    }
}

/// That `documents` render to objects that are in `plain` or `harmless` for their platform, and that
/// nobody obeys the text.
fn assert_tame(documents: &[Value], plain: &[Text], harmless: impl Fn() -> Vec<Text>, what: &str) {
    let of = |texts: &[Text], platform: &str| {
        let text = texts.iter().find(|(name, _)| *name == platform);
        text.map(|(_, text)| objects(text)).unwrap_or_default()
    };
    for (platform, text) in rendered(documents) {
        let mut more = objects(&text);
        more.retain(|object| !of(plain, platform).contains(object));
        if !more.is_empty() {
            let known = of(&harmless(), platform);
            more.retain(|object| !known.contains(object));
        }
        assert_eq!(more, BTreeSet::new(), "{platform}: {what}\n{text}");
        for line in text.lines() {
            let is_obeyed = inert::is_command(line) || line.contains(|c: char| c.is_control());
            assert!(!is_obeyed, "{platform}: {what}: {line:?}");
        }
    }
}

#[test]
fn hostile_text_in_any_string_of_the_input_makes_no_object_and_no_command() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(INPUT).unwrap();
    let plain = rendered(&documents);
    assert_eq!(plain.len(), 5, "the input renders everywhere");
    let mut tried = 0;
    for (index, document) in documents.iter().enumerate() {
        let (mut strings, mut maps) = (Vec::new(), Vec::new());
        places(document, "", &mut strings, &mut maps);
        for pointer in strings {
            let with = |text: &str| {
                let mut documents = documents.clone();
                *documents[index].pointer_mut(&pointer).unwrap() = json!(text);
                documents
            };
            let harmless = || rendered(&with("harmless"));
            let what = format!("document {index}, {pointer}");
            assert_tame(&with(HOSTILE), &plain, harmless, &what);
            tried += 1;
        }
        for pointer in maps {
            let mut documents = documents.clone();
            let fields = documents[index].pointer_mut(&pointer).unwrap();
            let fields = fields.as_object_mut().unwrap();
            fields.insert(HOSTILE.to_owned(), json!("x"));
            let what = format!("document {index}, a key in {pointer:?}");
            assert_tame(&documents, &plain, Vec::new, &what);
            tried += 1;
        }
    }
    assert!(tried > 140, "only {tried} places");
}
