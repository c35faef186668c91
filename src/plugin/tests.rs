//! A process of several VMs in virtual time.

use super::*;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// The host of all VMs.
struct Process {
    /// ns since 1970.
    now: Cell<u64>,
    /// What a look at the clock takes.
    look: Cell<u64>,
    store: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    cas: Cell<u32>,
    /// What was asked of the admin; the place is the token.
    asked: RefCell<Vec<String>>,
    properties: BTreeMap<&'static str, Vec<u8>>,
}

impl Process {
    fn new() -> Self {
        Self {
            now: Cell::new(1_000_000 * SECOND),
            look: Cell::new(0),
            store: RefCell::default(),
            cas: Cell::new(0),
            asked: RefCell::default(),
            properties: BTreeMap::new(),
        }
    }

    fn pass(&self, time: u64) {
        self.now.set(self.now.get() + time);
    }

    fn asked(&self) -> usize {
        self.asked.borrow().len()
    }
}

impl Host for Process {
    fn now_ns(&self) -> u64 {
        self.pass(self.look.get());
        self.now.get()
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.properties.get(path.join(".").as_str()).cloned()
    }

    fn environment(&self) -> Vec<u8> {
        Vec::new()
    }

    fn shared_data(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.store.borrow().get(key).cloned()
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> bool {
        let mut store = self.store.borrow_mut();
        let there = store.get(key).map_or(0, |(_, cas)| *cas);
        if cas != 0 && cas != there {
            return false;
        }
        self.cas.set(self.cas.get() + 1);
        store.insert(key.to_owned(), (value.to_vec(), self.cas.get()));
        true
    }

    fn http_call(&self, cluster: &str, path: &str, _: u64) -> Result<u32, String> {
        let mut asked = self.asked.borrow_mut();
        asked.push(format!("{cluster} {path}"));
        Ok(u32::try_from(asked.len() - 1).unwrap())
    }
}

/// One VM, and what it has done.
#[derive(Default)]
struct Vm {
    plugin: Plugin<&'static str>,
    lines: Vec<String>,
    counts: Vec<Metric>,
    /// ms.
    tick_period: u32,
    resumed: Vec<&'static str>,
}

impl Vm {
    fn start(process: &Process, configuration: &Value) -> Self {
        let mut vm = Self::default();
        let effects = vm
            .plugin
            .configure(configuration.to_string().as_bytes(), process);
        vm.carry_out(effects.unwrap());
        vm
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Log(_, line) => self.lines.push(line),
                Effect::Count(metric) => self.counts.push(metric),
                Effect::Set(..) => {}
                Effect::Tick(period) => self.tick_period = period,
            }
        }
    }

    fn finish(&mut self, turn: Turn<&'static str>) {
        self.carry_out(turn.effects);
        self.resumed.extend(turn.resumed);
    }

    /// The next tick, when it is due.
    fn tick(&mut self, process: &Process) {
        assert_ne!(self.tick_period, 0, "it never ticks");
        process.pass(u64::from(self.tick_period) * MS);
        let turn = self.plugin.tick(process);
        self.finish(turn);
    }

    /// The admin's answer to the latest question: so many endpoints of the first cluster.
    fn answer(&mut self, process: &Process, endpoints: usize) {
        let token = u32::try_from(process.asked() - 1).unwrap();
        let cluster = self.plugin.serve().unwrap().clusters[0].envoy_name.clone();
        let lines = (0..endpoints).map(|number| {
            let address = format!("10.0.{}.{}:80", number / 250, number % 250);
            format!("{cluster}::{address}::health_flags::healthy\n")
        });
        let body = format!(
            "{cluster}::added_via_api::true\n{}",
            lines.collect::<String>()
        );
        let answer = || Ok(body.into_bytes());
        let turn = self.plugin.answered(token, answer, process);
        self.finish(turn);
    }

    fn endpoints(&self) -> Option<usize> {
        let table = self.plugin.endpoints().unwrap();
        let configured = self.plugin.configured.as_ref().unwrap();
        let table = table.get(&configured.policy.clusters[0].envoy_name)?;
        Some(table.endpoints().len())
    }

    fn pause(&mut self, process: &Process, request: &'static str) {
        let effects = self
            .plugin
            .wait(request, process.now_us(), b"10.9.9.9:1".to_vec());
        self.carry_out(effects);
    }
}

/// One Ingress with sessions; each service has one.
fn sticky(services: &[&str], further: &Value) -> Value {
    let ingress = |service: &&str| {
        let backend = json!({"service": {"name": service, "port": {"number": 80}}});
        let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
        json!({
            "metadata": {
                "name": service,
                "annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"},
            },
            "spec": {"rules": [{"host": format!("{service}.test"), "http": {"paths": [path]}}]},
        })
    };
    let ingresses: Vec<Value> = services.iter().map(ingress).collect();
    let mut configuration = json!({ "ingresses": ingresses });
    for (key, value) in further.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

