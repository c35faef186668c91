//! The page of `limpet demo` and `limpet run --page`, used in Chromium as a person would.
//!
//! Ignored unless asked for, since a browser is a large thing to have: `cargo xtask browser`.

use limpet_tests::chromium::Chromium;
use limpet_tests::wait;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Two hosts on one Deployment, each with a mode of its own.
const MODES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/examples/two-modes.yaml"
);

/// A host with a certificate, whose cookie is its own and goes over https alone.
const CERTIFIED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/examples/certified.yaml"
);

/// The command, with its page open.
struct Shown {
    limpet: Child,
    chromium: Chromium,
}

impl Shown {
    fn start(arguments: &[&str]) -> Self {
        let named = std::env::var("LIMPET");
        let limpet = named.expect("LIMPET is not set: run `cargo xtask browser`");
        let mut command = Command::new(limpet);
        command.args(arguments).args(["--listen", "127.0.0.1:0"]);
        let mut limpet = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let url = if arguments.contains(&"demo") {
            said(limpet.stdout.take().unwrap(), "Open ")
        } else {
            said(limpet.stderr.take().unwrap(), "page on ")
        };
        let chromium = Chromium::start(&[]);
        chromium.look(1200, 900, "light");
        let shown = Self { limpet, chromium };
        shown.chromium.open(&url);
        shown.until(
            "the stream of events",
            "document.getElementById('link').className === 'live'",
        );
        shown
    }

    /// Waits until an expression of the page is true.
    fn until(&self, what: &str, expression: &str) {
        wait::until(what, || {
            self.chromium.value(expression) == Value::Bool(true)
        });
    }

