//! The recorded answers to all other annotations, asked of a real Envoy behind
//! `limpet render envoy --close`: what limpet honours is to agree, and what it does not is closed.

use super::listeners::{Given, is_over_tls, merge};
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{Connection, Request, Response, bytes};
use limpet_tests::pod::{Echo, Manner, Pod, Script};
use limpet_tests::recordings::{self, list, text};
use limpet_tests::tls::{self, Greeting, Relay};
use limpet_tests::wait;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many requests of each family agree.
const AGREE: [(&str, usize); 12] = [
    ("access", 120),
    ("auth", 158),
    ("body", 52),
    ("cors", 83),
    ("errors", 50),
    ("headers", 60),
    ("limits", 38),
    ("mirror", 32),
    ("misc", 110),
    ("realip", 83),
    ("timeouts", 51),
    ("tls", 104),
];

/// What ingress-nginx answered whom a rule stopped.
const STOPPED: [u64; 7] = [400, 401, 403, 413, 421, 429, 503];

/// Between fields, where they are compared as one text.
const SEPARATOR: &str = "; ";

/// Fields of an answer that are the proxy's own, and those of the pods in this test.
const ANSWER_IS_FREE: [&str; 6] = [
    "connection",
    "content-length",
    "date",
    "server",
    "transfer-encoding",
    "x-pod",
];

/// Fields of a request that are the proxy's own; how long the body is, is compared by itself.
const REQUEST_IS_FREE: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "x-request-id",
];

#[test]
fn the_rest_is_answered_as_recorded_or_closed() {
    let families = AGREE.map(|(family, _)| recordings::read(&format!("rest/{family}.json")));
    let mut all: Vec<&Value> = families.iter().flat_map(list).collect();
    all.retain(|scenario| scenario["nginx_config_valid"] == true);
    let town = Town::start(&all);
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut opened = Vec::new();
    for (number, scenario) in all.iter().enumerate() {
        let count = counts
            .entry(scenario["family"].as_str().unwrap())
            .or_default();
        for (at, request) in list(&scenario["requests"]).iter().enumerate() {
            let case = format!("{} {at}", scenario["id"].as_str().unwrap());
            if let Some(reason) = not_asked(request) {
                *count.not_asked.entry(reason).or_default() += 1;
                continue;
            }
            let seen = town.ask(number, scenario, request);
            let expect = &request["expect"];
            let differences = seen.against(expect);
            let is_closed = town.closed.contains(&number) && seen.pods.is_empty();
            let was_stopped = list(&expect["upstream"]).is_empty()
                && STOPPED.iter().any(|status| expect["status"] == *status);
            if was_stopped && !seen.pods.is_empty() {
                opened.push(format!("{case}: {differences:?}"));
            }
            if differences.is_empty() {
                count.agree += 1;
            } else if is_closed {
                count.closed += 1;
            } else {
                count.differ.push(format!("{case}: {differences:?}"));
            }
        }
    }
    for (family, count) in &counts {
        println!("{family}: {count}");
    }
    assert!(
        opened.is_empty(),
        "a pod saw what was stopped:\n{}",
        opened.join("\n")
    );
    let agree = AGREE.map(|(family, _)| (family, counts[family].agree));
    assert_eq!(agree, AGREE);
}

/// Why a request is not asked here.
fn not_asked(request: &Value) -> Option<&'static str> {
    if request["expect"].is_null() || request["unstable"] == true {
        Some("no answer to compare with")
    } else {
        None
    }
}

/// What was counted in a family.
#[derive(Debug, Default)]
struct Count {
    agree: usize,
    /// Nothing reached a pod, as something of the scenario is closed.
    closed: usize,
    differ: Vec<String>,
    not_asked: BTreeMap<&'static str, usize>,
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (agree, closed, differ) = (self.agree, self.closed, self.differ.len());
        write!(f, "{agree} agree, {closed} closed, {differ} differ")?;
        write!(f, ", not asked: {:?}", self.not_asked)?;
        self.differ
            .iter()
            .try_for_each(|case| write!(f, "\n    {case}"))
    }
}

