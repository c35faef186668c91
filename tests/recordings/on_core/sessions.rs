//! The end-to-end part of `affinity.json`: Ingresses and requests, through the whole core.
//!
//! The proxy in the middle is played here as Envoy with limpet's configuration is: the endpoint
//! asked for serves if it accepts connections, else another one that does.

use super::affinity::{RECORDED, list, text};
use crate::recordings::agreement::Tally;
use limpet::config;
use limpet::edit::{Edit, fields};
use limpet::endpoints::{ClusterTable, Endpoint, EndpointTable, Health};
use limpet::facts::{Facts, Knowledge};
use limpet::policy::{self, Policy};
use limpet::session_cookie::date::cookie_time;
use limpet::stream::{ResponseHead, Step, Stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NOW: u64 = 1_732_345_678;

/// A scenario, compiled.
struct Site {
    policy: Policy,
    endpoints: EndpointTable,
    /// `namespace/name` of a Service to its endpoints.
    services: BTreeMap<String, Vec<String>>,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    served: Option<String>,
    set_cookie: Vec<String>,
}

fn site(scenario: &Value) -> Site {
    let mut ingresses = list(&scenario["ingresses"]).to_vec();
    for (age, ingress) in ingresses.iter_mut().enumerate() {
        let metadata = ingress["metadata"].as_object_mut().unwrap();
        let created = json!(format!("2024-01-01T00:{age:02}:00Z"));
        metadata.entry("creationTimestamp").or_insert(created);
    }
    let configuration = json!({
        "ingresses": ingresses,
        "config_map": scenario["controller_config"],
        "strict": true,
        "unmatched": "not_found",
    });
    let (config, _) = config::read(configuration.to_string().as_bytes()).unwrap();
    let (policy, _) = policy::compile(&config);
    let services: BTreeMap<String, Vec<String>> =
        serde_json::from_value(scenario["endpoints"].clone()).unwrap();
    let mut endpoints = EndpointTable::default();
    for cluster in &policy.clusters {
        let (service, _) = cluster.service.rsplit_once(':').unwrap();
        let endpoint = |address: &String| Endpoint {
            address: address.clone(),
            health: Health::Healthy,
        };
        let addresses = services.get(service).into_iter().flatten();
        let table = ClusterTable::build(cluster.index(), addresses.map(endpoint).collect());
        endpoints.insert(cluster.envoy_name.clone(), table);
    }
    Site {
        policy,
        endpoints,
        services,
    }
}

fn head(request: &Value) -> Vec<(String, Vec<u8>)> {
    let mut head = vec![
        (":method", text(&request["method"])),
        (":scheme", text(&request["scheme"])),
        (":authority", text(&request["host"])),
        (":path", text(&request["target"])),
    ];
    for header in list(&request["headers"]) {
        head.push((text(&header[0]), text(&header[1])));
    }
    head.extend(request["cookie"].as_str().map(|cookie| ("cookie", cookie)));
    let owned = |(name, value): (&str, &str)| (name.to_lowercase(), value.as_bytes().to_vec());
    head.into_iter().map(owned).collect()
}

impl Site {
    fn request(&self, request: &Value) -> Answer {
        let headers = head(request);
        let property = |path: &[&str]| match path {
            ["response", "code_details"] => Some(b"via_upstream".to_vec()),
            ["request", "scheme"] => Some(text(&request["scheme"]).as_bytes().to_vec()),
            _ => None,
        };
        let facts = Facts {
            now: &|| NOW,
            random: &|| 0x5DEE_CE66_D00B_5EED,
            property: &property,
            knowledge: &|| Knowledge::Current,
        };
        let mut stream = Stream::default();
        let fields = fields(&headers);
        let decided = stream.on_request(&self.policy, &self.endpoints, &fields, &facts);
        let edits = match decided.step {
            Step::Forward(edits) => edits,
            Step::Reply(reply) => {
                return Answer {
                    status: reply.status,
                    served: None,
                    set_cookie: Vec::new(),
                };
            }
            Step::Wait => panic!("waits, though everything is known"),
        };
        let asked = set(&edits, &self.policy.headers.endpoint).map(base64);
        let cluster = set(&edits, &self.policy.headers.cluster).unwrap();
        let table = self.endpoints.get(&cluster).unwrap();
        let alive = |address: &String| !address.ends_with(":9");
        let mut others = table
            .endpoints()
            .iter()
            .map(|endpoint| endpoint.address.clone());
        let served = asked
            .clone()
            .filter(alive)
            .or_else(|| others.find(alive))
            .unwrap();
        let named = (asked.as_ref() != Some(&served)).then(|| to_base64(&served));
        let response = ResponseHead {
            header: &|name| {
                named
                    .clone()
                    .filter(|_| name == self.policy.headers.endpoint)
            },
            headers: &|| &[],
        };
        let decided = stream.on_response(&self.policy, &self.endpoints, &response, &facts);
        let mut set_cookie: Vec<String> = decided
            .edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::Add(name, value) if name == "set-cookie" => {
                    Some(String::from_utf8(value.to_vec()).unwrap())
                }
                _ => None,
            })
            .collect();
        let own = headers
            .iter()
            .filter(|(name, _)| name == "x-echo-set-cookie");
        set_cookie.extend(own.map(|(_, value)| String::from_utf8(value.clone()).unwrap()));
        let echoed = headers.iter().find(|(name, _)| name == "x-echo-status");
        let status = echoed.map_or(200, |(_, value)| {
            str::from_utf8(&value[..3]).unwrap().parse().unwrap()
        });
        Answer {
            status,
            served: Some(served),
            set_cookie,
        }
    }

    /// Why the answer is not what is recorded; empty: it is.
    fn differences(&self, request: &Value, answer: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        let statuses = list(&request["status"]);
        if !statuses.iter().any(|status| *status == answer.status) {
            found.push(format!("status {}, recorded {statuses:?}", answer.status));
        }
        let right: Vec<&str> = match (request["endpoint_is_exact"] == true, &request["service"]) {
            (_, Value::Null) => Vec::new(),
            (true, _) => list(&request["endpoints_observed"])
                .iter()
                .map(text)
                .collect(),
            (false, service) => self.services[text(service)]
                .iter()
                .map(String::as_str)
                .collect(),
        };
        let served = answer.served.as_deref();
        if served.map_or(!right.is_empty(), |served| !right.contains(&served)) {
            found.push(format!("served by {served:?}, recorded {right:?}"));
        }
        let templates = list(&request["set_cookie_templates"]);
        if !templates
            .iter()
            .any(|template| self.fits(list(template), answer, request))
        {
            found.push(format!("{:?}, recorded {templates:?}", answer.set_cookie));
        }
        found
    }

    fn fits(&self, template: &[Value], answer: &Answer, request: &Value) -> bool {
        template.len() == answer.set_cookie.len()
            && template
                .iter()
                .zip(&answer.set_cookie)
                .all(|(template, cookie)| {
                    let template = now(text(template));
                    let Some((before, after)) = template.split_once("{chash-key}") else {
                        return template == *cookie;
                    };
                    cookie.starts_with(before)
                        && cookie.ends_with(after)
                        && self.names(cookie, answer, request)
                })
    }

    /// Whether the session of a new cookie goes where it was served.
    fn names(&self, cookie: &str, answer: &Answer, request: &Value) -> bool {
        let mut again = request.clone();
        again["cookie"] = json!(cookie.split(';').next());
        again["headers"] = json!([]);
        let again = self.request(&again);
        again.served == answer.served && again.set_cookie.is_empty()
    }
}

