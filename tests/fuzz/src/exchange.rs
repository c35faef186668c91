//! One request from head to head, and what must hold of every one.

use super::policies::ENDPOINTS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet::authorizer::Answer;
use limpet::edit::{self, Edit, Field, Reply};
use limpet::endpoints::EndpointTable;
use limpet::error_pages::Instead;
use limpet::facts::Facts;
use limpet::policy::Policy;
use limpet::stream::{ResponseHead, Step, Stream};

/// What became of a request that an endpoint answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The cluster that was asked for.
    pub(crate) cluster: Vec<u8>,
    /// The endpoint that was asked for, if one was.
    pub(crate) pin: Option<String>,
    /// Set-Cookie fields that were added to the answer.
    pub(crate) cookies: Vec<Vec<u8>>,
}

/// Who answers, and what is drawn meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) endpoint: &'static str,
    pub(crate) random: u64,
}

pub(crate) fn facts<'f>(details: &'static [u8], random: &'f dyn Fn() -> u64) -> Facts<'f> {
    let property: &dyn Fn(&[&str]) -> Option<Vec<u8>> = match details {
        b"via_upstream" => &|_| Some(b"via_upstream".to_vec()),
        _ => &|_| None,
    };
    Facts {
        now: &|| 1_700_000_000,
        random,
        property,
        ..Facts::NONE
    }
}

/// One request, answered by an endpoint where it goes to one, and once more by Envoy itself.
pub(crate) fn exchange(policy: &Policy, endpoints: &EndpointTable, head: &[Field]) {
    let chance = Chance {
        endpoint: ENDPOINTS[0],
        random: 7,
    };
    serve(policy, endpoints, head, chance);
    answer(policy, endpoints, head, chance, b"local");
}

/// One request that an endpoint answers. `None`: it goes to none.
pub(crate) fn serve(
    policy: &Policy,
    endpoints: &EndpointTable,
    head: &[Field],
    chance: Chance,
) -> Option<Served> {
    answer(policy, endpoints, head, chance, b"via_upstream")
}

fn answer(
    policy: &Policy,
    endpoints: &EndpointTable,
    head: &[Field],
    chance: Chance,
    details: &'static [u8],
) -> Option<Served> {
    let random = || chance.random;
    let facts = facts(details, &random);
    let mut stream = Stream::default();
    let mut asked = stream.on_request(policy, endpoints, head, &facts);
    let said = || Answer {
        status: 200,
        headers: vec![("set-cookie".to_owned(), b"asked=1".to_vec())],
        body: b"page".to_vec(),
    };
    // First for whether it may come in, then for a page.
    for _ in 0..2 {
        match asked.step {
            Step::Ask(_) => stream.answered(said()),
            Step::Forward(_) | Step::Reply(_) | Step::Wait => break,
        }
        asked = stream.on_request(policy, endpoints, head, &facts);
    }
    let sent = match asked.step {
        Step::Reply(reply) => {
            check_reply(&reply);
            None
        }
        Step::Forward(edits) => {
            edits.iter().for_each(|edit| check_edit(policy, edit));
            Some(edits)
        }
        Step::Wait | Step::Ask(_) => panic!("everything is known"),
    };
    let served = STANDARD.encode(chance.endpoint);
    let fields: [Field; 3] = [
        (b":status", b"404"),
        (policy.headers.endpoint.as_bytes(), served.as_bytes()),
        (b"set-cookie", b"own=1"),
    ];
    let response = ResponseHead {
        header: &|name| edit::first(&fields, name).map(<[u8]>::to_vec),
        headers: &|| &fields,
        elsewhere: None,
    };
    let answered = stream.on_response(policy, endpoints, &response, &facts);
    for edit in &answered.edits {
        check_edit(policy, edit);
    }
    let page = match answered.instead {
        None => None,
        Some(Instead::Reply(reply)) => Some(reply),
        Some(Instead::Ask(_)) => stream.page(policy, said()),
    };
    page.iter().for_each(check_reply);
    let records = [asked.telemetry.record, answered.telemetry.record];
    for record in records.into_iter().flatten() {
        let record = serde_json::from_str::<serde_json::Value>(&record);
        assert!(record.is_ok_and(|record| record.is_object()));
    }
    let sent = sent?;
    let pin = set(&sent, &policy.headers.endpoint).map(|pin| STANDARD.decode(pin).unwrap());
    let cookies = answered.edits.iter().filter_map(|edit| match edit {
        Edit::Add(name, value) if name == "set-cookie" => Some(value.to_vec()),
        _ => None,
    });
    Some(Served {
        cluster: set(&sent, &policy.headers.cluster)?.to_vec(),
        pin: pin.map(|pin| String::from_utf8(pin).unwrap()),
        cookies: cookies.collect(),
    })
}

/// What a field is set to.
fn set<'e>(edits: &'e [Edit], wanted: &str) -> Option<&'e [u8]> {
    edits.iter().find_map(|edit| match edit {
        Edit::Set(name, value) if name == wanted => Some(&**value),
        _ => None,
    })
}

fn check_reply(reply: &Reply) {
    assert!((200..600).contains(&reply.status), "{reply:?}");
    for (_, value) in &reply.headers {
        assert!(is_field_value(value), "{reply:?}");
    }
}

/// No edit ends a field early; whoever is asked for is there.
fn check_edit(policy: &Policy, edit: &Edit) {
    let (Edit::Set(name, value) | Edit::Add(name, value)) = edit else {
        return;
    };
    assert!(is_field_value(value), "{edit:?}");
    if *name == policy.headers.endpoint {
        let asked = String::from_utf8(STANDARD.decode(&value[..]).unwrap()).unwrap();
        assert!(ENDPOINTS.contains(&asked.as_str()), "{asked}");
    }
}

fn is_field_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
