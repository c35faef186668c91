//! Hosts that ask clients for certificates: what is asked of them, and what pods hear.

use crate::http::{Request, Response};

/// What a pod hears of a client.
const HEARD: [&str; 6] = [
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "ssl-client-cert",
    "ssl_client_verify",
    "x-forwarded-client-cert",
];

/// Of a client with a good certificate.
pub const GOOD: &[&str] = &[
    "ssl-client-verify: SUCCESS",
    "ssl-client-subject-dn: O=tests,CN=good.client.test",
    "ssl-client-issuer-dn: O=tests,CN=rest-ca",
];

/// The same where pods get the certificate.
pub const GOOD_ITSELF: &[&str] = &[
    "ssl-client-verify: SUCCESS",
    "ssl-client-subject-dn: O=tests,CN=good.client.test",
    "ssl-client-issuer-dn: O=tests,CN=rest-ca",
    "ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0AMIIBpzCC",
];

/// By a certificate between it and the authority, which the client sends: one is as deep as is the default.
pub const THROUGH: &[&str] = &[
    "ssl-client-verify: SUCCESS",
    "ssl-client-subject-dn: O=tests,CN=through.client.test",
    "ssl-client-issuer-dn: O=tests,CN=middle",
];

/// Of one of another authority.
pub const UNTRUSTED: &[&str] = &[
    "ssl-client-verify: FAILED:unable to verify the first certif",
    "ssl-client-subject-dn: O=tests,CN=other.client.test",
    "ssl-client-issuer-dn: O=tests,CN=rest-ca2",
];

/// Of one without.
pub const NONE: &[&str] = &["ssl-client-verify: NONE"];

/// The name that is greeted, the client, the host that is asked, the status (0: the handshake ended), what the pod
/// hears.
pub type Row = (
    &'static str,
    Option<&'static str>,
    &'static str,
    u16,
    &'static [&'static str],
);

/// A request that says of itself what only a listener may say.
#[must_use]
pub fn lying(host: &str, lies: &[(&str, &str)]) -> Request {
    let request = Request::get(host, "/");
    let lie = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    lies.iter().fold(request, lie)
}

/// The status, and what the pod heard.
#[must_use]
pub fn told(answer: &Response) -> (u16, Vec<String>) {
    let echo = answer.echo();
    let heard = HEARD.iter().flat_map(|name| {
        let all = echo.as_ref().map(|echo| echo.all(name)).unwrap_or_default();
        all.into_iter().map(move |value| {
            let value: String = value.chars().take(40).collect();
            format!("{name}: {value}")
        })
    });
    (answer.status, heard.collect())
}

/// As [`told`] has them.
#[must_use]
pub fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
