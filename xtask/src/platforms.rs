//! `cargo xtask platforms`: what real control planes say to what limpet renders, and what a real
//! Envoy gets from them.
//!
//! An API server, istiod and Envoy Gateway run as processes in namespaces of their own, without
//! containers and without nodes. What they answer is kept in `tests/control-planes/recorded/`.

mod answer;
mod api;
mod cluster;
mod envoy_gateway;
mod http;
mod inputs;
mod istio;
mod layout;
mod many;
mod module;
mod place;
mod platform;
mod processes;
mod programs;
mod recording;
mod registry;
mod rendering;
mod services;
mod status;
mod story;

use crate::package::layout::{self as image, Form};
use crate::{demo, envoy, process, wasm, workspace};
use answer::Answer;
use anyhow::{Context, Result, bail};
use cluster::Cluster;
use inputs::Input;
use place::Place;
use platform::{OLDER, PLATFORMS, Platform};
use processes::wait_for;
use programs::Programs;
use recording::Recording;
use rendering::{command, hash, render};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What is asked, and what becomes of the answers.
#[derive(Default, clap::Args)]
pub(crate) struct Options {
    /// Compare with what is recorded, and record nothing
    #[arg(long)]
    check: bool,
    /// Ask an older istiod and an older Envoy Gateway on an older Kubernetes
    #[arg(long)]
    older: bool,
    /// Play the whole story, with requests, and record nothing: takes iptables as well
    #[arg(long, conflicts_with_all = ["check", "older", "names"])]
    story: bool,
    /// Time this many hosts over as many Services, up to a session on the last, and record nothing
    #[arg(long, value_name = "HOSTS", conflicts_with_all = ["check", "older", "story", "names"])]
    many: Option<u32>,
    /// Each of them with a certificate of its own
    #[arg(long, requires = "many")]
    tls: bool,
    /// Only recordings whose name has one of these in it, such as istio-gateway/sample
    names: Vec<String>,
    /// In the namespaces: how this task calls itself
    #[arg(long, hide = true)]
    part: Option<Part>,
}

impl Options {
    /// Every recording, compared.
    pub(crate) fn check() -> Self {
        Self {
            check: true,
            ..Self::default()
        }
    }

    /// The whole story.
    pub(crate) fn story() -> Self {
        Self {
            story: true,
            ..Self::default()
        }
    }
}

/// How many ask at once: each waits for the others' processes as much as it works.
const PARTS: usize = 3;

/// What the Envoys load, and its image.
const MODULE: &str = "module.wasm";
const IMAGE: &str = "image";

/// Where the answers are.
const RECORDED: &str = "tests/control-planes/recorded";

/// Builds the control planes, asks them, and records or compares.
///
/// # Errors
/// Something is missing or does not come up, or with `--check` an answer differs.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(part) = options.part {
        end_with_parent();
        println!("{}", inside(options, part)?.text());
        return Ok(());
    }
    needs(&["unshare", "ip", "openssl", "base64"])?;
    if options.plays() {
        needs(&["iptables"])?;
    }
    Programs::built(options.older)?;
    demo::limpet()?;
    envoy::envoy()?;
    process::announce("asking the control planes");
    let folder = workspace::target("platforms");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let module = if options.plays() {
        fs::read(wasm::module()?)?
    } else {
        module::idle()
    };
    image::write(&folder.join(IMAGE), Form::Compat, &module)?;
    fs::write(folder.join(MODULE), module)?;
    let program = &std::env::current_exe()?;
    let start = |number| part(program, options, Part { number, of: PARTS }).spawn();
    let mut parts = Vec::new();
    for number in 0..PARTS {
        parts.push(start(number).context("cannot start unshare")?);
    }
    let mut outcome = Outcome::default();
    for part in &mut parts {
        let mut said = String::new();
        if let Some(out) = &mut part.stdout {
            out.read_to_string(&mut said)?;
        }
        let status = part.wait()?;
        if !status.success() {
            bail!("asking ended early: {status}");
        }
        outcome.add(&said)?;
    }
    let Outcome {
        asked,
        mut differing,
    } = outcome;
    if options.plays() {
        if !differing.is_empty() {
            bail!("it does not hold\n{}", differing.join("\n"));
        }
        println!("it holds, {asked} times");
        return Ok(());
    }
    if asked == 0 {
        bail!("no recording has such a name");
    }
    if differing.is_empty() {
        let what = if options.check { "agree" } else { "written" };
        println!("{asked} recordings {what}");
        return Ok(());
    }
    differing.sort();
    bail!(
        "not as recorded; see the change with: cargo xtask platforms && git diff\n{}",
        differing.join("\n")
    );
}

