//! A real browser, driven through ChromeDriver by the WebDriver protocol.

use crate::http::{self, Request};
use base64::Engine as _;
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

/// So often ChromeDriver may end at once.
const STARTS: usize = 5;

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
        let (driver, port) = (0..STARTS)
            .find_map(|_| driver(&program("CHROMEDRIVER")))
            .expect("ChromeDriver starts, and says its port");
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

    /// What an expression of the page is worth.
    pub fn value(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.of_session("POST", "/execute/sync", &script)
    }

    /// Clicks what a CSS selector finds first, as a mouse does.
    ///
    /// # Panics
    /// There is none, or something lies over it.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.of_session("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Puts the focus there and types.
    ///
    /// # Panics
    /// There is nothing to type into.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        let path = format!("/element/{element}/value");
        self.of_session("POST", &path, &json!({ "text": text }));
    }

    /// Presses a key where the focus is: a character, or a code of WebDriver.
    pub fn press(&self, key: &str) {
        let keys = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] });
        self.of_session("POST", "/actions", &actions);
    }

    fn element(&self, selector: &str) -> String {
        let found = json!({ "using": "css selector", "value": selector });
        let element = self.of_session("POST", "/element", &found);
        let (_, id) = element.as_object().unwrap().iter().next().unwrap();
        id.as_str().unwrap().to_owned()
    }

    /// Shows the page as a window of this size would, light or dark.
    pub fn look(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// The page as it looks, all of it: PNG.
    ///
    /// # Panics
    /// The browser makes none.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        self.shot(&json!({ "format": "png", "captureBeyondViewport": true }))
    }

    /// What the window shows of the page: WebP.
    ///
    /// # Panics
    /// The browser makes none.
    #[must_use]
    pub fn small_picture(&self) -> Vec<u8> {
        self.shot(&json!({ "format": "webp", "quality": 80 }))
    }

    /// What a screen reader would find to press or fill in, and what it would call it.
    ///
    /// # Panics
    /// The browser tells it otherwise than its protocol says.
    #[must_use]
    pub fn controls(&self) -> Vec<(String, String)> {
        let tree = self.devtools("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let nodes = nodes.filter(|node| node["ignored"] == false);
        let nodes = nodes.map(|node| (text(&node["role"]), text(&node["name"])));
        let kinds = ["button", "textbox", "combobox", "checkbox", "link"];
        nodes
            .filter(|(role, _)| kinds.contains(&role.as_str()))
            .collect()
    }

    /// What scripts and the page's own policy complained about.
    ///
    /// # Panics
    /// The browser keeps no log.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.of_session("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        let bad = entries.filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    fn shot(&self, how: &Value) -> Vec<u8> {
        let shot = self.devtools("Page.captureScreenshot", how);
        let data = shot["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let asked = json!({ "cmd": command, "params": parameters });
        self.of_session("POST", "/goog/cdp/execute", &asked)
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
        if !self.session.is_empty() {
            // Else the browser outlives its driver, and a test that failed must not fail once more.
            let path = format!("/session/{}", self.session);
            let request = Request::get("localhost", &path).method("DELETE");
            drop(http::send(self.address, &request));
        }
        // Gone already is as good.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// A driver, and the port it says it listens on; `None`: it has ended. Of two that start at one moment
/// one may find that the other has taken its port for IPv6.
fn driver(program: &str) -> Option<(Child, u16)> {
    let mut driver = Command::new(program)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("ChromeDriver starts");
    let port = port(&mut driver);
    if port.is_none() {
        drop(driver.wait());
    }
    Some((driver, port?))
}

fn port(driver: &mut Child) -> Option<u16> {
    let said = BufReader::new(driver.stdout.take()?);
    let mut lines = said.lines().map_while(Result::ok);
    lines.find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    })
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
