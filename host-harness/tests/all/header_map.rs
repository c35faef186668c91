//! Header maps: what a guest reads and writes, and when it may.

use crate::support::*;

#[test]
fn a_write_replaces_an_add_appends_a_removal_takes_all() {
    let engine = Fixture::guest("edit_request").start();
    let sent = [
        ("x-set", "1"),
        ("x-set", "2"),
        ("x-add", "1"),
        ("x-remove", "1"),
        ("x-remove", "2"),
    ];
    let (mut exchange, step) = send(&engine, "/", &sent);
    let head = attempt(step).head;
    assert_eq!(values(&head, "x-set"), ["new"]);
    assert_eq!(values(&head, "x-add"), ["1", "more"]);
    assert!(!head.contains("x-remove"));
    let answer = answer(exchange.respond(ok()));
    assert_eq!(values(&answer.head, "x-seen"), ["yes"]);
    assert_eq!(exchange.summary().details.as_deref(), Some("via_upstream"));
}
