//! Paths, rewrites and redirects.

use serde_json::Value;

use super::pattern::{groups, highest_capture};
use super::turned_by;
use crate::check::finding::{Finding, Level};
use crate::check::view::{Ingress, Path};
use crate::manifests::Manifests;

pub(super) fn run(manifests: &Manifests, ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tls_ends_in_front = setting(manifests, "use-forwarded-headers") == Some("true")
        || manifests.given.get("trust_forwarded_proto") == Some(&Value::Bool(true));
    for ingress in ingresses {
        findings.extend(rewrite_to_a_constant(ingress));
        findings.extend(missing_capture(ingress));
        findings.extend(prefix_header_without_rewrite(ingress));
        if !tls_ends_in_front {
            findings.extend(https_without_tls(manifests, ingress));
            findings.extend(tls_without_secret(ingress));
            findings.extend(tls_of_other_hosts(manifests, ingress));
        }
        let changed = ingress.paths.iter();
        findings
            .extend(changed.filter_map(|path| changed_by_a_neighbour(ingresses, ingress, path)));
    }
    findings
}

/// A path whose meaning changed because another Ingress turned the host regex.
fn changed_by_a_neighbour(
    ingresses: &[Ingress<'_>],
    ingress: &Ingress<'_>,
    path: &Path,
) -> Option<Finding> {
    if ingress.asks_for_regex() || path.path == "/" {
        return None;
    }
    let by = turned_by(ingresses, &path.host)?;
    let which = match by.asks_for_regex() && by.says_true("use-regex") {
        true => "use-regex",
        false => "rewrite-target",
    };
    Some(
        Finding::at(
            (Level::Note, "regex-host"),
            ingress,
            (&path.pointer, "path"),
            format!(
                "({}) became a regex without upper and lower case: {} of ingress {} turns every \
                 path of host {:?} into one",
                path.path_type, which, by.id, path.host
            ),
            format!(
                "every path that begins like {:?} comes here, as under ingress-nginx",
                path.path
            ),
        )
        .help(format!("to mean the whole path, write {}$", path.path)),
    )
}

fn rewrite_to_a_constant(ingress: &Ingress<'_>) -> Option<Finding> {
    let target = ingress.annotation("rewrite-target")?;
    let is_constant = !target.is_empty() && !target.contains('$') && !target.contains("://");
    let below = ingress.paths.iter().any(|path| path.path_type != "Exact");
    (is_constant && below).then(|| {
        Finding::annotation(
            (Level::Note, "rewrite-root"),
            ingress,
            "rewrite-target",
            "captures nothing of the path",
            format!("every request below is sent as {target}, images and scripts too, as under ingress-nginx since 0.22"),
        )
        .help("to keep the rest of the path, write the path as /app(/|$)(.*) and the target as /$2")
    })
}

fn missing_capture(ingress: &Ingress<'_>) -> Option<Finding> {
    let target = ingress.annotation("rewrite-target")?;
    let wanted = highest_capture(target);
    let short = ingress
        .paths
        .iter()
        .find(|path| groups(&path.path) < wanted)?;
    Some(Finding::annotation(
        (Level::Note, "missing-capture"),
        ingress,
        "rewrite-target",
        format!(
            "names ${wanted}, and path {:?} captures {}",
            short.path,
            groups(&short.path)
        ),
        "what is not captured is empty, as under ingress-nginx",
    ))
}

fn prefix_header_without_rewrite(ingress: &Ingress<'_>) -> Option<Finding> {
    ingress.annotation("x-forwarded-prefix")?;
    let rewrites = ingress
        .annotation("rewrite-target")
        .is_some_and(|target| !target.is_empty());
    (!rewrites).then(|| {
        Finding::annotation(
            (Level::Note, "no-rewrite"),
            ingress,
            "x-forwarded-prefix",
            "has an effect beside rewrite-target only",
            "no X-Forwarded-Prefix is sent, as under ingress-nginx",
        )
    })
}

/// ingress-nginx always listens on 443, with a certificate of its own if there is no other.
fn https_without_tls(manifests: &Manifests, ingress: &Ingress<'_>) -> Option<Finding> {
    let host = ingress
        .paths
        .iter()
        .map(|path| &path.host)
        .find(|host| !ingress.has_tls(host))?;
    let by_config_map = ingress.annotation("force-ssl-redirect").is_none()
        && setting(manifests, "force-ssl-redirect") == Some("true");
    let consequence = "nobody answers on 443 unless you add a listener; ingress-nginx did, with its own certificate";
    let finding = match by_config_map {
        true => Finding::at(
            HTTPS_LISTENER,
            ingress,
            ("/spec/rules", "spec.tls"),
            format!(
                "does not cover host {host:?}, and force-ssl-redirect of the ConfigMap sends it to https"
            ),
            consequence,
        ),
        false => Finding::annotation(
            HTTPS_LISTENER,
            ingress,
            "force-ssl-redirect",
            format!("sends host {host:?} to https, and no tls section covers it"),
            consequence,
        ),
    };
    (by_config_map || ingress.says_true("force-ssl-redirect")).then(|| {
        finding.help("where TLS ends in front of the proxy, give ingress-nginx's ConfigMap with use-forwarded-headers, or --config with trust_forwarded_proto: true")
    })
}

const HTTPS_LISTENER: (Level, &str) = (Level::Warning, "https-listener");

/// A tls section without a Secret: ingress-nginx served its own certificate there.
///
/// Source: `createServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn tls_without_secret(ingress: &Ingress<'_>) -> Option<Finding> {
    let entries = ingress.object.list("/spec/tls");
    let at = entries.iter().position(|entry| {
        let secret = entry.get("secretName").and_then(Value::as_str);
        secret.is_none_or(str::is_empty)
    })?;
    Some(
        Finding::at(
            HTTPS_LISTENER,
            ingress,
            (&format!("/spec/tls/{at}"), "tls"),
            "names no secretName",
            "no https listener is rendered for its hosts, and requests are still redirected to https; ingress-nginx served its own certificate",
        )
        .help("name a Secret with a certificate, or render envoy with --tls CERT,KEY"),
    )
}

/// A host that the tls section does not list: ingress-nginx redirects it all the same.
///
/// Source: `createServers` and `extractTLSSecretName`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
fn tls_of_other_hosts(manifests: &Manifests, ingress: &Ingress<'_>) -> Option<Finding> {
    if ingress.object.list("/spec/tls").is_empty() {
        return None;
    }
    let off = match ingress.annotation("ssl-redirect") {
        Some(_) => !ingress.says_true("ssl-redirect"),
        None => setting(manifests, "ssl-redirect") == Some("false"),
    };
    let mut hosts = ingress.paths.iter().map(|path| &path.host);
    let host = hosts.find(|host| !ingress.has_tls(host))?;
    (!off && !ingress.says_true("force-ssl-redirect")).then(|| {
        Finding::at(
            HTTPS_LISTENER,
            ingress,
            ("/spec/tls", "tls"),
            format!("does not list host {host:?}, which is redirected to https with the others"),
            "no https listener is rendered for it; ingress-nginx served its own certificate",
        )
        .help("list the host, or set ssl-redirect: \"false\" on an Ingress of its own")
    })
}

/// A setting of ingress-nginx's own ConfigMap.
fn setting<'m>(manifests: &'m Manifests, key: &str) -> Option<&'m str> {
    manifests
        .config_map()?
        .value
        .pointer("/data")?
        .get(key)?
        .as_str()
}
