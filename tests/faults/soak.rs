//! Ten minutes of chaos: `cargo xtask soak`. Pods die and come back, configurations are replaced, the
//! admin fails, Envoy is restarted, and strangers do what they like, while crowds and held connections
//! go on. A plain Envoy of the same configuration, but for the module, goes through the same beside it.

mod director;
mod held;
mod load;
mod place;
mod strangers;

use super::admin::admin_by_eds;
use super::takeover::without_module;
use super::{PERSISTENT, Shop, service};
use director::{Director, Done};
use held::Held;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_tests::grpc::GrpcPod;
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};
use load::{Absences, Figures};
use place::{CALLS, KINDS, SOCKETS};
use serde_json::Value;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Those that come and go.
const PODS: usize = 8;
const GRPC: &[(&str, &str)] = &[
    ("affinity", "cookie"),
    ("affinity-mode", "persistent"),
    ("backend-protocol", "GRPC"),
];
/// The listener of what is held: nobody replaces its configuration, which would end them.
const HELD: &str = "held";
/// Longer than a request waits for endpoints, and far less than Envoy's default of ten minutes.
const DRAIN: u32 = 12;
/// From the first third to the last, of what Envoy has allocated; a plain one may take more in a short run.
const GROWTH: f64 = 1.02;

/// How one Envoy got through it.
struct Outcome {
    name: &'static str,
    load: Figures,
    held: held::Figures,
    strangers: strangers::Figures,
    done: Done,
    /// What Envoy logged, and it logs warnings and worse.
    lines: usize,
}

fn run(name: &'static str, has_module: bool, time: Duration) -> Outcome {
    let mut shop = Shop::several(PODS, &[KINDS[0], KINDS[1], PERSISTENT, GRPC]);
    let calm = Pod::several(4);
    let grpc: Vec<_> = (0..4).map(|_| GrpcPod::start()).collect();
    let flag = |kind: usize, addresses: Vec<String>| -> EndpointsFlag {
        let flag = format!("default/{}:80={}", service(kind), addresses.join(","));
        flag.parse().unwrap()
    };
    let coming = || shop.pods.iter().map(Pod::endpoint).collect();
    let flags = [
        flag(0, coming()),
        flag(1, coming()),
        flag(SOCKETS, calm.iter().map(Pod::endpoint).collect()),
        flag(CALLS, grpc.iter().map(GrpcPod::endpoint).collect()),
    ];
    let edit = if has_module {
        prepare
    } else {
        |value: &mut Value| {
            prepare(value);
            without_module(value);
        }
    };
    let setup = Setup {
        workers: 2,
        interval_ms: 500,
        drain: DRAIN,
        edit,
        ..Setup::default()
    };
    let mut envoy = Rendered::start(&shop.manifests, &flags, &setup);
    let (http, apart) = (envoy.http(), envoy.envoy.listener(HELD));
    let (absences, over) = (Absences::default(), AtomicBool::new(false));
    let (done, load, held, strangers) = std::thread::scope(|scope| {
        let crowds: Vec<_> = (0..KINDS.len())
            .map(|kind| {
                scope.spawn({
                    let (absences, over) = (&absences, &over);
                    move || load::crowd(http, kind, has_module, absences, over)
                })
            })
            .collect();
        let held = scope.spawn(|| Held::open(apart, has_module).hold(&over));
        let strangers = scope.spawn(|| strangers::come(http, apart, &over));
        let director = Director {
            envoy: &mut envoy,
            setup: &setup,
            pods: &mut shop.pods,
            absences: &absences,
            has_module,
        };
        let done = scope.spawn(|| director.direct(time)).join();
        over.store(true, Ordering::SeqCst);
        let crowds = crowds.into_iter().map(|crowd| crowd.join().unwrap());
        (
            done.unwrap(),
            crowds.fold(Figures::default(), Figures::and),
            held.join().unwrap(),
            strangers.join().unwrap(),
        )
    });
    let lines = done.log.lines().count() + envoy.envoy.log().lines().count();
    Outcome {
        name,
        load,
        held,
        strangers,
        done,
        lines,
    }
}

/// Fixed ports, which a restart takes over, a listener apart for what is held, and an admin that can be
/// sent elsewhere.
fn prepare(value: &mut Value) {
    admin_by_eds(value);
    let resources = value.get_mut("resources").and_then(Value::as_array_mut);
    let Some(listeners) = resources.filter(|all| all[0]["filter_chains"].is_array()) else {
        return;
    };
    let mut held = listeners[0].clone();
    held["name"] = HELD.into();
    listeners.push(held);
    for listener in listeners {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        listener["address"]["socket_address"]["port_value"] = port.into();
    }
}

#[test]
#[ignore = "takes minutes: cargo xtask soak"]
fn chaos_loses_no_request_and_moves_no_session() {
    let seconds = std::env::var("LIMPET_SOAK_SECONDS");
    let seconds = seconds.map_or(120, |text| text.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let [limpet, plain] = std::thread::scope(|scope| {
        let limpet = scope.spawn(|| run("limpet", true, time));
        let plain = scope.spawn(|| run("plain Envoy", false, time));
        [limpet, plain].map(|side| side.join().unwrap())
    });
    for side in [&limpet, &plain] {
        println!("{}: {:?}", side.name, side.load);
        println!("    held: {:?}", side.held);
        println!("    strangers: {:?}", side.strangers);
        println!("    {}; {} lines of log", side.done, side.lines);
    }
    assert!(limpet.load.requests > 100 * usize::try_from(seconds).unwrap());
    assert_eq!(limpet.load.wrong, 0, "sessions moved without cause");
    assert!(limpet.load.lost <= plain.load.lost, "lost beyond plain");
    assert_eq!(limpet.held.moved, 0, "held sessions moved");
    assert!(limpet.held.broken <= plain.held.broken, "held beyond plain");
    let growth = limpet.done.growth();
    let most = plain.done.growth().max(GROWTH);
    assert!(
        growth <= most,
        "memory grew to {growth:.3}, more than {most:.3}"
    );
    let bound = plain.lines + limpet.done.all();
    assert!(
        limpet.lines <= bound,
        "{} lines of log, at most {bound}",
        limpet.lines
    );
}
