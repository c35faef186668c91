use super::*;
use crate::facts::Facts;
use crate::route::pattern::{Groups, Work};
use std::borrow::Cow;

fn compiled(path: &str, target: &str) -> Result<Rewrite, String> {
    Rewrite::compile(path, None, target, |source, names, has_args| {
        if has_args {
            Template::with_args(source, names)
        } else {
            Template::compile(source, names)
        }
    })
}

/// What `target` makes of `uri` with `args`.
fn rewrite(path: &str, target: &str, uri: &str, args: &str) -> Rewritten {
    let rewrite = compiled(path, target).unwrap();
    let facts = Facts::NONE;
    let headers = crate::edit::fields(&[(":authority", "h.example:81")]);
    let mut scope = Scope {
        headers: &headers,
        facts: &facts,
        real_ip: None,
        work: &Work::of_a_request(),
        raw: Cow::Borrowed(uri.as_bytes()),
        uri: Cow::Borrowed(uri.as_bytes()),
        args: args.as_bytes(),
        quoted: true,
        host: Cow::Borrowed(b"h.example"),
        has_host: true,
        server_name: "h.example",
        https: false,
        is_behind: false,
        believes: false,
        groups: Groups::default(),
        subject: Cow::Borrowed(&[]),
        names: variable::Names::default(),
        client: crate::client_certificate::Client::default(),
    };
    rewrite.apply(&mut scope).unwrap()
}

#[test]
fn targets_are_filled_in_as_nginx_does() {
    for (target, args, want) in [
        ("/$1", "", "/a%20b&c"),
        ("/$1", "q", "/a%20b&c?q"),
        ("/$1?", "q", "/a%20b&c"),
        ("/x?k=$1", "", "/x?k=a%20b%26c"),
        ("/x?k=\u{1}\n", "", "/x?k=%01%0A"),
        ("/x?k=$1", "q", "/x?k=a%20b%26c&q"),
        ("/x?k=v?", "q", "/x?k=v"),
        ("/x?$2", "q", "/x?&q"),
        ("/x?$2", "", "/x"),
        ("/$10", "", "/a%20b&c0"),
        ("/$host$uri", "", "/h.example/foo/a%20b&c"),
        ("/${host}x", "", "/h.examplex"),
        ("/$http_host", "", "/h.example:81"),
        ("$1", "", "a%20b&c"),
        ("/a/../$2", "", "/a/../"),
    ] {
        let Rewritten::Path { path, .. } = rewrite("/foo/(.*)", target, "/foo/a b&c", args) else {
            panic!("{target}: no path");
        };
        assert_eq!(String::from_utf8(path).unwrap(), want, "{target} {args}");
    }
    assert_eq!(rewrite("/foo(.*)", "$1", "/foo", "q"), Rewritten::Empty);
}

#[test]
fn a_group_is_called_by_its_name_or_its_number() {
    for target in ["/$second/$first", "/${second}/${first}", "/$2/$1"] {
        let path = "/(?<first>[^/]+)/(?<second>.+)";
        let Rewritten::Path { path, .. } = rewrite(path, target, "/a/b", "") else {
            panic!("{target}: no path");
        };
        assert_eq!(String::from_utf8(path).unwrap(), "/b/a", "{target}");
    }
}

#[test]
fn absolute_targets_redirect_and_no_capture_makes_one() {
    for (target, uri, want) in [
        // An escaped question mark ends nginx's unescaping, and stands plainly.
        (
            "https://o.example/$1",
            "/foo/a b?%41",
            "https://o.example/a%20b?%2541?q",
        ),
        (
            "https://o.example/$1",
            "/foo/a\r\nb",
            "https://o.example/a%0D?q",
        ),
        ("http://o.example/x?y", "/foo/", "http://o.example/x?y&q"),
        ("$scheme://o.example/", "/foo/", "http://o.example/?q"),
    ] {
        let Rewritten::Redirect(url) = rewrite("/foo/(.*)", target, uri, "q") else {
            panic!("{target} {uri:?}: no redirect");
        };
        assert_eq!(url.text, want.as_bytes(), "{target} {uri:?}");
    }
    let got = rewrite("/foo(.*)", "$1", "/foohttps://evil.example/", "");
    assert!(matches!(got, Rewritten::Path { .. }), "{got:?}");
}

#[test]
fn targets_that_nginx_refuses_are_refused() {
    for target in ["/$0", "/$", "/$nosuch", "/${host", "/a$-"] {
        assert!(compiled("/", target).is_err(), "{target}");
    }
}
