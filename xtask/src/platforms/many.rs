//! `cargo xtask platforms --many N`: how long N hosts over N Services take from Ingresses to an answer.

use super::cluster::Cluster;
use super::http::{Request, Response, send};
use super::inputs::Input;
use super::place::Place;
use super::platform::Platform;
use super::processes::wait_for;
use super::rendering::rendered;
use super::story::{entrance, serve, start, taken, tls_entrance, visit_over_tls};
use crate::process;
use anyhow::Result;
use std::fs;
use std::time::Instant;

/// The one pod of all Services.
const POD: &str = "10.1.0.1:8000";

/// Times it on one platform, up to the first session on the last host.
///
/// # Errors
/// Something is refused, or the last host does not answer.
pub(super) fn time(
    place: &Place,
    cluster: &Cluster,
    (name, platform): (&str, Platform),
    (hosts, tls): (u32, bool),
) -> Result<()> {
    let text: String = (0..hosts).map(|n| host(n, tls)).collect();
    taken(&cluster.apply(&text)?.refused)?;
    let file = place.folder.join("many.yaml");
    fs::write(&file, text)?;
    let input = Input {
        name: "many".to_owned(),
        files: vec![file.to_string_lossy().into_owned()],
        is_asked: true,
        is_strict: false,
        policies: None,
    };
    let pod = POD.parse()?;
    serve(pod)?;
    let clock = Instant::now();
    let rendering = rendered(place, platform, &input)?;
    let rendering_took = clock.elapsed();
    let clock = Instant::now();
    let running = start(place, cluster, platform, &rendering)?;
    taken(&running.applied.refused)?;
    let applying_took = clock.elapsed();
    let clock = Instant::now();
    let secure = tls_entrance(platform).filter(|_| tls);
    let at = entrance(platform)?;
    let last = format!("h{}.example.com", hosts.saturating_sub(1));
    let request = Request {
        method: "GET",
        path: "/",
        headers: &[("Host", &last)],
        body: "",
    };
    // A sidecar ends no TLS: the module's redirect has to do.
    let is_redirected = tls && secure.is_none();
    wait_for("the last host", || {
        let answer = match secure {
            Some(port) => visit_over_tls(port, &last, None)?,
            None => send(at, request).ok(),
        };
        let is_it = |answer: &Response| match answer.status {
            200 => answer.head.contains("route=") && answer.body == POD,
            308 => is_redirected,
            _ => false,
        };
        Ok(answer.filter(is_it))
    })?;
    let objects = rendering.matches("\nkind: ").count();
    process::announce(format_args!(
        "{name}: {hosts} hosts over {hosts} Services: {objects} objects, {} KiB, rendered in {:.1?}; applied in {:.1?} \
         with the start of the control plane; {:.1?} later the last host {}",
        rendering.len() / 1024,
        rendering_took,
        applying_took,
        clock.elapsed(),
        if is_redirected {
            "redirects to https"
        } else {
            "keeps a session"
        },
    ));
    Ok(())
}

/// A Service with its pod, and an Ingress that keeps sessions there.
fn host(n: u32, tls: bool) -> String {
    let tls = if tls {
        format!("  tls: [{{ hosts: [h{n}.example.com], secretName: c{n} }}]\n")
    } else {
        String::new()
    };
    let (address, port) = POD.split_once(':').unwrap_or_default();
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{ name: s{n}, namespace: many }}
spec:
  ports: [{{ name: http, port: 80, targetPort: {port} }}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{ name: s{n}-pods, namespace: many, labels: {{ kubernetes.io/service-name: s{n} }} }}
addressType: IPv4
ports: [{{ name: http, port: {port}, protocol: TCP }}]
endpoints: [{{ addresses: [\"{address}\"], conditions: {{ ready: true }} }}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i{n}
  namespace: many
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
    nginx.ingress.kubernetes.io/session-cookie-name: route
spec:
  ingressClassName: nginx
{tls}  rules:
  - host: h{n}.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {{ service: {{ name: s{n}, port: {{ number: 80 }} }} }}
---
"
    )
}
