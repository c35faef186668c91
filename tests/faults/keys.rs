//! Cookie keys in environment variables.

use super::{BALANCED, HOST, PERSISTENT, Shop};
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_tests::browser::Browser;
use limpet_tests::http::Request;
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::target::{Asked, Chain, Target};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

const OLD: (&str, &str) = ("LIMPET_TEST_OLD", "the secret of yesterday");
const NEW: (&str, &str) = ("LIMPET_TEST_NEW", "the secret of today");

/// A shop whose cookies are keyed with what these variables hold.
fn shop(annotations: &[(&str, &str)], variables: &[(&str, &str)]) -> Shop {
    let mut shop = Shop::new(4, annotations);
    ask_for(&mut shop, variables);
    shop
}

fn ask_for(shop: &mut Shop, variables: &[(&str, &str)]) {
    let keys = variables
        .iter()
        .map(|(name, _)| json!({ "environment": name }));
    let keys: Value = keys.collect();
    shop.manifests.given.insert("cookie_keys".to_owned(), keys);
}

fn with(environment: &'static [(&'static str, &'static str)]) -> Setup {
    Setup {
        environment,
        ..Setup::default()
    }
}

/// HMAC-SHA-1 of `ip:port`, from RFC 2104: an implementation of its own.
fn hmac(secret: &str, address: &str) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(secret.bytes()) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha1::digest([&pad(0x36)[..], address.as_bytes()].concat());
    let outer = Sha1::digest([&pad(0x5c)[..], &inner].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The module in the harness, with these variables in its VM.
fn harness(shop: &Shop, variables: &[(&str, &str)]) -> Chain {
    Chain::start(&shop.manifests, &shop.endpoints(shop.pods.len()), variables)
}

/// Who answers a request with this cookie in the harness, and the cookie that comes back.
fn ask(chain: &Chain, cookie: Option<&str>) -> (String, Option<String>) {
    let mut asked = Asked::get("http", HOST, "/");
    let cookie = cookie.map(|cookie| ("cookie".to_owned(), format!("INGRESSCOOKIE={cookie}")));
    asked.headers.extend(cookie);
    let answer = chain.ask(&asked).unwrap();
    let cookie = answer.cookie("INGRESSCOOKIE");
    (answer.endpoint.unwrap(), cookie)
}

#[test]
fn a_cookie_keyed_from_the_environment_is_understood_by_envoy_and_the_harness_alike() {
    let shop = shop(PERSISTENT, &[NEW]);
    let envoy = shop.open(4, &with(&[NEW]));
    let engine = harness(&shop, &[NEW]);
    for _ in 0..8 {
        let mut browser = Browser::new(envoy.http(), HOST);
        let home = browser.get("/").unwrap().endpoint().unwrap().to_owned();
        let cookie = browser.cookie("INGRESSCOOKIE").unwrap().to_owned();
        assert_eq!(cookie, hmac(NEW.1, &home));
        assert_eq!(ask(&engine, Some(&cookie)), (home, None));

        let (home, cookie) = ask(&engine, None);
        let cookie = cookie.unwrap();
        assert_eq!(cookie, hmac(NEW.1, &home));
        assert_eq!(ask_envoy(&envoy, &cookie), (home, None));
    }
}

/// The same on Envoy.
fn ask_envoy(envoy: &Rendered, cookie: &str) -> (String, Option<String>) {
    let mut browser = Browser::new(envoy.http(), HOST);
    let request = Request::get(HOST, "/").header("Cookie", format!("INGRESSCOOKIE={cookie}"));
    let answer = browser.send(request).unwrap();
    let set = browser.cookie("INGRESSCOOKIE").map(str::to_owned);
    (answer.endpoint().unwrap().to_owned(), set)
}

#[test]
fn two_variables_rotate_a_key_without_moving_a_session() {
    let mut shop = shop(BALANCED, &[OLD]);
    let before = harness(&shop, &[OLD]);
    ask_for(&mut shop, &[NEW, OLD]);
    let both = shop.open(4, &with(&[NEW, OLD]));
    ask_for(&mut shop, &[NEW]);
    let after = harness(&shop, &[NEW]);
    for _ in 0..8 {
        let (home, cookie) = ask(&before, None);
        let (same, renewed) = ask_envoy(&both, &cookie.unwrap());
        assert_eq!(same, home);
        let renewed = renewed.unwrap();
        assert_eq!(renewed, hmac(NEW.1, &home));
        assert_eq!(ask(&after, Some(&renewed)), (home, None));
    }
}

#[test]
fn without_the_variable_no_cookie_tells_an_address_and_the_log_says_which() {
    let shop = shop(PERSISTENT, &[NEW]);
    let envoy = shop.open(4, &Setup::default());
    let engine = harness(&shop, &[]);
    for _ in 0..8 {
        let mut browser = Browser::new(envoy.http(), HOST);
        assert_eq!(browser.get("/").unwrap().status, 200);
        assert_eq!(browser.jar.received, 0);
        assert_eq!(ask(&engine, None).1, None);
    }
    assert_eq!(envoy.envoy.stat("wasmcustom.limpet_config_errors"), 1);
    let log = envoy.envoy.log();
    let line = log.lines().find(|line| line.contains(NEW.0));
    let line = line.unwrap_or_else(|| panic!("nothing about {}:\n{log}", NEW.0));
    assert!(
        line.contains("[error]") || line.contains("[critical]"),
        "{line}"
    );
    assert!(line.contains("no session cookie is written"), "{line}");

    // One that is left is used, and a key never stands in a log.
    let mut shop = shop;
    ask_for(&mut shop, &[NEW, OLD]);
    let envoy = shop.open(4, &with(&[OLD]));
    let mut browser = Browser::new(envoy.http(), HOST);
    let home = browser.get("/").unwrap().endpoint().unwrap().to_owned();
    assert_eq!(
        browser.cookie("INGRESSCOOKIE"),
        Some(hmac(OLD.1, &home).as_str())
    );
    assert!(!envoy.envoy.log().contains(OLD.1));
}

#[test]
fn a_vm_whose_configuration_names_no_variable_is_given_none() {
    let text = |shop: &Shop| {
        let compiled = Compiled::new(&shop.manifests, &Flags::default()).unwrap();
        let settings = limpet_envoy::render::envoy::EnvoySettings::default();
        let rendered = limpet_envoy::render::envoy::render(&compiled, &settings);
        rendered.bootstrap.to_string()
    };
    assert!(!text(&Shop::new(1, PERSISTENT)).contains("host_env_keys"));
    let named = text(&shop(PERSISTENT, &[NEW, OLD]));
    let keys = format!("\"host_env_keys\":[\"{}\",\"{}\"]", NEW.0, OLD.0);
    assert!(named.contains(&keys), "{named}");
}
