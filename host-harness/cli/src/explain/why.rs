//! The module's decision record, read; its reasons in words.
//!
//! The record is made by `limpet::decision`; its `why` is a list of `[reason, detail, ...]`.

use host_harness::Summary;
use serde_json::Value;

use super::{Affinity, Decision, Explanation};

/// Fills `answer` from the record.
pub(super) fn read_record(record: &[u8], answer: &mut Explanation) {
    let record: Value = serde_json::from_slice(record).unwrap_or_default();
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    answer.outcome = match record.get("outcome").and_then(Value::as_str) {
        Some("forward" | "pass") => Decision::Forward,
        Some("redirect") => Decision::Redirect,
        Some("not_found") => Decision::NotFound,
        _ => Decision::Reject,
    };
    answer.ingress = text("ingress");
    answer.location = text("location");
    answer.cluster = text("cluster");
    answer.affinity = record
        .get("affinity")
        .filter(|value| value.is_object())
        .map(|value| {
            let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
            Affinity {
                cookie: text("cookie"),
                state: text("state").unwrap_or_else(|| "none".to_owned()),
                override_host: text("override"),
            }
        });
    let reasons = record.get("why").and_then(Value::as_array);
    answer.why = reasons.into_iter().flatten().map(in_words).collect();
}

/// What the router did after the module: tries that failed, nobody to ask.
pub(super) fn add_what_the_proxy_did(summary: &Summary, answer: &mut Explanation) {
    if summary.attempts > 1 {
        answer
            .why
            .push(format!("{} tries were needed", summary.attempts));
    }
    match summary.details.as_deref() {
        Some("no_healthy_upstream") => {
            answer
                .why
                .push("the cluster has no endpoint that can take it: 503".to_owned());
        }
        Some(details) if details.starts_with("upstream_reset") => {
            answer.why.push(format!("no endpoint answered ({details})"));
        }
        _ => {}
    }
}

/// One reason as a sentence.
pub(crate) fn in_words(reason: &Value) -> String {
    let parts: Vec<&str> = reason
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match parts.as_slice() {
        ["location", "", path] => format!("location {path} of the default server"),
        ["location", ingress, path] => format!("location {path} of ingress {ingress}"),
        ["unknown_host"] => "no Ingress names this host".to_owned(),
        ["unknown_path"] => "the host is known, but no path of it takes this request".to_owned(),
        ["answered", reason] => answered(reason),
        ["rewritten", to] => format!("the path becomes {to}"),
        ["canary", primary, canary] => format!("canary {canary} takes it instead of {primary}"),
        ["balanced"] => "no usable session cookie: the load balancer chooses".to_owned(),
        ["cookie", endpoint] => format!("the session cookie names {endpoint}"),
        ["substitute", endpoint] => {
            format!("the session's endpoint is unhealthy: {endpoint} stands in until it is back")
        }
        ["hash_by", endpoint] => format!("upstream-hash-by names {endpoint}"),
        ["nobody_named"] => "the session cookie names no endpoint of this cluster".to_owned(),
        ["endpoints_unknown"] => {
            "the endpoints were not known in time: the cookie is neither used nor replaced"
                .to_owned()
        }
        ["elsewhere", endpoint] => format!("{endpoint} answered, not the endpoint asked for"),
        ["minted", endpoint] => format!("a new session cookie names {endpoint}"),
        ["local_reply"] => "no pod answered, so no session cookie is written".to_owned(),
        ["error_page", status] => {
            format!("custom-http-errors: a page stands in place of an answer with {status}")
        }
        ["filter_missing"] => "the answer did not pass the session filter: it is missing, or in \
                               the wrong place"
            .to_owned(),
        _ => reason.to_string(),
    }
}

/// Where nobody knows which list it was.
pub(super) const ADDRESS: &str =
    "the client's address is denied, or not among those that are allowed: 403";

