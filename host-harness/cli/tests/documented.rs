//! Every command that the README and `docs/` give to their reader, run as it stands there.
//!
//! What needs a cluster, a registry or a build is not run here: of `cargo xtask` the task and its
//! flags have to exist, of other programs nothing is known but their names. The steps that start
//! a real Envoy are run as one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Programs of somebody else.
const OTHERS: [&str; 6] = ["kubectl", "curl", "skopeo", "export", "umask", "mkdir"];

/// Where the steps of [`five_minutes_on_envoy_keep_a_session`] stand.
const ON_ENVOY: &str = "## Five minutes on Envoy";

const SETTINGS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data: {use-forwarded-headers: \"true\"}
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|name| name == "md"));
    let mut documents: Vec<PathBuf> = docs.chain([root().join("README.md")]).collect();
    documents.sort();
    documents
}

/// The lines of its `sh` blocks, without comments; a backslash joins lines.
fn commands(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let text = match text.split_once(ON_ENVOY) {
        Some((before, rest)) => before.to_owned() + rest.split_once("\n## ").map_or("", |it| it.1),
        None => text,
    };
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| {
        let block = block.replace("\\\n", " ");
        block.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let bare = lines.map(|line| {
        line.split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    });
    bare.filter(|line| !line.is_empty()).collect()
}

/// A folder with what a reader has: the repository, and the files of an earlier step.
fn desk(name: &str) -> PathBuf {
    let desk = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("documented")
        .join(name);
    drop(fs::remove_dir_all(&desk)); // there is none the first time
    fs::create_dir_all(&desk).unwrap();
    let root = root().canonicalize().unwrap();
    for name in ["envoy", "docs", "target"] {
        symlink(root.join(name), desk.join(name)).unwrap();
    }
    let sample = root.join("envoy/examples/sample-ingress.yaml");
    fs::copy(sample, desk.join("cluster.yaml")).unwrap();
    fs::write(desk.join("settings.yaml"), SETTINGS).unwrap();
    fs::write(desk.join("policies.yaml"), "").unwrap();
    desk
}

fn shell(desk: &Path, command: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_limpet")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", command]);
    shell
        .current_dir(desk)
        .env("PATH", path)
        .stdin(Stdio::null());
    shell
}

/// Runs it to its end. `check` may find something.
fn run(desk: &Path, command: &str) {
    let out = shell(desk, command).output().unwrap();
    let status = out.status.code().unwrap_or(-1);
    let fine = status == 0 || status == 1 && command.contains("limpet check");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(fine, "{command}: {status}: {said}");
}

/// Runs what stays up until it says where.
fn stays_up(desk: &Path, command: &str) {
    let command = format!("exec {command} --listen 127.0.0.1:0");
    let mut running = shell(desk, &command)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(running.stderr.take().unwrap()).lines();
    let said: Vec<String> = said
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("page on http://127.0.0.1:"))
        .collect();
    let ended = running.try_wait().unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(ended.is_none(), "{command}: {}", said.join("\n"));
}

/// Whether `cargo xtask` has this task and these flags.
fn is_a_task(command: &str) -> bool {
    let mut words = command.split_whitespace().skip(2);
    let task = words.next().unwrap();
    let sources = root().join("xtask/src");
    let main = fs::read_to_string(sources.join("main.rs")).unwrap();
    let mut capital = task.to_owned();
    capital[..1].make_ascii_uppercase();
    let has_task = main.contains(&format!("Task::{capital}"));
    let mut flags = words.filter(|word| word.starts_with("--") && task != "test");
    let flags = flags.all(|flag| {
        let help = shell(&root(), "limpet demo --help").output().unwrap();
        let of_demo = String::from_utf8_lossy(&help.stdout).contains(flag);
        let field = format!("    {}: ", flag.trim_start_matches('-').replace('-', "_"));
        let source = fs::read_to_string(sources.join(format!("{task}.rs"))).unwrap();
        of_demo && task == "demo" || source.contains(&field)
    });
    has_task && flags
}

#[test]
fn every_command_of_the_documents_does_what_it_is_there_for() {
    let mut done = 0;
    for document in documents() {
        let name = document.file_stem().unwrap().to_str().unwrap().to_owned();
        let desk = desk(&name);
        for command in commands(&document) {
            let program = command.split_whitespace().next().unwrap();
            let stays = ["limpet run ", "limpet demo"];
            if stays.iter().any(|start| command.starts_with(start)) {
                stays_up(&desk, &command);
            } else if matches!(program, "limpet" | "echo") {
                run(&desk, &command);
            } else if command.starts_with("cargo xtask ") {
                assert!(is_a_task(&command), "{name}: {command}");
                continue;
            } else {
                assert!(OTHERS.contains(&program), "{name}: {command}");
                continue;
            }
            done += 1;
        }
    }
    assert!(done >= 30, "{done} commands");
}

/// What stands between backquotes in a sentence.
fn in_sentences(text: &str) -> Vec<String> {
    let sentences: Vec<&str> = text.split("```").step_by(2).collect();
    let sentences = sentences.join("\n\n");
    let paragraphs = sentences.split("\n\n");
    let quoted = paragraphs.flat_map(|text| text.split('`').skip(1).step_by(2));
    quoted.map(|words| words.replace('\n', " ")).collect()
}

