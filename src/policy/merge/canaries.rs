//! Canaries: which upstreams they stand beside.
//!
//! Source: `mergeAlternativeBackends`, `internal/ingress/controller/controller.go`,
//! ingress-nginx dbb11b92d.

use super::merged::{DEFAULT_UPSTREAM, Draft, Loaded, Merged, Upstream, host_of, key};
use crate::ingress::Path;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::route::host::DEFAULT_SERVER;

pub(super) fn merge(merged: &mut Merged, canary: &Loaded, remarks: &mut Vec<Remark>) {
    let ingress = &canary.ingress;
    if let Some(backend) = &ingress.default_backend {
        let name = key(&ingress.namespace, backend);
        attach(merged, canary, &name, DEFAULT_SERVER, |_| true, remarks);
    }
    for rule in &ingress.rules {
        for path in rule.paths.iter().flatten() {
            let Some(backend) = &path.backend else {
                continue;
            };
            let name = key(&ingress.namespace, backend);
            let same = |draft: &Draft| is_same(draft, path);
            attach(merged, canary, &name, host_of(&rule.host), same, remarks);
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
    remarks: &mut Vec<Remark>,
) {
    let mut tell = |problem| {
        let field = Field::annotation("canary");
        let remark = Remark::new(field, name, problem, Effect::AsBefore);
        remarks.push(remark.of(&canary.ingress.key));
    };
    if !merged.upstreams.contains_key(name) {
        return;
    }
    let Some(server) = merged.servers.get(host) else {
        return tell(Problem::NoPrimary);
    };
    let mut found = false;
    for draft in &server.locations {
        if !merged.upstreams.contains_key(&draft.upstream) {
            continue;
        }
        if draft.upstream == name {
            tell(Problem::OwnPrimary);
            return;
        }
        let primary = draft.upstream.as_str();
        if primary != DEFAULT_UPSTREAM && matches(draft) {
            let primary = primary.to_owned();
            found = join(&mut merged.upstreams, &primary, name, canary) || found;
        }
    }
    if !found {
        tell(Problem::NoPrimary);
        merged.upstreams.remove(name);
    }
}

fn join(
    upstreams: &mut std::collections::BTreeMap<String, Upstream>,
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
