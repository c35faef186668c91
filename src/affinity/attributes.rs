//! The cookie's attributes from the annotations, with ingress-nginx's leniency.

use crate::annotations::AffinityAnnotations;
use crate::remark::{Effect, Expected, Field, Problem, Remark};
use crate::session_cookie::{SameSite, SessionCookie, number};

/// The name where the annotation is absent (`defaultAffinityCookieName`,
/// `internal/ingress/annotations/sessionaffinity/main.go`, dbb11b92d).
const DEFAULT_NAME: &str = "INGRESSCOOKIE";

/// Compiles the attributes; empty values are absent ones.
pub(super) fn compile(last: &AffinityAnnotations, remarks: &mut Vec<Remark>) -> SessionCookie {
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let mut cookie = SessionCookie {
        name: given(&last.name).unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        path: given(&last.path).or_else(|| given(&last.default_path)),
        domain: given(&last.domain),
        conditional_same_site_none: last.conditional_same_site_none.unwrap_or(false),
        // The controller leaves `false` out of what it hands to Lua: it equals absent.
        secure: last.secure.filter(|secure| *secure),
        partitioned: last.partitioned.unwrap_or(false),
        ..SessionCookie::default()
    };
    cookie.expires = seconds("session-cookie-expires", &last.expires, remarks);
    cookie.max_age = seconds("session-cookie-max-age", &last.max_age, remarks);
    if let Some(text) = given(&last.same_site) {
        cookie.same_site = SameSite::parse(&text);
        if cookie.same_site.is_none() {
            let field = Field::annotation("session-cookie-samesite");
            let problem = Problem::Not(Expected::SameSite);
            remarks.push(Remark::new(field, &text, problem, Effect::AsBefore));
        }
    }
    if let Some(path) = cookie.path.take() {
        cookie.path = Some(plain("session-cookie-path", &path, &mut cookie, remarks));
    }
    if let Some(domain) = cookie.domain.take() {
        cookie.domain = Some(plain(
            "session-cookie-domain",
            &domain,
            &mut cookie,
            remarks,
        ));
    }
    cookie
}

/// A lifetime. What is not a number: ingress-nginx answers 500 (expires) or drops the attribute
/// (max-age); limpet drops it.
fn seconds(name: &str, value: &Option<String>, remarks: &mut Vec<Remark>) -> Option<f64> {
    let text = value.as_deref().filter(|text| !text.is_empty())?;
    let seconds = number::parse(text);
    if seconds.is_none() {
        let effect = if name == "session-cookie-max-age" {
            Effect::AsBefore
        } else {
            Effect::Setting
        };
        let problem = Problem::Not(Expected::Seconds);
        remarks.push(Remark::new(Field::annotation(name), text, problem, effect));
    }
    seconds
}

/// The value before the first `;`. Older controllers wrote the rest into the cookie as it was,
/// so manifests carry attributes there: the known ones are kept.
fn plain(name: &str, text: &str, cookie: &mut SessionCookie, remarks: &mut Vec<Remark>) -> String {
    let mut parts = text.split(';').map(str::trim);
    let value = parts.next().unwrap_or_default().to_owned();
    for part in parts.filter(|part| !part.is_empty()) {
        let problem = Problem::Carries {
            is_kept: attribute(part, cookie),
            attribute: part.to_owned(),
        };
        let field = Field::annotation(name);
        remarks.push(Remark::new(field, text, problem, Effect::Setting));
    }
    value
}

/// Sets an attribute that stands in the value of another one; `false`: not known.
fn attribute(text: &str, cookie: &mut SessionCookie) -> bool {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "secure" => cookie.secure = Some(true),
        "httponly" => {}
        "partitioned" => cookie.partitioned = true,
        "samesite" => match SameSite::parse(value.trim()) {
            Some(same_site) => cookie.same_site = Some(same_site),
            None => return false,
        },
        "domain" if cookie.domain.is_none() => cookie.domain = Some(value.trim().to_owned()),
        "max-age" if cookie.max_age.is_none() => cookie.max_age = number::parse(value),
        _ => return false,
    }
    true
}
