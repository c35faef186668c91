//! A real nginx is asked the same questions: generated Ingresses become nginx locations and
//! rewrites as ingress-nginx's template writes them, and every request must be answered alike.

mod generate;
mod render;
mod server;

use generate::Scenario;
use limpet::remark::Field;
use limpet_tests::http::latin1;
use limpet_tests::target::{Asked, Core, Observed, Target};

/// The seeds that are asked; one that once found a difference stays.
const SEEDS: std::ops::Range<u64> = 0..12;
/// Requests for each seed's scenario.
const REQUESTS: usize = 2_000;

#[test]
fn nginx_and_the_core_answer_alike() {
    let mut count = 0;
    let mut differences = Vec::new();
    for seed in SEEDS {
        let scenario = Scenario::generate(seed, REQUESTS);
        let nginx = server::Nginx::start(&render::nginx_conf(&scenario));
        let mut client = nginx.connect();
        let core = Core::configured(&scenario.configuration());
        // An nginx that takes them all is no comparison.
        let refused = core.remarks.iter().filter(|r| r.field == Field::Path);
        let refused: Vec<String> = refused.map(ToString::to_string).collect();
        assert_eq!(refused, Vec::<String>::new());
        for request in &scenario.requests {
            let asked = Asked::get("http", &request.host, &latin1(&request.target));
            let theirs = client.ask(&asked);
            let ours = answer(&core, &scenario, &asked);
            count += 1;
            if ours != theirs {
                let host = scenario.host(&request.host);
                let target = request.target.escape_ascii();
                differences.push(format!(
                    "seed {seed} GET {target}\n    {host:?}\n    nginx:  {theirs:?}\n    limpet: {ours:?}",
                ));
            }
        }
    }
    println!("nginx: {count} requests, {} differences", differences.len());
    assert!(count >= 20_000, "only {count} requests");
    let shown = differences
        .iter()
        .take(30)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differences.is_empty(),
        "{} differences:\n{shown}",
        differences.len()
    );
}

/// What the core makes of a request, in the words that nginx has for it.
fn answer(core: &Core, scenario: &Scenario, request: &Asked) -> Observed {
    let answer = core.ask(request).unwrap();
    Observed {
        status: answer.status,
        location: answer.location,
        endpoint: answer.endpoint.map(|at| scenario.service_at(&at)),
        target: answer.target,
        ..Observed::default()
    }
}
