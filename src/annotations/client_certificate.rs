//! What a host asks of its clients' certificates.
//!
//! Source: `Parse` of `internal/ingress/annotations/authtls`, ingress-nginx dbb11b92d.

use super::authentication::of_namespace;
use super::read::{Reader, Unset};
use crate::config::Config;
use crate::config::settings::Settings;
use crate::remark::{Effect, Expected, Problem};

/// `auth-tls-secret` and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificateAnnotations {
    /// The Secret or a value beside it cannot be used: nobody comes in.
    Unusable,
    /// Certificates are asked for.
    Asked(Asked),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `auth-tls-secret`: who signs them, `namespace/name`.
    pub authority: String,
    /// Revoked ones are known by that Secret.
    pub knows_revoked: bool,
    /// `auth-tls-verify-client`.
    pub verify: Verify,
    /// `auth-tls-verify-depth`.
    pub depth: u32,
    /// `auth-tls-pass-certificate-to-upstream`.
    pub passes: bool,
    /// `auth-tls-match-cn`; empty: any.
    pub name: String,
    /// `auth-tls-error-page`; empty: nginx's own answer.
    pub error_page: String,
}

/// `auth-tls-verify-client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verify {
    /// `off`: nobody is asked.
    Off,
    /// `on`: without one nobody comes in.
    On,
    /// `optional`: whoever shows one shows a good one.
    Optional,
    /// `optional_no_ca`: whoever signed it.
    OptionalNoCa,
}

/// `None`: no certificates are asked for, or the configuration does not say who asks.
pub(super) fn client_certificate(
    reader: &mut Reader,
    settings: &Settings,
    config: &Config,
) -> Option<ClientCertificateAnnotations> {
    use ClientCertificateAnnotations::Unusable;
    let told = config.client_certificates.as_ref()?;
    let named = match reader.text("auth-tls-secret") {
        Ok(named) => named,
        Err(Unset::Missing | Unset::Content) => return None,
        Err(Unset::Refused) => return Some(Unusable),
    };
    // `ParseNameNS`, `internal/k8s`: the namespace is never left out.
    let authority = named
        .contains('/')
        .then(|| of_namespace(&named, &reader.ingress.namespace, settings));
    let authority = authority.flatten();
    let keys = authority.as_ref().and_then(|name| told.get(name));
    let (Some(authority), Some(keys)) = (authority, keys) else {
        let problem = Problem::Not(Expected::Authority);
        reader.remark("auth-tls-secret", &named, problem, Effect::Path);
        return Some(Unusable);
    };
    let knows_revoked = keys.contains("ca.crl");
    let depth = match reader.number("auth-tls-verify-depth") {
        Err(_) | Ok(0) => 1,
        Ok(depth) => {
            let Ok(depth) = u32::try_from(depth) else {
                let problem = Problem::Not(Expected::Positive);
                let value = depth.to_string();
                reader.remark("auth-tls-verify-depth", &value, problem, Effect::Path);
                return Some(Unusable);
            };
            depth
        }
    };
    Some(ClientCertificateAnnotations::Asked(Asked {
        authority,
        knows_revoked,
        verify: match reader.text("auth-tls-verify-client").as_deref() {
            Ok("off") => Verify::Off,
            Ok("optional") => Verify::Optional,
            Ok("optional_no_ca") => Verify::OptionalNoCa,
            _ => Verify::On,
        },
        depth,
        passes: reader
            .flag("auth-tls-pass-certificate-to-upstream")
            .unwrap_or_default(),
        name: reader.text("auth-tls-match-cn").unwrap_or_default(),
        error_page: reader.text("auth-tls-error-page").unwrap_or_default(),
    }))
}
