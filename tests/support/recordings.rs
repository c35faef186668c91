//! The recorded answers of a real ingress-nginx, and whether an answer of limpet's agrees.
//!
//! The comparison is the same for every target. What the files contain is told in
//! `recordings/README.md`.

mod replay;
pub mod rest;
mod tally;

pub use replay::{path_case, paths, sessions, start};
pub use tally::Tally;

use crate::target::{Asked, NOW, Observed, Script};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One of the files in `recordings/`.
///
/// # Panics
/// There is no such file.
#[must_use]
pub fn read(file: &str) -> Value {
    let path = format!("{}/recordings/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    serde_json::from_str(&text).unwrap()
}

/// The objects of a scenario as one Kubernetes `List`: its Ingresses and what else it gives,
/// ingress-nginx's own ConfigMap, and, where a Service is missing, those that are not.
#[must_use]
pub fn manifests(scenario: &Value) -> String {
    let given = ["ingresses", "services", "secrets", "config_maps"];
    let given = given.iter().flat_map(|kind| list(&scenario[kind]));
    let mut items: Vec<Value> = given.cloned().collect();
    if scenario["controller_config"]
        .as_object()
        .is_some_and(|c| !c.is_empty())
    {
        items.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx"},
            "data": scenario["controller_config"],
        }));
    }
    let missing = strings(&scenario["no_service"]);
    if !missing.is_empty() {
        items.extend(services(scenario).filter(|s| !missing.contains(s)).map(|service| {
            let (namespace, name) = service.split_once('/').unwrap();
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name}})
        }));
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Whether annotations were validated.
#[must_use]
pub fn is_strict(scenario: &Value) -> bool {
    let flags = strings(&scenario["controller_args"]);
    let is_off = |flag: &String| flag == "--enable-annotation-validation=false";
    scenario["annotation_validation"] != false && !flags.iter().any(is_off)
}

/// Service to endpoints: as the scenario says, else the n-th Service by name has
/// `127.1.0.n:8080`.
#[must_use]
pub fn endpoints(scenario: &Value) -> BTreeMap<String, Vec<String>> {
    let given = |key: &str| scenario[key].as_object().cloned().unwrap_or_default();
    let mut all: BTreeMap<_, _> = services(scenario)
        .enumerate()
        .map(|(n, service)| (service, vec![format!("127.1.0.{}:8080", n + 1)]))
        .collect();
    let said = given("endpoints")
        .into_iter()
        .chain(given("endpoints_override"));
    all.extend(said.map(|(service, endpoints)| (service, strings(&endpoints))));
    let listed = list(&scenario["services"]);
    let with_pods = |name: &str| {
        listed.iter().any(|service| {
            let metadata = &service["metadata"];
            let namespace = metadata["namespace"].as_str().unwrap_or("default");
            let is_it = Some(name)
                == metadata["name"]
                    .as_str()
                    .map(|n| format!("{namespace}/{n}"))
                    .as_deref();
            is_it && service["spec"]["type"] != "ExternalName"
        })
    };
    all.retain(|name, _| listed.is_empty() || with_pods(name));
    all
}

const DEFAULT_BACKEND: &str = "nginx.ingress.kubernetes.io/default-backend";

/// The controller's `--default-backend-service`.
#[must_use]
pub fn default_backend(scenario: &Value) -> Option<String> {
    let flags = strings(&scenario["controller_args"]);
    let mut named = flags.iter();
    named.find_map(|flag| Some(flag.strip_prefix("--default-backend-service=")?.to_owned()))
}

