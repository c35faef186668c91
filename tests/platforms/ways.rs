//! For how long pods may be silent, what is tried again, and who gets copies, on Envoys that got what control
//! planes made of what is rendered.
//!
//! The ConfigMap gives 2 s of silence and two tries to those that say nothing.

use limpet_tests::http::{self, Request, Response};
use limpet_tests::pod::{Echo, Manner, Pod, Script};
use limpet_tests::recorded::{MIRROR, Platform, bootstrap};
use limpet_tests::rendered::Rendered;
use limpet_tests::wait;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

struct Ways {
    platform: Platform,
    envoy: Rendered,
    /// Of the first Service, in no order.
    web: Vec<Pod>,
    slow: Pod,
    inside: Pod,
    outside: Pod,
}

impl Ways {
    fn start(platform: Platform) -> Self {
        let web = Pod::several(2);
        let (slow, inside, outside) = (Pod::start(), Pod::start(), Pod::start());
        let pods = |name: &str| match name {
            "default/http-service" => web.iter().map(Pod::endpoint).collect(),
            "default/slow" => vec![slow.endpoint()],
            "default/copies" => vec![inside.endpoint()],
            _ if name.starts_with(MIRROR) && name.contains("copies.example.net") => {
                vec![outside.endpoint()]
            }
            _ if name.starts_with(MIRROR) => vec![inside.endpoint()],
            _ => panic!("nobody is {name}"),
        };
        let envoy = Rendered::share_bootstrap(&bootstrap(platform, "ways", pods));
        Self {
            platform,
            envoy,
            web,
            slow,
            inside,
            outside,
        }
    }

    /// All of the first Service behave so.
    fn all(&self, script: &Script) {
        self.web.iter().for_each(|pod| pod.behave(script.clone()));
    }

    fn send(&self, host: &str, method: &str) -> Response {
        let host = format!("{host}.example.com");
        let request = Request::get(&host, "/a?b=c").method(method);
        let request = request.header("content-length", "0");
        http::send(self.envoy.http(), &request).unwrap()
    }

    /// The status, and how many pods of the first Service were asked for it.
    fn tries(&self, host: &str, method: &str) -> (u16, u64) {
        let count = || self.web.iter().map(Pod::requests).sum::<u64>();
        let before = count();
        let status = self.send(host, method).status;
        (status, count() - before)
    }
}

fn manner(manner: Manner) -> Script {
    Script {
        manner,
        ..Script::default()
    }
}

#[test]
fn a_silent_pod_is_given_up_when_its_ingress_says_and_a_long_answer_is_not_cut() {
    for platform in Platform::EVERY {
        let ways = Ways::start(platform);
        let (web, silent) = (&ways, manner(Manner::Hold));
        web.all(&silent);
        for (host, method, (status, tries), least) in [
            ("impatient", "GET", (504, 1), SECOND),
            ("impatient", "POST", (504, 1), SECOND),
            ("plain", "GET", (504, 2), 4 * SECOND),
            ("plain", "POST", (504, 1), 2 * SECOND),
            ("never", "GET", (504, 1), 2 * SECOND),
            ("all-methods", "POST", (504, 3), 6 * SECOND),
            ("no-time", "GET", (504, 0), Duration::ZERO),
        ] {
            let start = Instant::now();
            let have = web.tries(host, method);
            assert_eq!(have, (status, tries), "{platform:?}: {method} {host}");
            // Envoy's clock ticks in milliseconds.
            let took = start.elapsed() + SECOND / 10;
            assert!(took >= least, "{platform:?}: {method} {host}: {took:?}");
        }
        // More than is given to others, and more in all than is given to a silence.
        ways.slow.behave(manner(Manner::After(3 * SECOND)));
        assert_eq!(ways.send("patient", "GET").status, 200, "{platform:?}");
        ways.all(&manner(Manner::Slowly(SECOND / 2)));
        let answer = ways.send("impatient", "GET");
        let is_whole = answer.echo().is_some();
        assert_eq!((answer.status, is_whole), (200, true), "{platform:?}");
    }
}

