//! Strict-Transport-Security.
//!
//! Source: `_M.header` of `rootfs/etc/nginx/lua/lua_ingress.lua`, ingress-nginx dbb11b92d.

use crate::edit::{FieldValue, Name};
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;

/// The field that keeps browsers at https.
pub(crate) const HSTS: Name = Name::Borrowed("strict-transport-security");

/// The same, with its value, for an answer of limpet's own.
pub(super) fn hsts(policy: &Policy, scope: &Scope) -> Option<(Name<'static>, FieldValue<'static>)> {
    let value = policy.hsts.as_deref().filter(|_| has_hsts(policy, scope))?;
    Some((HSTS, FieldValue::new(value.as_bytes().to_vec())))
}

/// Whether a location's answer has it: over TLS.
pub(super) fn has_hsts(policy: &Policy, scope: &Scope) -> bool {
    let is_tls = || {
        if scope.is_behind {
            scope.is_tls()
        } else {
            redirect::is_https(policy, scope)
        }
    };
    policy.hsts.is_some() && is_tls()
}
