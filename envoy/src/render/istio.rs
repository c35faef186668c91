//! What Istio needs: for a gateway, or for the outbound side of sidecars.

pub(crate) mod addresses;
mod args;
mod authorizer;
mod client;
mod client_headers;
pub(crate) mod credential;
mod destination;
mod filter;
mod gateway;
mod inside;
mod other_names;
mod plugin;
mod pods;
pub(crate) mod protocols;
mod route;
mod sidecar;
pub(crate) mod taking_over;
pub(crate) mod told;
mod way;

use std::collections::BTreeSet;
use std::process::ExitCode;

use limpet::config::ConfigError;
use serde_json::Value;

use super::left_out;
use super::resource::{Resource, too_large, yaml};
use super::room::{self, Shared};
use super::served::Served;
use crate::check;
use crate::compiled::{Compiled, Flags};
use crate::losses;
use crate::manifests::Manifests;
use args::RELOADS;

pub use args::IstioArgs;

/// What `use-forwarded-headers` means on Istio.
const TRUSTED: &str = "\
use-forwarded-headers: Istio trusts nobody until it is told how many proxies stand in front, for
all hosts of the gateway: proxy.istio.io/config: '{\"gatewayTopology\": {\"numTrustedProxies\": 1}}'.
Pods get X-Forwarded-Port where that proxy sends it.";

/// Every resource, in the order to apply them.
#[must_use]
pub fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let mut all = Vec::new();
    if args.sidecar {
        all.extend(sidecar::resources(served, args));
    } else {
        all.extend(gateway::resource(served, args));
        all.extend(route::resources(served, args));
    }
    all.extend(destination::resources(served, args));
    all.extend(pods::resources(served, args));
    all.push(filter::resource(served, args));
    all.extend(client::resources(served, args));
    all.push(plugin::resource(served, args));
    all
}

/// Leaves out what has no room in the objects that several share, those of all tenants and that of a host, and of
/// sidecars what would take calls to others' Services.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub(super) fn make_room(
    manifests: &mut Manifests,
    flags: &Flags,
    args: &IstioArgs,
) -> Result<(), ConfigError> {
    if args.sidecar {
        let inside = (&*args.cluster_domain, &*args.namespace);
        taking_over::leave_out(manifests, flags, inside)?;
    }
    if args.sidecar && args.render.losses.close {
        close_by_address(manifests, flags)?;
    }
    room::make(manifests, flags, |compiled| {
        let served = Served::new(compiled);
        let all = resources(&served, args);
        // What a host asks is its own, and what pods are told their tenant's.
        let is_own = |one: &&Resource| client::is_one(one) || pods::is_one(one);
        let all = all.iter().filter(|one| !is_own(one));
        let all = all.filter(|one| one.is_too_large());
        let mut all: Vec<Shared> = all.map(|one| shared(&served, args, one)).collect();
        all.extend(Shared::of_pods(compiled));
        all
    })?;
    pods::close_unnamed(manifests, flags, args)
}

/// Closes whoever lets clients in, or counts them, by their addresses, which sidecars do not know.
fn close_by_address(manifests: &mut Manifests, flags: &Flags) -> Result<(), ConfigError> {
    let compiled = Compiled::new(manifests, flags)?;
    let by_address = compiled.policy.asking_for_address();
    let by_address: BTreeSet<String> = by_address
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect();
    let note = |id: &String| {
        format!("closed, answers 503: ingress {id}: sidecars know no addresses of clients")
    };
    manifests.notes.extend(by_address.iter().map(note));
    losses::close(manifests, by_address);
    Ok(())
}

/// Because of whom an object is as large as it is.
fn shared(served: &Served<'_>, args: &IstioArgs, resource: &Resource) -> Shared {
    let compiled = served.compiled();
    let hosts = resource.value.pointer("/spec/hosts");
    match (resource.kind(), hosts.and_then(Value::as_array)) {
        ("WasmPlugin", _) => Shared::plugin(compiled, resource),
        ("EnvoyFilter", _) => {
            let pieces = filter::pieces(served, args);
            let with_ways = served.ways.of.keys().map(String::as_str);
            Shared::of_pieces(resource, pieces, &Vec::from_iter(with_ways))
        }
        (_, Some(hosts)) => {
            let hosts = hosts.iter().filter_map(Value::as_str);
            let hosts = hosts.filter_map(|host| compiled.virtual_host(host));
            let locations = hosts.flat_map(|host| host.locations.iter());
            Shared::evenly(resource, locations.map(|one| one.ingress.as_str())).of_host()
        }
        _ => {
            let certificates = served.certificates.iter();
            Shared::evenly(resource, certificates.map(|one| one.ingress.id()))
        }
    }
}

