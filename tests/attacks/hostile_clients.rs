//! Clients that try to steer, and answers that no pod gave.

use crate::faults::{CLUSTER, HOST, PERSISTENT, Shop};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_tests::browser::Browser;
use limpet_tests::eds;
use limpet_tests::http::{self, Request, Response};

/// Neither a cookie nor a pod's address is in it.
fn says_nothing(answer: &Response) {
    assert!(answer.all("set-cookie").is_empty(), "{answer:?}");
    let text = format!("{:?} {}", answer.headers, answer.text());
    assert!(
        !text.contains("127.64.") && !text.contains("x-limpet-"),
        "{text}"
    );
}

#[test]
fn a_client_never_chooses_a_pod_or_a_cluster() {
    let shop = Shop::new(3, PERSISTENT);
    let envoy = shop.share();
    envoy.set_endpoints(CLUSTER, &eds::healthy(&shop.pods[..2]));
    let mut browser = Browser::new(envoy.http(), HOST);
    let home = browser.get("/").unwrap().endpoint().unwrap();
    // One that is not in the cluster at all, and the one that is not the session's.
    let other = shop.pods[..2]
        .iter()
        .find(|pod| pod.endpoint() != home)
        .unwrap();
    for wanted in [other.endpoint(), shop.pods[2].endpoint()] {
        let pick = STANDARD.encode(&wanted);
        let request = Request::get(HOST, "/")
            .header("x-limpet-endpoint", &pick)
            .header("X-Limpet-Endpoint", &pick)
            .header("X-LIMPET-CLUSTER", "prometheus_stats")
            .header("x-limpet-cluster", "")
            .header("x-limpet-policy", "read=1s");
        let answer = browser.send(request.clone()).unwrap();
        assert_eq!(answer.endpoint().as_ref(), Some(&home), "with a session");
        let echo = answer.echo().unwrap();
        assert!(
            !echo
                .headers
                .iter()
                .any(|(name, _)| name.starts_with("x-limpet-")),
            "{echo:?}"
        );
        assert_ne!(
            http::send(envoy.http(), &request).unwrap().endpoint(),
            Some(shop.pods[2].endpoint())
        );
    }
    assert_eq!(shop.pods[2].requests(), 0, "outside of the cluster");
    let request =
        Request::get("nobody.example", "/").header("x-limpet-cluster", envoy.name(CLUSTER));
    assert_eq!(http::send(envoy.http(), &request).unwrap().status, 404);
}

#[test]
fn local_replies_set_no_cookie_and_show_no_address() {
    let mut shop = Shop::new(1, PERSISTENT);
    let envoy = shop.share();
    let ask = |host: &str| http::send(envoy.http(), &Request::get(host, "/")).unwrap();
    let not_found = ask("nobody.example");
    assert_eq!(not_found.status, 404);
    says_nothing(&not_found);

    shop.pods[0].stop();
    let refused = ask(HOST);
    assert_eq!(refused.status, 502, "as nginx");
    says_nothing(&refused);

    envoy.set_endpoints(CLUSTER, &[]);
    let empty = ask(HOST);
    assert_eq!(empty.status, 503);
    says_nothing(&empty);
}

#[test]
fn an_application_keeps_its_own_cookies() {
    let shop = Shop::new(1, PERSISTENT);
    let headers = ["a=1; Path=/", "b=2"].map(|value| ("Set-Cookie".to_owned(), value.to_owned()));
    shop.pods[0].behave(limpet_tests::pod::Script {
        headers: headers.into(),
        ..Default::default()
    });
    let envoy = shop.share();
    let answer = http::send(envoy.http(), &Request::get(HOST, "/")).unwrap();
    let cookies = answer.all("set-cookie");
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    assert!(cookies.contains(&"a=1; Path=/".to_owned()) && cookies.contains(&"b=2".to_owned()));
}
