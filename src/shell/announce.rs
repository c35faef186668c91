//! Says what has been read: the gauges in every VM, the log lines once per process.

use super::host::{self, Level};
use super::metrics::{Metric, Metrics};
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

/// A configuration that has been read, used or not. Errors are what it names and is not there.
pub(super) fn announce(
    metrics: Metrics,
    bytes: &[u8],
    policy: &Policy,
    (remarks, errors): (&[Remark], &[Remark]),
) {
    let idle = policy.idle();
    let errors = || errors.iter().chain(&idle);
    metrics.set(Metric::ConfigErrors, errors().count());
    metrics.set(Metric::ConfigWarnings, remarks.len());
    let digest = digest(bytes);
    if !is_first_to_tell(digest) {
        return;
    }
    // There before any request is: a value that is absent cannot be swapped.
    let _ = host::set_shared(KEY_FILTER, b"", 0);
    let affinity = policy.clusters.iter().filter(|c| c.affinity.is_some());
    let line = format!(
        "limpet {} configuration {digest:016x}: hosts {}, locations {}, clusters with \
         affinity {}, warnings {}",
        env!("CARGO_PKG_VERSION"),
        policy.virtual_hosts().count(),
        policy.location_count(),
        affinity.count(),
        remarks.len(),
    );
    host::log(Level::Warn, &line);
    for remark in remarks {
        host::log(Level::Warn, &format!("limpet: {remark}"));
    }
    for error in errors() {
        host::log(Level::Error, &format!("limpet: {error}"));
    }
}

/// Bytes that are no configuration.
pub(super) fn refuse(metrics: Metrics, why: &str) {
    metrics.set(Metric::ConfigErrors, 1);
    let line = format!("limpet: configuration refused: {why}; the one before stays in use, if any");
    host::log(Level::Critical, &line);
}

/// No session can be kept: the filter that pins requests does not do it. Told of once a
/// configuration.
pub(super) fn filter_missing() {
    if is_first_to_write(KEY_FILTER, b"missing") {
        let line = "limpet: no session is kept: the filter envoy.filters.http.stateful_session is \
                    missing, or does not stand after limpet and before the router; add it there, \
                    with the header state that `limpet render` writes (limpet_filter_missing \
                    counts the requests)";
        host::log(Level::Warn, line);
    }
}

/// Every worker, the main thread and the validation read the same bytes; one of them tells.
/// Several configurations may be in use at once: a listener each, say.
fn is_first_to_tell(digest: u64) -> bool {
    let key = format!("{KEY}/{digest:016x}");
    let now = host::now_us();
    let (before, cas) = host::shared(&key).ok().flatten().unwrap_or_default();
    let told = before.try_into().map(u64::from_le_bytes);
    let is_told = told.is_ok_and(|told| now.abs_diff(told) < TOGETHER);
    !is_told && host::set_shared(&key, &now.to_le_bytes(), cas) != Ok(false)
}

fn is_first_to_write(key: &str, ours: &[u8]) -> bool {
    let (before, cas) = host::shared(key).ok().flatten().unwrap_or_default();
    before != ours && host::set_shared(key, ours, cas) != Ok(false)
}
