use super::*;
use std::collections::BTreeMap;

fn asked(verify: Verify, name: &str) -> Asked {
    let pattern = format!("^(?:{name})$");
    Asked {
        said: AskedCertificate {
            authority: "prod/ca".to_owned(),
            knows_revoked: false,
            verify,
            depth: 1,
            passes: false,
            name: name.to_owned(),
            error_page: String::new(),
        },
        name: (!name.is_empty()).then(|| Pattern::anywhere(&pattern).unwrap()),
    }
}

fn facts<'f>(property: &'f dyn Fn(&[&str]) -> Option<Vec<u8>>) -> Facts<'f> {
    Facts {
        now: &|| 1_000,
        property,
        ..Facts::NONE
    }
}

#[test]
fn a_name_is_whole_or_it_is_another_one() {
    let work = Work::of_a_request;
    for (name, subject, wanted) in [
        ("CN=good", "O=tests,CN=good", true),
        ("CN=good", "O=tests,CN=good.evil", false),
        ("CN=good", "O=tests,CN=not-good", false),
        ("CN=good", "O=CN=good", false),
        ("CN=good", "O=a\\,CN=good", false),
        ("CN=good", "CN=good\\,x", false),
        ("CN=good", "CN=good,O=tests", true),
        ("CN=good", "OU=x+CN=good,O=tests", true),
        ("CN=good,O=tests", "CN=good,O=tests", true),
        ("CN=good,O=tests", "CN=good,O=tests.evil", false),
        ("CN=a|CN=b", "O=tests,CN=b", true),
        ("CN=.*", "O=tests", false),
        ("CN=(good|fine)\\.test", "O=tests,CN=fine.test", true),
        ("CN=(good|fine)\\.test", "O=tests,CN=fine-test", false),
        ("CN=good", "", false),
        ("", "", true),
    ] {
        let asked = asked(Verify::On, name);
        let is = asked.names(subject.as_bytes(), &work());
        assert_eq!(is, wanted, "{name} {subject}");
    }
}

// It was tried with each of its parts and each end of them, a million times.
#[test]
fn a_subject_of_many_parts_is_looked_at_within_bounds() {
    let subject = ["CN=a"; 1_500].join(",");
    let work = Work::of_a_request();
    assert!(!asked(Verify::On, "CN=zzz").names(subject.as_bytes(), &work));
    assert!(work.is_spent());
    let subject = ["CN=a"; 150].join(",");
    let work = Work::of_a_request();
    assert!(asked(Verify::On, "CN=a").names(subject.as_bytes(), &work));
    assert!(!work.is_spent());
}

#[test]
fn the_listener_alone_says_who_is_verified() {
    let head = crate::edit::fields(&[
        (CONNECTION, "sni=a.example"),
        (SUBJECT, "CN=client"),
        (ISSUER, "CN=ca"),
    ]);
    let shown = |route: &'static str, verify| {
        let asked = asked(verify, "");
        let property =
            |path: &[&str]| (path == ["xds", "route_name"]).then(|| route.as_bytes().to_vec());
        let facts = facts(&property);
        let client = Client::of(&asked, &None, &head, &facts);
        (client.shown, client.shows_enough(&head, &facts))
    };
    use Verify::{Off, On, Optional, OptionalNoCa};
    for (route, verify, wanted) in [
        ("verified=prod/ca,depth=1", On, (Shown::Good, true)),
        ("unverified=prod/ca,depth=1", On, (Shown::Other, false)),
        (
            "unverified=prod/ca,depth=1",
            Optional,
            (Shown::Other, false),
        ),
        // The listener did not say for how long it holds.
        (
            "unverified=prod/ca,depth=1",
            OptionalNoCa,
            (Shown::Other, false),
        ),
        // Another authority, another depth, the route of everything else.
        ("verified=prod/other,depth=1", On, (Shown::Nothing, false)),
        ("verified=prod/ca,depth=2", On, (Shown::Nothing, false)),
        ("all", On, (Shown::Nothing, false)),
        ("all", Optional, (Shown::Nothing, true)),
        ("verified=prod/ca,depth=1", Off, (Shown::Nothing, true)),
    ] {
        assert_eq!(shown(route, verify), wanted, "{route} {verify:?}");
    }
}

