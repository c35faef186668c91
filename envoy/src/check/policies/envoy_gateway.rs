//! On Envoy Gateway a request begins on one HTTPRoute, which decides which filters it passes before
//! limpet, and ends on another, which says what those behind limpet do.

use serde_json::Value;

use super::remark::{finding, rewrites};
use crate::check::finding::{Finding, Level};
use crate::compiled::Compiled;
use crate::manifests::Object;

/// Where a policy is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// limpet's Gateway, or a listener of it.
    Gateway,
    /// The route that all requests begin on.
    First,
    /// One that requests end on.
    Last,
}

/// What a SecurityPolicy has before limpet, and behind.
const BEFORE: [&str; 6] = ["cors", "extAuth", "apiKeyAuth", "basicAuth", "oidc", "jwt"];
const BEHIND: [&str; 1] = ["authorization"];

/// Of what a BackendTrafficPolicy has, what stands behind limpet.
const LIMITS: [&str; 2] = ["rateLimit", "faultInjection"];

const ON_THE_GATEWAY: &str = "attach it to limpet's Gateway: there everything of it runs";

pub(super) fn of(compiled: &Compiled<'_>, policy: &Object) -> Vec<Finding> {
    let found = targets(policy).into_iter();
    found
        .flat_map(|(pointer, target)| {
            let pointer = pointer.as_str();
            match policy.kind() {
                "SecurityPolicy" => security(compiled, policy, pointer, target),
                "BackendTrafficPolicy" => Vec::from_iter(backend_traffic(policy, pointer, target)),
                "ClientTrafficPolicy" if target == Target::Gateway => {
                    vec![client_traffic(policy, pointer)]
                }
                "EnvoyExtensionPolicy" => vec![extension(policy, pointer, target)],
                _ => Vec::new(),
            }
        })
        .chain(route(policy))
        .collect()
}

/// Those of its targets that are limpet's, with their JSON pointers.
fn targets(policy: &Object) -> Vec<(String, Target)> {
    let one = policy.value.pointer("/spec/targetRef");
    let one = one.map(|target| ("/spec/targetRef".to_owned(), target));
    let several = policy.list("/spec/targetRefs").iter().enumerate();
    let several = several.map(|(n, target)| (format!("/spec/targetRefs/{n}"), target));
    let is_limpets = |(pointer, target): (String, &Value)| {
        let text = |key| target.get(key).and_then(Value::as_str);
        let target = match (text("kind")?, text("name")?) {
            ("Gateway", "limpet") => Target::Gateway,
            ("HTTPRoute", "limpet") => Target::First,
            ("HTTPRoute", name)
                if ["limpet-clusters-", "limpet-way-"]
                    .iter()
                    .any(|own| name.starts_with(own)) =>
            {
                Target::Last
            }
            _ => return None,
        };
        Some((pointer, target))
    };
    one.into_iter()
        .chain(several)
        .filter_map(is_limpets)
        .collect()
}

