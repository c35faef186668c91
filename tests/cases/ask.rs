//! One case, asked of one target.

use super::placeholders;
use super::table::{Case, Expect, Step, Table};
use limpet_cli::cookie_jar::CookieJar;
use limpet_tests::target::{Asked, Observed, Target};

/// How a case went.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) asked: usize,
    pub(super) unasked: usize,
    pub(super) differences: Vec<String>,
}

impl Case {
    pub(super) fn ask(&self, target: &impl Target, on_envoy: bool, table: &Table) -> Report {
        let mut report = Report::default();
        let mut jar = CookieJar::default();
        let mut before = None;
        for (number, step) in self.steps.iter().enumerate() {
            let expect = match &step.on_envoy {
                Some(other) if on_envoy => match other.status {
                    Some(status) => Expect {
                        status: Some(status),
                        ..Expect::default()
                    },
                    None => {
                        report.unasked += 1;
                        continue;
                    }
                },
                _ => step.expect.clone(),
            };
            match target.ask(&step.asked(&jar, table)) {
                Ok(seen) => {
                    report.asked += 1;
                    seen.set_cookie.iter().for_each(|set| jar.keep(set));
                    let differences = expect.differences(&seen, table, before.as_deref());
                    let line = |d| format!("step {}: {d}", number + 1);
                    report.differences.extend(differences.into_iter().map(line));
                    before = seen.endpoint;
                }
                Err(_) => report.unasked += 1,
            }
        }
        report
    }
}

impl Step {
    fn asked(&self, jar: &CookieJar, table: &Table) -> Asked {
        let (scheme, rest) = self.get.split_once("://").expect("a URL");
        let at = rest.find('/').unwrap_or(rest.len());
        let mut headers = self.headers.clone();
        if let Some(cookie) = &self.cookie {
            let cookie = cookie.replace("{jar}", &placeholders::jar(jar));
            headers.push(("cookie".into(), placeholders::fill_in(&cookie, table, None)));
        }
        Asked {
            method: self.method.clone().unwrap_or_else(|| "GET".into()),
            headers,
            ..Asked::get(scheme, &rest[..at], &rest[at..])
        }
    }
}

impl Expect {
    fn differences(&self, answer: &Observed, table: &Table, before: Option<&str>) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, want: Option<String>, have: Option<String>| {
            if want != have {
                out.push(format!("{what}: expected {want:?}, is {have:?}"));
            }
        };
        if let Some(status) = self.status {
            compare(
                "status",
                Some(status.to_string()),
                Some(answer.status.to_string()),
            );
        }
        let pod = answer
            .endpoint
            .as_deref()
            .and_then(|endpoint| table.name_of(endpoint));
        if let Some(name) = &self.served_by {
            let service = pod
                .as_deref()
                .and_then(|pod| pod.rsplit_once('-'))
                .map(|(s, _)| s);
            let fits = match name.as_str() {
                "none" => pod.is_none(),
                "same" => answer.endpoint.is_some() && answer.endpoint.as_deref() == before,
                name => pod.as_deref() == Some(name) || service == Some(name),
            };
            let want = Some(name.clone());
            compare(
                "served_by",
                want.clone(),
                if fits { want } else { pod.clone() },
            );
        }
        if self.path.is_some() {
            compare("path", self.path.clone(), answer.target.clone());
        }
        for (name, want) in &self.at_pod {
            let found = answer.headers.iter().find(|(n, _)| n == name);
            compare(name, want.clone(), found.map(|(_, value)| value.clone()));
        }
        if let Some(location) = &self.location {
            let want = Some(location.clone()).filter(|l| !l.is_empty());
            compare("location", want, answer.location.clone());
        }
        if let (Some(want), true) = (&self.state, answer.state.is_some()) {
            compare("state", Some(want.clone()), answer.state.clone());
        }
        if let Some(want) = &self.set_cookie {
            let served = answer.endpoint.as_deref();
            let want: Vec<_> = want
                .iter()
                .map(|w| placeholders::fill_in(w, table, served))
                .collect();
            let mut pairs = want.iter().zip(&answer.set_cookie);
            let fits = want.len() == answer.set_cookie.len()
                && pairs.all(|(w, c)| placeholders::fits(w, c));
            if !fits {
                compare(
                    "set_cookie",
                    Some(format!("{want:?}")),
                    Some(format!("{:?}", answer.set_cookie)),
                );
            }
        }
        out
    }
}
