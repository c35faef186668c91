//! What happened: what a client sent and got, joined with what the proxy and the module say of it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host_harness::proxy::AccessRecord;
use serde_json::{Value, json};

use super::events::{Events, Stream};
use super::fleet::{Change, Fleet};
use super::history::History;
use super::shifts::{Home, Sessions, Shifts};
use crate::cookie_jar::Cookie;
use crate::explain::why::in_words;
use crate::filter_chain::RECORD;

/// Requests that may be on their way at a time.
const MOST: usize = 10_000;

/// Whose sessions are followed, at most.
const BROWSERS: usize = 100;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// A page that is open: its own number.
    Page(String),
    /// A client that is played here.
    Played(String),
    /// Anybody else, with the browser's name for itself.
    Somebody { agent: String },
}

/// What a client sends.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) is_https: bool,
    pub(super) host: String,
    /// As it was before anything rewrote it.
    pub(super) path: String,
    /// The values of its `Cookie` fields.
    pub(super) cookies: Vec<String>,
}

/// One request on its way.
#[derive(Debug)]
struct Pending {
    visitor: Visitor,
    asked: Asked,
    /// The values of `Set-Cookie` that came back.
    answered: Option<Vec<String>>,
    record: Option<Record>,
}

/// What the proxy says of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Who answered; `None`: no pod.
    pub(crate) endpoint: Option<String>,
    pub(crate) milliseconds: f64,
    /// The module's record.
    pub(crate) decision: Value,
}

impl From<&AccessRecord> for Record {
    fn from(record: &AccessRecord) -> Self {
        let decision = record.properties.get(RECORD);
        Self {
            method: record.method.clone(),
            host: record.authority.clone(),
            path: record.path.clone(),
            status: record.summary.status,
            endpoint: record.summary.endpoint.map(|endpoint| endpoint.to_string()),
            milliseconds: record.duration.as_secs_f64() * 1000.0,
            decision: decision
                .and_then(|bytes| serde_json::from_slice(bytes).ok())
                .unwrap_or_default(),
        }
    }
}

/// All that a page shows.
pub(crate) struct Ledger {
    events: Events,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    pending: HashMap<SocketAddr, Pending>,
    history: History,
    shifts: Shifts,
    /// What each page's browser has last sent or got: name, value, and its name for itself.
    browsers: BTreeMap<String, (String, String)>,
    number: u64,
    clients: usize,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            events: Events::default(),
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is about to be sent from this address.
    pub(super) fn expect(&self, from: SocketAddr, visitor: Visitor, asked: Asked) {
        let mut inner = self.inner();
        if inner.pending.len() >= MOST {
            inner.pending.clear();
        }
        let pending = Pending {
            visitor,
            asked,
            answered: None,
            record: None,
        };
        inner.pending.insert(from, pending);
    }

    /// It was answered, with these `Set-Cookie` fields.
    pub(super) fn answered(&self, from: SocketAddr, set_cookie: Vec<String>) {
        let mut inner = self.inner();
        if let Some(pending) = inner.pending.get_mut(&from) {
            pending.answered = Some(set_cookie);
        }
        self.settle(inner, from);
    }

    /// It was not.
    pub(super) fn failed(&self, from: SocketAddr) {
        self.inner().pending.remove(&from);
    }

    /// What the proxy says of the request that came from this address.
    pub(crate) fn record(&self, from: SocketAddr, record: Record) {
        let mut inner = self.inner();
        match inner.pending.get_mut(&from) {
            Some(pending) => {
                pending.record = Some(record);
                self.settle(inner, from);
            }
            None => {
                let told = inner.told(None, &record);
                drop(inner);
                self.events.send("request", &told);
            }
        }
    }

    fn settle(&self, mut inner: MutexGuard<'_, Inner>, from: SocketAddr) {
        let whole = |one: &Pending| one.answered.is_some() && one.record.is_some();
        if !inner.pending.get(&from).is_some_and(whole) {
            return;
        }
        let Some(pending) = inner.pending.remove(&from) else {
            return;
        };
        let record = pending.record.clone().unwrap_or_default();
        let told = inner.told(Some(&pending), &record);
        drop(inner);
        self.events.send("request", &told);
    }

    /// A page's browser has no cookie any more.
    pub(super) fn forget(&self, page: &str) {
        let mut inner = self.inner();
        inner.browsers.remove(page);
        inner.shifts.forget(&browser(page));
    }

    /// So many clients are played; these are gone.
    pub(super) fn clients(&self, count: usize, gone: &[String]) {
        let mut inner = self.inner();
        inner.clients = count;
        for name in gone {
            inner.shifts.forget(name);
        }
    }

    /// The pods have changed.
    pub(super) fn changed(&self, change: &Change, sessions: &BTreeMap<String, Sessions>) {
        self.inner().shifts.changed(change, sessions);
    }

