//! What Envoy Gateway needs.

mod args;
mod authorizer;
mod client;
mod grant;
mod listener;
mod passthrough;
pub(crate) mod pods;
mod policy;
pub(crate) mod protocols;
mod route;
pub(crate) mod told;
mod way;

use std::process::ExitCode;

use limpet::config::ConfigError;

use super::left_out;
use super::resource::{Resource, too_large, yaml};
use super::room::{self, Shared};
use super::served::Served;
use super::version::Version;
use crate::check;
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use args::{BOUNDS_HEADS, BOUNDS_SILENCE};
use route::cluster_routes;

pub use args::EnvoyGatewayArgs;

/// Every resource, in the order to apply them.
#[must_use]
pub fn resources(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let routes = cluster_routes(served, args);
    let mut all = listener::resources(served, args);
    all.extend(pods::resources(served));
    all.extend(route::resources(args, &routes));
    all.extend(passthrough::resources(served, args));
    all.extend(client::authorities(served, args));
    all.extend(policy::resources(served, args, &routes));
    all
}

/// Leaves out what has no room in the EnvoyExtensionPolicy.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub(super) fn make_room(
    manifests: &mut Manifests,
    flags: &Flags,
    args: &EnvoyGatewayArgs,
) -> Result<(), ConfigError> {
    room::make(manifests, flags, |compiled| {
        let served = Served::on_envoy_gateway(compiled);
        let policy = policy::extension(&served, args, &cluster_routes(&served, args));
        let policy = Some(policy).filter(Resource::is_too_large);
        let policy = policy.map(|one| Shared::plugin(compiled, &one));
        let policy = policy.into_iter();
        policy.chain(Shared::of_pods(compiled)).collect()
    })
}

/// The whole output for `manifests`.
///
/// # Errors
/// When a key of `--config` has no usable shape, or a value cannot be written as YAML.
pub fn text(manifests: &Manifests, args: &EnvoyGatewayArgs) -> anyhow::Result<String> {
    let compiled = Compiled::new(manifests, &args.render.flags(check::Platform::EnvoyGateway))?;
    let served = Served::on_envoy_gateway(&compiled);
    let mut head: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    head.extend(needed(args.envoy_gateway).lines().map(str::to_owned));
    let secrets = served.secret_lines();
    if !secrets.is_empty() {
        head.push(
            "- passwords: the proxy's container needs these environment variables, each from a copy of the"
                .to_owned(),
        );
        head.push(
            "  Secret in its namespace: set them in the EnvoyProxy as below, with secretKeyRef; without one its"
                .to_owned(),
        );
        head.push(
            "  paths answer 503 (provider.kubernetes.envoyDeployment.container.env).".to_owned(),
        );
        head.extend(secrets);
    }
    let variables = served.key_variables();
    if !variables.is_empty() {
        head.push(format!(
            "- cookie keys: the proxy's container needs the environment variable {}: set it in the",
            variables.join(", ")
        ));
        head.push(
            "  EnvoyProxy, provider.kubernetes.envoyDeployment.container.env, with secretKeyRef;"
                .to_owned(),
        );
        head.push("  without it no session cookie is written.".to_owned());
    }
    let get_tls = passthrough::service_ports(&served);
    head.extend(served.clusters.iter().filter_map(|(cluster, _)| {
        let needs_more = !pods::are_spoken_to(&compiled, cluster);
        let needs_more = needs_more && !get_tls.contains(&cluster.service_port);
        needs_more.then(|| {
            format!(
                "note: backend-protocol: Service {} is spoken to in plain HTTP/1 until a BackendTLSPolicy \
                 (TLS) or the port's appProtocol kubernetes.io/h2c (gRPC) says otherwise",
                cluster.service_port.key()
            )
        })
    }));
    let resources = resources(&served, args);
    let mut notes = told::passed(&served);
    notes.extend(told::notes(&served));
    notes.extend(left_out::unusable(&served));
    notes.extend(served.all_notes());
    let mut others = check::to_each_other(&compiled);
    others.extend(check::closed(&compiled));
    others.extend(check::without_https(
        &compiled,
        Some(check::Platform::EnvoyGateway),
    ));
    others.extend(check::two_protocols(&compiled, check::Level::Warning));
    notes.extend(others.iter().map(check::Finding::located));
    notes.extend(too_large(&resources));
    head.extend(notes.iter().map(|note| format!("note: {note}")));
    yaml(&head, &resources)
}

/// What Envoy Gateway cannot be told in resources, so in words.
const HEAD: &str = "\
limpet on Envoy Gateway. Replace the image name in the EnvoyExtensionPolicy; nothing else needs
editing. It takes Gateway API's experimental channel, for sessionPersistence.

What Envoy Gateway cannot say:
- failure policy FAIL_RELOAD: after a trap the requests of that worker are answered 503 until the
  configuration changes. An EnvoyPatchPolicy on the listener can set it, where those are enabled.
- sessions on draining pods: without an EnvoyPatchPolicy that adds DRAINING to each cluster's
  common_lb_config.override_host_status, a session leaves its pod when the pod starts to terminate.
- endpoints without Prometheus: limpet asks the cluster prometheus_stats, which Envoy Gateway
  defines unless EnvoyProxy telemetry.metrics.prometheus.disable is set; leave it on.
- paths as they came: Envoy Gateway resolves . and .., decodes %61, makes \\ a / and answers raw bytes
  above 0x7f with 400 before limpet sees a request. What is not rewritten reaches the Service so;
  limpet check --on envoy-gateway lists those paths.
- policies: a request begins on the route limpet and ends on the route of its cluster: what is
  attached to one HTTPRoute alone may be accepted and never run. Attach SecurityPolicies to the Gateway.
- the Gateway is limpet's own: it takes no HTTPRoutes of other namespaces, and what no Ingress names is 404.
- an older ClientTrafficPolicy of somebody else's on this Gateway or on a listener of it wins, and limpet's
  is Accepted=False Conflicted: HTTP/1.0 is 400 then, and pods get Envoy's forwarding headers instead
  of ingress-nginx's. Take it away, or write what limpet's says into it.";

/// What depends on the version.
fn needed(version: Version) -> &'static str {
    if version < BOUNDS_SILENCE {
        "\
- how long pods may be silent: Envoy Gateway 1.7 has no time for it, and its Envoy waits without end for
  what it would not ask of another pod, whatever proxy-read-timeout says. For 1.8 render without --envoy-gateway."
    } else if version < BOUNDS_HEADS {
        "\
- Envoy Gateway 1.7: this is for 1.8 or newer, which bound how long pods may be silent (streamIdleTimeout);
  --envoy-gateway 1.7 renders for 1.7, and 1.9 for one that bounds how long a request head may take."
    } else {
        "- Envoy Gateway 1.8 and older: this is for 1.9 or newer; name an older one with --envoy-gateway."
    }
}

/// Prints the resources.
///
/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(args: &EnvoyGatewayArgs) -> anyhow::Result<ExitCode> {
    let on = check::Platform::EnvoyGateway;
    args.render.print(
        on,
        &args.render.flags(on),
        |manifests, flags| make_room(manifests, flags, args),
        |manifests| text(manifests, args),
    )?;
    Ok(ExitCode::SUCCESS)
}
