//! What several Ingresses on one Service say differently about its sessions.
//!
//! Source: `getBackendServers`, `internal/ingress/controller/controller.go`, ingress-nginx
//! dbb11b92d: the first mode stays, and with limpet the first hash; the last `affinity: cookie`
//! sets every attribute, and a path is given cookies only by an Ingress with `affinity: cookie`.

use crate::annotations::AffinityAnnotations;
use crate::remark::{Decides, Effect, Field, Problem, Remark};

/// One Ingress on the Service: `namespace/name`, and its annotations where it says
/// `affinity: cookie`.
pub type OnService<'a> = (&'a str, Option<&'a AffinityAnnotations>);

/// Tells where Ingresses on the Service `service` (`namespace/service:port`), in
/// ingress-nginx's order, contradict each other.
#[must_use]
pub fn conflicts(service: &str, ingresses: &[OnService]) -> Vec<Remark> {
    let with = || {
        let ingresses = ingresses.iter();
        ingresses.filter_map(|(name, annotations)| Some((*name, (*annotations)?)))
    };
    let Some((last_name, last)) = with().next_back() else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    for (name, annotations) in ingresses {
        match annotations {
            None => remarks.push(Remark {
                ingress: Some((*name).to_owned()),
                field: Field::annotation("affinity"),
                value: None,
                problem: Problem::NoAffinity {
                    ingress: last_name.to_owned(),
                    service: service.to_owned(),
                },
                effect: Effect::AsBefore,
            }),
            Some(annotations) if *name != last_name => {
                for (field, own, value) in attributes(annotations, last) {
                    let problem = Problem::Contradicted {
                        value,
                        ingress: last_name.to_owned(),
                        service: service.to_owned(),
                        decides: Decides::Last,
                    };
                    let field = Field::annotation(field);
                    let remark = Remark::new(field, &own, problem, Effect::AsBefore);
                    remarks.push(remark.of(name));
                }
            }
            Some(_) => {}
        }
    }
    for field in ["affinity-mode", "session-cookie-hash"] {
        let mut says = with().filter_map(|(name, said)| {
            let value = if field == "affinity-mode" {
                &said.mode
            } else {
                &said.hash
            };
            Some((name, value.as_deref()?))
        });
        let Some((first_name, first)) = says.next() else {
            continue;
        };
        for (name, value) in says.filter(|(_, value)| *value != first) {
            let problem = Problem::Contradicted {
                value: first.to_owned(),
                ingress: first_name.to_owned(),
                service: service.to_owned(),
                decides: Decides::First,
            };
            let field = Field::annotation(field);
            let remark = Remark::new(field, value, problem, Effect::Setting);
            remarks.push(remark.of(name));
        }
    }
    remarks
}

/// The attributes that differ: (annotation, own value, the other value); `""`: absent.
fn attributes(
    own: &AffinityAnnotations,
    last: &AffinityAnnotations,
) -> Vec<(&'static str, String, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let flag = |value: &Option<bool>| value.unwrap_or(false).to_string();
    let row = |annotations: &AffinityAnnotations| {
        [
            ("session-cookie-name", text(&annotations.name)),
            ("session-cookie-path", text(&annotations.path)),
            ("session-cookie-domain", text(&annotations.domain)),
            ("session-cookie-expires", text(&annotations.expires)),
            ("session-cookie-max-age", text(&annotations.max_age)),
            ("session-cookie-samesite", text(&annotations.same_site)),
            (
                "session-cookie-conditional-samesite-none",
                flag(&annotations.conditional_same_site_none),
            ),
            ("session-cookie-secure", flag(&annotations.secure)),
            (
                "session-cookie-change-on-failure",
                flag(&annotations.change_on_failure),
            ),
            (
                "limpet.dev/session-cookie-partitioned",
                flag(&annotations.partitioned),
            ),
            (
                "limpet.dev/session-cookie-refresh",
                flag(&annotations.refresh),
            ),
            (
                "limpet.dev/session-cookie-default-path",
                text(&annotations.default_path),
            ),
            (
                "limpet.dev/session-cookie-skip-cacheable",
                flag(&annotations.skip_cacheable),
            ),
        ]
    };
    let pairs = row(own).into_iter().zip(row(last));
    pairs
        .filter(|((_, own), (_, last))| own != last)
        .map(|((field, own), (_, last))| (field, own, last))
        .collect()
}