#[test]
fn another_pod_is_asked_after_what_its_ingress_says_and_a_post_once() {
    for platform in Platform::EVERY {
        let mut ways = Ways::start(platform);
        ways.all(&manner(Manner::Reset));
        let asked = [
            ("plain", "GET"),
            ("plain", "POST"),
            ("plain", "LOCK"),
            ("all-methods", "POST"),
            ("never", "GET"),
        ];
        let asked = asked.map(|(host, method)| (ways.tries(host, method), host, method));
        let lost = asked.map(|((status, tries), host, method)| {
            assert_eq!(status, 503, "{platform:?}: {method} {host}");
            (tries, host, method)
        });
        let wanted = [
            (2, "plain", "GET"),
            (1, "plain", "POST"),
            (1, "plain", "LOCK"),
            (3, "all-methods", "POST"),
            (1, "never", "GET"),
        ];
        assert_eq!(lost, wanted, "{platform:?}");

        let failing = Script::default();
        ways.all(&failing);
        for (host, wanted) in [("all-methods", (200, 2)), ("plain", (503, 1))] {
            failing.turns.lock().unwrap().push_back(503);
            assert_eq!(ways.tries(host, "POST"), wanted, "{platform:?}: {host}");
        }

        // Of no pod's doing: every method, once Envoy knows. What is sent on a connection that ends just
        // then may have reached the pod. Of two tries both may meet the one that is gone: Istio and Envoy
        // Gateway have Envoy pick anew five times, at random.
        ways.web[0].stop();
        wait::until("nothing is lost", || {
            let mut methods = ["GET", "POST"].repeat(6).into_iter();
            methods.all(|method| ways.send("plain", method).status == 200)
        });
    }
}

#[test]
fn a_mirror_gets_a_copy_and_nobody_waits_for_it() {
    for platform in Platform::EVERY {
        let ways = Ways::start(platform);
        ways.inside.behave(manner(Manner::Hold));
        // Envoy Gateway sends copies to Services alone, and as their pods would see them.
        let is_gateway = platform == Platform::EnvoyGateway;
        let server = if is_gateway {
            "copied.example.com"
        } else {
            "copies.example.com"
        };
        for (host, copies, (path, server)) in [
            ("copied", &ways.inside, ("/a?b=c", server)),
            (
                "copied-outside",
                &ways.outside,
                ("/copy?b=c", "copies.example.net"),
            ),
        ] {
            let answer = ways.send(host, "POST");
            assert_eq!(answer.status, 200, "{platform:?}: {host}");
            if is_gateway && host == "copied-outside" {
                continue;
            }
            wait::until("the copy is there", || copies.requests() == 1);
            let copy = copies.last().unwrap();
            assert_eq!((&*copy.method, &*copy.path), ("POST", path), "{host}");
            assert_eq!(copy.all("host"), [server], "{platform:?}: {host}");
            assert_eq!(ours(&copy), [""; 0], "{platform:?}: {host}");
        }
        assert_eq!(ways.send("plain", "GET").status, 200, "{platform:?}");
        let copied = ways.inside.requests() + ways.outside.requests();
        let wanted = if is_gateway { 1 } else { 2 };
        assert_eq!(copied, wanted, "{platform:?}: of those alone that asked");
    }
}

/// The headers that are limpet's.
fn ours(echo: &Echo) -> Vec<&str> {
    let names = echo.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.starts_with("x-limpet-")).collect()
}

#[test]
fn nobody_outside_chooses_a_way() {
    for platform in Platform::EVERY {
        let ways = Ways::start(platform);
        ways.all(&manner(Manner::After(3 * SECOND / 2)));
        for way in ["read=1s,next=error,tries=2,within=0s", "read=0s", "none"] {
            let request = Request::get("plain.example.com", "/").header("x-limpet-policy", way);
            let answer = http::send(ways.envoy.http(), &request).unwrap();
            assert_eq!(answer.status, 200, "{:?}: {way}", ways.platform);
            let echo = answer.echo().unwrap();
            assert_eq!(ours(&echo), [""; 0], "{:?}: {way}", ways.platform);
        }
    }
}

/// On Envoy Gateway a way leads to a cluster of its own, with the same pods.
#[test]
fn a_session_is_kept_whichever_way_its_requests_go() {
    for platform in Platform::EVERY {
        let ways = Ways::start(platform);
        let first = ways.send("plain", "GET");
        let cookie = first.header("set-cookie").expect("a session cookie");
        let cookie = cookie.split(';').next().unwrap();
        for (host, method) in
            [("plain", "GET"), ("plain", "POST"), ("all-methods", "POST")].repeat(4)
        {
            let host = format!("{host}.example.com");
            let request = Request::get(&host, "/").method(method);
            let request = request
                .header("content-length", "0")
                .header("cookie", cookie);
            let next = http::send(ways.envoy.http(), &request).unwrap();
            let served = (next.status, next.endpoint(), next.header("set-cookie"));
            let wanted = (200, first.endpoint(), None);
            assert_eq!(served, wanted, "{platform:?}: {method} {host}");
        }
    }
}
