//! One line a request, from the decision record.

use host_harness::proxy::AccessRecord;
use serde_json::Value;
use std::time::UNIX_EPOCH;

use crate::filter_chain::RECORD;

/// Prints the line.
pub(super) fn print(record: &AccessRecord) {
    println!("{}", line(record));
}

/// `time source "METHOD host/path" status endpoint duration  ingress location session`.
fn line(record: &AccessRecord) -> String {
    let seconds = record
        .time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let endpoint = record
        .summary
        .endpoint
        .map_or_else(|| "-".to_owned(), |e| e.to_string());
    let decision = record.properties.get(RECORD).map(|bytes| decision(bytes));
    format!(
        "{hours:02}:{minutes:02}:{seconds:02} {} \"{} {}{}\" {} {endpoint} {:.1}ms {}",
        record.source.ip(),
        record.method,
        record.authority,
        record.path,
        record.summary.status,
        record.duration.as_secs_f64() * 1000.0,
        decision.unwrap_or_default()
    )
}

/// Ingress, location, and what became of the session; never the cookie's value.
fn decision(record: &[u8]) -> String {
    let record: Value = serde_json::from_slice(record).unwrap_or_default();
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let mut words = vec![text("/outcome").unwrap_or("-").to_owned()];
    words.extend(text("/ingress").map(str::to_owned));
    words.extend(text("/location").map(str::to_owned));
    if let (Some(cookie), Some(state)) = (text("/affinity/cookie"), text("/affinity/state")) {
        words.push(format!("{cookie}={state}"));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_is_told_in_a_few_words() {
        let record = br#"{"outcome":"forward","ingress":"default/shop","location":"/cart",
            "cluster":"x","affinity":{"cookie":"route","state":"kept","override":"10.0.0.1:80"}}"#;
        assert_eq!(decision(record), "forward default/shop /cart route=kept");
        assert_eq!(decision(b"?"), "-");
    }
}