/// One Envoy, and a pod for each Service name.
struct Town {
    _envoy: RealEnvoy,
    pods: BTreeMap<String, Pod>,
    /// Every authorizer is this one.
    authorizer: Pod,
    listeners: BTreeMap<String, SocketAddr>,
    /// Who speaks TLS to them.
    relay: Relay,
    /// The scenarios in which something is closed.
    closed: BTreeSet<usize>,
}

impl Town {
    fn start(scenarios: &[&Value]) -> Self {
        let services = scenarios.iter().flat_map(|s| recordings::endpoints(s));
        let names: BTreeSet<String> = services.map(|(name, _)| name).collect();
        let pods: BTreeMap<String, Pod> =
            names.into_iter().map(|name| (name, Pod::start())).collect();
        let authorizer = Pod::start();
        let mut bootstrap = Value::Null;
        let mut closed = BTreeSet::new();
        for (number, scenario) in scenarios.iter().enumerate() {
            let given = Given::of(scenario).closed();
            closed.extend(given.is_closed.then_some(number));
            merge(&mut bootstrap, given.rendered(number, &pods, &authorizer));
        }
        let count = list(&bootstrap["static_resources"]["listeners"]).len();
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        let listeners = envoy.listeners(count);
        let numbered = scenarios.iter().enumerate();
        let greetings = numbered.flat_map(|(number, scenario)| {
            let requests = list(&scenario["requests"]).iter();
            requests.filter_map(move |request| greeting(number, scenario, request))
        });
        let relay = Relay::start(greetings.map(|(name, greeting)| Greeting {
            to: listeners[&name],
            ..greeting
        }));
        Self {
            _envoy: envoy,
            pods,
            authorizer,
            listeners,
            relay,
            closed,
        }
    }

    fn ask(&self, number: usize, scenario: &Value, request: &Value) -> Seen {
        let names: Vec<String> = recordings::endpoints(scenario).into_keys().collect();
        let shared = turns(&request["upstream"]);
        for name in &names {
            let own = &request["upstreams"][name];
            let upstream = if own.is_null() {
                &request["upstream"]
            } else {
                own
            };
            let turns = if own.is_null() {
                Arc::clone(&shared)
            } else {
                turns(upstream)
            };
            self.pods[name].behave(script(upstream, turns));
        }
        let before: Vec<u64> = names
            .iter()
            .map(|name| self.pods[name].requests())
            .collect();
        if request["auth"].is_object() {
            let turns = Arc::default();
            self.authorizer.behave(script(&request["auth"], turns));
        }
        let asked = self.authorizer.requests();
        let (answer, statuses) = self.burst(number, scenario, request);
        let seen = || -> u64 {
            let now = names.iter().map(|name| self.pods[name].requests());
            now.zip(&before).map(|(now, before)| now - before).sum()
        };
        // What mirrors get may come after the answer.
        if scenario["ingresses"].to_string().contains("mirror-target") {
            let most = most_of_pods(&request["expect"]);
            let _ = wait::for_some(SHORTLY, || (seen() >= most).then_some(()));
        }
        let total = seen();
        let asked = self.authorizer.requests() - asked;
        let mut pods = Vec::new();
        for (name, before) in names.into_iter().zip(before) {
            let pod = &self.pods[&name];
            let times = pod.requests() - before;
            if let Some(last) = pod.last().filter(|_| times > 0) {
                pods.push((name, times, last));
            }
        }
        let asked = (asked > 0).then(|| (asked, self.authorizer.last().unwrap()));
        Seen {
            answer,
            statuses,
            pods,
            total,
            asked,
        }
    }