#[test]
fn one_of_anybodys_has_to_hold_now() {
    let asked = asked(Verify::OptionalNoCa, "");
    let property = |_: &[&str]| Some(b"unverified=prod/ca,depth=1".to_vec());
    let facts = facts(&property);
    for (validity, wanted) in [
        ("900-1100", true),
        ("1001-1100", false),
        ("900-999", false),
        ("-", false),
        ("900", false),
    ] {
        let head = [(CONNECTION, "sni="), (VALIDITY, validity)];
        let head = crate::edit::fields(&head);
        let client = Client::of(&asked, &None, &head, &facts);
        assert_eq!(client.shows_enough(&head, &facts), wanted, "{validity}");
    }
}

#[test]
fn what_is_told_of_a_client_has_its_names_in_any_spelling_and_no_others() {
    for (name, wanted) in [
        ("ssl-client-cert", true),
        ("ssl_client-verify", true),
        ("ssl-client-curt", false),
        ("ssl-client", false),
        ("ssl-client-certs", false),
        ("sslxclient-cert", false),
        ("ssl-client-c_rt", false),
        ("host", false),
    ] {
        assert_eq!(Client::unasked().is_lie(name), wanted, "{name}");
        assert!(!Client::default().is_lie(name), "{name}");
    }
}

#[test]
fn what_is_said_of_a_certificate_is_what_nginx_says() {
    let asked = Asked {
        said: AskedCertificate {
            passes: true,
            ..asked(Verify::OptionalNoCa, "").said
        },
        name: None,
    };
    for (kind, subject, wanted) in [
        ("verified", "CN=client", "SUCCESS"),
        (
            "unverified",
            "CN=client",
            "FAILED:unable to verify the first certificate",
        ),
        ("unverified", "CN=ca", "FAILED:self-signed certificate"),
    ] {
        let head = [
            (CONNECTION, "sni=a.example"),
            (SUBJECT, subject),
            (ISSUER, "CN=ca"),
            (CERTIFICATE, "pem"),
        ];
        let head = crate::edit::fields(&head);
        let property = |_: &[&str]| Some(format!("{kind}=prod/ca,depth=1").into_bytes());
        let facts = facts(&property);
        let client = Client::of(&asked, &None, &head, &facts);
        let told = client.told().map(|(_, value)| value.unwrap());
        let told: Vec<String> = told
            .map(|value| String::from_utf8(value.to_vec()).unwrap())
            .collect();
        assert_eq!(told, ["pem", wanted, subject, "CN=ca"]);
    }
}

#[test]
fn a_connection_says_what_name_it_greeted() {
    let listeners = || Some(BTreeMap::new());
    for (listeners, said, wanted) in [
        (None, Some("sni=a.example"), Some("a.example")),
        (None, Some("a.example"), Some("a.example")),
        (None, Some("sni="), None),
        (None, None, None),
        (listeners(), Some("a.example"), Some("a.example")),
        (listeners(), Some(""), None),
        (listeners(), None, None),
    ] {
        let is_by_listener = listeners.is_some();
        let property = |path: &[&str]| {
            let is_it = path == ["connection", "requested_server_name"];
            said.filter(|_| is_it).map(|said| said.as_bytes().to_vec())
        };
        // A client writes it too, where a listener says it.
        let header = if is_by_listener {
            Some("sni=lie")
        } else {
            said
        };
        let head: Vec<_> = header.map(|said| (CONNECTION, said)).into_iter().collect();
        let head = crate::edit::fields(&head);
        let facts = facts(&property);
        let greeted = greeted(&listeners, &head, &facts);
        assert_eq!(greeted.as_deref(), wanted.map(str::as_bytes), "{said:?}");
    }
}

