//! Crowds that keep their cookies, and what becomes of their requests.

use super::place::steer;
use crate::faults::host;
use limpet_tests::browser::Browser;
use limpet_tests::http::Request;
use limpet_tests::pod::Pod;
use limpet_tests::wait;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 200;
/// So many requests are sent at once, so often.
const BURST: usize = 10;
const EVERY: Duration = Duration::from_millis(50);
/// After Envoy's main thread has an endpoint again, its workers have it so much later at most.
const HANDED_ON: Duration = Duration::from_millis(250);

/// When each pod was away: from, and until it was back if it is.
#[derive(Default)]
pub(super) struct Absences(Mutex<BTreeMap<String, Vec<Absence>>>);

type Absence = (Instant, Option<Instant>);

impl Absences {
    pub(super) fn leaves(&self, pod: &Pod) {
        let mut all = self.0.lock().unwrap();
        let of_pod = all.entry(pod.endpoint()).or_default();
        of_pod.push((Instant::now(), None));
    }

    pub(super) fn is_back(&self, pod: &Pod) {
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
pub(super) struct Figures {
    pub(super) requests: usize,
    /// Answers of another pod than the session's, which was there all the time.
    pub(super) wrong: usize,
    /// Anything but a pod's 200.
    pub(super) lost: usize,
    /// New cookies of sessions whose pod had left.
    moved: usize,
    /// Answers of another pod without a new cookie, for the session's had left just then.
    lent: usize,
}

impl Figures {
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            requests: self.requests + more.requests,
            wrong: self.wrong + more.wrong,
            lost: self.lost + more.lost,
            moved: self.moved + more.moved,
            lent: self.lent + more.lent,
        }
    }
}

struct Client {
    browser: Browser,
    kind: usize,
    has_module: bool,
    /// The pod that its cookie names; before a plain Envoy the one that it asks for.
    home: Option<String>,
}

impl Client {
    fn load(&mut self, absences: &Absences, figures: &mut Figures) {
        let (sent, cookies) = (Instant::now(), self.browser.jar.received);
        let home = self.home.as_deref().filter(|_| !self.has_module);
        let fields = steer(self.kind, home).into_iter();
        let request = fields.fold(Request::get(&host(self.kind), "/"), |request, (n, v)| {
            request.header(n, v)
        });
        let answer = self.browser.send(request);
        figures.requests += 1;
        let served = answer.as_ref().ok().filter(|answer| answer.status == 200);
        let Some(served) = served.and_then(|answer| answer.endpoint()) else {
            figures.lost += 1;
            let status = answer.map(|answer| (answer.status, answer.text()));
            println!("lost after {:?}: {status:?}", sent.elapsed());
            return;
        };
        // Without limpet nobody says where a session is now.
        let is_new = self.browser.jar.received > cookies
            || (!self.has_module
                && self
                    .home
                    .as_ref()
                    .is_none_or(|home| absences.has(home, sent)));
        match &self.home {
            Some(home) if *home == served && (!is_new || !self.has_module) => return,
            Some(home) if !absences.has(home, sent) => {
                println!("{home} is there, and {served} answered");
                figures.wrong += 1;
            }
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

/// One crowd of one kind of session, until it is over.
pub(super) fn crowd(
    proxy: SocketAddr,
    kind: usize,
    has_module: bool,
    absences: &Absences,
    over: &AtomicBool,
) -> Figures {
    let client = |_| Client {
        browser: Browser::new(proxy, &host(kind)),
        kind,
        has_module,
        home: None,
    };
    let mut clients: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut figures = Figures::default();
    let mut due = Instant::now();
    while !over.load(Ordering::SeqCst) {
        for _ in 0..BURST {
            let next = figures.requests % CLIENTS;
            clients[next].load(absences, &mut figures);
        }
        due = Instant::now().max(due + EVERY);
        wait::until("the next requests", || Instant::now() >= due);
    }
    figures
}