/// Whether `limpet` has this command and these flags.
fn is_a_command(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let platforms = ["envoy", "istio", "envoy-gateway"];
    let named = words.get(1).filter(|word| platforms.contains(word));
    let helps: Vec<String> = match (*words.first().unwrap(), named) {
        (flag, _) if flag.starts_with("--") => vec![String::new()],
        ("render", Some(platform)) => vec![format!("render {platform}")],
        ("render", None) => platforms
            .map(|platform| format!("render {platform}"))
            .into(),
        (command, _) => vec![command.to_owned()],
    };
    let helps = helps.iter().map(|command| {
        let help = shell(&root(), &format!("limpet {command} --help"))
            .output()
            .unwrap();
        assert!(help.status.success(), "limpet {command}");
        String::from_utf8(help.stdout).unwrap()
    });
    let help = helps.collect::<String>();
    let mut flags = words.iter().filter(|word| word.starts_with("--"));
    flags.all(|flag| help.contains(flag.split('=').next().unwrap()))
}

#[test]
fn what_sentences_name_is_a_command() {
    let mut found = 0;
    for folder in ["", "docs", "envoy", "tests", "tests/recordings"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|name| name == "md")) {
            for words in in_sentences(&fs::read_to_string(&path).unwrap()) {
                let is_one = if words.starts_with("cargo xtask ") {
                    is_a_task(&words)
                } else if words.starts_with("limpet 0.") || !words.starts_with("limpet ") {
                    continue;
                } else {
                    is_a_command(&words)
                };
                assert!(is_one, "{}: {words}", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 60, "{found} commands");
}

/// Killed when dropped, with all that it started.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        // Gone already is as good.
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.0.wait());
    }
}

/// A part of 127.0.0.0/8 where nobody else listens, as it stands before the last number.
fn own_network() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.", high | 0x80)
}

/// So many ports of its first address.
fn ports<const N: usize>(network: &str) -> [u16; N] {
    let taken = [(); N].map(|()| TcpListener::bind(format!("{network}1:0")).unwrap());
    taken.map(|listener| listener.local_addr().unwrap().port())
}

/// The page, and the cookie that came with it.
fn visit(address: &str, cookie: &str) -> (String, Option<String>) {
    let mut connection = TcpStream::connect(address).unwrap();
    let head = "GET /app1/ HTTP/1.1\r\nhost: sample.example.com\r\nconnection: close\r\n";
    write!(connection, "{head}{cookie}\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let page = answer.lines().find(|line| line.starts_with("pod "));
    let set = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let set = set.map(|set| format!("cookie: {}\r\n", set.split(';').next().unwrap()));
    (page.unwrap().to_owned(), set)
}

#[test]
fn five_minutes_on_envoy_keep_a_session() {
    let text = fs::read_to_string(root().join("docs/getting-started.md")).unwrap();
    let (_, section) = text.split_once(ON_ENVOY).unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let blocks: Vec<_> = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [pods, envoy, ask] = blocks.try_into().expect("pods, Envoy, a question");
    assert!(ask.starts_with("curl ") && ask.contains("http://127.0.0.1:10000/app1/ "));
    let network = own_network();
    let [pod, listen, admin] = ports(&network);
    // Each as it stands there, but beside whatever else runs on this machine.
    let until = |address: &str| {
        format!("until (: > /dev/tcp/{address}) 2> /dev/null; do kill -0 $! || exit 1; done")
    };
    let both = format!(
        "for pod in 2 3; do {}; done",
        until(&format!("{network}$pod/{pod}"))
    );
    let up = until(&format!("{network}1/{listen}"));
    let envoy = envoy
        .replace("cargo xtask envoy\n", "")
        .replace(
            "--listen 127.0.0.1:10000",
            &format!("--listen {network}1:{listen} --admin {network}1:{admin}"),
        )
        .replace("target/envoy ", "target/envoy --disable-hot-restart ");
    let script = format!("{pods}\n{both}\n{envoy}\n{up}\necho up\nwait");
    let script = script
        .replace("8081", &pod.to_string())
        .replace("127.0.0.", &network);
    let mut bash = shell(&desk("on-envoy"), &script);
    bash.process_group(0).stdout(Stdio::piped());
    let mut script = Script(bash.spawn().unwrap());
    let said = BufReader::new(script.0.stdout.take().unwrap()).lines();
    let said: Vec<String> = said.map_while(Result::ok).take(1).collect();
    assert_eq!(said, ["up"], "Envoy does not start");
    let address = format!("{network}1:{listen}");
    let (home, cookie) = visit(&address, "");
    let cookie = cookie.expect("a session cookie");
    for _ in 0..6 {
        assert_eq!(visit(&address, &cookie), (home.clone(), None));
    }
    // By chance many may go where the first one did, and a pod that was late is asked again after seconds.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut strangers =
        std::iter::from_fn(|| (Instant::now() < deadline).then(|| visit(&address, "").0));
    assert!(
        strangers.any(|pod| pod != home),
        "everybody is sent to {home}"
    );
}