/// The whole output for `manifests`.
///
/// # Errors
/// When a key of `--config` has no usable shape, or a value cannot be written as YAML.
pub fn text(manifests: &Manifests, args: &IstioArgs) -> anyhow::Result<String> {
    let compiled = Compiled::new(manifests, &args.flags())?;
    anyhow::ensure!(
        !args.sidecar || !compiled.policy.asks_for_address(),
        addresses::refusal(&compiled)
    );
    let served = Served::new(&compiled);
    anyhow::ensure!(
        !args.sidecar || served.passed.is_empty(),
        "TLS that goes on to pods as it comes (ssl-passthrough) is a gateway's: sidecars pass it on without \
         limpet. Take ssl_passthrough out of the file of --config, and accept the loss"
    );
    let mut head = vec![
        "limpet on Istio. Replace the image name in the WasmPlugin; nothing else needs editing.".to_owned(),
        String::new(),
        "Metrics: Istio drops statistics it does not know. To see limpet's, and to let it poll less,".to_owned(),
        "set on the pods that carry the proxy (their Deployment's template), and restart them:".to_owned(),
        format!("  proxy.istio.io/config: '{}'", plugin::STATS_INCLUSION),
        String::new(),
        "Draining: istiod removes terminating pods from the endpoints at once, unless the Service has".to_owned(),
        "the label istio.io/persistent-session; sessions of a terminating pod move to another one then.".to_owned(),
        "Headers: pods get the forwarding headers of ingress-nginx, and Istio's own beside them (X-Envoy-*,".to_owned(),
        "X-B3-* or traceparent); a client's X-Request-ID is kept from inside the mesh only.".to_owned(),
        "Paths: set meshConfig.pathNormalization.normalization to NONE. Istio's default resolves . and .., decodes".to_owned(),
        "%61 and makes \\ a / before limpet sees a request; nothing below can undo it, and what is not rewritten".to_owned(),
        "reaches the pods so: limpet check --on istio lists those paths. NONE is for the whole mesh: every policy in it".to_owned(),
        "that goes by paths compares them as clients spell them then, and /%61dmin gets past a rule on /admin. Where there".to_owned(),
        "are such policies, leave it as it is.".to_owned(),
        "Upgrades: the filter of limpet comes before CORS and fault injection; authorization sees the".to_owned(),
        "original path and host.".to_owned(),
    ];
    if args.istio < RELOADS {
        head.push(format!(
            "Istio {}: it starts no module anew after a trap (FAIL_CLOSE). The requests of that worker fail then until",
            args.istio
        ));
        head.push("its proxy restarts.".to_owned());
    }
    if served.forwarding.trusted && !args.sidecar {
        head.extend(TRUSTED.lines().map(str::to_owned));
    }
    let secrets = served.secret_lines();
    if !secrets.is_empty() {
        head.push(
            "Passwords: the container istio-proxy of those pods needs these environment variables, each from a"
                .to_owned(),
        );
        head.push(
            "copy of the Secret in its namespace (secretKeyRef); without one its paths answer 503."
                .to_owned(),
        );
        head.extend(secrets);
    }
    let variables = served.key_variables();
    if !variables.is_empty() {
        head.push(format!(
            "Cookie keys: the container istio-proxy of those pods needs the environment variable {}",
            variables.join(", ")
        ));
        head.push(
            "(env with secretKeyRef in its Deployment); without it no session cookie is written."
                .to_owned(),
        );
    }
    let home = (!args.sidecar).then_some(&*args.namespace);
    head.extend(
        home.iter()
            .flat_map(|home| credential::copies(&served, home)),
    );
    let resources = resources(&served, args);
    let mut notes = told::notes(&served, home);
    if !args.sidecar {
        notes.extend(left_out::unusable(&served));
    }
    notes.extend(served.all_notes());
    let others = check::to_each_other(&compiled).into_iter();
    // Sidecars have no certificates.
    let others = others.filter(|one| !args.sidecar || one.code != check::CERTIFICATE);
    let others = others.chain(check::closed(&compiled));
    let without_https = check::without_https(&compiled, Some(check::Platform::Istio)).into_iter();
    let others = others.chain(without_https.filter(|_| !args.sidecar));
    notes.extend(others.map(|finding| finding.located()));
    notes.extend(too_large(&resources));
    head.extend(notes.iter().map(|note| format!("note: {note}")));
    yaml(&head, &resources)
}

/// Prints the resources.
///
/// # Errors
/// When the manifests cannot be read or the output cannot be written.
pub fn run(args: &IstioArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !args.labels().is_empty(),
        "--selector: {:?} is no KEY=VALUE",
        args.selector
    );
    let on = check::Platform::Istio;
    args.render.print(
        on,
        &args.flags(),
        |manifests, flags| make_room(manifests, flags, args),
        |manifests| text(manifests, args),
    )?;
    Ok(ExitCode::SUCCESS)
}
