//! A real nginx is asked the same questions: generated Ingresses become nginx locations and
//! rewrites as ingress-nginx's template writes them, and every request must be answered alike.

mod generate;
mod render;
mod server;

use generate::Scenario;
use limpet::edit::{Edit, fields};
use limpet::endpoints::EndpointTable;
use limpet::facts::{Facts, Knowledge};
use limpet::policy::{self, Policy};
use limpet::remark::{Field, Remark};
use limpet::stream::{Step, Stream};
use std::fmt;

/// The seeds that are asked; one that once found a difference stays.
const SEEDS: std::ops::Range<u64> = 0..12;
/// Requests for each seed's scenario.
const REQUESTS: usize = 2_000;

/// What somebody made of a request.
#[derive(PartialEq, Eq)]
enum Seen {
    /// A Service got it, with this request target.
    Upstream { service: String, target: Vec<u8> },
    /// A redirect to there.
    Redirect { status: u16, location: Vec<u8> },
    /// No location, or refused.
    Status(u16),
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream { service, target } => {
                write!(f, "{service} gets {}", target.escape_ascii())
            }
            Self::Redirect { status, location } => {
                write!(f, "{status} to {}", location.escape_ascii())
            }
            Self::Status(status) => write!(f, "{status}"),
        }
    }
}

#[test]
fn nginx_and_the_core_answer_alike() {
    let mut asked = 0;
    let mut differences = Vec::new();
    for seed in SEEDS {
        let scenario = Scenario::generate(seed, REQUESTS);
        let nginx = server::Nginx::start(&render::nginx_conf(&scenario));
        let mut client = nginx.connect();
        let (policy, remarks) = compile(&scenario);
        for request in &scenario.requests {
            let theirs = client.ask(&request.host, &request.target);
            let ours = answer(&policy, &request.host, &request.target);
            asked += 1;
            if ours != theirs {
                let host = scenario.host(&request.host);
                let target = request.target.escape_ascii();
                differences.push(format!(
                    "seed {seed} GET {target}\n    {host:?}\n    nginx:  {theirs:?}\n    limpet: {ours:?}",
                ));
            }
        }
        let refused = remarks.iter().filter(|remark| remark.field == Field::Path);
        assert_eq!(
            refused.map(ToString::to_string).collect::<Vec<_>>(),
            Vec::<String>::new()
        );
    }
    println!("nginx: {asked} requests, {} differences", differences.len());
    assert!(asked >= 20_000, "only {asked} requests");
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

fn compile(scenario: &Scenario) -> (Policy, Vec<Remark>) {
    policy::read(scenario.configuration().to_string().as_bytes())
        .expect("the generated configuration is one")
}

/// What the core makes of a request, seen from outside.
fn answer(policy: &Policy, host: &str, target: &[u8]) -> Seen {
    let headers = [
        (":method", &b"GET"[..]),
        (":scheme", b"http"),
        (":authority", host.as_bytes()),
        (":path", target),
    ];
    let headers = fields(&headers);
    let facts = Facts {
        now: &|| 1_700_000_000,
        random: &|| 0,
        property: &|_| None,
        knowledge: &|| Knowledge::Current,
    };
    let mut stream = Stream::default();
    let decided = stream.on_request(policy, &EndpointTable::default(), &headers, &facts);
    match decided.step {
        Step::Forward(edits) => {
            let set = |name: &str| {
                edits.iter().rev().find_map(|edit| match edit {
                    Edit::Set(n, value) if n == name => Some(value.to_vec()),
                    _ => None,
                })
            };
            let cluster = set("x-limpet-cluster").unwrap_or_default();
            Seen::Upstream {
                service: String::from_utf8_lossy(&cluster)
                    .trim_start_matches("default-")
                    .trim_end_matches("-80")
                    .to_owned(),
                target: set(":path").unwrap_or_else(|| target.to_vec()),
            }
        }
        Step::Reply(reply) => {
            let location = reply.headers.iter().find(|(name, _)| name == "location");
            match location {
                Some((_, location)) => Seen::Redirect {
                    status: reply.status,
                    location: location.clone(),
                },
                None => Seen::Status(reply.status),
            }
        }
        Step::Wait => panic!("nothing here waits"),
    }
}