    /// All requests of a burst: the first answer, and the status of each.
    fn burst(
        &self,
        number: usize,
        scenario: &Value,
        request: &Value,
    ) -> (std::io::Result<Response>, Vec<Option<u16>>) {
        let burst = &request["burst"];
        if burst.is_null() {
            return (self.send(number, scenario, request), Vec::new());
        }
        let all = usize::try_from(burst["n"].as_u64().unwrap()).unwrap();
        let at_once = usize::try_from(burst["parallel"].as_u64().unwrap()).unwrap();
        let left = Mutex::new(all);
        let answers = Mutex::new(Vec::new());
        let one = || {
            loop {
                match &mut *left.lock().unwrap() {
                    0 => return,
                    left => *left -= 1,
                }
                let answer = self.send(number, scenario, request);
                answers.lock().unwrap().push(answer);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(one);
            }
        });
        let mut answers = answers.into_inner().unwrap();
        let status = |answer: &std::io::Result<Response>| Some(answer.as_ref().ok()?.status);
        if at_once > 1 {
            answers.sort_by_key(|answer| status(answer).unwrap_or(u16::MAX));
        }
        let statuses = answers.iter().map(status).collect();
        (answers.swap_remove(0), statuses)
    }

    fn send(&self, number: usize, scenario: &Value, request: &Value) -> std::io::Result<Response> {
        let scheme = request["scheme"].as_str().unwrap();
        let (client, listener) = match greeting(number, scenario, request) {
            Some((name, greeting)) => {
                let to = self.listeners[&name];
                let place = self.relay.place(&Greeting { to, ..greeting });
                (place.ip(), place)
            }
            None => {
                let listener = self.listeners[&format!("{number}-{scheme}")];
                (client(request), listener)
            }
        };
        let mut connection = Connection::open_from(client, listener)?;
        if let Some(line) = text(&request["proxy_protocol"]) {
            connection.send_bytes(&bytes(&line))?;
        }
        // Whoever refuses a body does not read it.
        let sent = sent(request);
        drop(connection.send_bytes(&sent.write()));
        // Of an answer that breaks off its head is compared.
        let is_cut = request["expect"]["truncated"] == true;
        connection.read_response(is_cut || sent.method == b"HEAD")
    }
}

fn client(request: &Value) -> IpAddr {
    request["client"].as_str().unwrap().parse().unwrap()
}

/// How a request over TLS begins, and the listener that it is for, whose address is not known yet;
/// `None`: it is none.
fn greeting(number: usize, scenario: &Value, request: &Value) -> Option<(String, Greeting)> {
    if request["scheme"] != "https" || !is_over_tls(scenario) {
        return None;
    }
    let host = text(&request["host"]).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_owned();
    let shows = request["client_cert"].as_str().map(tls::of_client);
    let greeting = Greeting {
        to: SocketAddr::from(([0, 0, 0, 0], 0)),
        client: client(request),
        sni: text(&request["sni"]).unwrap_or(host),
        shows,
        resumes: false,
    };
    Some((format!("{number}-tls"), greeting))
}

/// How long what comes after an answer is waited for.
const SHORTLY: Duration = Duration::from_millis(500);

/// How many requests pods saw, at most.
fn most_of_pods(expect: &Value) -> u64 {
    let count = &expect["upstream_count"];
    let count = count.as_u64().or_else(|| count[1].as_u64());
    count.unwrap_or(list(&expect["upstream"]).len() as u64)
}

/// The statuses that pods give in turn.
fn turns(upstream: &Value) -> Arc<Mutex<VecDeque<u16>>> {
    let statuses = list(&upstream["status"]).iter();
    let statuses = statuses.map(|status| u16::try_from(status.as_u64().unwrap()).unwrap());
    Arc::new(Mutex::new(statuses.collect()))
}

