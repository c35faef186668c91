//! What one Ingress says of TLS toward pods.
//!
//! Source: `Parse` of `internal/ingress/annotations/proxyssl`; `getPemCertificate`,
//! `internal/ingress/controller/store/backend_ssl.go`; ingress-nginx dbb11b92d.

use std::collections::BTreeMap;
use std::rc::Rc;

use limpet::annotations::validator::parse_bool;

use super::shown::Shown;
use crate::inert;
use crate::key_pair::{Authority, KeyPair, UnusableAuthority};
use crate::manifests::{Manifests, Object};
use crate::names;
use crate::pods::Pods;
use crate::taken::TakenIngress;
use crate::tls_params::TlsParams;

/// The annotation without which the others do nothing.
pub(super) const SECRET: &str = "proxy-ssl-secret";

/// What the name of a pod is to nginx where nobody says it: that of its own upstream.
const UPSTREAM: &str = "upstream_balancer";

/// What one Ingress says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// What goes with `ca.crt`; `None`: the Secret has none.
    pub(super) checked: Option<Checked>,
    /// `tls.crt` and `tls.key`, which nginx shows where `ca.crt` is beside them alone.
    pub(super) shown: Option<Shown>,
    /// `proxy-ssl-name`; `None`: nothing.
    pub(super) name: Option<String>,
    /// `proxy-ssl-server-name`.
    pub(super) names_pods: bool,
}

/// What nginx reads beside an authority alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    /// Who signs pods' certificates, where `proxy-ssl-verify` is on.
    pub(super) authority: Option<Rc<Authority>>,
    /// `proxy-ssl-protocols` and `proxy-ssl-ciphers`.
    pub(super) parameters: TlsParams,
}

/// The Secrets that were read, by their names and whether pods are verified by them: each is read once,
/// whoever names it.
#[derive(Debug, Default)]
pub(super) struct Secrets(BTreeMap<(String, bool), Result<Held, String>>);

/// What a Secret holds.
#[derive(Debug, Clone)]
struct Held {
    /// `Some(None)`: an authority at which no chain ends, which matters to nobody who verifies nothing.
    #[allow(
        clippy::option_option,
        reason = "without ca.crt the rest says nothing either"
    )]
    authority: Option<Option<Rc<Authority>>>,
    /// The pair that pods are shown.
    pair: Option<Rc<KeyPair>>,
}

/// What `ingress` says; `None`: nothing. `Err`: why its paths answer 503.
pub(super) fn said(
    manifests: &Manifests,
    secrets: &mut Secrets,
    ingress: &TakenIngress<'_>,
) -> Result<Option<Said>, String> {
    let text = |name: &str| ingress.annotation(name).unwrap_or_default().trim();
    let named = text(SECRET);
    if named.is_empty() {
        return Ok(None);
    }
    let id = own(manifests, ingress, named)?;
    let secret = manifests
        .secret(id)
        .ok_or_else(|| format!("Secret {} is not among the manifests (-f)", inert::line(id)))?;
    let is_verified = text("proxy-ssl-verify") == "on";
    let read = secrets.0.entry((id.to_owned(), is_verified));
    let held = read.or_insert_with(|| read_secret(secret, is_verified));
    let Held { authority, pair } = held
        .clone()
        .map_err(|why| format!("Secret {} is of no use: {why}", inert::line(id)))?;
    let name = name(text("proxy-ssl-name"));
    let names_pods = text("proxy-ssl-server-name") == "on";
    let checked = authority.map(|authority| Checked {
        authority: authority.filter(|_| is_verified),
        parameters: TlsParams::of_pods(text("proxy-ssl-protocols"), text("proxy-ssl-ciphers")),
    });
    // A name that is none matters where somebody is to be told or asked for it.
    let name = match name {
        Err(()) if is_verified || names_pods => {
            return Err("proxy-ssl-name is no host name".to_owned());
        }
        name => name.unwrap_or_default(),
    };
    Ok(Some(Said {
        checked,
        shown: pair.map(|pair| Shown {
            pair,
            secret: id.to_owned(),
        }),
        name,
        names_pods,
    }))
}

