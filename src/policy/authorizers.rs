//! The authorizer of a location.

use super::merge::Draft;
use super::shared::Shared;
use crate::annotations::{Annotations, AuthorizerAnnotations, MOST_FIELDS};
use crate::authorizer::Authorizer;
use crate::config::Config;
use crate::fields::Requests;
use crate::remark::{Effect, Expected, Field, Problem, Remark};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `global-auth-url`; `Err`: nobody can be asked, as was told.
pub(super) type GlobalAuth = Result<Option<AuthorizerAnnotations>, ()>;

/// Whom a location asks: its own authorizer, else everybody's. `Err`: nobody comes in, for this reason
/// where it was not told yet.
pub(super) fn of(
    annotations: &Annotations,
    global: &GlobalAuth,
    config: &Config,
    draft: &Draft,
    shared: &mut Shared,
) -> Result<Option<Box<Authorizer>>, Option<Box<Remark>>> {
    let said = match (&annotations.authorizer, global) {
        (Some(own), _) => Some(own),
        (None, Err(())) if annotations.global_auth => return Err(None),
        (None, Ok(global)) if annotations.global_auth => global.as_ref(),
        (None, _) => None,
    };
    let compiled = said.map(|said| compile(said, config, draft, shared).map(Box::new));
    compiled.transpose().map_err(Some)
}

/// `Err`: what is not as it has to be, and nobody comes in: a text has a variable that nobody knows,
/// or a ConfigMap is not there or says what may not be sent.
fn compile(
    said: &AuthorizerAnnotations,
    config: &Config,
    draft: &Draft,
    shared: &mut Shared,
) -> Result<Authorizer, Box<Remark>> {
    // `buildAuthLocation`: what is asked for where the URL has no path.
    let path = URL_SAFE_NO_PAD.encode(&draft.path);
    let kind = if draft.exact { "Exact" } else { "Prefix" };
    let place = format!("/_external-auth-{path}-{kind}");
    let mut told = config.authorizers.iter();
    let cluster = told.find_map(|told| told.get(&said.url.origin)).cloned();
    let unusable = |name, value: &str, problem| {
        Box::new(Remark::new(
            Field::annotation(name),
            value,
            problem,
            Effect::Path,
        ))
    };
    let set = set_headers(said, config, shared).ok_or_else(|| {
        let problem = Problem::Not(Expected::SetHeaders);
        unusable("auth-proxy-set-headers", &said.set_headers, problem)
    })?;
    let fixed = |text: &str| shared.template(text, &[], false);
    Authorizer::compile(said, cluster, set, &place, fixed).map_err(|why| {
        let url = [&*said.url.origin, &said.url.path].concat();
        unusable("auth-url", &url, Problem::Unusable(why))
    })
}

fn set_headers(
    said: &AuthorizerAnnotations,
    config: &Config,
    shared: &mut Shared,
) -> Option<Requests> {
    if said.set_headers.is_empty() {
        return Some(Requests::default());
    }
    let data = config.config_maps.get(&said.set_headers)?;
    if data.len() > MOST_FIELDS {
        return None;
    }
    shared.requests(&said.set_headers, || {
        let mut is_fit = true;
        let set = Requests::of(data, |_, _| is_fit = false);
        is_fit.then_some(set)
    })
}
