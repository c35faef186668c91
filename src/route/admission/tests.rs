use crate::authorizer::Answer;
use crate::edit::fields;
use crate::endpoints::EndpointTable;
use crate::facts::Facts;
use crate::policy::{self, Policy};
use crate::route::{self, Disposition, Known};
use serde_json::{Value, json};

fn said(name: &str) -> String {
    format!("nginx.ingress.kubernetes.io/{name}")
}

/// One Ingress with an access list, a password and, where it is asked, an authorizer.
fn policy(satisfy: &str, asks: bool) -> Policy {
    let mut annotations = json!({
        said("satisfy"): satisfy,
        said("whitelist-source-range"): "10.0.0.0/8",
        said("auth-type"): "basic",
        said("auth-secret"): "ba",
    });
    if asks {
        annotations[said("auth-url")] = json!("http://sso.test/ask");
    }
    compiled(&annotations)
}

fn compiled(annotations: &Value) -> Policy {
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    let config = json!({
        "ingresses": [{
            "kind": "Ingress",
            "metadata": { "name": "a", "annotations": annotations },
            "spec": { "rules": [{ "host": "a.example", "http": { "paths": [path] } }] },
        }],
        "secrets": { "default/ba": { "auth": "user:{PLAIN}pw" } },
        "authorizers": { "http://sso.test:80": "sso" },
    });
    policy::read(config.to_string().as_bytes()).unwrap().0
}

#[test]
fn rules_are_asked_one_after_the_other_until_one_decides() {
    // `user:pw` and `user:no`.
    let (right, wrong) = (Some("Basic dXNlcjpwdw=="), Some("Basic dXNlcjpubw=="));
    let (inside, outside) = ("10.0.0.1:1", "11.0.0.1:1");
    for (satisfy, client, password, answer, wanted) in [
        ("all", outside, right, None, "403 address"),
        ("all", inside, None, None, "401 password challenged"),
        ("all", inside, wrong, None, "401 password challenged"),
        ("all", inside, right, None, "ask"),
        ("all", inside, right, Some(200), "forward"),
        ("all", inside, right, Some(401), "401 unauthorized"),
        ("all", inside, right, Some(403), "403 unauthorized"),
        ("all", inside, right, Some(500), "500 no_authorizer"),
        ("any", inside, None, None, "forward"),
        ("any", outside, right, None, "forward"),
        ("any", outside, wrong, None, "ask"),
        ("any", outside, None, Some(200), "forward"),
        // Whoever may try a password is told so, whatever the authorizer says.
        ("any", outside, None, Some(403), "401 password challenged"),
        (
            "any",
            outside,
            None,
            Some(401),
            "401 unauthorized challenged",
        ),
        (
            "any",
            outside,
            None,
            Some(500),
            "500 no_authorizer challenged",
        ),
    ] {
        let is = ask(&policy(satisfy, true), client, password, answer);
        assert_eq!(is, wanted, "{satisfy} {client} {password:?} {answer:?}");
    }
    for (satisfy, client, password, wanted) in [
        ("all", inside, right, "forward"),
        ("all", outside, right, "403 address"),
        ("any", outside, right, "forward"),
        ("any", outside, wrong, "401 password challenged"),
    ] {
        let is = ask(&policy(satisfy, false), client, password, None);
        assert_eq!(is, wanted, "{satisfy} {client} {password:?}");
    }
}

// 256 spellings of one name: each of them was set to the same 59 KB.
#[test]
fn what_an_authorizer_says_is_copied_within_bounds() {
    let spelled = |bits: u32| {
        let joint = |bit: u32| if bits >> bit & 1 == 0 { "-a" } else { "_a" };
        format!("x{}", (0..8).map(joint).collect::<String>())
    };
    let all: Vec<String> = (0..256).map(spelled).collect();
    for (names, wanted) in [
        (all.join(","), "500 too_costly"),
        (all[..2].join(","), "forward"),
        (["X-A-A-A-A-A-A-A-A"; 300].join(","), "forward"),
    ] {
        let policy = compiled(&json!({
            said("auth-url"): "http://sso.test/ask",
            said("auth-response-headers"): names,
        }));
        let answer = Answer {
            status: 200,
            headers: vec![("x-a-a-a-a-a-a-a-a".to_owned(), vec![b'y'; 59_000])],
            ..Answer::default()
        };
        assert_eq!(answered(&policy, "10.0.0.1", None, Some(answer)), wanted);
    }
}

fn ask(policy: &Policy, client: &str, password: Option<&str>, answer: Option<u16>) -> String {
    let answer = answer.map(|status| Answer {
        status,
        ..Answer::default()
    });
    answered(policy, client, password, answer)
}

fn answered(
    policy: &Policy,
    client: &str,
    password: Option<&str>,
    answer: Option<Answer>,
) -> String {
    let mut head = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a.example"),
    ];
    head.extend(password.map(|said| ("authorization", said)));
    let facts = Facts {
        property: &|path| (path == ["source", "address"]).then(|| client.into()),
        ..Facts::NONE
    };
    let known = Known {
        answer: answer.map(Box::new),
        ..Known::default()
    };
    let endpoints = EndpointTable::default();
    match route::dispose_knowing(policy, &endpoints, &fields(&head), &facts, &known) {
        Disposition::Forward(_) => "forward".to_owned(),
        Disposition::Ask(_) => "ask".to_owned(),
        Disposition::Reply { reply, reason, .. } => {
            let mut names = reply.headers.iter().map(|(name, _)| name);
            let is_challenged = names.any(|name| name == "www-authenticate");
            let challenged = if is_challenged { " challenged" } else { "" };
            format!("{} {}{challenged}", reply.status, reason.as_str())
        }
        other => format!("{other:?}"),
    }
}