fn script(upstream: &Value, turns: Arc<Mutex<VecDeque<u16>>>) -> Script {
    let headers = list(&upstream["headers"]).iter();
    let pair = |field: &Value| (text(&field[0]).unwrap(), text(&field[1]).unwrap());
    Script {
        status: u16::try_from(upstream["status"].as_u64().unwrap_or(200)).unwrap(),
        turns,
        headers: headers.map(pair).collect(),
        manner: if upstream["refuse"] == true {
            Manner::Reset
        } else if upstream["close_after_headers"] == true {
            Manner::BreakOff
        } else {
            match upstream["delay_ms"].as_u64() {
                None | Some(0) => Manner::Answer,
                Some(delay) => Manner::After(Duration::from_millis(delay)),
            }
        },
    }
}

fn sent(request: &Value) -> Request {
    let host = text(&request["host"]).map(|host| ("Host".to_owned(), host));
    let headers = list(&request["headers"]).iter();
    let headers = headers.map(|field| (text(&field[0]).unwrap(), text(&field[1]).unwrap()));
    let (framing, body) = body(&request["body"]);
    let fields = host.into_iter().chain(headers).chain(framing);
    Request {
        method: bytes(&text(&request["method"]).unwrap()),
        target: bytes(&text(&request["target"]).unwrap()),
        version: format!("HTTP/{}", request["http_version"].as_str().unwrap()).into_bytes(),
        headers: fields
            .map(|(name, value)| (bytes(&name), bytes(&value)))
            .collect(),
        body,
    }
}

/// The field that says how long a body is, and the body.
fn body(body: &Value) -> (Option<(String, String)>, Vec<u8>) {
    let whole = match (text(body), body["size"].as_u64()) {
        (Some(text), _) => bytes(&text),
        (None, Some(size)) => vec![b'b'; usize::try_from(size).unwrap()],
        (None, None) => return (None, Vec::new()),
    };
    if body["chunked"] != true {
        let length = ("Content-Length".to_owned(), whole.len().to_string());
        return (Some(length), whole);
    }
    let mut chunks = Vec::new();
    for piece in whole.chunks(8192) {
        chunks.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunks.extend_from_slice(piece);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let framing = ("Transfer-Encoding".to_owned(), "chunked".to_owned());
    (Some(framing), chunks)
}

/// What became of a request.
struct Seen {
    answer: std::io::Result<Response>,
    /// Of a burst, each.
    statuses: Vec<Option<u16>>,
    /// How many requests pods saw.
    total: u64,
    /// The Services whose pods saw it, how often, and how the last time.
    pods: Vec<(String, u64, Echo)>,
    /// The same of the authorizer.
    asked: Option<(u64, Echo)>,
}

impl Seen {
    /// How it differs from what was recorded.
    fn against(&self, expect: &Value) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, want: String, have: String| {
            if !fits(&want, &have) {
                let only = |one: &str, other: &str| {
                    let parts = one.split(SEPARATOR);
                    let parts = parts.filter(|part| !other.split(SEPARATOR).any(|o| o == *part));
                    parts.collect::<Vec<_>>().join(SEPARATOR)
                };
                let (recorded, is) = (only(&want, &have), only(&have, &want));
                out.push(format!("{what}: recorded {recorded:?}, is {is:?}"));
            }
        };
        let recorded = list(&expect["upstream"]);
        match &self.answer {
            Ok(answer) => {
                compare(
                    "status",
                    expect["status"].to_string(),
                    answer.status.to_string(),
                );
                let is_free = |name: &str| {
                    // An answer of nginx itself is a page of its own, and so is one of Envoy.
                    let is_page = name == "content-type"
                        && (recorded.is_empty() || answer.header("x-pod").is_none());
                    is_page || ANSWER_IS_FREE.contains(&name)
                };
                let have = answer.headers.iter();
                let have =
                    have.map(|(name, value)| (name.clone(), limpet_tests::http::latin1(value)));
                let (want, have) = (fields(&expect["headers"], is_free), grouped(have, is_free));
                compare("headers", want, have);
            }
            // nginx answered nothing either, or what is no HTTP.
            Err(_) if expect["status"].is_null() => {}
            Err(why) => compare("status", expect["status"].to_string(), why.to_string()),
        }
        let recorded_statuses = list(&expect["statuses"]).iter();
        let recorded_statuses = recorded_statuses.map(|status| status.as_u64());
        let have = self.statuses.iter().map(|status| status.map(u64::from));
        compare(
            "statuses",
            format!("{:?}", recorded_statuses.collect::<Vec<_>>()),
            format!("{:?}", have.collect::<Vec<_>>()),
        );
        let count = &expect["upstream_count"];
        let range = [&count[0], &count[1]].map(Value::as_u64);
        let fits = match (count.as_u64(), range) {
            (Some(count), _) => count == self.total,
            (None, [Some(least), Some(most)]) => (least..=most).contains(&self.total),
            _ => true,
        };
        if !fits {
            compare("requests", count.to_string(), self.total.to_string());
        }
        let is_counted = !count.is_null();
        let services = recorded
            .iter()
            .map(|one| one["service"].as_str().unwrap().to_owned());
        let have = self.pods.iter();
        let have = have.flat_map(|(name, times, _)| (0..*times).map(move |_| name.clone()));
        let sorted = |names: &mut dyn Iterator<Item = String>| {
            let mut names: Vec<String> = names.collect();
            names.sort();
            names.join(" ")
        };
        if !is_counted {
            compare(
                "pods",
                sorted(&mut services.into_iter()),
                sorted(&mut have.into_iter()),
            );
        }
        for one in recorded {
            let of_it = |(name, ..): &&(String, u64, Echo)| one["service"] == *name.as_str();
            let Some((_, _, echo)) = self.pods.iter().find(of_it) else {
                continue;
            };
            echoed("", one, echo, &mut compare);
        }
        let recorded = list(&expect["auth"]);
        let times = self.asked.as_ref().map_or(0, |(times, _)| *times);
        if expect["auth_count"].is_null() {
            compare("asked", recorded.len().to_string(), times.to_string());
        }
        if let (Some(one), Some((_, echo))) = (recorded.first(), &self.asked) {
            echoed("asked ", one, echo, &mut compare);
        }
        out
    }
}

