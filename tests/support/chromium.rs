//! A real browser, driven through ChromeDriver by the WebDriver protocol.

use crate::http::{self, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// One window of a fresh profile; closed when dropped.
#[derive(Debug)]
pub struct Chromium {
    driver: Child,
    address: SocketAddr,
    session: String,
}

/// A cookie as the browser's developer tools show it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The path it is sent to.
    pub path: String,
    /// Whether it is sent over https only.
    pub secure: bool,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// `None`, `Lax` or `Strict`; without an attribute browsers say `Lax`.
    pub same_site: Option<String>,
    /// When it ends, seconds since 1970; absent: with the browser.
    pub expiry: Option<u64>,
}

impl Chromium {
    /// Starts it; each of `hosts` (`sample.example.com:80`) is found at the address beside it.
    ///
    /// # Panics
    /// `CHROMEDRIVER` and `CHROMIUM` name none that start; `cargo xtask browser` sets them.
    #[must_use]
    pub fn start(hosts: &[(&str, SocketAddr)]) -> Self {
        let program = |name: &str| {
            let named = std::env::var(name);
            named.unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask browser`"))
        };
        let mut driver = Command::new(program("CHROMEDRIVER"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts");
        let port = port(&mut driver);
        let mut chromium = Self {
            driver,
            address: ([127, 0, 0, 1], port).into(),
            session: String::new(),
        };
        let rules: Vec<_> = hosts
            .iter()
            .map(|(host, at)| format!("MAP {host} {at}"))
            .collect();
        let resolver = format!("--host-resolver-rules={}", rules.join(","));
        let options = json!({ "binary": program("CHROMIUM"), "args": arguments(&resolver) });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true, "goog:chromeOptions": options,
        } } });
        let session = chromium.command("POST", "/session", &wanted);
        chromium.session = session["sessionId"].as_str().unwrap().to_owned();
        chromium
    }

    /// Loads a page; its text.
    pub fn open(&self, url: &str) -> String {
        self.of_session("POST", "/url", &json!({ "url": url }));
        self.text()
    }

    /// Presses the reload button; the page's text.
    pub fn reload(&self) -> String {
        self.of_session("POST", "/refresh", &json!({}));
        self.text()
    }

    fn text(&self) -> String {
        let script = json!({ "script": "return document.body.textContent", "args": [] });
        let text = self.of_session("POST", "/execute/sync", &script);
        text.as_str().unwrap().to_owned()
    }

    /// The cookies that would be sent to the page that is open.
    ///
    /// # Panics
    /// ChromeDriver tells them otherwise than the protocol says.
    #[must_use]
    pub fn cookies(&self) -> Vec<Cookie> {
        serde_json::from_value(self.of_session("GET", "/cookie", &Value::Null)).unwrap()
    }

    /// Puts a cookie into the jar of the page that is open, as if it had come before.
    pub fn keep(&self, name: &str, value: &str) {
        let cookie = json!({ "name": name, "value": value, "path": "/", "httpOnly": true });
        self.of_session("POST", "/cookie", &json!({ "cookie": cookie }));
    }

    fn of_session(&self, method: &str, command: &str, body: &Value) -> Value {
        self.command(method, &format!("/session/{}{command}", self.session), body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut request = Request::get("localhost", path).method(method);
        if method == "POST" {
            let body = body.to_string().into_bytes();
            request = request.header("Content-Length", body.len().to_string());
            request.body = body;
        }
        let answer = http::send(self.address, &request).unwrap();
        let mut value: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value["value"].take()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.of_session("DELETE", "", &Value::Null);
        }
        // Gone already is as good.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// The port it says it listens on.
fn port(driver: &mut Child) -> u16 {
    let said = BufReader::new(driver.stdout.take().unwrap());
    for line in said.lines() {
        let line = line.unwrap();
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("ChromeDriver says no port")
}

/// Headless, asking nobody but the hosts of the test, and http stays http.
fn arguments(resolver: &str) -> Vec<&str> {
    vec![
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-features=HttpsUpgrades",
        resolver,
    ]
}
