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

// A path with them cleared the operator's terminal.
#[test]
fn explain_obeys_no_escapes_of_an_ingress() {
    let file = folder("escapes").join("shop.yaml");
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: \"a\\n::error::x\", namespace: t}
spec:
  rules:
  - host: h.example
    http: {paths: [{path: \"/\\e[2J\", pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}, {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    for what in ["--locations", "http://h.example/"] {
        let out = output(&["explain", "-f", file, what]);
        let printed = String::from_utf8(out.stdout).unwrap();
        assert!(printed.contains(r"t/a\n::error::x"), "{printed}");
        let is_command = |line: &str| line.trim_start().starts_with("::");
        assert!(
            !printed.contains('\u{1b}') && !printed.lines().any(is_command),
            "{printed}"
        );
    }
}

#[test]
fn run_serves_until_it_is_told_to_stop() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        serves_until(signal);
    }
}

fn serves_until(signal: &str) {
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
        .args([signal, &running.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert!(
        rest.iter().any(|line| line == "stopping"),
        "{signal}: {rest:?}"
    );
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

#[test]
fn of_a_url_the_locations_of_its_host_are_printed_and_the_one_that_takes_it_is_marked() {
    let file = folder("locations-of").join("shop.yaml");
    std::fs::write(&file, LOCATIONS).unwrap();
    let of = |url: &str| {
        let out = output(&["explain", "-f", file.to_str().unwrap(), "--locations", url]);
        assert_eq!(out.status.code(), Some(0));
        String::from_utf8(out.stdout).unwrap()
    };
    let marked = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| line.starts_with("=> ")).collect()
    };
    let cart = of("http://shop.example.com/cart/1");
    let [line] = marked(&cart).try_into().unwrap();
    let line: String = line;
    assert!(
        line.contains("/cart/(.*)") && line.contains("default/cart"),
        "{cart}"
    );
    assert!(!cart.contains("any other host"), "{cart}");
    let about = of("http://shop.example.com/About/us");
    assert!(marked(&about)[0].contains("/about"), "{about}");
    let nowhere = of("http://elsewhere.example.com/cart/1");
    assert!(nowhere.contains("any other host"), "{nowhere}");
    assert!(marked(&nowhere)[0].ends_with("404"), "{nowhere}");
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

// What it protected, nobody knows.
#[test]
fn beside_a_document_that_cannot_be_read_the_rest_is_checked_and_nothing_is_rendered() {
    let file = folder("unreadable").join("m.yaml");
    let text = std::fs::read_to_string(SHOP).unwrap();
    std::fs::write(&file, format!("{text}---\nkind: [\n")).unwrap();
    let file = file.to_str().unwrap();
    let place = format!("m.yaml:{}", text.lines().count() + 2);
    let checked = output(&["check", "-f", file]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&place) && !said.contains("\n0 Ingresses"),
        "{said}"
    );
    for platform in ["envoy", "istio", "envoy-gateway"] {
        let refused = output(&["render", platform, "-f", file]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(
            (refused.status.code(), refused.stdout),
            (Some(2), Vec::new())
        );
        assert!(said.contains(&place), "{said}");
        let accept = ["--accept-loss", "unreadable-document"];
        let rendered = output(&[&["render", platform, "-f", file], &accept[..]].concat());
        assert_eq!(rendered.status.code(), Some(0));
        let text = String::from_utf8(rendered.stdout).unwrap();
        assert!(text.starts_with("# ") && text.contains("accepted loss: unreadable-document"));
    }
}

#[test]
fn whose_ingresses_are_taken_can_be_said_wherever_manifests_are_read() {
    for command in [
        &["check"][..],
        &["explain"],
        &["run"],
        &["render", "envoy"],
        &["render", "istio"],
        &["render", "envoy-gateway"],
    ] {
        let help = limpet(command).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        for flag in [
            "--file",
            "--ingress-class",
            "--controller",
            "--annotations-prefix",
        ] {
            assert!(help.contains(flag), "{command:?} {flag}");
        }
    }
}

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
    let secret = "what only the command knows";
    let (status, answer, said) = explain_with(config, &[("LIMPET_COMMAND_KEY", secret)], "key");
    assert_eq!(status, 0, "{said}");
    // HMAC-SHA-1 of 10.0.0.1:80 under that secret, by another tool.
    let cookie = "\"route=df7401b8b3e0bcb93446230b3aa281679804714e; Path=/; HttpOnly\"";
    assert!(answer.contains(cookie), "{answer}");
    assert!(!answer.contains(secret) && !said.contains(secret), "{said}");

    let (status, answer, said) = explain_with(config, &[], "no-key");
    assert_eq!(status, 0, "{said}");
    assert!(answer.contains("\"set_cookie\":[]"), "{answer}");
    assert!(
        said.contains("\"LIMPET_COMMAND_KEY\" is an environment variable"),
        "{said}"
    );
    assert!(said.contains("no session cookie is written"), "{said}");
}

/// Neither authorizers nor error Services are there to be asked.
#[test]
fn explain_plays_the_authorizer_and_says_so() {
    let folder = folder("authorizer");
    let file = folder.join("ingress.yaml");
    let ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a, annotations: \
        {nginx.ingress.kubernetes.io/auth-url: 'http://auth.test/verify', \
        nginx.ingress.kubernetes.io/auth-response-headers: X-User, \
        nginx.ingress.kubernetes.io/auth-signin: 'https://auth.test/start'}}, \
        spec: {rules: [{host: a.test, http: {paths: [{path: /, pathType: Prefix, \
        backend: {service: {name: web, port: {number: 80}}}}]}}]}}";
    std::fs::write(&file, ingress).unwrap();
    let given = [
        "-f",
        file.to_str().unwrap(),
        "--endpoints",
        "default/web:80=10.0.0.1:80",
    ];
    for (status, expected) in [
        (None, "  status       200"),
        (Some("202"), "  status       200"),
        (Some("401"), "  location:    https://auth.test/start?rd="),
        (Some("403"), "  status       403"),
        (Some("502"), "  status       500"),
    ] {
        let mut command = limpet(&["explain", "http://a.test/"]);
        command.args(given);
        command.args(
            status
                .map(|status| ["--auth-status", status])
                .into_iter()
                .flatten(),
        );
        let answer = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let played = format!(
            "the authorizer auth.test/verify is asked, and taken to answer {}",
            status.unwrap_or("200")
        );
        assert!(answer.contains(&played), "{answer}");
        assert!(answer.contains(expected), "{status:?}: {answer}");
    }

    let requests = folder.join("requests");
    let request = r#"{"path":"/","authority":"a.test","auth_headers":[["x-user","ann"]]}"#;
    std::fs::write(&requests, request).unwrap();
    let mut command = limpet(&["explain", "--requests", requests.to_str().unwrap()]);
    let answer = command.args(given).output().unwrap().stdout;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(r#"["x-user","ann"]"#), "{answer}");
}

