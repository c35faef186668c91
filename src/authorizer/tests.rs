use super::*;
use crate::annotations::AuthorizerUrl;

fn answer(fields: &[(&str, &str)]) -> Answer {
    let fields = fields.iter();
    Answer::of(fields.map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

#[test]
fn an_answer_has_the_status_and_the_fields_that_came() {
    let came = answer(&[(":status", "202"), ("X-User", "u"), ("x-user", "v")]);
    assert_eq!(came.status, 202);
    assert_eq!(came.values(|name| name == "x-user"), [b"u", b"v"]);
    assert_eq!(came.values(|name| name == ":status"), [b""; 0]);
    for status in ["", "x", "-1", "99999"] {
        assert_eq!(answer(&[(":status", status)]).status, 0, "{status}");
    }
}

#[test]
fn several_cookies_of_an_authorizer_are_one_text_and_none_is_none() {
    for (fields, cookie) in [
        (vec![("x-user", "u")], None),
        (vec![("set-cookie", "a=1")], Some("a=1")),
        (
            vec![
                ("set-cookie", "a=1"),
                ("x-user", "u"),
                ("Set-Cookie", "b=2"),
            ],
            Some("a=1, b=2"),
        ),
        (vec![("set-cookie", "")], None),
    ] {
        let got = answer(&fields).cookie();
        assert_eq!(got.as_deref(), cookie.map(str::as_bytes), "{fields:?}");
    }
}

fn said(signin: &str, method: &str) -> AuthorizerAnnotations {
    AuthorizerAnnotations {
        url: AuthorizerUrl::read("http://sso.test/ask").unwrap(),
        signin: signin.to_owned(),
        method: method.to_owned(),
        redirect_param: "rd".to_owned(),
        ..AuthorizerAnnotations::default()
    }
}

#[test]
fn an_authorizer_that_is_asked_by_a_method_of_its_own_is_told_the_path_too() {
    for (method, count) in [("", 5), ("POST", 7)] {
        let asked = Authorizer::compile(
            &said("", method),
            None,
            Requests::default(),
            "/place",
            |text| Template::compile(text, &[]),
        );
        let asked = asked.unwrap();
        assert_eq!(asked.sent.len(), count, "{method:?}");
        assert_eq!(asked.host.as_deref(), Some("sso.test"));
        assert!(asked.signin.is_none());
    }
}

#[test]
fn whoever_signs_in_comes_back_by_the_parameter_unless_the_url_says_where() {
    const BACK: &str = "rd=$pass_access_scheme://$http_host$escaped_request_uri";
    for (url, wanted) in [
        ("https://in.test/", Some(format!("https://in.test/?{BACK}"))),
        ("/start", Some(format!("/start?{BACK}"))),
        (
            "https://in.test/?",
            Some(format!("https://in.test/??{BACK}")),
        ),
        (
            "https://in.test/?&",
            Some(format!("https://in.test/?&?{BACK}")),
        ),
        (
            "https://in.test/?a=b",
            Some(format!("https://in.test/?a=b&{BACK}")),
        ),
        (
            "https://in.test/?ard=b",
            Some(format!("https://in.test/?ard=b&{BACK}")),
        ),
        (
            "https://in.test/?rd=",
            Some(format!("https://in.test/?rd=&{BACK}")),
        ),
        (
            "https://in.test/?rd",
            Some(format!("https://in.test/?rd&{BACK}")),
        ),
        (
            "https://in.test/?rd=x",
            Some("https://in.test/?rd=x".to_owned()),
        ),
        (
            "https://in.test/?a&rd=x",
            Some("https://in.test/?a&rd=x".to_owned()),
        ),
        // No URL to Go.
        ("$host:1/", Some(String::new())),
        ("in_test:1", Some(String::new())),
        ("a+b-c.d:/x", Some(format!("a+b-c.d:/x?{BACK}"))),
        ("", None),
    ] {
        assert_eq!(signin(&said(url, "")), wanted, "{url}");
    }
}
