//! What a request costs the module itself: wasm instructions as wasmtime counts them, the same on every machine.

use limpet::config::Report;
use limpet_envoy::manifests::Manifests;
use limpet_tests::target::{Asked, Chain, Target};

/// So many for the first Ingress of all. Fewer are a reason to lower a budget, more are one to look for why.
const BUDGETS: [(&str, &str, u64); 3] = [
    ("session kept", "sample.example.com", 24_900),
    ("new session", "sample.example.com", 27_700),
    ("host of no Ingress", "nobody.example.com", 13_750),
];
/// Percent that a budget may be off, of a module by the compiler that they were counted with, and by another one.
const TOLERANCE: [u64; 2] = [2, 10];
/// How a module names that compiler, 1.95.0, in its panics.
const COMPILER: &[u8] = b"/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/";

#[test]
fn a_request_takes_as_much_of_the_module_as_is_told() {
    let path = limpet_cli::module::find(None).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let is_another = !bytes.windows(COMPILER.len()).any(|at| at == COMPILER);
    let tolerance = TOLERANCE[usize::from(is_another)];
    let module = host_harness::Module::compile_counting(&bytes).unwrap();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../envoy/examples/sample-ingress.yaml"
    );
    let manifests = Manifests::load(&[file.to_owned()]).unwrap();
    let flag = "default/http-service=10.0.0.1:80,10.0.0.2:80"
        .parse()
        .unwrap();
    let chain = Chain::with_module(module, Report::Off, &manifests, &[flag], &[]);
    let ask = |host: &str, cookie: &str| {
        let mut request = Asked::get("http", host, "/app1/index.html");
        let cookie = format!("{cookie}; sid=abcdef0123456789");
        request.headers = [
            ("cookie", cookie.as_str()),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "2f1e2b6c-58cd-4f7e-8a2c-8d3a1e2c7f10"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        chain.ask(&request).ok()
    };
    let other = format!("other={}", "0".repeat(40));
    let begun = ask("sample.example.com", &other).unwrap();
    let (session, _) = begun.set_cookie[0].split_once(';').unwrap();
    let mut wrong = Vec::new();
    for (name, host, budget) in BUDGETS {
        let cookie = if name == "session kept" {
            session
        } else {
            &other
        };
        // The first of a kind fills what is kept.
        ask(host, cookie);
        let before = chain.guest_work().unwrap();
        ask(host, cookie);
        let taken = chain.guest_work().unwrap() - before;
        println!("{name}: {taken} instructions of the module");
        if taken.abs_diff(budget) > budget * tolerance / 100 {
            wrong.push(format!("{name}: {taken}, {budget} were expected"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
