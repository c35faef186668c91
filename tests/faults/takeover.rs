//! What taking over a table of 5,000 endpoints does to the requests meanwhile, beside an Envoy
//! without the module: `cargo xtask soak --take-over`.

use super::{BALANCED, CLUSTER, HOST, PERSISTENT, Shop};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_tests::eds::Lb;
use limpet_tests::envoy::cpu_time;
use limpet_tests::http::{Connection, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::ring::Ring;
use limpet_tests::wait;
use md5::{Digest, Md5};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ENDPOINTS: usize = 5_000;
/// So many leave and come back, in turn.
const LEAVING: usize = 25;
const ROUNDS: usize = 3;
const CHANGES: usize = 4;
/// From one change to the next at least: Envoy has read its file by then.
const CYCLE: Duration = Duration::from_secs(3);
/// Once a VM has the new listing, all have their tables that much later.
const BUILT: Duration = Duration::from_secs(1);
/// What a take-over may add to what a request waits for: its worker's CPU time, which is no longer
/// on a machine that has other things to do.
const STALL: Duration = Duration::from_millis(5);

/// What a process may take of a core when nothing happens, in percent, and how long it is watched:
/// longer than the module goes without reading all endpoints.
const IDLE: f64 = 5.0;
const IDLE_FOR: Duration = Duration::from_secs(15);

/// An Envoy of one kind, and a request that goes to `home` whatever else changes.
struct Subject {
    name: &'static str,
    envoy: Rendered,
    connection: Connection,
    request: Request,
    home: String,
    has_module: bool,
    /// Its worker's thread.
    worker: PathBuf,
    samples: Vec<Sample>,
    /// The most that a request of each change took.
    worst: Vec<Sample>,
}

/// One of the things that a sample tells.
type Measure = fn(&Sample) -> Duration;

/// What one request took.
#[derive(Clone, Copy)]
struct Sample {
    latency: Duration,
    /// The worker's CPU time meanwhile.
    cpu: Duration,
}

/// The pods, and endpoints that nobody is sent to.
fn endpoints(shop: &Shop) -> Vec<Lb> {
    let pods = shop.pods.iter().map(Pod::endpoint);
    let others = (0..ENDPOINTS - shop.pods.len())
        .map(|n| format!("127.66.{}.{}:8080", n / 250, n % 250 + 1));
    let healthy = |address| Lb {
        address,
        health: "HEALTHY",
    };
    pods.chain(others).map(healthy).collect()
}

/// Takes limpet out of a configuration, and with it what keeps clients from naming clusters.
pub(super) fn without_module(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("early_header_mutation_extensions");
            fields.values_mut().for_each(without_module);
        }
        Value::Array(elements) => {
            elements.retain(|element| element["typed_config"]["config"]["vm_config"].is_null());
            elements.iter_mut().for_each(without_module);
        }
        _ => {}
    }
}

impl Subject {
    fn start(name: &'static str, annotations: &[(&str, &str)], has_module: bool) -> (Self, Shop) {
        let shop = Shop::new(1, annotations);
        let edit = if has_module {
            |_: &mut Value| {}
        } else {
            without_module
        };
        let setup = Setup {
            interval_ms: 1_000,
            edit,
            ..Setup::default()
        };
        let all = endpoints(&shop).into_iter().map(|e| e.address);
        let flag = format!("default/web:80={}", all.collect::<Vec<_>>().join(","));
        let envoy = Rendered::start(&shop.manifests, &[flag.parse().unwrap()], &setup);
        let home = shop.pods[0].endpoint();
        let request = Request::get(HOST, "/");
        let request = if has_module {
            request.header("Cookie", format!("INGRESSCOOKIE={}", key(name, &shop)))
        } else {
            request
                .header("x-limpet-cluster", CLUSTER)
                .header("x-limpet-endpoint", STANDARD.encode(&home))
        };
        let subject = Self {
            name,
            worker: envoy.envoy.worker_thread(),
            connection: Connection::open(envoy.http()).unwrap(),
            envoy,
            request,
            home,
            has_module,
            samples: Vec::new(),
            worst: Vec::new(),
        };
        (subject, shop)
    }

