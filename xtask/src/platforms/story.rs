//! `cargo xtask platforms --story`: what an operator sees with everything running, control plane, Envoy and
//! the module itself: a session that stays, a pod more, an annotation that changes.

use super::answer::Running;
use super::cluster::Cluster;
use super::http::{HERE, Request, Response, parsed, send};
use super::inputs::{self, Input};
use super::istio::Proxy;
use super::place::Place;
use super::platform::Platform;
use super::processes::wait_for;
use super::rendering::rendered;
use super::{envoy_gateway, istio, services};
use crate::process;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

const HOST: &str = "sample.example.com";

/// Any address: where a client of the mesh believes its host to be.
const ELSEWHERE: &str = "10.99.0.1";

/// How often somebody comes back.
const VISITS: usize = 20;

/// Plays it on one platform.
///
/// # Errors
/// A claim does not hold, or something does not come up.
pub(super) fn play(
    place: &Place,
    cluster: &Cluster,
    (name, platform): (&str, Platform),
) -> Result<()> {
    let told = |what: &str| process::announce(format_args!("{name}: {what}"));
    let input = input(platform)?;
    // Here a gateway has port 80 of every address.
    let text = with(&input.text()?, "targetPort: 80\n", "targetPort: 8000\n")?;
    taken(&cluster.apply(&text)?.refused)?;
    services::provide(cluster)?;
    let mut pods = Pods::default();
    pods.start(cluster)?;
    let rendering = rendered(place, platform, &input)?;
    let running = start(place, cluster, platform, &rendering)?;
    taken(&running.applied.refused)?;
    let at = entrance(platform)?;

    let first = wait_for("somebody answers", || {
        Ok(visit(at, None).ok().filter(|it| it.status == 200))
    })?;
    let cookie = cookie(&first, "route").context("no session cookie")?;
    stays(at, &cookie, &first.body)?;
    told(&format!(
        "{cookie} stays on {}, {VISITS} of {VISITS}",
        first.body
    ));

    let new = pods.add(cluster)?;
    wait_for("somebody new gets the new pod", || {
        let somebody = visit(at, None)?;
        Ok((somebody.body == new).then_some(()))
    })?;
    stays(at, &cookie, &first.body)?;
    told(&format!(
        "{new} came, and the session stays on {}",
        first.body
    ));

    let changed = with(
        &text,
        "session-cookie-name: \"route\"",
        "session-cookie-name: \"seat\"",
    )?;
    let file = place.folder.join("changed.yaml");
    fs::write(&file, &changed)?;
    taken(&cluster.apply(&changed)?.refused)?;
    let input = Input {
        files: vec![file.to_string_lossy().into_owned()],
        ..input
    };
    let rendering = rendered(place, platform, &input)?;
    taken(&cluster.apply(&rendering)?.refused)?;
    let seat = wait_for("the annotation holds", || {
        let answer = visit(at, None)?;
        Ok(self::cookie(&answer, "seat").map(|cookie| (cookie, answer.body)))
    })?;
    stays(at, &seat.0, &seat.1)?;
    told(&format!(
        "the annotation changed: {} stays on {}",
        seat.0, seat.1
    ));
    if let Some(at) = tls_entrance(platform) {
        over_tls(place, cluster, platform, at)?;
        told("two hosts got certificates, and their sessions stay over TLS");
    }
    Ok(())
}

fn input(platform: Platform) -> Result<Input> {
    // A headless Service is where its client dialled.
    let name = match platform {
        Platform::Istio(Proxy::Sidecar) => "sample-for-sidecars",
        _ => "sample",
    };
    named(name)
}

fn named(name: &str) -> Result<Input> {
    let mut all = inputs::all()?.into_iter();
    all.find(|input| input.name == name)
        .context("no such input")
}

/// Two hosts with TLS in place of the one: the same Service and its pods.
fn over_tls(place: &Place, cluster: &Cluster, platform: Platform, port: u16) -> Result<()> {
    let input = named("tls-two-hosts")?;
    taken(&cluster.apply(&input.text()?)?.refused)?;
    let secrets = services::secrets(&cluster.all("ingresses")?);
    services::certify(place, cluster, &secrets)?;
    let rendering = rendered(place, platform, &input)?;
    taken(&cluster.apply(&rendering)?.refused)?;
    if matches!(platform, Platform::Istio(_)) {
        istio::certify(place, cluster)?;
    }
    for host in ["a.example.com", "b.example.com"] {
        let first = wait_for("somebody answers over TLS", || {
            let answer = visit_over_tls(port, host, None)?;
            Ok(answer.filter(|answer| answer.status == 200))
        })?;
        let cookie = cookie(&first, "route").context("no session cookie over TLS")?;
        for n in 1..=VISITS {
            let answer = visit_over_tls(port, host, Some(&cookie))?.context("no answer")?;
            stayed(n, &answer, &cookie, &first.body)?;
        }
    }
    Ok(())
}

