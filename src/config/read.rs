//! The reader of the plugin configuration: every key by hand, for messages that name the
//! place, the value and what happens now.

use super::secrets::{cookie_key, entries};
use super::services::service;
use super::{
    Config, ConfigError, CookieFormat, Discovery, Entries, HeaderNames, PathDecoding, Report,
    Secret, Service, StripHeader, Unmatched, is_of_header_name,
};
use crate::ingress::DEFAULT_PREFIX;
use crate::nearest::nearest;
use crate::protection::Protection;
use crate::remark::{Effect, Expected, Problem, Remark};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const KEYS: [&str; 29] = [
    "ingresses",
    "ingress_classes",
    "annotations_prefix",
    "config_map",
    "config_maps",
    "services",
    "clusters",
    "endpoints",
    "discovery",
    "headers",
    "unmatched",
    "strict",
    "path_decoding",
    "trust_forwarded_proto",
    "forwarded_host",
    "cookie_keys",
    "cookie_keys_only",
    "cookie_format",
    "authorizers",
    "error_pages",
    "client_certificates",
    "client_listeners",
    "default_backend",
    "policies",
    "secrets",
    "report",
    "close",
    "strip_headers",
    "protect",
];

/// Reads the plugin configuration. An unknown key or an unusable value is a remark.
///
/// # Errors
/// Only when `bytes` are not one JSON object of this shape.
pub fn read(bytes: &[u8]) -> Result<(Config, Vec<Remark>), ConfigError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| ConfigError(format!("the configuration is not JSON: {error}")))?;
    let Value::Object(object) = value else {
        return Err(ConfigError(format!(
            "the configuration is {}, expected one JSON object",
            kind(&value)
        )));
    };
    let mut reader = Reader {
        object: &object,
        path: "",
        remarks: Vec::new(),
    };
    reader.unknown(&KEYS);
    let config = reader.config()?;
    Ok((config, reader.remarks))
}

/// Reads the keys of one object; `path` is where it stands, with a dot at the end.
struct Reader<'a> {
    object: &'a Map<String, Value>,
    path: &'static str,
    remarks: Vec<Remark>,
}

impl<'a> Reader<'a> {
    fn config(&mut self) -> Result<Config, ConfigError> {
        let discovery = self.discovery()?;
        let headers = self.headers()?;
        let cookie_keys = self.cookie_keys();
        let prefix = self.text("annotations_prefix", DEFAULT_PREFIX);
        let cookie_format = self.choice(
            "cookie_format",
            &[("", None), ("key", Some(CookieFormat::Key))],
        );
        if cookie_keys.is_some() && cookie_format.is_some() {
            let by = "cookie_format: key".to_owned();
            self.remark("cookie_keys", None, Problem::Superseded { by });
        }
        Ok(Config {
            ingresses: self.ingresses()?,
            ingress_classes: self.ingress_classes(),
            annotations_prefix: prefix.trim_end_matches('/').to_owned(),
            default_backend: self.text("default_backend", ""),
            config_map: self.strings("config_map")?.unwrap_or_default(),
            config_maps: self.config_maps()?,
            services: self.services()?,
            clusters: self.strings("clusters")?.unwrap_or_default(),
            endpoints: self.endpoints()?,
            discovery,
            headers,
            unmatched: self.choice(
                "unmatched",
                &[
                    ("pass", Unmatched::Pass),
                    ("not_found", Unmatched::NotFound),
                ],
            ),
            strict: self.flag("strict"),
            path_decoding: self.choice(
                "path_decoding",
                &[("nginx", PathDecoding::Nginx), ("raw", PathDecoding::Raw)],
            ),
            trust_forwarded_proto: self.flag("trust_forwarded_proto"),
            forwarded_host: self.flag("forwarded_host"),
            close: self.names("close", "a list of \"namespace/ingress\", hosts, or \"*\"")?,
            strip_headers: self.strip_headers()?,
            protect: self.protect()?,
            cookie_keys,
            cookie_keys_only: self.flag("cookie_keys_only"),
            cookie_format,
            authorizers: self.strings("authorizers")?,
            error_pages: self.strings("error_pages")?.unwrap_or_default(),
            client_certificates: self.strings("client_certificates")?,
            client_listeners: self.strings("client_listeners")?,
            policies: self.strings("policies")?.unwrap_or_default(),
            secrets: self.secrets()?,
            report: self.choice(
                "report",
                &[
                    ("off", Report::Off),
                    ("summary", Report::Summary),
                    ("why", Report::Why),
                ],
            ),
        })
    }

