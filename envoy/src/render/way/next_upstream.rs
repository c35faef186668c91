//! `proxy-next-upstream` and what goes with it: what is tried again, and how often.
//!
//! Source: `buildNextUpstream` of `template.go` and the `proxy_next_upstream*` lines of
//! `nginx.tmpl`, ingress-nginx dbb11b92d; `ngx_http_upstream_next`, nginx 1.27.1.

use limpet::annotations::catalogue;
use limpet::annotations::validator::{Patterns, parse_bool};
use serde_json::{Value, json};

use crate::filter_chain::RETRIES;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;
use crate::values;

/// After what.
const WORDS: &str = "proxy-next-upstream";

/// How often a request is tried where nginx would try it without end.
const MANY: u32 = 10;

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextUpstream {
    /// A pod could not be reached, or broke off.
    error: bool,
    /// A pod was silent for too long.
    timeout: bool,
    /// A pod answered one of these.
    statuses: Vec<u16>,
    /// POST, LOCK and PATCH too, whatever a pod may have begun.
    non_idempotent: bool,
    /// How often in all.
    tries: u32,
    /// In this many seconds; 0: no bound.
    within: u64,
}

/// The same in Envoy's words.
#[derive(Debug)]
pub(crate) struct Repeats<'n> {
    /// After what.
    pub(crate) on: Vec<&'static str>,
    /// After these statuses too.
    pub(crate) statuses: &'n [u16],
    /// How often.
    pub(crate) times: u32,
}

impl Repeats<'_> {
    /// The retry policy of a route.
    pub(crate) fn policy(&self) -> Value {
        let mut policy = json!({
            "retry_on": self.on.join(","),
            "num_retries": self.times,
            "retry_host_predicate": [{
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": { "@type":
                    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
            }],
            // Least request picks at random: of two pods the one that is gone again, one time in two.
            "host_selection_retry_max_attempts": 20,
        });
        if let (false, Some(fields)) = (self.statuses.is_empty(), policy.as_object_mut()) {
            fields.insert("retriable_status_codes".to_owned(), json!(self.statuses));
        }
        policy
    }
}

impl NextUpstream {
    /// What holds where no Ingress says otherwise.
    pub(crate) fn of_all(manifests: &Manifests) -> Self {
        let mut all = Self::usual();
        let setting = |name: &str| manifests.setting(name).filter(|text| !text.is_empty());
        let words = setting(WORDS).filter(|words| values::is_read(WORDS, words));
        if let Some(words) = words {
            all.read(words);
        }
        let repeats = setting("retry-non-idempotent").and_then(parse_bool);
        all.non_idempotent |= repeats.unwrap_or_default();
        all.bound(
            setting("proxy-next-upstream-tries"),
            setting("proxy-next-upstream-timeout"),
        );
        all
    }

    fn usual() -> Self {
        Self {
            error: true,
            timeout: true,
            statuses: Vec::new(),
            non_idempotent: false,
            tries: RETRIES.saturating_add(1),
            within: 0,
        }
    }

    /// What an Ingress says. What ingress-nginx refuses counts as not said.
    pub(crate) fn of(ingress: &TakenIngress<'_>, all: &Self, repeats_all: bool) -> Self {
        let mut own = all.clone();
        if let Some(words) = ingress.annotation(WORDS)
            && is_accepted(words)
        {
            own.non_idempotent = repeats_all;
            own.read(words);
        }
        own.bound(
            ingress.annotation("proxy-next-upstream-tries"),
            ingress.annotation("proxy-next-upstream-timeout"),
        );
        own
    }

    /// Whether POST is tried again whatever an Ingress says.
    pub(crate) fn repeats_all(manifests: &Manifests) -> bool {
        let said = manifests.setting("retry-non-idempotent");
        said.and_then(parse_bool).unwrap_or_default()
    }

    fn read(&mut self, words: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let has = |word: &str| words.contains(&word);
        let is_off = has("off");
        self.error = has("error") && !is_off;
        self.timeout = has("timeout") && !is_off;
        self.non_idempotent |= has("non_idempotent");
        let statuses = words.iter().filter(|_| !is_off);
        self.statuses = statuses
            .filter_map(|word| word.strip_prefix("http_")?.parse().ok())
            .collect();
        self.statuses.sort_unstable();
        self.statuses.dedup();
    }

    fn bound(&mut self, tries: Option<&str>, within: Option<&str>) {
        if let Some(tries) = tries.and_then(|text| text.parse::<u32>().ok()) {
            self.tries = if tries == 0 { MANY } else { tries.min(MANY) };
        }
        if let Some(within) = within.and_then(|text| text.parse().ok()) {
            self.within = within;
        }
    }

    /// Whether some methods are not treated as others are.
    pub(crate) fn tells_methods_apart(&self) -> bool {
        !self.non_idempotent
            && self.tries > 1
            && (self.error || self.timeout || !self.statuses.is_empty())
    }

    /// Whether a pod that was silent for `read` seconds is the last one that is asked.
    pub(crate) fn ends_with_silence(&self, read: u64) -> bool {
        !self.timeout || (self.within > 0 && self.within <= read)
    }

    /// Whether it is what ingress-nginx does where nobody says anything.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::usual()
    }

    /// What Envoy tries again, and how often; `is_safe`: the method may be tried again whatever a pod has
    /// begun.
    pub(crate) fn repeats(&self, is_safe: bool, read: u64) -> Repeats<'_> {
        let is_safe = is_safe || self.non_idempotent;
        let mut on = Vec::new();
        if self.error || self.timeout {
            on.extend(["connect-failure", "refused-stream"]);
            if is_safe {
                on.push("reset");
            }
        }
        let has_statuses = is_safe && !self.statuses.is_empty();
        if has_statuses {
            on.push("retriable-status-codes");
        }
        // As many as fit in where each of them is silent.
        let fit = match u32::try_from(self.within.div_ceil(read.max(1))) {
            Ok(fit) if self.within > read => self.tries.min(fit),
            _ => self.tries,
        };
        Repeats {
            times: if on.is_empty() {
                0
            } else {
                fit.saturating_sub(1)
            },
            on,
            statuses: if has_statuses { &self.statuses } else { &[] },
        }
    }

    /// Its part of a route's name.
    pub(crate) fn name(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.error.then_some("error".to_owned()));
        words.extend(self.timeout.then_some("timeout".to_owned()));
        words.extend(self.statuses.iter().map(u16::to_string));
        words.extend(self.non_idempotent.then_some("all-methods".to_owned()));
        let words = if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.join("+")
        };
        format!("next={words},tries={},within={}s", self.tries, self.within)
    }
}

fn is_accepted(words: &str) -> bool {
    let row = catalogue::find(WORDS);
    !words.trim().is_empty()
        && row.is_some_and(|row| row.validator.accepts(words, &mut Patterns::default()))
}