pub(super) fn visit_over_tls(
    port: u16,
    host: &str,
    cookie: Option<&str>,
) -> Result<Option<Response>> {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n"));
    let cookie = cookie.unwrap_or_default();
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: close\r\n\r\n");
    let mut client = Command::new("openssl");
    client
        .args(["s_client", "-quiet", "-servername", host, "-connect"])
        .arg(format!("{HERE}:{port}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut client = client.spawn().context("cannot start openssl")?;
    let mut input = client.stdin.take().context("no standard input")?;
    // One that could not connect reads nothing.
    drop(input.write_all(request.as_bytes()));
    let said = client.wait_with_output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let start = said.find("HTTP/1.1 ");
    Ok(start.and_then(|start| parsed(said.get(start..)?)))
}

fn with(text: &str, old: &str, new: &str) -> Result<String> {
    ensure!(text.contains(old), "the sample has no {old:?}");
    Ok(text.replace(old, new))
}

pub(super) fn taken(refused: &[String]) -> Result<()> {
    ensure!(refused.is_empty(), "refused: {}", refused.join("\n"));
    Ok(())
}

pub(super) fn start(
    place: &Place,
    cluster: &Cluster,
    platform: Platform,
    rendering: &str,
) -> Result<Running> {
    match platform {
        Platform::Istio(proxy) | Platform::OlderIstio(proxy) => {
            istio::start(place, cluster, proxy, rendering)
        }
        Platform::EnvoyGateway | Platform::OlderEnvoyGateway => {
            envoy_gateway::start(place, cluster, rendering)
        }
        Platform::StandardChannel => bail!("nothing runs there"),
    }
}

/// Where a client sends its requests to. Those of a sidecar are caught as Istio's own rules do it.
pub(super) fn entrance(platform: Platform) -> Result<(&'static str, u16)> {
    match platform {
        Platform::Istio(Proxy::Sidecar) => {
            let rule =
                "-t nat -A OUTPUT -p tcp -d 10.99.0.0/16 --dport 80 -j REDIRECT --to-ports 15001";
            let mut iptables = Command::new("iptables");
            process::output(iptables.args(rule.split(' ')))?;
            Ok((ELSEWHERE, 80))
        }
        Platform::Istio(Proxy::Gateway) => Ok((HERE, 80)),
        // It adds 10000 to the ports that are root's.
        _ => Ok((HERE, 10080)),
    }
}

/// The same with TLS; `None`: there is none.
pub(super) fn tls_entrance(platform: Platform) -> Option<u16> {
    match platform {
        Platform::Istio(Proxy::Gateway) => Some(443),
        Platform::EnvoyGateway => Some(10443),
        _ => None,
    }
}

fn visit(at: (&str, u16), cookie: Option<&str>) -> Result<Response> {
    let mut headers = vec![("Host", HOST)];
    headers.extend(cookie.map(|cookie| ("Cookie", cookie)));
    let request = Request {
        method: "GET",
        path: "/app1/",
        headers: &headers,
        body: "",
    };
    send(at, request)
}

/// `NAME=VALUE` of the cookie that an answer sets.
fn cookie(answer: &Response, name: &str) -> Option<String> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let (_, set) = lines.find(|(field, value)| {
        field.eq_ignore_ascii_case("set-cookie") && value.starts_with(&format!("{name}="))
    })?;
    set.split(';').next().map(str::to_owned)
}

fn stays(at: (&str, u16), cookie: &str, pod: &str) -> Result<()> {
    for n in 1..=VISITS {
        stayed(n, &visit(at, Some(cookie))?, cookie, pod)?;
    }
    Ok(())
}

fn stayed(n: usize, answer: &Response, cookie: &str, pod: &str) -> Result<()> {
    ensure!(
        answer.status == 200 && answer.body == pod,
        "visit {n} with {cookie}: {} from {}, expected {pod}",
        answer.status,
        answer.body
    );
    Ok(())
}

/// Pods that answer with their address.
#[derive(Debug, Default)]
struct Pods(BTreeSet<SocketAddr>);

impl Pods {
    /// Those of every EndpointSlice.
    fn start(&mut self, cluster: &Cluster) -> Result<()> {
        for slice in cluster.all("endpointslices")? {
            for address in addresses(&slice) {
                if self.0.insert(address) {
                    serve(address)?;
                }
            }
        }
        Ok(())
    }

    /// One more of the Service, in its EndpointSlice; its address.
    fn add(&mut self, cluster: &Cluster) -> Result<String> {
        let slices = cluster.all("endpointslices")?;
        let slice = slices.iter().find(|slice| !addresses(slice).is_empty());
        let mut slice = slice.context("no EndpointSlice")?.clone();
        let last = self.0.last().context("no pod")?.to_string();
        let (network, rest) = last.rsplit_once('.').context("an address of IPv4")?;
        let (_, port) = rest.split_once(':').context("a port")?;
        let address = format!("{network}.77");
        let ready = json!({ "addresses": [address], "conditions": { "ready": true } });
        let endpoints = slice.get_mut("endpoints").and_then(Value::as_array_mut);
        endpoints.context("no endpoints")?.push(ready);
        // A list does not say what it is of, and what the API server wrote into it is none of ours.
        if let Some(fields) = slice.as_object_mut() {
            fields.insert("apiVersion".to_owned(), json!("discovery.k8s.io/v1"));
        }
        if let Some(metadata) = slice.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| ["name", "namespace", "labels"].contains(&key.as_str()));
        }
        let address = format!("{address}:{port}");
        serve(address.parse()?)?;
        cluster.set_up(&[slice])?;
        Ok(address)
    }
}

fn addresses(slice: &Value) -> Vec<SocketAddr> {
    let list = |key: &str| {
        slice
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let ports: Vec<u64> = list("ports")
        .filter_map(|port| port.get("port")?.as_u64())
        .collect();
    let endpoints = list("endpoints").filter_map(|one| one.pointer("/addresses/0")?.as_str());
    let all = endpoints.flat_map(|address| {
        let all = ports.iter();
        all.filter_map(move |port| format!("{address}:{port}").parse().ok())
    });
    all.collect()
}

/// Answers for as long as this program runs.
pub(super) fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("no pod at {address}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, address));
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream, address: SocketAddr) -> std::io::Result<()> {
    let mut head: Vec<u8> = Vec::new();
    let mut piece = [0_u8; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            n => head.extend(piece.iter().take(n)),
        }
    }
    let body = address.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