#[test]
fn a_request_waits_for_the_first_endpoints_and_no_longer() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    assert_eq!((process.asked(), vm.tick_period), (1, TICK));
    let arrived = process.now_us();
    assert_eq!(
        vm.plugin.knowledge(arrived, arrived, Vec::new),
        Knowledge::Coming
    );
    vm.pause(&process, "early");
    assert_eq!(
        (vm.counts.last(), vm.tick_period),
        (Some(&Metric::Waited), TICK_BUSY)
    );
    vm.tick(&process);
    assert_eq!(vm.resumed, [""; 0], "nothing has come yet");
    vm.answer(&process, 3);
    assert_eq!(vm.resumed, ["early"]);
    assert_eq!(vm.endpoints(), Some(3));
    // Its cookie may be of an endpoint that came later than the poll began.
    let effects = vm.plugin.wait_on("early", arrived, Vec::new());
    vm.carry_out(effects);
    assert_eq!(
        vm.counts.iter().filter(|c| **c == Metric::Waited).count(),
        1
    );
    assert_eq!(vm.tick_period, TICK_BUSY);
}

#[test]
fn one_connection_does_not_fill_the_room_of_those_that_wait() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    let now = process.now_us();
    let of = |vm: &Vm, who: &'static str| {
        let connection = || who.as_bytes().to_vec();
        vm.plugin.knowledge(now, now, connection)
    };
    for _ in 0..WAITING_OF_ONE {
        assert_eq!(of(&vm, "10.9.9.9:1"), Knowledge::Coming);
        vm.pause(&process, "junk");
    }
    assert_eq!(of(&vm, "10.9.9.9:1"), Knowledge::Unavailable);
    vm.pause(&process, "junk");
    assert_eq!(of(&vm, "10.9.9.9:1"), Knowledge::Unavailable);
    assert_eq!(of(&vm, "10.9.9.9:2"), Knowledge::Coming);
    assert_eq!(of(&vm, ""), Knowledge::Coming, "a host that does not say");
}

#[test]
fn a_request_goes_on_without_endpoints_once_it_has_waited_long_enough() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    let began = process.now.get();
    vm.pause(&process, "patient");
    while vm.resumed.is_empty() {
        vm.tick(&process);
    }
    let hold = vm.plugin.serve().unwrap().discovery.hold_ms;
    let waited = (process.now.get() - began) / MS;
    assert!(
        (hold..hold + 2 * u64::from(TICK_BUSY)).contains(&waited),
        "{waited} of {hold} ms"
    );
    assert_eq!(vm.tick_period, TICK, "nobody waits any more");
}

#[test]
fn a_request_asks_for_nothing_itself_but_the_next_tick_does() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    vm.answer(&process, 3);
    process.pass(200 * MS);
    vm.tick(&process);
    let before = process.asked();
    let effects = vm.plugin.doubt(&process);
    vm.carry_out(effects);
    assert_eq!((process.asked(), vm.tick_period), (before, TICK_BUSY));
    vm.tick(&process);
    assert_eq!((process.asked(), vm.tick_period), (before + 1, TICK));
}

#[test]
fn tables_are_built_in_slices_and_used_when_they_are_whole() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    process.look.set(MS);
    vm.answer(&process, 200);
    assert_eq!((vm.endpoints(), vm.tick_period), (None, TICK_BUSY));
    let mut ticks = 0;
    while vm.endpoints().is_none() {
        let began = process.now.get() + u64::from(TICK_BUSY) * MS;
        vm.tick(&process);
        let took = (process.now.get() - began) / MS;
        assert!(took <= 10, "a slice of {took} ms");
        ticks += 1;
    }
    assert!(ticks > 5, "{ticks} ticks for 32,000 points at 1,000 a ms");
    assert_eq!((vm.endpoints(), vm.tick_period), (Some(200), TICK));
}

#[test]
fn of_two_listings_that_wait_the_later_one_is_built() {
    let process = Process::new();
    let (config, _) =
        config::read(sticky(&["web", "api"], &json!({})).to_string().as_bytes()).unwrap();
    let (policy, _) = policy::compile(&config);
    let endpoint = |address: &str| crate::endpoints::Endpoint {
        address: address.into(),
        health: crate::endpoints::Health::Healthy,
    };
    let [web, api] = [0, 1].map(|at| policy.clusters[at].envoy_name.clone());
    let mut tables = tables::Tables::of_configuration(&policy);
    assert!(tables.is_built());
    tables.build(vec![
        (web.clone(), vec![endpoint("10.0.0.1:80")]),
        (api.clone(), vec![endpoint("10.0.0.2:80")]),
    ]);
    tables.build(vec![(
        web.clone(),
        vec![endpoint("10.0.0.3:80"), endpoint("10.0.0.4:80")],
    )]);
    tables.work(&policy, process.now_ns() + 1, &process);
    assert!(tables.is_built());
    let built = |name: &str| tables.in_use().get(name).unwrap().endpoints().len();
    assert_eq!((built(&web), built(&api)), (2, 1));
}