    /// `ingresses`: a list of objects, or one `kind: List`, or one Ingress alone.
    fn ingresses(&mut self) -> Result<Vec<Value>, ConfigError> {
        match self.get("ingresses") {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items.iter().flat_map(unfold).cloned().collect()),
            Some(value @ Value::Object(_)) => Ok(unfold(value).cloned().collect()),
            Some(other) => Err(self.shape("ingresses", other, "a list of Ingress objects")),
        }
    }

    /// A list of names; only `nginx` where absent or unusable.
    fn ingress_classes(&mut self) -> Vec<String> {
        let only_nginx = || vec!["nginx".to_owned()];
        let Some(value) = self.get("ingress_classes") else {
            return only_nginx();
        };
        let names = value.as_array().and_then(|names| {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect()
        });
        names.unwrap_or_else(|| {
            self.replaced("ingress_classes", value, Expected::Names, "[\"nginx\"]");
            only_nginx()
        })
    }

    /// By name, each as [`Reader::strings`] reads it.
    fn config_maps(&mut self) -> Result<BTreeMap<String, BTreeMap<String, String>>, ConfigError> {
        let mut inner = self.inner("config_maps", "config_maps.")?;
        let mut maps = BTreeMap::new();
        for name in inner.object.keys() {
            maps.insert(name.clone(), inner.strings(name)?.unwrap_or_default());
        }
        let remarks = inner.remarks;
        self.remarks.extend(remarks);
        Ok(maps)
    }

    fn services(&mut self) -> Result<Option<Vec<Service>>, ConfigError> {
        let items = match self.get("services") {
            None => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.shape("services", other, "a list")),
        };
        let mut services = Vec::with_capacity(items.len());
        for item in items.iter().flat_map(unfold) {
            match service(item) {
                Some(service) => services.push(service),
                None => {
                    let problem = Problem::Not(Expected::Service);
                    self.remark("services", Some(item.to_string()), problem);
                }
            }
        }
        Ok(Some(services))
    }

    fn endpoints(&mut self) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
        let map = match self.get("endpoints") {
            None => return Ok(BTreeMap::new()),
            Some(Value::Object(map)) => map,
            Some(other) => {
                return Err(self.shape("endpoints", other, "an object of lists of \"ip:port\""));
            }
        };
        let mut endpoints = BTreeMap::new();
        for (service, list) in map {
            let addresses: Option<Vec<String>> = list.as_array().and_then(|list| {
                let addresses = list.iter().map(|one| one.as_str().map(str::to_owned));
                addresses.collect()
            });
            match addresses {
                Some(addresses) => {
                    endpoints.insert(service.clone(), addresses);
                }
                None => {
                    let problem = Problem::Not(Expected::Addresses);
                    self.remark("endpoints", Some(service.clone()), problem);
                }
            }
        }
        Ok(endpoints)
    }

    fn discovery(&mut self) -> Result<Discovery, ConfigError> {
        let mut inner = self.inner("discovery", "discovery.")?;
        inner.unknown(&["cluster", "interval_ms", "hold_ms"]);
        let discovery = Discovery {
            cluster: inner.text("cluster", "prometheus_stats"),
            interval_ms: inner.number("interval_ms", 1000),
            hold_ms: inner.number("hold_ms", 1000),
        };
        let remarks = inner.remarks;
        self.remarks.extend(remarks);
        Ok(discovery)
    }

    fn headers(&mut self) -> Result<HeaderNames, ConfigError> {
        let mut inner = self.inner("headers", "headers.")?;
        inner.unknown(&["cluster", "endpoint", "policy", "host", "peer", "proxied"]);
        let optional = |inner: &mut Self, key: &str, default: &str| {
            let is_given = inner.get(key).is_some();
            is_given.then(|| inner.header_name(key, default))
        };
        let headers = HeaderNames {
            cluster: inner.header_name("cluster", "x-limpet-cluster"),
            endpoint: inner.header_name("endpoint", "x-limpet-endpoint"),
            policy: inner.header_name("policy", "x-limpet-policy"),
            host: optional(&mut inner, "host", "x-limpet-host"),
            peer: optional(&mut inner, "peer", "x-limpet-peer"),
            proxied: optional(&mut inner, "proxied", "x-limpet-proxied"),
        };
        let remarks = inner.remarks;
        self.remarks.extend(remarks);
        Ok(headers)
    }

    /// A list of names. What protects is not passed over where it cannot be read: an error.
    fn names(&mut self, key: &str, expected: &str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let names = value.as_array().and_then(|names| {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect()
        });
        names.ok_or_else(|| self.shape(key, value, expected))
    }

    fn strip_headers(&mut self) -> Result<Vec<StripHeader>, ConfigError> {
        const EXPECTED: &str = "a list of names of headers, the last letter of each may be a *, \
                                in front of each may be \"namespace/ingress/\"";
        let names = self.names("strip_headers", EXPECTED)?;
        let (count, most) = (names.len(), StripHeader::MOST);
        if count > most {
            let text = format!("strip_headers has {count} names, expected {most} at most");
            return Err(ConfigError(text));
        }
        let read = names.iter().map(|written| {
            let wrong = || format!("strip_headers has {written:?}, expected {EXPECTED}");
            StripHeader::of(written).ok_or_else(|| ConfigError(wrong()))
        });
        read.collect()
    }

    fn protect(&mut self) -> Result<Protection, ConfigError> {
        let prefixes = self.names("protect", "a list of path prefixes")?;
        Protection::read(&prefixes).map_err(|why| ConfigError(format!("protect {why}")))
    }

    /// One key, or a list of them. Values are never quoted in a message.
    fn cookie_keys(&mut self) -> Option<Vec<Secret>> {
        let value = self.get("cookie_keys")?;
        let given = match value {
            Value::Array(list) if list.is_empty() => return None,
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let keys: Vec<Secret> = given.iter().filter_map(cookie_key).collect();
        let unusable = given.len().saturating_sub(keys.len());
        if unusable > 0 {
            let given = given.len();
            self.remark("cookie_keys", None, Problem::NoKeys { unusable, given });
        }
        Some(keys)
    }

    /// Secrets by name. Values are never quoted in a message. One that cannot be read is none: what
    /// it was for is closed.
    fn secrets(&mut self) -> Result<Vec<Entries>, ConfigError> {
        let map = match self.get("secrets") {
            None => return Ok(Vec::new()),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.shape("secrets", other, "an object of objects")),
        };
        let mut secrets = Vec::with_capacity(map.len());
        for (name, value) in map {
            match entries(name, value) {
                Some(secret) => secrets.push(secret),
                None => {
                    let problem = Problem::Not(Expected::Secret);
                    self.remark("secrets", Some(name.clone()), problem);
                }
            }
        }
        Ok(secrets)
    }

    fn inner(&self, key: &str, path: &'static str) -> Result<Reader<'a>, ConfigError> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let object = match self.get(key) {
            None => &*EMPTY,
            Some(Value::Object(object)) => object,
            Some(other) => return Err(self.shape(key, other, "an object")),
        };
        Ok(Reader {
            object,
            path,
            remarks: Vec::new(),
        })
    }

    fn strings(&mut self, key: &str) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
        let map = match self.get(key) {
            None => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.shape(key, other, "an object of strings")),
        };
        let mut strings = BTreeMap::new();
        for (name, value) in map {
            let text = match value {
                Value::String(text) => text.clone(),
                // A ConfigMap holds strings; YAML's true and 80 are what people mean.
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                other => {
                    let place = format!("{key}.{name}");
                    self.remark(&place, Some(other.to_string()), Problem::NotAString);
                    // What is no list of addresses closes what a list protected.
                    let is_list = name == "block-cidrs" || name.ends_with("-source-range");
                    if key != "config_map" || !is_list {
                        continue;
                    }
                    other.to_string()
                }
            };
            strings.insert(name.clone(), text);
        }
        Ok(Some(strings))
    }

    /// One of a few words; the first of `words` is the default.
    fn choice<T: Copy + Default>(&mut self, key: &str, words: &[(&'static str, T)]) -> T {
        let Some(value) = self.get(key) else {
            return T::default();
        };
        let text = value.as_str();
        let known = text.and_then(|text| words.iter().find(|(word, _)| *word == text));
        if let Some((_, choice)) = known {
            return *choice;
        }
        let words = words.iter().map(|(word, _)| *word);
        let words = words.filter(|word| !word.is_empty()).collect();
        let shown = text.map_or_else(|| value.to_string(), str::to_owned);
        self.remark(key, Some(shown), Problem::UnknownWord { words });
        T::default()
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.replaced(key, other, Expected::Flag, "false");
                false
            }
        }
    }

    fn number(&mut self, key: &str, default: u64) -> u64 {
        let Some(value) = self.get(key) else {
            return default;
        };
        match value.as_u64() {
            Some(number) if number > 0 => number,
            _ => {
                self.replaced(key, value, Expected::Positive, &default.to_string());
                default
            }
        }
    }

    fn text(&mut self, key: &str, default: &str) -> String {
        match self.get(key) {
            None => default.to_owned(),
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(other) => {
                self.replaced(key, other, Expected::Text, &format!("{default:?}"));
                default.to_owned()
            }
        }
    }

    /// A header's name, in lower case as the host hands headers out.
    fn header_name(&mut self, key: &str, default: &str) -> String {
        let name = self.text(key, default).to_ascii_lowercase();
        if name.bytes().all(is_of_header_name) {
            return name;
        }
        let by = format!("{default:?}");
        let expected = Expected::HeaderName;
        self.remark(key, Some(name), Problem::Replaced { expected, by });
        default.to_owned()
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn unknown(&mut self, known: &[&'static str]) {
        for key in self.object.keys() {
            if !known.contains(&key.as_str()) {
                let meant = nearest(key, known.iter().copied());
                self.remark(key, None, Problem::UnknownKey { meant });
            }
        }
    }

    fn replaced(&mut self, key: &str, value: &Value, expected: Expected, by: &str) {
        let by = by.to_owned();
        let problem = Problem::Replaced { expected, by };
        self.remark(key, Some(value.to_string()), problem);
    }

    fn remark(&mut self, key: &str, value: Option<String>, problem: Problem) {
        let key = format!("{}{key}", self.path);
        let remark = Remark::key(&key, value, problem, Effect::Setting);
        self.remarks.push(remark);
    }

    fn shape(&self, key: &str, value: &Value, expected: &str) -> ConfigError {
        ConfigError(format!(
            "{}{key} is {}, expected {expected}",
            self.path,
            kind(value)
        ))
    }
}

/// The items of a Kubernetes `List`, or the object itself.
fn unfold(value: &Value) -> impl Iterator<Item = &Value> {
    let items = value.get("items").and_then(Value::as_array);
    let single = if items.is_some() { None } else { Some(value) };
    items.into_iter().flatten().chain(single)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