fn answered(reason: &str) -> String {
    match reason {
        "app_root" => "app-root sends / elsewhere",
        "redirect" => "permanent-redirect or temporal-redirect sends it elsewhere",
        "ssl_redirect" => "ssl-redirect sends plain http to https",
        "from_to_www" => "from-to-www-redirect sends it to the other host name",
        "rewrite_redirect" => "rewrite-target is an absolute URL, which is a redirect",
        "missing_slash" => "the location ends with a slash and the path does not",
        "no_service" => "the Service is missing or has no endpoint: 503",
        "denied" => "an annotation is refused, which denies the location: 503",
        "address" => ADDRESS,
        "client" => "its User-Agent or Referer is on a list of the ConfigMap: 403",
        "too_fast" => "its client sends more than limit-rps or limit-rpm lets through",
        "too_many" => "its client has as many under way as limit-connections lets",
        "too_large" => "its body is longer than proxy-body-size: 413",
        "large_head" => "its head is longer than large-client-header-buffers: 414 or 400",
        "password" => "it names nobody of auth-secret with the right password: 401",
        "unauthorized" => "the authorizer of auth-url does not let it in",
        "sign_in" => "the authorizer of auth-url does not know who it is: auth-signin",
        "no_certificate" => "auth-tls-secret: the client shows no certificate: 400",
        "bad_certificate" => "auth-tls-secret: its Secret does not vouch for the client's certificate: 400",
        "other_name" => "auth-tls-match-cn: the client's certificate is another one's: 403",
        "no_authority" => "auth-tls-secret cannot be used, which closes the host: 403",
        "misdirected" => "the connection was made in another host's name, which may ask for another certificate: 421",
        "no_authorizer" => "the authorizer of auth-url gives no answer that means anything: 500",
        "preflight" => "a preflight of an origin that cors-allow-origin has: 204",
        "closed" => "the configuration closes its Ingress or its host: 503",
        "bad_request" => "nginx refuses such a request, or its redirect would lead astray: 400",
        "not_allowed" => "nginx refuses TRACE: 405",
        "empty_path" => "the rewrite leaves nothing of the path: 500",
        "ambiguous_path" => {
            "a server may read the path as one that lies otherwise to a prefix of protect: 400"
        }
        "protected_path" => {
            "the rewrite leads under a prefix of protect, and the request's own path is not there: 400"
        }
        "too_costly" => "the patterns of its host are too much work for so long a text: 500",
        "health_check" => "a load balancer's health check of a host that no Ingress names",
        other => return format!("answered here: {other}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reasons_are_told_in_words_and_an_unknown_one_as_it_is() {
        for (reason, words) in [
            (
                json!(["cookie", "10.0.0.1:80"]),
                "the session cookie names 10.0.0.1:80",
            ),
            (
                json!(["answered", "app_root"]),
                "app-root sends / elsewhere",
            ),
            (json!(["new_reason", "x"]), "[\"new_reason\",\"x\"]"),
        ] {
            assert_eq!(in_words(&reason), words);
        }
    }

    #[test]
    fn every_reason_of_the_module_has_words() {
        use limpet::route::Reason::*;
        for reason in [
            AppRoot,
            Redirect,
            SslRedirect,
            FromToWww,
            RewriteRedirect,
            MissingSlash,
            NoService,
            Denied,
            Address,
            Preflight,
            BadRequest,
            NotAllowed,
            EmptyPath,
            AmbiguousPath,
            ProtectedPath,
            TooCostly,
            HealthCheck,
        ] {
            let words = in_words(&json!(["answered", reason.as_str()]));
            assert!(!words.contains("answered here"), "{reason:?}");
        }
    }

    #[test]
    fn a_record_becomes_an_answer() {
        let record = br#"{"outcome":"forward","ingress":"default/shop","location":"/","cluster":"c",
            "affinity":{"cookie":"route","state":"kept","override":"10.0.0.1:80"},"why":[["balanced"]]}"#;
        let mut answer = Explanation::default();
        read_record(record, &mut answer);
        assert_eq!(answer.outcome, Decision::Forward);
        let affinity = answer.affinity.unwrap();
        assert_eq!(
            (affinity.state.as_str(), affinity.override_host.as_deref()),
            ("kept", Some("10.0.0.1:80"))
        );
        assert_eq!(answer.why.len(), 1);
    }
}