    fn text(&self, selector: &str) -> String {
        let text = self
            .chromium
            .value(&format!("document.querySelector('{selector}').textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// The pods whose tile says that this browser lives there.
    fn homes(&self) -> Vec<String> {
        let homes = "[...document.querySelectorAll('.tile.home')].map((tile) => tile.dataset.pod)";
        serde_json::from_value(self.chromium.value(homes)).unwrap()
    }

    fn home(&self) -> String {
        let [home] = self.homes().try_into().expect("one home");
        home
    }

    /// The number on a pod's tile.
    fn requests(&self, pod: &str) -> u64 {
        let number = format!(
            "parseInt(document.querySelector('[data-pod=\"{pod}\"] .number').textContent, 10)"
        );
        self.chromium.value(&number).as_u64().unwrap()
    }

    /// Presses a button that asks, and waits until all its requests have landed.
    fn ask(&self, selector: &str, times: u64) {
        let count = "Number(document.getElementById('s-requests').textContent)";
        let before = self.chromium.value(count).as_u64().unwrap();
        self.chromium.click(selector);
        self.until("the requests", &format!("{count} >= {}", before + times));
        // What it says then makes the page longer, under whatever is pressed next.
        let is_done = format!("!document.querySelector('{selector}').disabled");
        self.until("the button", &is_done);
    }

    /// Keeps a picture where `SCREENSHOTS` says.
    fn picture(&self, name: &str) {
        let picture = self.chromium.picture();
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
        }
    }
}

impl Shown {
    /// Keeps a picture of what a window shows, as the README has it.
    fn small_picture(&self, name: &str) {
        let picture = self.chromium.small_picture();
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            std::fs::write(Path::new(&folder).join(format!("{name}.webp")), picture).unwrap();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(self.limpet.kill());
        drop(self.limpet.wait());
    }
}

/// The address after these words; whatever else is said is read too, so that nobody waits.
fn said(out: impl std::io::Read + Send + 'static, words: &'static str) -> String {
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with(words));
    let url = line
        .expect("an address")
        .trim_start_matches(words)
        .to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    url.split(' ').next().unwrap().to_owned()
}

const UNLOCKED: &str = "document.getElementById('locked').hidden";

/// What a person does with the demo, whoever is the proxy.
fn plays(arguments: &[&str], look: &str) {
    let shown = Shown::start(arguments);
    shown.until("the end of the story", UNLOCKED);
    assert_eq!(shown.text("header h1"), "limpet");

    // The first request is balanced, and the browser has the cookie.
    shown.chromium.click("#reload");
    shown.until(
        "a home",
        "document.querySelectorAll('.tile.home').length === 1",
    );
    let home = shown.home();
    let [route] = shown.chromium.cookies().try_into().expect("one cookie");
    let route: limpet_tests::chromium::Cookie = route;
    assert_eq!(route.name, "route");
    assert!(route.http_only && route.path == "/", "{route:?}");
    assert_eq!(shown.text("#s-name"), "route");
    assert!(shown.text("#s-value").starts_with(&route.value[..8]));
    assert!(
        !shown.text("body").contains(&route.value),
        "the whole cookie is shown"
    );
    assert!(shown.text("#s-attributes").contains("HttpOnly"));

    // Twenty reloads stay, and are counted on that tile.
    let before = shown.requests(&home);
    shown.ask("#reload20", 20);
    assert!(shown.requests(&home) >= before + 20);
    assert_eq!(shown.home(), home);
    assert!(shown.text("#s-state").starts_with("kept"));
    let all = format!("20 requests for /app1/: {home} answered 20.");
    shown.until(
        "one sentence for all of them",
        &format!("document.getElementById('said').textContent === '{all}'"),
    );
    assert!(shown.text("#why").contains("the session cookie names"));

    // Forgotten is forgotten.
    shown.chromium.click("#forget");
    shown.until(
        "a browser without a home",
        "document.querySelectorAll('.tile.home').length === 0",
    );
    assert_eq!(shown.chromium.cookies(), []);

    // By keyboard alone: the path, and Enter.
    shown.chromium.click("#path");
    shown.chromium.press("\u{e007}");
    shown.until(
        "a home again",
        "document.querySelectorAll('.tile.home').length === 1",
    );
    let home = shown.home();

    // Others come, and a new pod moves nobody.
    shown.chromium.click("#twenty");
    shown.chromium.click("#another");
    shown.until(
        "all of them",
        "document.querySelectorAll('.tile .dot').length === 22",
    );
    shown.chromium.click("#add button");
    shown.until(
        "the third tile",
        "document.querySelectorAll('.tile').length === 3",
    );
    shown.chromium.click("#reload20");
    shown.until(
        "the change",
        "document.querySelectorAll('#shifts tbody tr').length === 1",
    );
    shown.until(
        "requests of now",
        "!document.getElementById('reload20').disabled",
    );
    assert_eq!(shown.home(), home);
    let row = "[...document.querySelectorAll('#shifts tbody tr:first-child td')].map((cell) => cell.textContent)";
    let cells: Vec<String> = serde_json::from_value(shown.chromium.value(row)).unwrap();
    assert_eq!(cells[0], "http-app-3 was added");
    assert_eq!(cells[2..], ["sha1", "22", "0", "0"]);

    // Explained with this browser's own cookie.
    shown.chromium.click("#explain button");
    shown.until("an answer", "!document.getElementById('answer').hidden");
    assert_eq!(shown.text("#outcome"), "forwarded");
    assert!(
        shown.text("#steps").contains(&home),
        "{}",
        shown.text("#steps")
    );
    for (name, width, height, scheme) in [
        ("wide", 1200, 900, "light"),
        ("dark", 1200, 900, "dark"),
        ("phone", 390, 844, "light"),
    ] {
        shown.chromium.look(width, height, scheme);
        let overflows = "document.documentElement.scrollWidth > innerWidth";
        assert_eq!(
            shown.chromium.value(overflows),
            Value::Bool(false),
            "{name}"
        );
        shown.picture(&format!("{look}-{name}"));
    }
    shown.chromium.look(1240, 800, "light");
    shown.chromium.value("scrollTo(0, 0)");
    shown.small_picture(&format!("{look}-small"));
    shown.chromium.look(1200, 900, "light");

    // Its pod is drained and keeps it; stopped, and the browser moves once.
    let button = |text: &str| format!("[aria-label=\"{text} {home}\"]");
    shown.chromium.click(&button("Drain"));
    shown.until(
        "a drained pod",
        "document.querySelectorAll('.tile.draining').length === 1",
    );
    shown.ask("#reload", 1);
    assert_eq!(shown.home(), home);
    shown.chromium.click(&button("Stop"));
    shown.until(
        "a stopped pod",
        "document.querySelectorAll('.tile.stopped').length === 1",
    );
    let moved = format!(
        "document.querySelectorAll('.tile.home').length === 1 && document.querySelector('.tile.home').dataset.pod !== '{home}'"
    );
    // Until it is out of Envoy's list another pod stands in, and the cookie still names it.
    let cookie = || {
        let mut cookies = shown.chromium.cookies().into_iter();
        cookies.next().map(|cookie| cookie.value)
    };
    let old = cookie();
    wait::until("another home", || {
        shown.ask("#reload", 1);
        cookie() != old && shown.chromium.value(&moved) == Value::Bool(true)
    });
    let new_home = shown.home();
    shown.chromium.click(&button("Start"));
    shown.until(
        "a pod that is back",
        "document.querySelectorAll('.tile.stopped').length === 0",
    );
    shown.ask("#reload20", 20);
    assert_eq!(shown.home(), new_home);

    // Whatever can be pressed has a name, and nothing went wrong on the way.
    let controls = shown.chromium.controls();
    assert!(controls.len() >= 20, "{controls:?}");
    assert!(
        controls.iter().all(|(_, name)| !name.is_empty()),
        "{controls:?}"
    );
    let complaints = shown.chromium.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");

    // The application by itself, as any other tab of this browser sees it.
    let tab = shown.chromium.value("document.getElementById('tab').href");
    let number = new_home.rsplit('-').next().unwrap();
    for _ in 0..5 {
        let text = shown.chromium.open(tab.as_str().unwrap());
        assert_eq!(text.trim(), format!("app1-{number}"));
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn the_demo_is_played_in_a_browser() {
    plays(&["demo"], "demo");
}

#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn the_demo_on_envoy_is_played_in_a_browser_likewise() {
    plays(&["demo", "--envoy"], "envoy");
}

/// A third pod takes a third of the balanced sessions and none of the persistent ones.
#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn two_modes_are_seen_beside_each_other() {
    let shown = Shown::start(&["run", "-f", MODES, "--pods", "--page", "/limpet"]);
    shown.until(
        "the paths",
        "document.querySelectorAll('#place option').length === 2",
    );
    for place in ["0", "1"] {
        let choose = format!(
            "(() => {{ const place = document.getElementById('place'); place.value = '{place}'; place.dispatchEvent(new Event('change')); return true }})()"
        );
        shown.chromium.value(&choose);
        shown.chromium.click("#twenty");
        shown.until(
            "them",
            &format!(
                "document.querySelectorAll('.tile .dot').length === {}",
                20 * (place.parse::<usize>().unwrap() + 1)
            ),
        );
    }
    shown.chromium.click("#add button");
    shown.until(
        "both changes",
        "document.querySelectorAll('#shifts tbody tr').length === 2",
    );
    let rows = "Object.fromEntries([...document.querySelectorAll('#shifts tbody tr')].map((row) => [row.cells[2].textContent, [...row.cells].slice(3).map((cell) => Number(cell.textContent))]))";
    let row = |format: &str| -> Vec<u64> {
        serde_json::from_value(shown.chromium.value(rows)[format].clone()).unwrap()
    };
    wait::until("balanced sessions that move", || row("balanced")[2] > 0);
    let balanced = row("balanced");
    assert_eq!(balanced[..2], [20, 7]);
    assert!(balanced[2] < 15, "{balanced:?}");
    assert_eq!(row("persistent"), [20, 0, 0]);
    // The picture says it too, though a balanced cookie stays the same.
    let seen = "/moved or lost [1-9]/.test(document.getElementById('by-session').getAttribute('aria-label'))";
    shown.until("them in the history", seen);
    shown.picture("two-modes");
    shown.chromium.look(390, 844, "dark");
    shown.picture("two-modes-phone");
}

/// The page has no TLS: it asks for such a host as if it had.
#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn a_host_with_a_certificate_keeps_its_sessions() {
    let shown = Shown::start(&["run", "-f", CERTIFIED, "--pods", "--page", "/limpet"]);
    shown.until("the box", "document.getElementById('https').checked");
    shown.ask("#reload", 1);
    let home = shown.home();
    let attributes = shown.text("#s-attributes");
    let whole = "Domain=shop.example.com; Path=/; Secure; HttpOnly; SameSite=None";
    assert_eq!(attributes, whole);
    shown.ask("#reload20", 20);
    assert_eq!(shown.home(), home);
    assert!(shown.text("#s-state").starts_with("kept"));
    shown.chromium.click("#explain button");
    shown.until("an answer", "!document.getElementById('answer').hidden");
    assert_eq!(shown.text("#outcome"), "forwarded");
    // As by http it is sent to https, and the session is where it was.
    shown.chromium.click("#https");
    shown.ask("#reload", 1);
    assert!(
        shown.text("#said").contains("308"),
        "{}",
        shown.text("#said")
    );
    assert_eq!(shown.text("#s-state"), "no session");
    assert_eq!(shown.home(), home);
    let complaints = shown.chromium.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
}
