//! Says what has been read: the gauges in every VM, the log lines once per process.

use std::collections::HashMap;

use super::effect::{Effect, Level};
use super::host::Host;
use super::metric::Metric;
use crate::discovery::listing::digest;
use crate::policy::Policy;
use crate::remark::Remark;

/// With a configuration's digest behind it: when that configuration was told of, µs since 1970.
const KEY: &str = "limpet/1/announced";

/// All VMs of a process read a configuration within this time, in µs; one that is read later
/// has come back, and that is worth a line.
const TOGETHER: u64 = 30_000_000;

/// Holds whether it was told that the session filter is missing.
const KEY_FILTER: &str = "limpet/1/filter-missing";

/// So many lines of one Ingress, whose owner writes as many remarks as it likes.
const LINES: usize = 50;

/// A configuration that has been read, used or not.
pub(super) struct Announcement<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) policy: &'a Policy,
    pub(super) remarks: &'a [Remark],
    /// What it names and is not there.
    pub(super) errors: &'a [Remark],
}

impl Announcement<'_> {
    /// The gauges, and the lines if this VM is the one to tell.
    pub(super) fn effects(&self, host: &impl Host) -> Vec<Effect> {
        let idle = self.policy.idle();
        let errors: Vec<&Remark> = self.errors.iter().chain(&idle).collect();
        let mut effects = vec![
            Effect::Set(Metric::ConfigErrors, errors.len()),
            Effect::Set(Metric::ConfigWarnings, self.remarks.len()),
        ];
        let digest = digest(self.bytes);
        if is_first_to_tell(digest, host) {
            // There before any request is: a value that is absent cannot be swapped.
            host.set_shared_data(KEY_FILTER, b"", 0);
            self.tell(digest, &errors, &mut effects);
        }
        effects
    }

    fn tell(&self, digest: u64, errors: &[&Remark], effects: &mut Vec<Effect>) {
        let affinity = self.policy.clusters.iter().filter(|c| c.affinity.is_some());
        let line = format!(
            "limpet {} configuration {digest:016x}: hosts {}, locations {}, clusters with \
             affinity {}, warnings {}",
            env!("CARGO_PKG_VERSION"),
            self.policy.virtual_hosts().count(),
            self.policy.location_count(),
            affinity.count(),
            self.remarks.len(),
        );
        effects.push(Effect::Log(Level::Warn, line));
        let line = |level, remark: &Remark| Effect::Log(level, format!("limpet: {remark}"));
        let mut of_each: HashMap<&str, usize> = HashMap::new();
        for remark in self.remarks {
            if let Some(ingress) = &remark.ingress {
                let count = of_each.entry(ingress).or_default();
                *count = count.saturating_add(1);
                if *count > LINES {
                    continue;
                }
            }
            effects.push(line(Level::Warn, remark));
        }
        let mut over: Vec<_> = of_each
            .into_iter()
            .filter(|(_, count)| *count > LINES)
            .collect();
        over.sort_unstable();
        effects.extend(over.into_iter().map(|(ingress, count)| {
            let more = count.saturating_sub(LINES);
            let line = format!("limpet: ingress {ingress}: {more} more; limpet check says all");
            Effect::Log(Level::Warn, line)
        }));
        effects.extend(errors.iter().map(|e| line(Level::Error, e)));
    }
}

/// Bytes that are no configuration.
pub(super) fn refusal(why: &str) -> Vec<Effect> {
    let line = format!("limpet: configuration refused: {why}; the one before stays in use, if any");
    vec![
        Effect::Set(Metric::ConfigErrors, 1),
        Effect::Log(Level::Critical, line),
    ]
}

/// No session can be kept: the filter that pins requests does not do it. Told of once a
/// configuration.
pub(super) fn filter_missing(host: &impl Host) -> Vec<Effect> {
    const MISSING: &[u8] = b"missing";
    let (before, cas) = host.shared_data(KEY_FILTER).unwrap_or_default();
    if before == MISSING || !host.set_shared_data(KEY_FILTER, MISSING, cas) {
        return Vec::new();
    }
    let line = "limpet: no session is kept: the filter envoy.filters.http.stateful_session is \
                missing, or does not stand after limpet and before the router; add it there, \
                with the header state that `limpet render` writes (limpet_filter_missing \
                counts the requests)";
    vec![Effect::Log(Level::Warn, line.to_owned())]
}

/// Every worker, the main thread and the validation read the same bytes; one of them tells.
/// Several configurations may be in use at once: a listener each, say.
fn is_first_to_tell(digest: u64, host: &impl Host) -> bool {
    let key = format!("{KEY}/{digest:016x}");
    let now = host.now_us();
    let (before, cas) = host.shared_data(&key).unwrap_or_default();
    let told = before.try_into().map(u64::from_le_bytes);
    let is_told = told.is_ok_and(|told| now.abs_diff(told) < TOGETHER);
    !is_told && host.set_shared_data(&key, &now.to_le_bytes(), cas)
}