/// Every Service that an Ingress or the controller names, `namespace/name`, by name.
fn services(scenario: &Value) -> impl Iterator<Item = String> {
    let mut names: std::collections::BTreeSet<_> = default_backend(scenario).into_iter().collect();
    for ingress in list(&scenario["ingresses"]) {
        let namespace = ingress["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        let spec = &ingress["spec"];
        let rules = list(&spec["rules"]).iter();
        let backends = rules
            .flat_map(|rule| list(&rule["http"]["paths"]))
            .map(|path| &path["backend"])
            .chain([&spec["defaultBackend"]]);
        let services = backends.filter_map(|backend| backend["service"]["name"].as_str());
        let spare = ingress["metadata"]["annotations"][DEFAULT_BACKEND].as_str();
        let services = services.chain(spare);
        names.extend(services.map(|service| format!("{namespace}/{service}")));
    }
    names.into_iter()
}

/// A recorded request, and what the echo server of the recording was told to answer.
///
/// # Panics
/// It has no target.
#[must_use]
pub fn asked(request: &Value) -> Asked {
    let or = |key: &str, default: &str| text(&request[key]).unwrap_or_else(|| default.to_owned());
    let mut asked = Asked {
        host: text(&request["host"]),
        method: or("method", "GET"),
        version: or("http_version", "HTTP/1.1"),
        ..Asked::get(
            &or("scheme", "http"),
            "",
            &text(&request["target"]).unwrap(),
        )
    };
    for field in list(&request["headers"]) {
        let (name, value) = (text(&field[0]).unwrap(), text(&field[1]).unwrap());
        let Script {
            status, headers, ..
        } = &mut asked.endpoints;
        match name.to_ascii_lowercase().as_str() {
            "x-echo-status" => *status = value[..3].parse().unwrap(),
            "x-echo-location" => *headers = vec![("location".to_owned(), value.clone())],
            "x-echo-set-cookie" => *headers = vec![("set-cookie".to_owned(), value.clone())],
            _ => {}
        }
        asked.headers.push((name, value));
    }
    let cookie = text(&request["cookie"]);
    asked
        .headers
        .extend(cookie.map(|cookie| ("Cookie".to_owned(), cookie)));
    asked
}

impl Observed {
    /// How it differs from what `paths.json` recorded. `services`: see [`endpoints`];
    /// `compared`: which header fields are, by their names in lower case.
    #[must_use]
    pub fn against_path(
        &self,
        expect: &Value,
        services: &BTreeMap<String, Vec<String>>,
        compared: fn(&str) -> bool,
    ) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, want: Option<String>, have: Option<String>| {
            if want != have {
                out.push(format!("{what}: recorded {want:?}, is {have:?}"));
            }
        };
        let service = self.endpoint.as_ref().and_then(|e| service_of(e, services));
        compare(
            "status",
            Some(expect["status"].to_string()),
            Some(self.status.to_string()),
        );
        compare("service", text(&expect["service"]), service);
        compare(
            "upstream_uri",
            text(&expect["upstream_uri"]),
            self.target.clone(),
        );
        compare("location", text(&expect["location"]), self.location.clone());
        if let Some(headers) = expect["upstream_headers"].as_object() {
            compare(
                "upstream_method",
                text(&expect["upstream_method"]),
                self.method.clone(),
            );
            for (name, want) in headers {
                let lower = name.to_ascii_lowercase();
                if compared(&lower) {
                    compare(name, text(want), self.header(&lower));
                }
            }
            let known: Vec<_> = headers
                .keys()
                .map(|name| name.to_ascii_lowercase())
                .collect();
            let free = ["x-request-id", "connection"];
            for (name, value) in &self.headers {
                let is_free = free.contains(&name.as_str()) || !compared(name);
                if !known.contains(name) && !is_free {
                    compare(name, None, Some(value.clone()));
                }
            }
        }
        out
    }

    /// How it differs from what the part `E2E_affinity` recorded.
    #[must_use]
    pub fn against_affinity(
        &self,
        recorded: &Value,
        services: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let mut out = Vec::new();
        let statuses = &recorded["status"];
        if !list(statuses).contains(&json!(self.status)) {
            out.push(format!("status: recorded {statuses}, is {}", self.status));
        }
        let observed = strings(&recorded["endpoints_observed"]);
        let have = self.endpoint.clone().unwrap_or_else(|| "None".into());
        let service = self.endpoint.as_ref().and_then(|e| service_of(e, services));
        if recorded["endpoint_is_exact"] == true {
            if !observed.contains(&have) {
                out.push(format!("endpoint: recorded {observed:?}, is {have}"));
            }
        } else if service != text(&recorded["service"]) {
            out.push(format!(
                "service: recorded {}, is {service:?}",
                recorded["service"]
            ));
        }
        let templates = list(&recorded["set_cookie_templates"]);
        let fits = |template: &Value| {
            let template = strings(template);
            let mut pairs = template.iter().zip(&self.set_cookie);
            template.len() == self.set_cookie.len() && pairs.all(|(t, c)| fits_template(t, c, NOW))
        };
        if !templates.iter().any(fits) {
            let want = &recorded["set_cookie_templates"];
            out.push(format!(
                "set_cookie: recorded {want}, is {:?}",
                self.set_cookie
            ));
        }
        out
    }
}

