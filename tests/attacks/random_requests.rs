//! Whatever arrives, the request goes through and no VM traps: on the harness and on a real
//! Envoy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http;
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{self, Rendered};
use limpet_tests::target::Harness;
use serde_json::json;

/// Every kind of location at once: a rewrite, each writer of cookies, a canary, redirects.
const FILES: [&str; 5] = ["affinity", "attributes", "rewrites", "redirects", "canary"];
/// Hosts of those files, and one of nobody.
const HOSTS: [&str; 8] = [
    "balanced.example",
    "persistent.example",
    "md5.example",
    "index.example",
    "something.example",
    "header.example",
    "none.example",
    "nobody.example",
];
/// Headers that limpet reads, and one that it does not.
const NAMES: [&str; 7] = [
    "cookie",
    "user-agent",
    "x-canary",
    "x-forwarded-proto",
    "x-limpet-endpoint",
    "x-limpet-cluster",
    "x-other",
];

/// Those that read, write, ask what may be, and want something else than an answer.
const METHODS: [&str; 7] = ["GET", "GET", "POST", "PUT", "OPTIONS", "TRACE", "CONNECT"];

/// Of the namespace `default`.
const SERVICES: [&str; 5] = ["web", "shop", "cart", "desk", "c"];

fn manifests() -> Manifests {
    let file = |name| format!("{}/cases/ingresses/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    Manifests::load(&FILES.map(file)).unwrap()
}

/// Numbers that look random and repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// Bytes that HTTP/1.1 can carry in a field: none below 0x20, no 0x7f.
    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.roll(longest + 1);
        let byte = |dice: &mut Self| match dice.roll(4) {
            0 => u8::try_from(0x80 + dice.roll(0x80)).unwrap(),
            1 => b"|;=,\"% $&?#/.+\\"[dice.roll(15)],
            _ => u8::try_from(0x21 + dice.roll(0x5e)).unwrap(),
        };
        (0..length).map(|_| byte(self)).collect()
    }

    fn value(&mut self) -> Vec<u8> {
        let cookies = ["INGRESSCOOKIE", "m", "i", "try", "route"];
        match self.roll(5) {
            0 => Vec::new(),
            1 => self.bytes(4000),
            2 => self.bytes(8).repeat(400),
            3 => [self.pick(&cookies).as_bytes(), b"=", &self.bytes(60)].concat(),
            _ => self.bytes(60),
        }
    }

    fn headers(&mut self) -> Vec<(&'static str, Vec<u8>)> {
        (0..self.roll(6))
            .map(|_| (self.pick(&NAMES), self.value()))
            .collect()
    }

    fn target(&mut self) -> Vec<u8> {
        let start: &[u8] = [b"/something/" as &[u8], b"/", b"//", b"/%2e%2E/%zz"][self.roll(4)];
        [start, &self.bytes(80)].concat()
    }
}

#[test]
fn the_module_in_the_harness_takes_whatever_arrives() {
    let flags = SERVICES.map(|name| {
        let flag = format!("default/{name}=10.0.0.1:80,10.0.0.2:80,10.0.0.3:80");
        flag.parse::<EndpointsFlag>().unwrap()
    });
    let harness = Harness::start(&manifests(), &flags, false);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for number in 0..3000 {
        let headers: Vec<_> = dice
            .headers()
            .into_iter()
            .map(|(name, value)| (name, http::latin1(&value)))
            .collect();
        let line = json!({
            "authority": dice.pick(&HOSTS), "path": http::latin1(&dice.target()), "headers": headers,
            "method": dice.pick(&METHODS),
            "draw": dice.roll(100),
        });
        let answer = harness.explain(&line);
        let status = answer["response"]["status"].as_u64().unwrap();
        // 400: a percent sign without two digits, 405: TRACE and CONNECT, as nginx answers them.
        assert!(
            [200, 301, 302, 308, 400, 404, 405].contains(&status),
            "{number}: {line}\n{answer}"
        );
    }
    let well = harness.explain(&json!({"authority": "persistent.example", "path": "/"}));
    assert_eq!(well["response"]["status"], 200, "still well");
}

#[test]
fn a_real_envoy_takes_whatever_arrives() {
    let pods = Pod::several(2);
    let addresses: Vec<_> = pods.iter().map(Pod::endpoint).collect();
    let flags = SERVICES.map(|service| {
        format!("default/{service}={}", addresses.join(","))
            .parse::<EndpointsFlag>()
            .unwrap()
    });
    let envoy = Rendered::share(&manifests(), &flags, |_| {});
    let to = envoy.http();
    // What a client would have Envoy choose: a pod of no cluster, the admin.
    let stranger = Pod::start();
    let steering = [
        ("x-limpet-endpoint", STANDARD.encode(stranger.endpoint())),
        ("X-Limpet-Endpoint", stranger.endpoint()),
        ("x-limpet-cluster", "prometheus_stats".to_owned()),
        ("x-limpet-policy", "0".to_owned()),
        (
            "cookie",
            format!("INGRESSCOOKIE={}", STANDARD.encode(stranger.endpoint())),
        ),
    ];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut passed = 0;
    for _ in 0..800 {
        let method = dice.pick(&METHODS);
        let mut request = http::Request::get(dice.pick(&HOSTS), printable(&dice.target()));
        request = request.method(method);
        for (name, value) in dice.headers() {
            request = request.header(name, value.trim_ascii());
        }
        let (name, value) = &steering[dice.roll(steering.len())];
        request = request.header(name, value);
        let answer = http::send(to, &request).unwrap();
        // 400: a percent sign without two digits, as nginx answers it; 405: as well.
        let refused: &[u16] = match method {
            "CONNECT" | "TRACE" => &[400, 403, 404, 405],
            _ => &[],
        };
        let statuses = [&[200, 301, 302, 308, 400, 404], refused].concat();
        assert!(statuses.contains(&answer.status), "{request:?}\n{answer:?}");
        if let Some(endpoint) = answer.endpoint() {
            assert!(addresses.contains(&endpoint), "{request:?}\n{answer:?}");
        }
        let said = format!("{:?} {}", answer.headers, answer.text());
        assert!(!said.contains("cluster_manager"), "of the admin: {said}");
        passed += usize::from(answer.status == 200);
    }
    assert!(passed > 100, "only {passed} reached a pod");
    assert_eq!(stranger.requests(), 0, "a client has chosen a pod");
    let log = envoy.envoy.log();
    assert!(
        !log.contains("RuntimeError") && !log.contains("panic"),
        "{log}"
    );
    if rendered::native().is_none() {
        assert_eq!(envoy.envoy.stat("wasm.limpet.vm_reload_success"), 0);
    }
}

/// What Envoy's parser takes as a target: the rest percent-encoded.
fn printable(target: &[u8]) -> Vec<u8> {
    let byte = |byte: &u8| match byte {
        0x21..=0x7e => vec![*byte],
        other => format!("%{other:02X}").into_bytes(),
    };
    target.iter().flat_map(byte).collect()
}