/// This task in namespaces of its own.
fn part(program: &Path, options: &Options, Part { number, of }: Part) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount", "--pid", "--fork"])
        .args(["--kill-child", "--mount-proc"])
        .arg(program)
        .args(["platforms", "--part", &format!("{number}/{of}")])
        .args(options.check.then_some("--check"))
        .args(options.older.then_some("--older"))
        .args(options.story.then_some("--story"))
        .args(options.many.map(|hosts| format!("--many={hosts}")))
        .args(options.tls.then_some("--tls"))
        .args(&options.names)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Whoever started this holds its input open: all that runs in these namespaces ends with it.
fn end_with_parent() {
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(1);
    });
}

fn needs(programs: &[&str]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|name| !process::exists(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "not on this machine: {}; Debian has them in util-linux, iproute2, openssl and coreutils",
        missing.join(", ")
    );
}

/// Of all that is wanted, what one of several processes asks for; each has namespaces of its own.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// From 0.
    number: usize,
    of: usize,
}

impl std::str::FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Part> {
        let (number, of) = text.split_once('/').context("NUMBER/OF")?;
        Ok(Part {
            number: number.parse()?,
            of: of.parse()?,
        })
    }
}

/// What a part came to, as it tells it.
#[derive(Debug, Default)]
struct Outcome {
    asked: u64,
    differing: Vec<String>,
}

impl Outcome {
    fn text(&self) -> String {
        json!({ "asked": self.asked, "differing": self.differing }).to_string()
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let value: Value = serde_json::from_str(text)?;
        self.asked += value.get("asked").and_then(Value::as_u64).unwrap_or(0);
        let differing = value.get("differing").and_then(Value::as_array);
        let differing = differing.into_iter().flatten().filter_map(Value::as_str);
        self.differing.extend(differing.map(str::to_owned));
        Ok(())
    }
}

/// With everything built: there is no network.
fn inside(options: &Options, part: Part) -> Result<Outcome> {
    let place = &Place {
        limpet: workspace::target("debug/limpet"),
        module: workspace::target("platforms").join(MODULE),
        envoy: fs::canonicalize(workspace::target("envoy"))?,
        programs: Programs::built(options.older)?,
        folder: workspace::target("platforms").join(part.number.to_string()),
    };
    process::output(Command::new("ip").args(["link", "set", "lo", "up"]))
        .context("the task needs namespaces of its own: run it as root")?;
    // Pods and Services have addresses here, all of them this machine.
    let route = ["route", "add", "local", "10.0.0.0/8", "dev", "lo"];
    process::output(Command::new("ip").args(route))?;
    fs::create_dir_all(&place.folder)?;
    let mut cluster = Cluster::start(place)?;
    registry::serve(workspace::target("platforms").join(IMAGE))?;
    let inputs = inputs::all()?;
    let mut outcome = Outcome::default();
    let mut webhook = None;
    if options.plays() {
        // One for each part; where nothing runs there is nothing to play.
        let (name, platform) = PLATFORMS.get(part.number).copied().context("a platform")?;
        prepare(place, &mut cluster, platform, &mut webhook)?;
        let played = match options.many {
            Some(hosts) => many::time(place, &cluster, (name, platform), (hosts, options.tls)),
            None => story::play(place, &cluster, (name, platform)),
        };
        if let Err(why) = played {
            outcome.differing.push(format!("{name}: {why:#}"));
        }
        outcome.asked = 1;
        return Ok(outcome);
    }
    let mut wanted = 0..;
    let platforms = if options.older { OLDER } else { PLATFORMS };
    for &(name, platform) in platforms {
        let taken: Vec<&Input> = inputs
            .iter()
            .filter(|input| platform.takes(input))
            .filter(|input| options.wants(&format!("{name}/{}", input.name)))
            .filter(|_| {
                wanted
                    .next()
                    .is_some_and(|n: usize| n % part.of == part.number)
            })
            .collect();
        if taken.is_empty() {
            continue;
        }
        prepare(place, &mut cluster, platform, &mut webhook)?;
        for input in taken {
            let start = Instant::now();
            let asking = ask(place, &cluster, platform, input);
            cluster.clear()?;
            let label = format!("{name}/{}", input.name);
            process::announce(format_args!("{label}: {:.1?}", start.elapsed()));
            match asking {
                Ok(text) => {
                    let file = Path::new(RECORDED).join(format!("{label}.json"));
                    outcome.differing.extend(keep(&file, &text, options.check)?);
                }
                // One that fails keeps nobody from hearing of the others.
                Err(why) => outcome.differing.push(format!("{label}: {why:#}")),
            }
            outcome.asked += 1;
        }
    }
    Ok(outcome)
}

