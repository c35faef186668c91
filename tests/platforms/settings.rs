//! What ingress-nginx's ConfigMap says of everybody, on Envoys that got what control planes made of what is rendered.

use limpet_tests::http::{self, Request, Response};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;

/// A host that says nothing itself, and one with something of its own.
const PLAIN: &str = "sample.example.com";
const OWN: &str = "other.example.com";

/// The newest of each, and the oldest.
const ALL: [Platform; 6] = [
    Platform::Istio,
    Platform::IstioSidecar,
    Platform::EnvoyGateway,
    Platform::OlderIstio,
    Platform::OlderIstioSidecar,
    Platform::OlderEnvoyGateway,
];

struct Edge {
    platform: Platform,
    envoy: Rendered,
    web: Pod,
    authorizer: Pod,
    pages: Pod,
}

impl Edge {
    fn start(platform: Platform, recording: &str) -> Self {
        let (web, authorizer, pages) = (Pod::start(), Pod::start(), Pod::start());
        let pods = |name: &str| {
            let pod = match name {
                "default/http-service" => &web,
                "default/pages" => &pages,
                // On Istio an authorizer is called by its origin.
                _ => &authorizer,
            };
            vec![pod.endpoint()]
        };
        let envoy = Rendered::share_bootstrap(&bootstrap(platform, recording, pods));
        Self {
            platform,
            envoy,
            web,
            authorizer,
            pages,
        }
    }

    fn send(&self, request: &Request) -> Response {
        http::send(self.envoy.http(), request).unwrap()
    }

    /// The status; a pod is asked where that is 200, and else not.
    fn ask(&self, request: &Request) -> u16 {
        let before = self.web.requests();
        let status = self.send(request).status;
        let asked = self.web.requests() - before;
        assert_eq!(asked, u64::from(status == 200), "{:?}", self.platform);
        status
    }

    /// Who the pod is told that it is whom proxies in front name; `None`: the pod is not asked.
    fn who_comes_in(&self, host: &str, forwarded: &str) -> Option<String> {
        let request = Request::get(host, "/").header("x-forwarded-for", forwarded);
        let before = self.web.requests();
        let answer = self.send(&request);
        let Some(echo) = answer.echo() else {
            assert_eq!((answer.status, self.web.requests()), (403, before));
            return None;
        };
        let told = echo.all("x-forwarded-for");
        assert_eq!(told, echo.all("x-real-ip"), "{:?}", self.platform);
        told.into_iter().next()
    }
}

#[test]
fn a_config_map_asks_an_authorizer_about_everybody_and_keeps_out_agents_referers_and_long_bodies() {
    for platform in ALL {
        let edge = Edge::start(platform, "settings");
        let get = |host: &str| Request::get(host, "/x");
        for (status, seen) in [(200, 200), (401, 401), (403, 403), (500, 500)] {
            edge.authorizer.answer(status, &[("x-user", "ann")]);
            assert_eq!(edge.ask(&get(PLAIN)), seen, "{platform:?}");
            let asked = edge.authorizer.last().unwrap();
            assert_eq!(asked.path, "/verify", "{platform:?}");
        }
        let asked = edge.authorizer.requests();
        assert_eq!(edge.ask(&get(OWN)), 200, "{platform:?}");
        for host in [PLAIN, OWN] {
            let agent = get(host).header("user-agent", "a crawler");
            let referer = get(host).header("referer", "http://spam.example/");
            assert_eq!([agent, referer].map(|one| edge.ask(&one)), [403; 2]);
        }
        let posted = |host: &str, size: usize| {
            let mut request = get(host).method("POST");
            request = request.header("content-length", size.to_string());
            request.body = vec![b'b'; size];
            request
        };
        for (host, size, status) in [(PLAIN, 1_025, 413), (OWN, 1_025, 200), (OWN, 4_097, 413)] {
            assert_eq!(
                edge.ask(&posted(host, size)),
                status,
                "{platform:?}: {size}"
            );
        }
        assert_eq!(edge.authorizer.requests(), asked, "{platform:?}");
        edge.authorizer.answer(200, &[("x-user", "ann")]);
        let lie = posted(PLAIN, 1_024).header("x-user", "eve");
        let seen = edge.send(&lie).echo().unwrap();
        assert_eq!(seen.all("x-user"), ["ann"], "{platform:?}");
        assert_eq!(seen.body_size, 1_024, "{platform:?}");
    }
}

#[test]
fn a_config_map_puts_pages_in_place_of_these_answers_and_of_no_others() {
    for platform in ALL {
        let edge = Edge::start(platform, "settings");
        edge.pages.answer(404, &[]);
        for (status, has_page) in [(404, true), (503, true), (403, false), (500, false)] {
            edge.web.answer(status, &[]);
            let before = edge.pages.requests();
            let answer = edge.send(&Request::get(OWN, "/x"));
            let of_pages = answer.endpoint() == Some(edge.pages.endpoint());
            assert_eq!(of_pages, has_page, "{platform:?}: {status}");
            assert_eq!(edge.pages.requests() - before, u64::from(has_page));
            if has_page {
                let asked = edge.pages.last().unwrap();
                assert_eq!(asked.all("x-code"), [status.to_string()], "{platform:?}");
            } else {
                assert_eq!(answer.status, status, "{platform:?}");
            }
        }
    }
}

// Who connects is believed, and so is the proxy before it: the last that is not is the client.
#[test]
fn the_lists_of_a_config_map_are_about_whom_proxies_in_front_name() {
    for platform in ALL.into_iter().filter(|one| !one.is_sidecar()) {
        let blocked = Edge::start(platform, "settings-blocked");
        let listed = Edge::start(platform, "settings-listed");
        for (edge, host, forwarded, client) in [
            (&blocked, PLAIN, "2001:db8:7::7", Some("2001:db8:7::7")),
            (&blocked, PLAIN, "2001:db8:bad::9", None),
            (&blocked, PLAIN, "2001:db8:bad::9, 10.1.0.5", None),
            (&blocked, PLAIN, "2001:db8:bad::9, 2001:db8:1::5", None),
            (
                &blocked,
                PLAIN,
                "2001:db8:bad::9, 2001:db8:7::7",
                Some("2001:db8:7::7"),
            ),
            (&blocked, PLAIN, "2001:db8:7::7, 2001:db8:bad::9", None),
            (&blocked, OWN, "2001:db8:bad::9", Some("2001:db8:bad::9")),
            (&blocked, OWN, "2001:db8:7::7", None),
            (&listed, PLAIN, "2001:db8:7::7", Some("2001:db8:7::7")),
            (
                &listed,
                PLAIN,
                "2001:db8:7::7, 10.1.0.5",
                Some("2001:db8:7::7"),
            ),
            (&listed, PLAIN, "2001:db8:7::66", None),
            (&listed, PLAIN, "2001:db8:9::1", None),
            (&listed, PLAIN, "2001:db8:7::7, 2001:db8:9::1", None),
            (&listed, OWN, "2001:db8:9::1", Some("2001:db8:9::1")),
            (&listed, OWN, "2001:db8:7::7", None),
        ] {
            let is = edge.who_comes_in(host, forwarded);
            assert_eq!(is.as_deref(), client, "{platform:?}: {host} {forwarded}");
        }
    }
}
