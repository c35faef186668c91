//! The authorizer of a location.

use super::merge::Draft;
use crate::annotations::AuthorizerAnnotations;
use crate::authorizer::Authorizer;
use crate::config::Config;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `None`: a text has a variable that nobody knows, and nobody comes in.
pub(super) fn compile(
    said: &AuthorizerAnnotations,
    config: &Config,
    draft: &Draft,
) -> Option<Authorizer> {
    // `buildAuthLocation`: what is asked for where the URL has no path.
    let path = URL_SAFE_NO_PAD.encode(&draft.path);
    let kind = if draft.exact { "Exact" } else { "Prefix" };
    let place = format!("/_external-auth-{path}-{kind}");
    let cluster = config.authorizers.get(&said.origin)?.clone();
    Authorizer::compile(said, cluster, &place).ok()
}