impl Options {
    /// Requests are sent through what runs.
    fn plays(&self) -> bool {
        self.story || self.many.is_some()
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| name.contains(wanted))
    }
}

fn prepare(
    place: &Place,
    cluster: &mut Cluster,
    platform: Platform,
    webhook: &mut Option<istio::Webhook>,
) -> Result<()> {
    let mut define = |name: &str| cluster.define(&place.programs.definitions(name));
    match platform {
        Platform::Istio(_) | Platform::OlderIstio(_) if webhook.is_some() => {}
        Platform::Istio(_) | Platform::OlderIstio(_) => {
            define("istio")?;
            api::namespace_exists("istio-system")?;
            *webhook = Some(istio::Webhook::start(place, cluster)?);
        }
        Platform::EnvoyGateway | Platform::OlderEnvoyGateway => {
            define("gateway-api-experimental")?;
            define("envoy-gateway")?;
            envoy_gateway::prepare(place, cluster)?;
        }
        // The last: a policy of Gateway API's own forbids the way back.
        Platform::StandardChannel => {
            define("gateway-api-standard")?;
            define("envoy-gateway")?;
        }
    }
    Ok(())
}

/// One recording, as its file.
fn ask(place: &Place, cluster: &Cluster, platform: Platform, input: &Input) -> Result<String> {
    let text = input.text()?;
    let given = cluster.apply(&text)?;
    let second = second()?;
    services::provide(cluster)?;
    let command = command(platform, input);
    let render = render(place, &command)?;
    if !render.status.success() {
        return Ok(Recording::without_rendering(command, given, &render.stderr).text());
    }
    let rendering = String::from_utf8(render.stdout)?;
    // Of two objects that attach to one the older counts, and Kubernetes knows seconds.
    if text.contains("gateway.") || text.contains("istio.io/") {
        wait_for("what was there first is older", || {
            Ok((self::second()? > second).then_some(()))
        })?;
    }
    let answer: Answer = match platform {
        Platform::Istio(proxy) | Platform::OlderIstio(proxy) => {
            istio::ask(place, cluster, proxy, &rendering)?
        }
        Platform::EnvoyGateway | Platform::OlderEnvoyGateway => {
            envoy_gateway::ask(place, cluster, &rendering)?
        }
        Platform::StandardChannel => cluster.apply(&rendering)?.into(),
    };
    let recording = Recording {
        command,
        rendering: hash(&rendering),
        input: given,
        output: answer.applied,
        status: answer.status,
        envoy: if input.is_asked {
            answer.envoy
        } else {
            recording::outline(&answer.envoy)
        },
    };
    Ok(recording.text())
}

/// Now.
fn second() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Writes the file, or says how it differs.
fn keep(file: &Path, text: &str, check: bool) -> Result<Option<String>> {
    let path = workspace::root().join(file);
    if !check {
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(path, text)?;
        return Ok(None);
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = (1..).zip(recorded.lines().zip(text.lines()));
    let first = lines.find(|(_, (old, new))| old != new);
    let same = recorded == text;
    let what = match first {
        Some((n, (old, new))) => format!(
            "line {n}\n  recorded: {}\n  now:      {}",
            old.trim(),
            new.trim()
        ),
        None => "one is longer".to_owned(),
    };
    Ok((!same).then(|| format!("{}: {what}", file.display())))
}