    /// Changes the endpoints, and sends requests until all have long taken it over.
    fn change(&mut self, endpoints: &[Lb]) {
        let start = Instant::now();
        let over = std::sync::OnceLock::new();
        let (envoy, has_module) = (&self.envoy, self.has_module);
        let mut samples = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                envoy.set_endpoints(CLUSTER, endpoints);
                let known = || envoy.envoy.stat("wasmcustom.limpet_endpoints");
                wait::until("the change is noticed", || {
                    !has_module || known() == endpoints.len() as u64
                });
                over.set((start + CYCLE).max(Instant::now() + BUILT))
            });
            while over.get().is_none_or(|over| Instant::now() < *over) {
                let (sent, used) = (Instant::now(), cpu_time(&self.worker));
                let answer = self.connection.send(&self.request).unwrap();
                samples.push(Sample {
                    latency: sent.elapsed(),
                    cpu: cpu_time(&self.worker) - used,
                });
                let served = answer.endpoint();
                assert_eq!(served.as_ref(), Some(&self.home), "moved: {answer:?}");
            }
        });
        let most = |of: Measure| samples.iter().map(of).max();
        self.worst.push(Sample {
            latency: most(|sample| sample.latency).unwrap(),
            cpu: most(|sample| sample.cpu).unwrap(),
        });
        self.samples.extend(samples);
    }

    /// In ms: the median and the 99.9th of a hundred; of the most of each change the median and
    /// the most.
    fn figures(&self, of: Measure) -> [f64; 4] {
        let at = |samples: &[Sample], share: f64| {
            let mut all: Vec<_> = samples.iter().map(of).collect();
            all.sort();
            let last = (all.len() - 1) as f64;
            all[(last * share) as usize].as_secs_f64() * 1e3
        };
        [
            at(&self.samples, 0.5),
            at(&self.samples, 0.999),
            at(&self.worst, 0.5),
            at(&self.worst, 1.0),
        ]
    }
}

impl Subject {
    /// The part of a core that the process takes when nothing happens.
    fn idle_share(&self) -> f64 {
        let (start, used) = (Instant::now(), self.envoy.envoy.cpu_time());
        wait::until("some time has passed", || start.elapsed() > IDLE_FOR);
        let used = self.envoy.envoy.cpu_time() - used;
        used.as_secs_f64() / start.elapsed().as_secs_f64()
    }
}

/// A cookie that leads to the one pod, whoever else leaves.
fn key(kind: &str, shop: &Shop) -> String {
    let home = shop.pods[0].endpoint();
    if kind == "persistent" {
        let digest = Md5::digest(format!("default-web-80{home}"));
        return digest.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    let addresses = endpoints(shop).into_iter().map(|e| e.address);
    let ring = Ring::new(&addresses.collect::<Vec<_>>());
    let mut keys = (0..).map(|n| format!("key-{n}"));
    let leads_home = |key: &String| ring.endpoint(key) == Some(&home);
    keys.find(leads_home).unwrap()
}

#[test]
#[ignore = "measures: cargo xtask soak --take-over"]
fn taking_over_5000_endpoints_stalls_no_request() {
    let kinds = [
        ("plain Envoy", PERSISTENT, false),
        ("persistent", PERSISTENT, true),
        ("balanced", BALANCED, true),
    ];
    let mut subjects = kinds.map(|(name, kind, has_module)| Subject::start(name, kind, has_module));
    for _ in 0..ROUNDS {
        for (subject, shop) in &mut subjects {
            let all = endpoints(shop);
            for change in 1..=CHANGES {
                let leaving = if change % 2 == 1 { LEAVING } else { 0 };
                subject.change(&all[..all.len() - leaving]);
            }
        }
    }
    println!(
        "{} changes of {LEAVING} of {ENDPOINTS} endpoints each, one worker; ms (times plain Envoy)",
        ROUNDS * CHANGES
    );
    let measures: [(&str, Measure); 2] = [
        ("latency", |sample| sample.latency),
        ("worker CPU", |sample| sample.cpu),
    ];
    let subjects = subjects.each_ref().map(|(subject, _)| subject);
    for (measure, of) in measures {
        println!(
            "{measure:10}     requests       median        p99.9   most of a change: median, most"
        );
        let plain = subjects[0].figures(of);
        for subject in subjects {
            let figures = subject.figures(of).into_iter().zip(plain);
            let shown: Vec<_> = figures
                .map(|(figure, plain)| format!("{figure:6.2} ({:4.2})", figure / plain))
                .collect();
            let (name, requests) = (subject.name, subject.samples.len());
            println!("{name:14} {requests:8} {}", shown.join(" "));
        }
    }
    println!("lost 0, moved 0");
    for subject in subjects {
        let share = subject.idle_share() * 100.0;
        println!(
            "{:14} without requests and changes: {share:.2} % of a core",
            subject.name
        );
        assert!(share < IDLE, "{}: {share:.2} % of a core", subject.name);
    }
    let [.., plain] = subjects[0].figures(|sample| sample.cpu);
    for subject in &subjects[1..] {
        let [.., most] = subject.figures(|sample| sample.cpu);
        let stall = Duration::from_secs_f64((most - plain).max(0.0) / 1e3);
        let name = subject.name;
        assert!(stall < STALL, "{name}: {stall:?} more than plain Envoy");
    }
}
