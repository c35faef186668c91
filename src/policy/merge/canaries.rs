//! Canaries: which upstreams they stand beside.
//!
//! Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`,
//! ingress-nginx dbb11b92d.

use super::{DEFAULT_UPSTREAM, Draft, Loaded, Merged, host_of, upstream_name};
use crate::ingress::Path;
use crate::route::host::DEFAULT_SERVER;
use crate::warning::Warning;

pub(super) fn merge(merged: &mut Merged, canary: &Loaded, warnings: &mut Vec<Warning>) {
    let ingress = &canary.ingress;
    if let Some(backend) = &ingress.default_backend {
        let name = upstream_name(&ingress.namespace, backend);
        attach(merged, canary, &name, DEFAULT_SERVER, |_| true, warnings);
    }
    for rule in &ingress.rules {
        for path in rule.paths.iter().flatten() {
            let Some(backend) = &path.backend else {
                continue;
            };
            let name = upstream_name(&ingress.namespace, backend);
            let same = |draft: &Draft| is_same(draft, path);
            attach(merged, canary, &name, host_of(&rule.host), same, warnings);
        }
    }
}

fn is_same(draft: &Draft, path: &Path) -> bool {
    draft.path == path.path && draft.exact == path.exact
}

/// Makes the upstream `name` an alternative of those of the host's matching locations; without
/// any, it is dropped.
fn attach(
    merged: &mut Merged,
    canary: &Loaded,
    name: &str,
    host: &str,
    matches: impl Fn(&Draft) -> bool,
    warnings: &mut Vec<Warning>,
) {
    let mut warn = |text: &str| {
        let warning = Warning::ingress(&canary.ingress.key, "canary", name, text);
        warnings.push(warning);
    };
    if !merged.upstreams.contains_key(name) {
        return;
    }
    let Some(server) = merged.servers.get(host) else {
        return warn("has no Ingress of the same host to be a canary of; ignored");
    };
    let mut found = false;
    for draft in &server.locations {
        if !merged.upstreams.contains_key(&draft.upstream) {
            continue;
        }
        if draft.upstream == name {
            warn("is a primary of the same host already; it is no canary of it");
            return;
        }
        let primary = draft.upstream.as_str();
        if primary != DEFAULT_UPSTREAM && matches(draft) {
            let primary = primary.to_owned();
            found = join(&mut merged.upstreams, &primary, name, canary) || found;
        }
    }
    if !found {
        warn("has no Ingress of the same host and path to be a canary of; ignored");
        merged.upstreams.remove(name);
    }
}

fn join(
    upstreams: &mut std::collections::BTreeMap<String, super::Upstream>,
    primary: &str,
    name: &str,
    canary: &Loaded,
) -> bool {
    let Some(upstream) = upstreams
        .get_mut(primary)
        .filter(|primary| !primary.no_server)
    else {
        return false;
    };
    if upstream.alternatives.iter().any(|known| known == name) {
        return true;
    }
    upstream.alternatives.push(name.to_owned());
    let session = upstream.session.clone();
    let behavior = canary.annotations.session.canary_behavior.as_deref();
    if behavior != Some("legacy")
        && let Some(alternative) = upstreams.get_mut(name)
    {
        alternative.session = session;
    }
    true
}
