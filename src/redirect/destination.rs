//! Where a browser goes by a Location, and whether that was meant.
//!
//! Source: the basic URL parser of the URL Standard, <https://url.spec.whatwg.org/#url-parsing>.

use crate::rewrite::template::OPEN;

/// What a Location names beyond the host that was asked.
#[derive(Debug, PartialEq, Eq)]
struct Destination<'u> {
    /// Empty: that of the request.
    scheme: &'u [u8],
    /// The host, with whatever else stands beside it.
    authority: &'u [u8],
}

impl<'u> Destination<'u> {
    /// `None`: `url` stays with the host that was asked. A URL with a scheme and no slashes may
    /// stay there too; it is read as one that leaves, as browsers do where the schemes differ.
    fn read(url: &'u [u8]) -> Option<Self> {
        let start = url.iter().position(|byte| *byte > b' ')?;
        let url = url.get(start..)?;
        let (scheme, rest) = scheme(url).unwrap_or((&[], url));
        // All schemes whose URLs lead to hosts take a backslash for a slash.
        let is_special = [&b""[..], b"http", b"https", b"ws", b"wss", b"ftp", b"file"]
            .iter()
            .any(|special| scheme.eq_ignore_ascii_case(special));
        let is_slash = |byte: u8| byte == b'/' || (byte == b'\\' && is_special);
        let slashes = rest.iter().take_while(|byte| is_slash(**byte)).count();
        if scheme.is_empty() && slashes < 2 {
            return None;
        }
        let rest = rest.get(slashes..)?;
        let end = rest
            .iter()
            .position(|byte| is_slash(*byte) || matches!(byte, b'?' | b'#'));
        let authority = rest.get(..end.unwrap_or(rest.len()))?;
        Some(Self { scheme, authority })
    }
}

/// The scheme of a URL, and what follows its colon.
fn scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = url.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = url.split_at(colon);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    Some((scheme, rest.get(1..)?)).filter(|_| is_scheme)
}

/// The host that `url` names, with whatever else stands beside it; `None`: it names none.
pub(crate) fn host(url: &[u8]) -> Option<&[u8]> {
    Destination::read(url).map(|to| to.authority)
}

/// Whether `url` leads where its author meant it to, or to one of `own`, the names of the host
/// that was asked. `open` is the same URL with [`OPEN`] wherever a link decides: the host of `url`
/// must be what stands there without it. `https://$1.shop.example` leaves a label open, and
/// with it the hosts of a domain that the text names.
pub(crate) fn is_meant(url: &[u8], open: &[u8], own: &[&[u8]]) -> bool {
    let Some(to) = Destination::read(url) else {
        return true;
    };
    let is_web = [&b""[..], b"http", b"https"].contains(&to.scheme);
    if is_web && own.iter().any(|own| to.authority.eq_ignore_ascii_case(own)) {
        return true;
    }
    let Some(meant) = Destination::read(open).filter(|meant| meant.scheme == to.scheme) else {
        return false;
    };
    let fixed = meant.authority.iter().filter(|byte| **byte != OPEN);
    fixed.eq(to.authority) || is_in_domain(to.authority, meant.authority)
}

/// Whether `host` is one of the domain that `meant` ends with, where a label before it is open.
fn is_in_domain(host: &[u8], meant: &[u8]) -> bool {
    let Some(at) = meant.iter().rposition(|byte| *byte == OPEN) else {
        return false;
    };
    let (before, domain) = meant.split_at(at);
    let domain = domain.get(1..).unwrap_or_default();
    let labels = domain.split(|byte| *byte == b'.');
    // One label, as in `https://$1.com`, is no domain of the author's.
    let is_domain =
        domain.first() == Some(&b'.') && labels.filter(|label| !label.is_empty()).count() >= 2;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let dots = |text: &[u8]| text.iter().filter(|byte| **byte == b'.').count();
    let rest = host.strip_suffix(domain).filter(|_| is_domain);
    rest.is_some_and(|rest| rest.iter().all(is_plain) && dots(rest) == dots(before))
}

/// Whether a browser reads `host`, with or without a port, as it stands: it ends nowhere earlier,
/// and begins nowhere later.
pub(crate) fn is_plain(host: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"#%/<>?@\\^|".contains(byte);
    host.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_as_browsers_read_it() {
        for (url, want) in [
            ("", None),
            ("/", None),
            ("/x//y", None),
            ("\\x", None),
            ("x/y", None),
            ("?x://y", None),
            ("1x://y", None),
            ("//a", Some(("", "a"))),
            ("/\\a/b", Some(("", "a"))),
            ("\\/a\\b", Some(("", "a"))),
            ("  ///a?b", Some(("", "a"))),
            ("https:a", Some(("https", "a"))),
            ("https:/a/b", Some(("https", "a"))),
            ("HTTPS:\\\\a#b", Some(("HTTPS", "a"))),
            ("https://u@a:1/", Some(("https", "u@a:1"))),
            ("app://a\\@b/", Some(("app", "a\\@b"))),
            ("javascript:x", Some(("javascript", "x"))),
        ] {
            let want = want.map(|(scheme, authority)| Destination {
                scheme: scheme.as_bytes(),
                authority: authority.as_bytes(),
            });
            assert_eq!(Destination::read(url.as_bytes()), want, "{url:?}");
        }
    }

    #[test]
    fn what_a_text_leaves_open_is_no_host() {
        for (open, url, want) in [
            ("https://a.example*", "https://a.example/x", true),
            ("https://a.example*", "https://a.example.evil", false),
            ("https://a.example*", "https://a.example@evil", false),
            ("https://a.example*", "https://a.example:80@evil", false),
            ("https:*", "https:/evil", false),
            ("https:*", "https:evil", false),
            ("https:*", "https://own.example/x", true),
            ("https://*/*", "https:///evil", false),
            ("/*", "//evil", false),
            ("/*", "/\\evil", false),
            ("/*", "/x", true),
            ("*", "/x", true),
            ("*", "https://evil", false),
            ("*", "//own.example:80/", true),
            ("*", "javascript:own.example", false),
            ("*://a.example/", "https://a.example/", false),
            ("https://*.a.example/", "https://b.a.example/", true),
            ("https://*.*.a.example/", "https://c.b.a.example/", true),
            (
                "https://*.a.example/",
                "https://evil.example.a.example/",
                false,
            ),
            ("https://*.a.example/", "https://b@evil.a.example/", false),
            ("https://*.example/", "https://evil.example/", false),
            ("https://*.example./", "https://evil.example./", false),
            ("https://*..example/", "https://evil..example/", false),
            (
                "https://a.b.example*",
                "https://a.b.example.evil.b.example",
                false,
            ),
            ("https://*.a.example/", "http://b.a.example/", false),
        ] {
            let open = open.replace('*', "\x7f");
            let own: [&[u8]; 2] = [b"own.example:80", b"own.example"];
            let got = is_meant(url.as_bytes(), open.as_bytes(), &own);
            assert_eq!(got, want, "{open:?} {url}");
        }
    }

    #[test]
    fn a_host_that_a_browser_reads_otherwise_is_not_plain() {
        for (host, want) in [
            ("a.example:80", true),
            ("[::1]:80", true),
            ("", true),
            ("evil@a.example", false),
            ("evil\\.a.example", false),
            ("a%2eexample", false),
            ("a\u{3002}example", false),
        ] {
            assert_eq!(is_plain(host.as_bytes()), want, "{host}");
        }
    }
}