/// The Service that an endpoint belongs to.
#[must_use]
pub fn service_of(endpoint: &str, services: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let mut all = services.iter();
    let found = all.find(|(_, endpoints)| endpoints.iter().any(|e| e == endpoint));
    found.map(|(service, _)| service.clone())
}

/// Whether a cookie is what a template says: `{chash-key}` is any key without `|` and `;`,
/// `{now+N}` the clock's time N seconds later, as ingress-nginx prints it.
#[must_use]
pub fn fits_template(template: &str, cookie: &str, now: u64) -> bool {
    let Some((before, rest)) = template.split_once('{') else {
        return template == cookie;
    };
    let (name, after) = rest.split_once('}').unwrap();
    let Some(tail) = cookie.strip_prefix(before) else {
        return false;
    };
    if name == "chash-key" {
        let end = tail.find(['|', ';']).unwrap_or(tail.len());
        return end > 0 && fits_template(after, &tail[end..], now);
    }
    let seconds: i64 = name.strip_prefix("now").unwrap().parse().unwrap();
    let time = cookie_time(now.checked_add_signed(seconds).unwrap());
    tail.strip_prefix(&time)
        .is_some_and(|tail| fits_template(after, tail, now))
}

/// `Sat, 23-Nov-24 07:07:58 GMT`, as `ngx.cookie_time` prints it.
#[must_use]
pub fn cookie_time(seconds: u64) -> String {
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let (year, month, day) = civil(days);
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let (month, year) = (names[month], year % 100);
    format!("{weekday}, {day:02}-{month}-{year:02} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month from 0 and day of a day since 1970.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month, days + 1)
}

/// A string of the recording, one code point per byte: as it is, or `{"hex": ...}`.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    if let Some(hex) = value["hex"].as_str() {
        let digits = hex
            .as_bytes()
            .chunks(2)
            .map(|d| std::str::from_utf8(d).unwrap());
        return Some(
            digits
                .map(|d| char::from(u8::from_str_radix(d, 16).unwrap()))
                .collect(),
        );
    }
    value.as_str().map(str::to_owned)
}

/// The elements of an array; none of anything else.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The strings of an array.
#[must_use]
pub fn strings(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_what_it_says() {
        let key = "INGRESSCOOKIE={chash-key}|abc; Path=/";
        assert!(fits_template(key, "INGRESSCOOKIE=1.2.3|abc; Path=/", 0));
        assert!(!fits_template(key, "INGRESSCOOKIE=|abc; Path=/", 0));
        assert!(!fits_template(key, "INGRESSCOOKIE=1.2.3|abd; Path=/", 0));
        let time = "a=b; Expires={now+1}; Path=/";
        assert!(fits_template(
            time,
            "a=b; Expires=Sat, 23-Nov-24 07:07:58 GMT; Path=/",
            1_732_345_677
        ));
    }
}
