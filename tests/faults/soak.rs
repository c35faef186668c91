//! A crowd that keeps its cookies while endpoints come and go: `cargo xtask soak`.

use super::{CLUSTER, HOST, PERSISTENT, Shop};
use limpet_tests::browser::Browser;
use limpet_tests::eds;
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PODS: usize = 12;
const CLIENTS: usize = 1_000;
const REQUESTS: usize = 100_000;
/// Threads of clients.
const THREADS: usize = 8;
/// Between two changes of the endpoints.
const CHANGE: Duration = Duration::from_secs(1);
/// After Envoy's main thread has an endpoint again, its workers have it so much later at most.
const HANDED_ON: Duration = Duration::from_millis(250);

/// When each pod was away: from, and until it was back if it is.
#[derive(Default)]
struct Absences(Mutex<BTreeMap<String, Vec<Absence>>>);

type Absence = (Instant, Option<Instant>);

impl Absences {
    fn leaves(&self, pod: &Pod) {
        let mut all = self.0.lock().unwrap();
        let of_pod = all.entry(pod.endpoint()).or_default();
        of_pod.push((Instant::now(), None));
    }

    fn is_back(&self, pod: &Pod) {
        let mut all = self.0.lock().unwrap();
        if let Some((_, until)) = all.get_mut(&pod.endpoint()).and_then(|a| a.last_mut()) {
            *until = Some(Instant::now() + HANDED_ON);
        }
    }

    /// Whether it was away at any time since `sent`.
    fn has(&self, pod: &str, sent: Instant) -> bool {
        let all = self.0.lock().unwrap();
        let mut absences = all.get(pod).into_iter().flatten();
        absences.any(|(_, until)| until.is_none_or(|until| until >= sent))
    }
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Figures {
    requests: usize,
    /// Answers of another pod than the session's, which was there all the time.
    wrong: usize,
    /// Anything but a pod's 200.
    lost: usize,
    /// New cookies of sessions whose pod had left.
    moved: usize,
    /// Answers of another pod without a new cookie, for the session's had left just then.
    lent: usize,
}

struct Client {
    browser: Browser,
    /// The pod that its cookie names.
    home: Option<String>,
}

impl Client {
    fn load(&mut self, absences: &Absences, figures: &mut Figures) {
        let (sent, cookies) = (Instant::now(), self.browser.jar.received);
        let answer = self.browser.get("/");
        figures.requests += 1;
        let served = answer.ok().filter(|answer| answer.status == 200);
        let Some(served) = served.and_then(|answer| answer.endpoint()) else {
            figures.lost += 1;
            return;
        };
        let is_new = self.browser.jar.received > cookies;
        match &self.home {
            Some(home) if *home == served && !is_new => return,
            Some(home) if !absences.has(home, sent) => figures.wrong += 1,
            Some(_) if is_new => figures.moved += 1,
            Some(_) => figures.lent += 1,
            None if !is_new => figures.wrong += 1,
            None => {}
        }
        if is_new {
            self.home = Some(served);
        }
    }
}

/// Takes one pod out and another one in, every second, until it is over.
fn change(envoy: &Rendered, pods: &[Pod], absences: &Absences, over: &AtomicBool) -> usize {
    let mut away = 0;
    let start = Instant::now();
    for changes in 1.. {
        let due = start + CHANGE * u32::try_from(changes).unwrap();
        let wait = || over.load(Ordering::SeqCst) || Instant::now() >= due;
        limpet_tests::wait::until("the next change", wait);
        if over.load(Ordering::SeqCst) {
            return changes - 1;
        }
        let next = (away + 5) % pods.len();
        absences.leaves(&pods[next]);
        let listed = pods.iter().enumerate().filter(|(n, _)| *n != next);
        let listed: Vec<_> = listed.map(|(_, pod)| pod).collect();
        envoy.set_endpoints(CLUSTER, &eds::healthy(listed));
        absences.is_back(&pods[away]);
        away = next;
    }
    0
}

#[test]
#[ignore = "takes minutes: cargo xtask soak"]
fn no_request_is_lost_and_no_session_moves_while_endpoints_change_every_second() {
    let shop = Shop::new(PODS, PERSISTENT);
    let setup = Setup {
        workers: 4,
        interval_ms: 1_000,
        ..Setup::default()
    };
    let envoy = shop.open(PODS, &setup);
    let absences = Absences::default();
    let over = AtomicBool::new(false);
    let total = Mutex::new(Figures::default());
    let start = Instant::now();
    let changes = std::thread::scope(|scope| {
        let changes = scope.spawn(|| change(&envoy, &shop.pods, &absences, &over));
        let crowds: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| crowd(&envoy, &absences, &total)))
            .collect();
        let ended: Vec<_> = crowds.into_iter().map(|crowd| crowd.join()).collect();
        over.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "a crowd panicked");
        changes.join().unwrap()
    });
    let figures = total.into_inner().unwrap();
    let count = |name: &str| envoy.envoy.stat(&format!("wasmcustom.limpet_{name}"));
    println!(
        "{} requests of {CLIENTS} clients in {:.0?}, 4 workers, {PODS} pods, {changes} changes:\n\
         wrong pod {}, lost {}\n\
         moved with a new cookie, their pod gone: {}; answered by another pod, theirs just gone: {}\n\
         limpet: waited {}, polls {}, failed polls {}",
        figures.requests,
        start.elapsed(),
        figures.wrong,
        figures.lost,
        figures.moved,
        figures.lent,
        count("waited"),
        count("discovery_polls"),
        count("discovery_failures"),
    );
    assert!(changes >= 5, "only {changes} changes");
    assert_eq!(figures.requests, REQUESTS);
    assert_eq!((figures.wrong, figures.lost), (0, 0));
}

fn crowd(envoy: &Rendered, absences: &Absences, total: &Mutex<Figures>) {
    let client = |_| Client {
        browser: Browser::new(envoy.http(), HOST),
        home: None,
    };
    let mut clients: Vec<_> = (0..CLIENTS / THREADS).map(client).collect();
    let mut figures = Figures::default();
    for _ in 0..REQUESTS / CLIENTS {
        for client in &mut clients {
            client.load(absences, &mut figures);
        }
    }
    let mut total = total.lock().unwrap();
    total.requests += figures.requests;
    total.wrong += figures.wrong;
    total.lost += figures.lost;
    total.moved += figures.moved;
    total.lent += figures.lent;
}
