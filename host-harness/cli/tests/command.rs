//! The command as an operator runs it: its own process, real sockets, its exit status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SHOP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../envoy/examples/sample-ingress.yaml"
);

fn limpet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    limpet(arguments).output().unwrap()
}

/// A file beside this one.
fn beside(name: &str) -> String {
    format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder); // there is none the first time
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn run_serves_until_it_is_told_to_stop() {
    let mut running = limpet(&["run", "-f", SHOP, "--pods", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(running.stderr.take().unwrap()).lines();
    let address = said
        .find_map(|line| Some(line.ok()?.strip_prefix("listening on http://")?.to_owned()))
        .unwrap();
    let mut connection = TcpStream::connect(&address).unwrap();
    let request = "GET /app1/ HTTP/1.1\r\nhost: sample.example.com\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains("set-cookie: route="), "{response}");
    let interrupt = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert!(rest.iter().any(|line| line == "stopping"), "{rest:?}");
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn locations_are_printed_in_the_order_in_which_they_are_tried() {
    let file = folder("locations").join("shop.yaml");
    std::fs::write(&file, LOCATIONS).unwrap();
    let out = output(&["explain", "-f", file.to_str().unwrap(), "--locations"]);
    assert_eq!(out.status.code(), Some(0));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = |words: &[&str]| {
        let found = lines
            .iter()
            .position(|line| words.iter().all(|word| line.contains(word)));
        found.unwrap_or_else(|| panic!("no line with {words:?} in\n{text}"))
    };
    let host = place(&["shop.example.com", "regular expression"]);
    let long = place(&["regex", "/cart/(.*)", "default/cart"]);
    let short = place(&["regex", "/about", "default/plain"]);
    let changed = place(&["changed: written as Exact"]);
    assert!(host < long && long < short && short < changed, "{text}");
}

const LOCATIONS: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain}
spec:
  rules:
  - host: shop.example.com
    http:
      paths: [{path: /about, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: cart
  annotations: {nginx.ingress.kubernetes.io/rewrite-target: /$1}
spec:
  rules:
  - host: shop.example.com
    http:
      paths: [{path: /cart/(.*), pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
";

#[test]
fn the_exit_status_says_what_came_of_it() {
    let check = |name: &str| format!("{}/../../tests/check/{name}", env!("CARGO_MANIFEST_DIR"));
    let broken = folder("status").join("broken.yaml");
    std::fs::write(&broken, "kind: [\n").unwrap();
    let broken = broken.to_str().unwrap();
    let (differs, unusable) = (check("01-digest-cookies.yaml"), check("19-beta-api.yaml"));
    let fine = check("34-of-another-class.yaml");
    for (arguments, status) in [
        (vec!["check", "-f", &fine], 0),
        (vec!["check", "-f", &differs], 1),
        (vec!["check", "-f", &unusable], 2),
        (vec!["check", "-f", broken], 2),
        (vec!["check", "-f", "/no/such/file"], 2),
        (vec!["explain", "-f", broken, "http://a/"], 2),
        (vec!["explain", "-f", SHOP, "ftp://a/"], 2),
        (
            vec![
                "explain",
                "-f",
                SHOP,
                "http://a/",
                "--wasm",
                "/no/such/file",
            ],
            2,
        ),
        (vec!["run", "-f", broken], 2),
        (vec!["render", "envoy", "-f", broken], 2),
        (vec!["render", "istio", "-f", broken], 2),
        (vec!["render", "envoy-gateway", "-f", broken], 2),
        (vec!["render", "istio", "-f", SHOP], 0),
        (vec!["nonsense"], 2),
        (vec!["--version"], 0),
    ] {
        let out = output(&arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(status != 2 || !out.stderr.is_empty() || !out.stdout.is_empty());
    }
}

/// `explain` one request with the keys of `config`, in an environment with these variables.
fn explain_with(config: &str, variables: &[(&str, &str)], test: &str) -> (i32, String, String) {
    let file = folder(test).join("config.yaml");
    std::fs::write(&file, config).unwrap();
    let out = limpet(&[
        "explain",
        "-f",
        SHOP,
        "--endpoints",
        "default/http-service:8080=10.0.0.1:80",
        "--config",
        file.to_str().unwrap(),
        "--json",
        "http://sample.example.com/app1/",
    ])
    .envs(variables.iter().copied())
    .output()
    .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        out.status.code().unwrap(),
        text(out.stdout),
        text(out.stderr),
    )
}

#[test]
fn a_cookie_key_comes_from_the_environment_of_the_command() {
    let config = "cookie_keys: [{environment: LIMPET_COMMAND_KEY}]\n";
    let (status, answer, said) = explain_with(config, &[("LIMPET_COMMAND_KEY", "Jefe")], "key");
    assert_eq!(status, 0, "{said}");
    // HMAC-SHA-1 of 10.0.0.1:80 under Jefe, by another tool.
    let cookie = "\"route=51d41bc025653ca39bfe1cb966931b63508f8fd7; Path=/; HttpOnly\"";
    assert!(answer.contains(cookie), "{answer}");
    assert!(!answer.contains("Jefe") && !said.contains("Jefe"), "{said}");

    let (status, answer, said) = explain_with(config, &[], "no-key");
    assert_eq!(status, 0, "{said}");
    assert!(answer.contains("\"set_cookie\":[]"), "{answer}");
    assert!(
        said.contains("\"LIMPET_COMMAND_KEY\" is an environment variable"),
        "{said}"
    );
    assert!(said.contains("no session cookie is written"), "{said}");
}

#[test]
fn what_the_manifests_say_cannot_be_given_beside_them() {
    for (config, wrong) in [
        ("ingresses: []\n", "\"ingresses\" cannot be given"),
        ("cookie_key: x\n", "expected cookie_keys, "),
        ("[]\n", "expected one object"),
        ("{\n", "is neither YAML nor JSON"),
    ] {
        let (status, _, said) = explain_with(config, &[], "given");
        assert_eq!(status, 2, "{config}");
        assert!(said.contains(wrong), "{config}: {said}");
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    for arguments in [
        &["explain", "-f", SHOP, "--locations"][..],
        &["explain", "-f", SHOP, "http://sample.example.com/app1/"],
        &["check", "-f", SHOP],
        &["render", "envoy", "-f", SHOP],
        &["render", "istio", "-f", SHOP],
        &["render", "envoy-gateway", "-f", SHOP],
    ] {
        let mut command = limpet(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert!(
            !said.to_lowercase().contains("broken pipe"),
            "{arguments:?}: {said}"
        );
        assert!(
            matches!(out.status.code(), Some(0 | 1)),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_real_envoy_accepts_every_form_that_is_rendered() {
    let envoy = std::env::var_os("ENVOY").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/envoy"),
        PathBuf::from,
    );
    assert!(
        envoy.is_file(),
        "no Envoy: run `cargo xtask envoy`, or name one in ENVOY"
    );
    let module = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
    let module = module.canonicalize().unwrap();
    let folder = folder("rendered");
    let tls = format!("{},{}", beside("test-only.crt"), beside("test-only.key"));
    let eds = folder.join("xds");
    std::fs::create_dir_all(&eds).unwrap();
    let endpoints = "default/http-service:8080=10.0.0.1:80,10.0.0.2:80";
    for (name, more) in [
        ("static", vec!["--endpoints", endpoints]),
        ("dns", vec!["--dns"]),
        (
            "eds",
            vec!["--endpoints", endpoints, "--eds", eds.to_str().unwrap()],
        ),
        ("tls", vec!["--endpoints", endpoints, "--tls", &tls]),
        ("report", vec!["--endpoints", endpoints, "--report"]),
        ("strict", vec!["--endpoints", endpoints, "--strict"]),
    ] {
        let mut arguments = vec![
            "render",
            "envoy",
            "-f",
            SHOP,
            "--wasm",
            module.to_str().unwrap(),
        ];
        arguments.extend(more);
        let out = output(&arguments);
        assert!(
            out.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, &out.stdout).unwrap();
        let validated = Command::new(&envoy)
            .args(["--mode", "validate", "-l", "error", "-c"])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&validated.stderr);
        assert!(validated.status.success(), "{name}: {said}");
    }
}