#[test]
fn what_the_manifests_say_cannot_be_given_beside_them() {
    for (config, wrong) in [
        ("ingresses: []\n", "\"ingresses\" cannot be given"),
        ("cookie_key: x\n", "expected cookie_keys, "),
        ("[]\n", "expected one object"),
        ("{\n", ":2:1: a document that cannot be read: "),
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
        // Each is a second of compiling the module: flags that touch different parts go together.
        ("dns-report", vec!["--dns", "--report"]),
        (
            "eds-strict",
            vec![
                "--endpoints",
                endpoints,
                "--eds",
                eds.to_str().unwrap(),
                "--strict",
            ],
        ),
        ("tls", vec!["--endpoints", endpoints, "--tls", &tls]),
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

/// The first line on standard error, of a call that ends with 2.
fn complaint(arguments: &[&str]) -> String {
    let out = output(arguments);
    assert_eq!(out.status.code(), Some(2), "{arguments:?}");
    let said = String::from_utf8(out.stderr).unwrap();
    said.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_wrong_call_is_told_in_one_style_what_is_wrong_and_what_was_expected() {
    let folder = folder("wrong");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let yaml = file(
        "broken.yaml",
        "kind: Ingress\nmetadata:\n  name: a\n   b: c\n",
    );
    let json = file("broken.json", "{\"kind\":\n");
    let nothing = file(
        "nothing.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
    );
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    for (arguments, wanted) in [
        (vec!["run", "-f", &yaml], format!("error: {yaml}:4:5: a document that cannot be read: mapping values are not allowed in this context")),
        (vec!["run", "-f", &json], format!("error: {json}:2:1: a document that cannot be read: EOF while parsing a value")),
        (vec!["check", "-f", "/no/such"], "error: /no/such: cannot be read: No such file or directory (os error 2)".into()),
        (vec!["check", "-f", empty], format!("error: {empty}: no .yaml, .yml or .json file in this folder")),
        (vec!["check"], "error: the following required arguments were not provided:".into()),
        (vec!["check", "-f", SHOP, "--on", "nginx"], "error: invalid value 'nginx' for '--on <PLATFORM>'".into()),
        (vec!["check", "-f", SHOP, "--jsn"], "error: unexpected argument '--jsn' found".into()),
        (vec!["chek"], "error: unrecognized subcommand 'chek'".into()),
        (
            vec!["explain", "-f", SHOP, "ftp://a/"],
            "error: \"ftp://a/\" is not a URL; expected http://host/path or https://host/path".into(),
        ),
        (
            vec!["explain", "-f", SHOP, "http://a/", "-X", "G T"],
            "error: --method: \"G T\" is not a method; expected letters such as GET".into(),
        ),
        (
            vec!["explain", "-f", SHOP, "http://a/", "-H", "cookie"],
            "error: header \"cookie\" has no colon; expected \"name: value\"".into(),
        ),
        (
            vec!["explain", "-f", SHOP, "http://a/", "--served-by", "x"],
            "error: invalid value 'x' for '--served-by <IP:PORT>': \"x\" is not an address; expected ip:port".into(),
        ),
        (
            vec!["explain", "-f", SHOP, "http://a/", "--endpoints", "x"],
            "error: invalid value 'x' for '--endpoints <NS/SERVICE:PORT=IP:PORT,...>': \"x\" has no `=`; \
             expected NS/SERVICE:PORT=IP:PORT,IP:PORT".into(),
        ),
        (
            vec!["explain", "-f", SHOP, "http://a/", "--wasm", "/no/such"],
            "error: the module is not at /no/such; build it with `cargo xtask wasm`, or name it with --wasm or \
             LIMPET_WASM".into(),
        ),
        (
            vec!["render", "istio", "-f", &nothing],
            "error: no networking.k8s.io/v1 Ingress among the manifests; `limpet check -f` says what was read".into(),
        ),
        (
            vec!["render", "istio", "-f", SHOP, "--selector", "x"],
            "error: --selector: \"x\" is no KEY=VALUE".into(),
        ),
        (
            vec!["render", "envoy", "-f", SHOP, "--admin", "x"],
            "error: invalid value 'x' for '--admin <ADDR>': \"x\" is not an address; expected ip:port or unix:PATH".into(),
        ),
        (
            vec!["run", "-f", SHOP, "--listen", "x"],
            "error: invalid value 'x' for '--listen <IP:PORT>': \"x\" is not an address; expected ip:port".into(),
        ),
    ] {
        assert_eq!(complaint(&arguments), wanted, "{arguments:?}");
    }
}

#[test]
fn what_was_skipped_is_named() {
    let mut child = limpet(&["check", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "just a text\n---\na: b\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "note: standard input:1: an object without a kind: not needed here, skipped",
            "note: standard input:3: an object without a kind: not needed here, skipped",
            "note: standard input:5: Pod default/p: not needed here, skipped",
        ]
    );
    assert_eq!(lines.last(), Some(&"no Ingress was read: nothing to serve"));
}

#[test]
fn every_command_shows_examples_in_its_help() {
    for command in [
        &[][..],
        &["check"],
        &["explain"],
        &["run"],
        &["demo"],
        &["completions"],
        &["render"],
        &["render", "envoy"],
        &["render", "istio"],
        &["render", "envoy-gateway"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let out = output(&arguments);
        assert_eq!(out.status.code(), Some(0));
        let help = String::from_utf8(out.stdout).unwrap();
        let example = format!("\n  limpet {}", command.join(" "));
        assert!(
            help.contains("\nExamples:\n") && help.contains(example.trim_end()),
            "{command:?}: {help}"
        );
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        let examples = examples.split("\n\n").next().unwrap().lines();
        let begins = ["  limpet ", "  kubectl ", "  echo ", "  source ", "      "];
        for line in examples {
            let is_whole = begins.iter().any(|begin| line.starts_with(begin));
            assert!(
                is_whole,
                "{command:?} has an example too long for a line: {line}"
            );
        }
    }
}

#[test]
fn every_command_has_a_manual_page_out_of_its_own_flags() {
    for (command, flag) in [
        ("", "What to do first"),
        ("check", r"\-\-format"),
        ("run", r"\-\-page"),
        ("demo", r"\-\-envoy"),
        ("explain", r"\-\-locations"),
        ("render istio", r"\-\-sidecar"),
        ("render envoy", r"\-\-dns"),
        ("render envoy-gateway", r"\-\-image"),
    ] {
        let words = ["man"].into_iter().chain(command.split_whitespace());
        let out = output(&words.collect::<Vec<_>>());
        let page = String::from_utf8(out.stdout).unwrap();
        assert_eq!(out.status.code(), Some(0), "{command}");
        assert!(
            page.contains(".SH NAME") && page.contains(flag),
            "{command}: {page}"
        );
    }
    assert_eq!(output(&["man", "dance"]).status.code(), Some(2));
}

#[test]
fn every_shell_has_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let out = output(&["completions", shell]);
        assert_eq!(out.status.code(), Some(0));
        let script = String::from_utf8(out.stdout).unwrap();
        for word in ["check", "explain", "render", "envoy-gateway", "endpoints"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}

#[test]
fn the_version_names_the_module_by_its_digest() {
    let module = folder("version").join("limpet.wasm");
    std::fs::write(&module, "abc").unwrap();
    let out = limpet(&["--version"])
        .env("LIMPET_WASM", &module)
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let wanted = format!(
        "limpet {}\nmodule sha256:{digest} {}\n",
        env!("CARGO_PKG_VERSION"),
        module.display()
    );
    assert_eq!(said, wanted);
}

#[test]
fn colours_are_for_terminals_and_for_nobody_with_no_color() {
    let coloured = |variables: &[(&str, &str)]| {
        let mut all = Vec::new();
        for arguments in [&["check", "-f", SHOP][..], &["check", "-f", "/no/such"]] {
            let mut command = limpet(arguments);
            command
                .env_remove("NO_COLOR")
                .envs(variables.iter().copied());
            let out = command.output().unwrap();
            all.extend(out.stdout.into_iter().chain(out.stderr));
        }
        all.contains(&0x1b)
    };
    assert!(!coloured(&[]), "no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]), "as on a terminal");
    assert!(!coloured(&[("NO_COLOR", "1")]));
}

const GUARDED: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations:
    nginx.ingress.kubernetes.io/auth-type: digest
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
";

/// The output is piped into `kubectl apply`, where nobody looks at a status.
#[test]
fn nothing_is_rendered_where_protection_would_be_lost() {
    let folder = folder("losses");
    let file = folder.join("guarded.yaml");
    std::fs::write(&file, GUARDED).unwrap();
    let file = file.to_str().unwrap();
    let config = folder.join("config.yaml");
    std::fs::write(&config, "accept_loss: [auth-type@prod/shop]\n").unwrap();
    let config = config.to_str().unwrap();
    for target in [
        &["envoy", "--dns"][..],
        &["istio"],
        &["istio", "--sidecar"],
        &["envoy-gateway"],
    ] {
        let render = |more: &[&str]| {
            let out = output(&[&["render"], target, &["-f", file], more].concat());
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (out.status.code(), text(out.stdout), text(out.stderr))
        };
        let (status, printed, said) = render(&[]);
        assert_eq!((status, printed.as_str()), (Some(2), ""), "{said}");
        let place = format!("{file}:7: ingress prod/shop: auth-type: ");
        assert!(said.contains(&place), "{said}");
        assert!(said.contains("everybody comes in"), "{said}");

        for (way_out, echo) in [
            (
                &["--accept-loss", "auth-type"][..],
                "accepted loss: auth-type of ingress prod/shop",
            ),
            (
                &["--config", config],
                "accepted loss: auth-type of ingress prod/shop",
            ),
            (
                &["--close"],
                "closed, answers 503: auth-type of ingress prod/shop",
            ),
        ] {
            let (status, printed, said) = render(way_out);
            assert_eq!(status, Some(0), "{said}");
            let mut lines = printed.lines().take_while(|line| line.starts_with('#'));
            assert!(lines.any(|line| line.contains(echo)), "{printed}");
            assert!(said.contains(echo), "{said}");
            let closes = printed.contains("close:") || printed.contains("\"close\":");
            assert_eq!(closes, way_out == ["--close"], "{printed}");
        }
        let (status, printed, said) = render(&["--accept-loss", "auth-tpye"]);
        assert_eq!((status, printed.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains("did you mean auth-type?"), "{said}");
    }
}

/// What `explain` prints of one request.
fn explained(manifests: &Path, arguments: &[&str]) -> String {
    let file = manifests.to_str().unwrap();
    let arguments = [&["explain", "-f", file], arguments].concat();
    let out = output(&arguments);
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn explain_says_which_list_keeps_which_client_out() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lists.yaml");
    let ingress = |name: &str, annotation: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, annotations: {{{annotation}}}}}\n\
             spec: {{ingressClassName: nginx, rules: [{{host: {name}.test, http: {{paths: [{{path: /, pathType: Prefix, \
             backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n---\n"
        )
    };
    let own = "nginx.ingress.kubernetes.io";
    let all = [
        ingress("allow", &format!("{own}/whitelist-source-range: 10.0.0.0/8")),
        ingress("deny", &format!("{own}/denylist-source-range: 10.6.6.6")),
        ingress("plain", ""),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ingress-nginx-controller, namespace: ingress-nginx}\n\
         data: {block-cidrs: 10.7.7.7, use-forwarded-headers: 'true', proxy-real-ip-cidr: 192.0.2.1}\n"
            .to_owned(),
    ];
    std::fs::write(&file, all.concat()).unwrap();
    for (arguments, told) in [
        (
            &["http://allow.test/"][..],
            "the client 127.0.0.1 is not on whitelist-source-range of ingress default/allow: 403",
        ),
        (
            &["http://allow.test/"],
            "127.0.0.1 (assumed: --client gives another)",
        ),
        (&["http://allow.test/", "--client", "10.0.0.7"], "forwarded"),
        (
            &["http://deny.test/", "--client", "10.6.6.6"],
            "the client 10.6.6.6 is on denylist-source-range of ingress default/deny: 403",
        ),
        (
            &["http://plain.test/", "--client", "10.7.7.7"],
            "the client 10.7.7.7 is on block-cidrs of ingress-nginx's ConfigMap: 403",
        ),
        (
            &[
                "http://deny.test/",
                "--client",
                "192.0.2.1",
                "-H",
                "x-forwarded-for: 10.6.6.6",
            ],
            "the client 10.6.6.6 is on denylist-source-range of ingress default/deny: 403",
        ),
    ] {
        let said = explained(&file, arguments);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    assert_eq!(
        output(&["explain", "-f", SHOP, "http://a/", "--client", "nobody"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn a_preflight_that_is_let_in_is_not_called_refused() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("preflight.yaml");
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: api, annotations: \
                   {nginx.ingress.kubernetes.io/enable-cors: 'true'}}\nspec: {ingressClassName: nginx, rules: [{host: api.test, \
                   http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}\n";
    std::fs::write(&file, ingress).unwrap();
    let said = explained(
        &file,
        &[
            "http://api.test/",
            "-X",
            "OPTIONS",
            "-H",
            "origin: https://a.test",
        ],
    );
    assert!(
        said.contains("answered") && said.contains("204") && !said.contains("refused"),
        "{said}"
    );
}