    /// Tells everybody how things are; with `tick` a second has passed.
    pub(super) fn tell(&self, fleet: &Fleet, tick: bool) {
        let mut inner = self.inner();
        let mut state = inner.state(fleet);
        if tick {
            let second = inner.history.tick();
            if let (Some(state), Ok(second)) = (state.as_object_mut(), serde_json::to_value(second))
            {
                state.insert("second".to_owned(), second);
            }
        }
        drop(inner);
        self.events.send("state", &state);
    }

    /// Lets the history begin now: whatever came before was on another scale.
    pub(crate) fn begin(&self, fleet: &Fleet) {
        let mut inner = self.inner();
        inner.history = History::default();
        let state = inner.whole(fleet);
        drop(inner);
        self.events.send("state", &state);
    }

    /// One page more.
    pub(super) fn listen(&self, fleet: &Fleet) -> Stream {
        let inner = self.inner();
        let state = inner.whole(fleet);
        // Under the lock, so that no second is missed or told twice.
        self.events.listen("state", &state)
    }
}

fn browser(page: &str) -> String {
    format!("page {page}")
}

impl Inner {
    fn state(&self, fleet: &Fleet) -> Value {
        json!({
            "pods": fleet.members(),
            "locked": fleet.is_locked(),
            "clients": self.clients,
            "shifts": self.shifts.told(),
        })
    }

    /// The state with all of the history.
    fn whole(&self, fleet: &Fleet) -> Value {
        let mut state = self.state(fleet);
        if let Some(state) = state.as_object_mut() {
            state.insert("history".to_owned(), json!(self.history.seconds()));
        }
        state
    }

    /// Counts a request, and says what a page shows of it: no query, no whole cookie.
    fn told(&mut self, pending: Option<&Pending>, record: &Record) -> Value {
        let text = |pointer: &str| record.decision.pointer(pointer).and_then(Value::as_str);
        let name = text("/affinity/cookie");
        let state = text("/affinity/state");
        let sent = pending.and_then(|pending| sent(&pending.asked.cookies, name?));
        let set = pending.and_then(|pending| set(pending.answered.as_deref()?, name?));
        self.number += 1;
        let value = set.as_ref().map(|cookie| cookie.value.clone());
        let holds = value.or_else(|| sent.clone());
        let page = pending.and_then(|pending| self.page(&pending.visitor, sent.as_deref()));
        if let (Some(page), Some(holds), Some(pending)) = (&page, &holds, pending) {
            self.remember(page, holds, &pending.visitor);
        }
        let client = match (pending.map(|pending| &pending.visitor), &page) {
            (_, Some(page)) => Some(browser(page)),
            (Some(Visitor::Played(name)), None) => Some(name.clone()),
            _ => None,
        };
        let mut has_moved = false;
        if let (Some(client), Some(_), Some(pod)) = (&client, &holds, &record.endpoint) {
            let cluster = text("/cluster").unwrap_or_default().to_owned();
            let pod = pod.clone();
            has_moved = self.shifts.lives(client, Home { cluster, pod });
        }
        // A balanced cookie names a place on a ring: it is kept, and leads to another pod.
        let seen = state.map(|state| match state {
            "kept" if has_moved => "moved",
            state => state,
        });
        self.history.count(record.endpoint.clone(), seen);
        let why = record.decision.get("why").and_then(Value::as_array);
        let why = why.into_iter().flatten();
        let why: Vec<String> = why.map(|step| in_words(&without_query(step))).collect();
        let cookie = name.map(|name| {
            json!({
                "name": name,
                "state": state,
                "moved": has_moved,
                "names": text("/affinity/override"),
                "sent": sent.as_deref().map(shortened),
                "holds": holds.as_deref().map(shortened),
                "set": set.map(|cookie| cookie.attributes),
            })
        });
        let asked = pending.map(|pending| &pending.asked);
        let path = asked.map_or(&record.path, |asked| &asked.path);
        json!({
            "number": self.number,
            "client": client.filter(|_| page.is_none()),
            "page": page,
            "method": asked.map_or(&record.method, |asked| &asked.method),
            "https": asked.is_some_and(|asked| asked.is_https),
            "host": asked.map_or(&record.host, |asked| &asked.host),
            "path": path.split('?').next(),
            "status": record.status,
            "endpoint": record.endpoint,
            "milliseconds": (record.milliseconds * 10.0).round() / 10.0,
            "outcome": text("/outcome"),
            "ingress": text("/ingress"),
            "location": text("/location"),
            "cookie": cookie,
            "why": why,
        })
    }

    /// The page whose browser this is: it says so, or another window of the same browser comes
    /// with the same cookie.
    fn page(&self, visitor: &Visitor, sent: Option<&str>) -> Option<String> {
        match visitor {
            Visitor::Page(page) => Some(page.clone()),
            Visitor::Played(_) => None,
            Visitor::Somebody { agent } => {
                let mut known = self.browsers.iter();
                let same = known.find(|(_, (value, known))| {
                    Some(value.as_str()) == sent && (known.is_empty() || known == agent)
                });
                same.map(|(page, _)| page.clone())
            }
        }
    }