/// `{now+N}` in the format of Set-Cookie.
fn now(template: &str) -> String {
    let Some((before, rest)) = template.split_once("{now") else {
        return template.to_owned();
    };
    let (seconds, after) = rest.split_once('}').unwrap();
    let seconds: i64 = seconds.parse().unwrap_or(0);
    format!("{before}{}{after}", cookie_time(NOW as i64 + seconds))
}

fn set(edits: &[Edit], wanted: &str) -> Option<String> {
    edits.iter().find_map(|edit| match edit {
        Edit::Set(name, value) if name == wanted => {
            Some(String::from_utf8(value.to_vec()).unwrap())
        }
        _ => None,
    })
}

fn base64(text: String) -> String {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let byte = |group: &[u8]| {
        let bits = group
            .iter()
            .fold(0u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    String::from_utf8(bits.chunks(4).flat_map(byte).collect()).unwrap()
}

fn to_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let bits = bytes
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - bytes.len()));
        let digit = |at: usize| match at <= bytes.len() {
            true => DIGITS[(bits >> (18 - 6 * at) & 63) as usize],
            false => b'=',
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    text.as_bytes().chunks(3).flat_map(group).collect()
}

#[test]
fn e2e_sessions_go_and_cookies_come_as_recorded() {
    let mut tally = Tally::of("E2E_affinity");
    for scenario in list(&RECORDED["E2E_affinity"]) {
        let site = site(scenario);
        for (number, request) in list(&scenario["requests"]).iter().enumerate() {
            let answer = site.request(request);
            let name = format!("{} {}", text(&scenario["id"]), number + 1);
            tally.case(
                &name,
                site.differences(request, &answer),
                Vec::<String>::new(),
            );
        }
    }
    tally.finish(49);
}

#[test]
fn a6_cookies_are_set_where_recorded() {
    let mut tally = Tally::of("A6_should_set_cookie");
    for vector in list(&RECORDED["A6_should_set_cookie"]) {
        let path = text(&vector["location_path"]);
        let backend = json!({"service": {"name": "web", "port": {"number": 8080}}});
        let rule = |host: &str, path: &str| {
            let paths =
                [json!({"path": path, "pathType": "ImplementationSpecific", "backend": backend})];
            match host {
                "_" => json!({"http": {"paths": paths}}),
                host => json!({"host": host, "http": {"paths": paths}}),
            }
        };
        let ingress = |name: &str, annotations: Value, rules: Vec<Value>| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"name": name, "namespace": "default", "annotations": annotations},
                "spec": {"ingressClassName": "nginx", "rules": rules},
            })
        };
        let listed = vector["locations"].as_object().unwrap();
        let rules = listed.iter().flat_map(|(host, paths)| {
            list(paths)
                .iter()
                .map(|path| rule(host, text(path)))
                .collect::<Vec<_>>()
        });
        let annotations = json!({
            "nginx.ingress.kubernetes.io/affinity": "cookie",
            "nginx.ingress.kubernetes.io/use-regex": path.contains('(').to_string(),
        });
        let sticky = ingress("sticky", annotations, rules.collect());
        // The location itself, where the listed ones do not make it.
        let server = text(&vector["server_name"]);
        let host = if server.starts_with('~') {
            "a.wild.example.com"
        } else {
            server
        };
        let plain = ingress("plain", json!({}), vec![rule(host, path)]);
        let scenario = json!({
            "ingresses": [sticky, plain],
            "controller_config": {},
            "endpoints": {"default/web": ["10.0.0.1:8080"]},
        });
        let target = if path.contains('(') { "/app1/x" } else { path };
        let answer = site(&scenario).request(&json!({
            "method": "GET", "scheme": "http", "host": vector["request_host_header"],
            "target": target, "headers": [],
        }));
        let ours = !answer.set_cookie.is_empty();
        tally.case(text(&vector["desc"]), ours, vector["set_cookie"] == true);
    }
    tally.finish(11);
}
