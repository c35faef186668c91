//! Limits of clients: what is under way counts until it ends, however it ends, on every worker.

use super::{HOST, Shop};
use limpet_tests::http::{Connection, Request, Response, send};
use limpet_tests::pod::{Manner, Script};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::wait;

fn script(manner: Manner) -> Script {
    Script {
        manner,
        ..Script::default()
    }
}

fn several_workers(shop: &Shop) -> Rendered {
    let setup = Setup {
        workers: 2,
        ..Setup::default()
    };
    shop.open(1, &setup)
}

fn get(envoy: &Rendered) -> Response {
    send(envoy.http(), &Request::get(HOST, "/")).unwrap()
}

#[test]
fn what_is_under_way_counts_until_it_is_answered_or_given_up() {
    let shop = Shop::new(1, &[("limit-connections", "1")]);
    let envoy = several_workers(&shop);
    shop.pods[0].behave(script(Manner::Hold));
    let mut waiting = Connection::open(envoy.http()).unwrap();
    waiting
        .send_bytes(&Request::get(HOST, "/").write())
        .unwrap();
    wait::until("it reaches its pod", || shop.pods[0].requests() == 1);
    for _ in 0..4 {
        assert_eq!(get(&envoy).status, 503);
    }
    shop.pods[0].behave(script(Manner::Answer));
    assert_eq!(waiting.read_response(false).unwrap().status, 200);
    let is_served = || get(&envoy).status == 200;
    wait::until("what is answered counts no more", is_served);

    shop.pods[0].behave(script(Manner::Hold));
    let before = shop.pods[0].requests();
    let mut given_up = Connection::open(envoy.http()).unwrap();
    given_up
        .send_bytes(&Request::get(HOST, "/").write())
        .unwrap();
    wait::until("it reaches its pod", || {
        shop.pods[0].requests() == before + 1
    });
    assert_eq!(get(&envoy).status, 503);
    drop(given_up);
    shop.pods[0].behave(script(Manner::Answer));
    wait::until("what is given up counts no more", is_served);
}

#[test]
fn workers_count_together() {
    let limits = [("limit-rpm", "1"), ("limit-burst-multiplier", "19")];
    let shop = Shop::new(1, &limits);
    let envoy = several_workers(&shop);
    // What two workers write first at the same time is written once.
    assert_eq!(get(&envoy).status, 200);
    // Each on a connection of its own, so that each worker gets some.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let one = || {
            let some = || get(&envoy).status;
            (0..10).map(|_| some()).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        all.into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    let passed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!((passed, refused), (19, 21));
    assert_eq!(shop.pods[0].requests(), 20);
}