    fn remember(&mut self, page: &str, holds: &str, visitor: &Visitor) {
        if self.browsers.len() >= BROWSERS && !self.browsers.contains_key(page) {
            self.browsers.pop_first();
        }
        let known = self.browsers.entry(page.to_owned()).or_default();
        holds.clone_into(&mut known.0);
        if let Visitor::Somebody { agent } = visitor {
            known.1.clone_from(agent);
        }
    }
}

/// A step of the decision; of a path it names, no query.
fn without_query(step: &Value) -> Value {
    match step.as_array().map(Vec::as_slice) {
        Some([name, Value::String(path)]) if name == "rewritten" => {
            json!([name, path.split('?').next()])
        }
        _ => step.clone(),
    }
}

/// The value of the last cookie of this name, which limpet tries first.
fn sent(cookies: &[String], name: &str) -> Option<String> {
    let pairs = cookies.iter().flat_map(|field| field.split(';'));
    let mut named = pairs.filter_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then(|| value.to_owned())
    });
    named.next_back()
}

fn set(fields: &[String], name: &str) -> Option<Cookie> {
    let cookies = fields.iter().map(|field| Cookie::parse(field));
    cookies.into_iter().find(|cookie| cookie.name == name)
}

/// Enough of a value to know it again, and not enough to use it.
pub(super) fn shortened(value: &str) -> String {
    let length = value.chars().count();
    let shown: String = value.chars().take((length / 4).min(8)).collect();
    format!("{shown}… ({length} characters)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_cookie_a_page_is_told_too_little_to_use_it() {
        assert_eq!(shortened(&"ab".repeat(20)), "abababab… (40 characters)");
        assert_eq!(shortened("0"), "… (1 characters)");
    }

    #[test]
    fn the_last_cookie_of_a_name_is_the_one() {
        let cookies = ["route=a; other=x".to_owned(), "route=b".to_owned()];
        assert_eq!(sent(&cookies, "route").as_deref(), Some("b"));
        assert_eq!(sent(&cookies, "rout"), None);
    }

    #[test]
    fn another_window_of_the_same_browser_is_known_by_its_cookie() {
        let mut inner = Inner::default();
        let page = Visitor::Page("7".into());
        let tab = |agent: &str| Visitor::Somebody {
            agent: agent.into(),
        };
        inner.remember("7", "abc", &page);
        assert_eq!(
            inner.page(&tab("Firefox"), Some("abc")).as_deref(),
            Some("7")
        );
        assert_eq!(inner.page(&tab("Firefox"), Some("abd")), None);
        assert_eq!(inner.page(&tab("Firefox"), None), None);
    }

    #[test]
    fn a_balanced_session_that_the_ring_leads_elsewhere_is_one_that_moved() {
        let mut inner = Inner::default();
        let mut visit = |pod: &str, state: &str| {
            let asked = Asked {
                method: "GET".into(),
                is_https: false,
                host: "h.example".into(),
                path: "/".into(),
                cookies: vec!["route=1.2.3.4|5".into()],
            };
            let pending = Pending {
                visitor: Visitor::Played("client 1".into()),
                asked,
                answered: Some(Vec::new()),
                record: None,
            };
            let record = Record {
                endpoint: Some(pod.into()),
                decision: json!({ "cluster": "up-a",
                    "affinity": { "cookie": "route", "state": state, "override": null } }),
                ..Record::default()
            };
            inner.told(Some(&pending), &record)["cookie"]["moved"] == true
        };
        assert!(!visit("p1", "kept") && visit("p2", "kept") && !visit("p2", "kept"));
        let second = inner.history.tick();
        let counted = [("kept".to_owned(), 2), ("moved".to_owned(), 1)];
        assert_eq!(second.sessions, counted.into());
    }

    #[test]
    fn no_query_and_no_whole_cookie_is_told() {
        let mut inner = Inner::default();
        let value = "0123456789abcdef0123456789abcdef01234567";
        let pending = Pending {
            visitor: Visitor::Page("1".into()),
            asked: Asked {
                method: "GET".into(),
                is_https: false,
                host: "h.example".into(),
                path: "/app1/?token=secret".into(),
                cookies: vec![format!("route={value}")],
            },
            answered: Some(vec![format!("route={value}; Path=/; HttpOnly")]),
            record: None,
        };
        let record = Record {
            decision: json!({ "outcome": "forward", "why": [["rewritten", "/x?token=secret"]],
                "affinity": { "cookie": "route", "state": "kept", "override": null } }),
            ..Record::default()
        };
        let told = inner.told(Some(&pending), &record).to_string();
        assert!(
            told.contains("01234567…") && told.contains("Path=/; HttpOnly"),
            "{told}"
        );
        assert!(!told.contains(value) && !told.contains("secret"), "{told}");
    }
}