#[test]
fn a_clients_own_words_never_reach_a_pod() {
    let asked = asked(Verify::Optional, "");
    let head = crate::edit::fields(&[
        (CONNECTION, "sni=a.example"),
        ("ssl-client-verify", "SUCCESS"),
        ("ssl_client_subject_dn", "CN=lie"),
        ("ssl-client-cert", "lie"),
    ]);
    let facts = facts(&|_| None);
    let edits = Client::of(&asked, &None, &head, &facts).edits(&head);
    let removed = |name: &str| edits.contains(&Edit::Remove(Name::Owned(name.to_owned())));
    assert!(removed("ssl_client_subject_dn") && removed("ssl-client-cert"));
    let none = Edit::Set(
        Name::Borrowed("ssl-client-verify"),
        FieldValue::new(&b"NONE"[..]),
    );
    assert_eq!(edits.last(), Some(&none));
    // Nor on a host that asks for nothing beside one that does.
    assert_eq!(Client::unasked().edits(&head).len(), 3);
    assert!(Client::default().edits(&head).is_empty());
}

/// What Envoy says of a connection.
struct Says {
    chain: &'static str,
    mtls: u8,
    is_tls: bool,
}

impl Says {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        match path {
            ["connection", "tls_version"] => self.is_tls.then(|| b"TLSv1.3".to_vec()),
            ["connection", "mtls"] => Some(vec![self.mtls]),
            ["connection", "subject_peer_certificate"] => Some(b"CN=client".to_vec()),
            ["xds", "filter_chain_name"] => Some(self.chain.as_bytes().to_vec()),
            _ => None,
        }
    }
}

#[test]
fn a_listener_that_asks_by_this_authority_says_that_one_was_shown() {
    let listeners = [("gw/a", "prod/ca"), ("gw/b", "prod/other")];
    let listeners = listeners.map(|(name, by)| (name.to_owned(), by.to_owned()));
    let listeners = Some(BTreeMap::from(listeners));
    let three = "=aa,bb,cc";
    for (chain, mtls, is_tls, shown_beside, verify, wanted) in [
        ("gw/a", 1, true, "=aa", Verify::On, Shown::Good),
        ("gw/a", 1, true, "=aa,bb", Verify::On, Shown::Good),
        // One between it and the authority more than is asked.
        ("gw/a", 1, true, three, Verify::On, Shown::Other),
        ("gw/a", 1, true, three, Verify::Optional, Shown::Other),
        // What the listener did not write.
        ("gw/a", 1, true, "=", Verify::On, Shown::Other),
        ("gw/a", 1, true, "aa", Verify::On, Shown::Other),
        ("gw/a", 0, true, "=aa", Verify::On, Shown::Nothing),
        ("gw/a", 1, true, "=aa", Verify::Off, Shown::Nothing),
        ("gw/b", 1, true, "=aa", Verify::On, Shown::Nothing),
        ("gw/https", 1, true, "=aa", Verify::On, Shown::Nothing),
        ("gw/a", 1, false, "=aa", Verify::On, Shown::Plain),
    ] {
        let asked = asked(verify, "");
        let says = Says {
            chain,
            mtls,
            is_tls,
        };
        let property = |path: &[&str]| says.property(path);
        let facts = facts(&property);
        // What a client says of itself is nothing.
        let head = [
            (CONNECTION, "sni=a.example"),
            (SUBJECT, "CN=lie"),
            (ISSUER, "=CN=ca"),
            (CERTIFICATE, "=pem"),
            (CHAIN, shown_beside),
        ];
        let head = crate::edit::fields(&head);
        let client = Client::of(&asked, &listeners, &head, &facts);
        let case = (chain, mtls, is_tls, shown_beside, verify);
        assert_eq!(client.shown, wanted, "{case:?}");
        let is_known = matches!(client.shown, Shown::Good | Shown::Other);
        let subject: &[u8] = if is_known { b"CN=client" } else { b"" };
        assert_eq!(&*client.subject, subject, "{case:?}");
        let lets_in = client.shows_enough(&head, &facts);
        let evades = client.evades();
        let comes_in = lets_in && !evades;
        let wanted = wanted == Shown::Good || verify == Verify::Off;
        assert_eq!(comes_in, wanted, "{case:?}");
    }
}