/// Those of the fields that it has, for a sentence.
fn given(policy: &Object, fields: &[&'static str]) -> Option<String> {
    let is_given = |field: &&&str| policy.value.pointer(&format!("/spec/{field}")).is_some();
    let given: Vec<&str> = fields.iter().filter(is_given).copied().collect();
    (!given.is_empty()).then(|| given.join(", "))
}

fn security(
    compiled: &Compiled<'_>,
    policy: &Object,
    pointer: &str,
    target: Target,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(fields) = given(policy, &BEFORE) {
        if target == Target::Last {
            let expected = format!(
                "{fields} on an HTTPRoute that requests come to behind limpet, where this is over"
            );
            found.push(never(policy, pointer, expected));
        } else if rewrites(compiled) {
            found.push(finding(
                Level::Note,
                policy,
                pointer,
                format!("{fields} runs before limpet, on the path that clients send"),
                "pods get the rewritten path: where the policy goes by paths, name them in `protect`",
            ));
        }
    }
    if let (Target::First, Some(fields)) = (target, given(policy, &BEHIND)) {
        found.push(never(policy, pointer, nothing_ends_there(&fields)));
    }
    found
}

fn nothing_ends_there(fields: &str) -> String {
    format!("{fields} on the HTTPRoute that requests begin on, and no request ends there")
}

fn never(policy: &Object, pointer: &str, expected: String) -> Finding {
    let consequence = "Envoy Gateway accepts it, and it never runs";
    finding(Level::Warning, policy, pointer, expected, consequence).help(ON_THE_GATEWAY)
}

fn backend_traffic(policy: &Object, pointer: &str, target: Target) -> Option<Finding> {
    match target {
        Target::Gateway => None,
        Target::First => given(policy, &LIMITS)
            .map(|fields| never(policy, pointer, nothing_ends_there(&fields))),
        Target::Last => Some(
            finding(
                Level::Warning,
                policy,
                pointer,
                "on an HTTPRoute that has one of limpet's, and Envoy Gateway takes the older one alone",
                "where this one wins, limpet's is Accepted=False Conflicted: Envoy's circuit breakers answer \
                 503 above 1,024 requests, and nothing is tried again; else this one never runs",
            )
            .help(ON_THE_GATEWAY)
            .help("there limpet's is merged into it"),
        ),
    }
}

fn client_traffic(policy: &Object, pointer: &str) -> Finding {
    finding(
        Level::Warning,
        policy,
        pointer,
        "on limpet's Gateway, which has one of limpet's, and Envoy Gateway takes the older one alone",
        "where this one wins, limpet's is Accepted=False Conflicted: pods get Envoy's forwarding headers \
         instead of ingress-nginx's, and what a client says of itself in them; HTTP/1.0 is refused; else \
         this one never runs",
    )
    .help("take it away, and write what it says into limpet's, or what limpet's says into it")
}

fn extension(policy: &Object, pointer: &str, target: Target) -> Finding {
    match target {
        Target::Gateway => finding(
            Level::Error,
            policy,
            pointer,
            "on limpet's Gateway, where limpet's own hangs, and Envoy Gateway takes the older one alone",
            "where this one wins, limpet does not run and everything is 404; else this one never runs",
        )
        .help("one policy holds several extensions: write this one's into limpet's, before or behind it"),
        Target::First => finding(
            Level::Error,
            policy,
            pointer,
            "on the HTTPRoute that requests begin on, where it stands in for the Gateway's, which is limpet",
            "limpet does not run: everything is 404",
        )
        .help("write what it says into limpet's EnvoyExtensionPolicy, before or behind limpet"),
        Target::Last => finding(
            Level::Warning,
            policy,
            pointer,
            "on an HTTPRoute that requests come to behind limpet, where extensions are over",
            "Envoy Gateway accepts it, and it never runs",
        )
        .help("write what it says into limpet's EnvoyExtensionPolicy, before or behind limpet"),
    }
}

/// A route of somebody else's on limpet's Gateway.
fn route(policy: &Object) -> Vec<Finding> {
    if policy.kind() != "HTTPRoute" {
        return Vec::new();
    }
    let parents = policy.list("/spec/parentRefs").iter().enumerate();
    let of_limpet = parents.filter(|(_, parent)| {
        let kind = parent.get("kind").and_then(Value::as_str);
        kind.is_none_or(|kind| kind == "Gateway")
            && parent.get("name").is_some_and(|name| name == "limpet")
    });
    let found = of_limpet.map(|(n, parent)| {
        let namespace = parent.get("namespace").and_then(Value::as_str);
        let pointer = format!("/spec/parentRefs/{n}");
        if namespace.is_none_or(|name| name == policy.namespace()) {
            finding(
                Level::Warning,
                policy,
                &pointer,
                "a route of somebody else's on limpet's Gateway",
                "the hosts that it names are its own: what an Ingress says of them is not served; of \
                 all others, what no Ingress names is 404",
            )
        } else {
            finding(
                Level::Warning,
                policy,
                &pointer,
                "limpet's Gateway takes no routes of other namespaces",
                "it is Accepted=False NotAllowedByListeners",
            )
            .help("a Gateway of its own")
        }
    });
    found.collect()
}