/// Ports of one Service may share a cluster of Envoy's: its table is built for sessions.
#[test]
fn of_clusters_with_one_name_the_one_with_sessions_has_the_table() {
    let mut configuration = sticky(
        &["plain", "web"],
        &json!({
            "clusters": {"default/plain:80": "shared", "default/web:80": "shared"},
            "endpoints": {"default/plain:80": ["10.0.0.1:80"], "default/web:80": ["10.0.0.1:80"]},
        }),
    );
    configuration["ingresses"][0]["metadata"]["annotations"] = json!({});
    let process = Process::new();
    let vm = Vm::start(&process, &configuration);
    let table = vm.plugin.endpoints().unwrap().get("shared").unwrap();
    assert!(!table.ring().is_empty(), "a ring, which only sessions read");
    assert_eq!(
        (process.asked(), vm.tick_period),
        (0, 0),
        "nothing to poll for"
    );
}

#[test]
fn one_vm_of_a_process_tells_what_was_read() {
    let process = Process::new();
    let configuration = sticky(&["web"], &json!({}));
    let vms = [(); 3].map(|()| Vm::start(&process, &configuration));
    assert_eq!(vms.each_ref().map(|vm| vm.lines.len()), [1, 0, 0]);
    assert!(
        vms[0].lines[0].contains("locations 1"),
        "{:?}",
        vms[0].lines
    );
    // Another configuration is told of, and the first again if it comes back later.
    assert_eq!(
        Vm::start(&process, &sticky(&["api"], &json!({})))
            .lines
            .len(),
        1
    );
    process.pass(31 * SECOND);
    assert_eq!(Vm::start(&process, &configuration).lines.len(), 1);
}

#[test]
fn bytes_that_are_no_configuration_are_refused_and_the_old_one_stays() {
    let process = Process::new();
    let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
    let effects = vm.plugin.configure(b"{", &process).unwrap_err();
    assert_eq!(effects[0], Effect::Set(Metric::ConfigErrors, 1));
    assert!(matches!(&effects[1], Effect::Log(Level::Critical, line) if line.contains("refused")));
    assert!(vm.plugin.serve().is_some());
}

#[test]
fn that_the_filter_is_missing_is_told_once_a_process() {
    let process = Process::new();
    let configuration = sticky(&["web"], &json!({}));
    let mut vms = [(); 2].map(|()| Vm::start(&process, &configuration));
    let mut told = Vec::new();
    for vm in [0, 1, 0, 1] {
        told.extend(vms[vm].plugin.filter_missing(&process));
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn refused_calls_are_all_counted_and_logged_now_and_then() {
    let process = Process::new();
    let mut vm = Vm::default();
    for _ in 0..5 {
        let effects = vm
            .plugin
            .refused(&"host call x answered status 2", &process);
        vm.carry_out(effects);
        process.pass(4 * SECOND);
    }
    assert_eq!((vm.counts.len(), vm.lines.len()), (5, 2));
}

#[test]
fn requests_to_the_pod_of_a_sidecar_pass_and_are_told_of_once() {
    const INBOUND: u64 = 1;
    for (node, direction, passes) in [
        ("sidecar~10.0.0.1~shop", INBOUND, true),
        ("sidecar~10.0.0.1~shop", 2, false),
        ("router~10.0.0.1~gateway", INBOUND, false),
    ] {
        let mut process = Process::new();
        process.properties.insert("xds.node.id", node.into());
        let direction = direction.to_le_bytes().to_vec();
        process
            .properties
            .insert("xds.listener_direction", direction);
        let mut vm = Vm::start(&process, &sticky(&["web"], &json!({})));
        let told = [(); 2].map(|()| vm.plugin.inbound(&process).map(|effects| effects.len()));
        assert_eq!(told, [passes.then_some(1), passes.then_some(0)], "{node}");
    }
}

#[test]
fn before_configure_everything_is_let_through() {
    let mut plugin = Plugin::<u32>::default();
    assert!(plugin.serve().is_none());
    assert!(plugin.endpoints().is_none());
    assert_eq!(plugin.knowledge(2, 1, Vec::new), Knowledge::Current);
    let process = Process::new();
    assert!(plugin.tick(&process).effects.is_empty());
    assert!(plugin.inbound(&process).is_none());
}

// A tenant wrote 3,000 lines into the proxy's log, once a configuration.
#[test]
fn one_ingress_does_not_fill_the_log() {
    let process = Process::new();
    let mut configuration = sticky(&["web", "other"], &json!({}));
    let annotations = configuration["ingresses"][0]["metadata"]["annotations"].as_object_mut();
    let unknown = (0..3000).map(|n| {
        let name = format!("nginx.ingress.kubernetes.io/unheard-of-{n}");
        (name, json!("x"))
    });
    annotations.unwrap().extend(unknown);
    let other = &mut configuration["ingresses"][1]["metadata"]["annotations"];
    other["nginx.ingress.kubernetes.io/afinity"] = json!("cookie");
    let vm = Vm::start(&process, &configuration);
    assert!(vm.lines.len() < 60, "{}", vm.lines.len());
    let is_said = |text: &str| vm.lines.iter().any(|line| line.contains(text));
    assert!(is_said("default/web: 2950 more"), "{:?}", vm.lines.last());
    assert!(is_said("did you mean affinity?"), "{:?}", vm.lines);
}