impl Said {
    /// Whether proxies can be told all of it.
    pub(super) fn is_sayable(&self, pods: Pods) -> bool {
        match pods {
            Pods::OnEnvoy | Pods::All => true,
            Pods::Unsaid => false,
            Pods::Unshown => self.shown.is_none(),
            Pods::Verified => self.shown.is_none() && self.is_verified_by_name(),
        }
    }

    /// What of it can be told.
    pub(super) fn sayable(&self, pods: Pods) -> Option<Self> {
        let is_any = pods != Pods::Verified || self.is_verified_by_name();
        is_any.then(|| Self {
            shown: None,
            ..self.clone()
        })
    }

    /// Whether pods are verified, and their name is one that Gateway API takes: `PreciseHostname`,
    /// `apis/v1/shared_types.go`. The one that nginx has where none is said is not.
    fn is_verified_by_name(&self) -> bool {
        let checked = self.checked.as_ref();
        let is_verified = checked.is_some_and(|checked| checked.authority.is_some());
        let name = self.name.as_deref();
        is_verified && name.is_some_and(|name| names::is_subdomain(&name.to_ascii_lowercase()))
    }
}

/// The name that pods' certificates have to be for.
pub(super) fn name_or_default(name: Option<&str>) -> String {
    name.unwrap_or(UPSTREAM).to_owned()
}

/// The Secret's name, where it may be named.
fn own<'n>(
    manifests: &Manifests,
    ingress: &TakenIngress<'_>,
    named: &'n str,
) -> Result<&'n str, String> {
    let (namespace, _) = named
        .split_once('/')
        .filter(|(_, name)| !name.contains('/'))
        .ok_or_else(|| format!("{SECRET} {} is no NAMESPACE/NAME", inert::line(named)))?;
    let allows = manifests.setting("allow-cross-namespace-resources");
    let allows = allows.and_then(parse_bool).unwrap_or_default();
    if namespace == ingress.ingress.namespace || allows {
        Ok(named)
    } else {
        let named = inert::line(named);
        Err(format!("Secret {named} is in another namespace"))
    }
}

fn read_secret(secret: &Object, is_verified: bool) -> Result<Held, String> {
    let texts = secret.secret_texts();
    let text = |key: &str| {
        let is_there = || ["data", "stringData"].map(|map| secret.text(&format!("/{map}/{key}")));
        match texts.get(key).and_then(|text| text.as_str()) {
            Some(text) => Ok(Some(text)),
            None if is_there().iter().any(Option::is_some) => Err(format!("{key} is no text")),
            None => Ok(None),
        }
    };
    let authority = match text("ca.crt")? {
        None | Some("") => None,
        Some(authority) => match Authority::read(authority, None) {
            Ok(authority) => Some(Some(Rc::new(authority))),
            Err(UnusableAuthority::NoRoot) if !is_verified => Some(None),
            Err(why) => return Err(why.to_string()),
        },
    };
    if authority.is_none() && is_verified {
        return Err(
            "without ca.crt ingress-nginx verifies nothing, and proxy-ssl-verify is on".to_owned(),
        );
    }
    let pair = match (text("tls.crt")?, text("tls.key")?) {
        (Some(chain), Some(key)) => Some(KeyPair::read(chain, key).map_err(|why| why.to_string())?),
        _ if authority.is_none() => return Err("it has neither a pair nor ca.crt".to_owned()),
        _ => None,
    };
    let pair = pair.filter(|_| authority.is_some()).map(Rc::new);
    Ok(Held { authority, pair })
}

/// A name, without its port as nginx takes it. `Err`: it is none, or has variables of nginx's in it.
fn name(text: &str) -> Result<Option<String>, ()> {
    let name = text.split(':').next().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    (names::is_host(name) && !name.starts_with('*'))
        .then(|| Some(name.to_owned()))
        .ok_or(())
}
