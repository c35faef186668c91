//! The ways of Ingresses, as far as Envoy Gateway can say them: a rule each, with a BackendTrafficPolicy
//! for all rules of one way.

use limpet::endpoints::digest::backend_key;
use serde_json::{Map, Value, json};

use super::args::BOUNDS_SILENCE;
use crate::clusters::Cluster;
use crate::render::resource::insert;
use crate::render::served::Served;
use crate::render::version::Version;
use crate::render::way::{Requests, Way};

/// The methods whose requests are tried again after a pod has begun: Gateway API knows neither LOCK nor
/// what is no method.
pub(super) const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];

/// The most seconds that one number of a duration can say.
const MOST_SECONDS: u64 = 99_999;

/// Requests of one way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Going<'c> {
    /// The name of the way; `None`: that of all.
    pub(super) name: Option<&'c str>,
    pub(super) way: &'c Way,
    pub(super) requests: Requests,
    /// In how many seconds a connection has to come about.
    connect: u64,
    /// No Ingress says otherwise.
    connects_as_all: bool,
    /// It is the one that most go.
    pub(super) is_usual: bool,
}

impl<'c> Going<'c> {
    /// Those that lead to a cluster, that of all first; `own`: the ways of the Ingresses that lead there.
    pub(super) fn to(
        served: &'c Served<'_>,
        cluster: &Cluster,
        own: impl Iterator<Item = &'c str>,
    ) -> Vec<Self> {
        let connect = served.connect_timeout(cluster);
        let connects_as_all = connect == served.connect_timeout_of_all();
        let own = own.filter_map(|name| Some((Some(name), served.ways.own.get(name)?)));
        let all = [(None, &served.ways.all)].into_iter().chain(own);
        let kinds = all.flat_map(|(name, way)| {
            let kinds = kinds(way).iter().enumerate();
            kinds.map(move |(n, requests)| Self {
                name,
                way,
                requests: *requests,
                connect,
                connects_as_all,
                is_usual: connects_as_all && name.is_none() && n == 0,
            })
        });
        kinds.collect()
    }

    /// What the HTTPRoutes of a namespace are called that lead there.
    pub(super) fn route(&self, namespace: &str) -> String {
        if self.is_usual {
            format!("limpet-clusters-{namespace}")
        } else {
            format!("{}-{namespace}", self.policy())
        }
    }

    /// What the policy of its rules is called.
    pub(super) fn policy(&self) -> String {
        if self.is_usual {
            "limpet".to_owned()
        } else {
            format!("limpet-way-{}", backend_key(&self.told()))
        }
    }

    /// The same for who reads it: what is different from all, so that no setting renames it.
    pub(super) fn told(&self) -> String {
        let (name, kind) = (self.name.unwrap_or("all"), self.requests.kind());
        if self.connects_as_all {
            format!("{name}, {kind}")
        } else {
            format!("{name}, {kind}, connect={}s", self.connect)
        }
    }

    /// What a BackendTrafficPolicy says of it: `retry` and `timeout`.
    pub(super) fn said(&self, version: Version) -> [(&'static str, Value); 2] {
        let repeats = self.way.repeats(self.requests);
        let mut retry = Map::new();
        retry.insert("numRetries".to_owned(), json!(repeats.times));
        if !repeats.on.is_empty() {
            let mut on = Map::new();
            on.insert("triggers".to_owned(), json!(repeats.on));
            if !repeats.statuses.is_empty() {
                on.insert("httpStatusCodes".to_owned(), json!(repeats.statuses));
            }
            retry.insert("retryOn".to_owned(), Value::Object(on));
        }
        // The time of a try ends where the answer begins, and that of the stream with any byte.
        let read = self.way.read().max(1);
        let is_repeated = repeats.on.contains(&"reset") && repeats.times > 0;
        let silence = if is_repeated && !self.way.ends_with_silence() {
            retry.insert("perRetry".to_owned(), json!({ "timeout": duration(read) }));
            read.saturating_mul(u64::from(repeats.times).saturating_add(1))
        } else {
            read
        };
        let mut timeout = json!({ "tcp": { "connectTimeout": duration(self.connect) } });
        if version >= BOUNDS_SILENCE {
            insert(
                &mut timeout,
                "http",
                json!({ "streamIdleTimeout": duration(silence) }),
            );
        }
        [("retry", Value::Object(retry)), ("timeout", timeout)]
    }
}

/// What nobody said is one rule: who is asked after a pod that broke off is told apart by methods, and a
/// rule is a cluster of its own there.
fn kinds(way: &Way) -> &'static [Requests] {
    if way.has_no_time() {
        &[Requests::All]
    } else if way.repeats_as_usual() {
        &[Requests::NotIdempotent]
    } else {
        way.requests()
    }
}

/// A duration of Gateway API.
pub(super) fn duration(seconds: u64) -> String {
    if seconds <= MOST_SECONDS {
        return format!("{seconds}s");
    }
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let hours = (minutes / 60).min(MOST_SECONDS);
    format!("{hours}h{}m{seconds}s", minutes % 60)
}