/// How what a server saw differs from what was recorded.
fn echoed(by: &str, one: &Value, echo: &Echo, compare: &mut impl FnMut(&str, String, String)) {
    let mut compare = |what: &str, want, have| compare(&format!("{by}{what}"), want, have);
    let is_free = |name: &str| REQUEST_IS_FREE.contains(&name);
    compare("method", text(&one["method"]).unwrap(), echo.method.clone());
    compare("uri", text(&one["uri"]).unwrap(), echo.path.clone());
    compare(
        "body",
        one["body_size"].to_string(),
        echo.body_size.to_string(),
    );
    let have = grouped(echo.headers.iter().cloned(), is_free);
    compare("request", fields(&one["headers"], is_free), have);
}

fn fields(recorded: &Value, is_free: impl Fn(&str) -> bool) -> String {
    let fields = list(recorded).iter();
    let fields = fields.map(|field| (text(&field[0]).unwrap(), text(&field[1]).unwrap()));
    grouped(fields, is_free)
}

/// Fields by name, those of one name in order.
fn grouped(
    fields: impl Iterator<Item = (String, String)>,
    is_free: impl Fn(&str) -> bool,
) -> String {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        if !is_free(&name) {
            by_name.entry(name).or_default().push(value);
        }
    }
    let lines = by_name
        .into_iter()
        .map(|(name, values)| format!("{name}: {}", values.join(" | ")));
    lines.collect::<Vec<_>>().join(SEPARATOR)
}

/// `{varies}` in a recorded text stands for anything.
fn fits(want: &str, have: &str) -> bool {
    let mut rest = have;
    for (at, part) in want.split("{varies}").enumerate() {
        match rest.find(part) {
            Some(found) if at > 0 || found == 0 => rest = &rest[found + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || want.ends_with("{varies}")
}
