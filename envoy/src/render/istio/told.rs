//! What resources for Istio do not hold, or make Istio do otherwise, one line each: `check` says it, and the head of
//! what is rendered.

use super::{credential, protocols};
use crate::render::served::Served;
use crate::render::{authorizer, external_names, left_out, slashless};

/// All of that, but for what [`Served::all_notes`] has; `home`: the gateway's namespace, `None` for sidecars.
pub(crate) fn notes(served: &Served<'_>, home: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = left_out::on_istio(served).collect();
    match home {
        Some(home) => all.extend(credential::refused(served, home)),
        None => all.extend(protocols::headless(served)),
    }
    all.extend(served.aliases_of_no_listener());
    all.extend(protocols::notes(served));
    all.extend(external_names::on_istio(served));
    all.extend(slashless::notes(served));
    all.extend(authorizer::on_istio(served));
    all
}
