//! The recorded answers to all other annotations (`recordings/rest/`), asked of any proxy: pods and an authorizer that do
//! what the recorded ones did, and a comparison of the answer and of what they saw.

mod given;
mod readme;
mod report;
mod seen;
mod sent;
mod together;

pub use given::{Given, asks_for_ways, is_refused_in_part};
pub use readme::{has_table, number};
pub use report::{Agree, Report};
pub use seen::Seen;
pub use sent::{client, send};
pub use together::Together;

use super::{endpoints, list, read};
use crate::http::Response;
use crate::pod::{Echo, Pod};
use crate::wait;
use sent::{script, turns};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The scenarios of some families that nginx took.
#[must_use]
pub fn scenarios(agree: Agree<'_>) -> Vec<Value> {
    let families = agree
        .iter()
        .map(|(family, _)| read(&format!("rest/{family}.json")));
    let all = families.flat_map(|family| list(&family).to_vec());
    all.filter(|scenario| scenario["nginx_config_valid"] == true)
        .collect()
}

/// Why a request can be asked nowhere; `None`: it can.
#[must_use]
pub fn has_no_answer(request: &Value) -> Option<&'static str> {
    let is_none = request["expect"].is_null() || request["unstable"] == true;
    is_none.then_some("no answer to compare with")
}

/// A pod for each Service name of some scenarios.
pub struct Town {
    /// By Service, `namespace/name`.
    pub pods: BTreeMap<String, Pod>,
    /// Every authorizer is this one.
    pub authorizer: Pod,
}

impl Town {
    /// The pods of these scenarios.
    #[must_use]
    pub fn of<'s>(scenarios: impl IntoIterator<Item = &'s Value>) -> Self {
        let services = scenarios.into_iter().flat_map(endpoints);
        let names: BTreeSet<String> = services.map(|(name, _)| name).collect();
        Self {
            pods: names.into_iter().map(|name| (name, Pod::start())).collect(),
            authorizer: Pod::start(),
        }
    }

    /// Who has the addresses of a Service in one of these scenarios, or of an authorizer's.
    pub fn addresses<'s>(
        &self,
        scenarios: impl IntoIterator<Item = &'s Value>,
    ) -> impl Fn(&str) -> Vec<String> {
        let scenarios = scenarios.into_iter();
        let of_pods = scenarios.flat_map(|scenario| given::addresses(scenario, &self.pods));
        let of_pods: BTreeMap<String, Option<String>> = of_pods.collect();
        let authorizer = self.authorizer.endpoint();
        move |name| match of_pods.get(name) {
            Some(pod) => pod.iter().cloned().collect(),
            None => vec![authorizer.clone()],
        }
    }

    /// What becomes of a request; `send` sends it once.
    ///
    /// # Panics
    /// It is no recorded request of such a scenario.
    pub fn ask(
        &self,
        scenario: &Value,
        request: &Value,
        send: impl Fn() -> io::Result<Response> + Sync,
    ) -> Seen {
        let names: Vec<String> = endpoints(scenario).into_keys().collect();
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
        let (answer, statuses) = burst(&request["burst"], send);
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
        let mut pods: Vec<(String, u64, Echo)> = Vec::new();
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
            total,
            pods,
            asked,
        }
    }
}

/// How long what comes after an answer is waited for.
const SHORTLY: Duration = Duration::from_secs(3);

/// All requests of a burst: the first answer, and the status of each.
fn burst(
    burst: &Value,
    send: impl Fn() -> io::Result<Response> + Sync,
) -> (io::Result<Response>, Vec<Option<u16>>) {
    if burst.is_null() {
        return (send(), Vec::new());
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
            let answer = send();
            answers.lock().unwrap().push(answer);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(one);
        }
    });
    let mut answers = answers.into_inner().unwrap();
    let status = |answer: &io::Result<Response>| Some(answer.as_ref().ok()?.status);
    if at_once > 1 {
        answers.sort_by_key(|answer| status(answer).unwrap_or(u16::MAX));
    }
    let statuses = answers.iter().map(status).collect();
    (answers.swap_remove(0), statuses)
}

/// How many requests pods saw, at most.
fn most_of_pods(expect: &Value) -> u64 {
    let count = &expect["upstream_count"];
    let count = count.as_u64().or_else(|| count[1].as_u64());
    count.unwrap_or(list(&expect["upstream"]).len() as u64)
}
