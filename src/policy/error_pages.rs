//! The error pages of a location.

use super::clusters::Ids;
use super::merge::Draft;
use crate::annotations::Annotations;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::error_pages::{ErrorPages, Service};
use crate::route::Location;
use std::sync::Arc;

/// `error_page 401`, which leads to the sign-in, replaces those of the ConfigMap, which stand further out.
pub(super) fn of_location(
    location: &Location,
    annotations: Option<&Annotations>,
    draft: &Draft,
    settings: &Settings,
    config: &Config,
    ids: &Ids,
) -> Option<Arc<ErrorPages>> {
    let is_own = annotations.is_some_and(|own| !own.custom_http_errors.is_empty());
    if !is_own && location.leads_to_sign_in() {
        return None;
    }
    of(annotations, Some(draft), settings, config, ids)
}

/// An Ingress's own list replaces that of the ConfigMap, and with it goes its own Service.
pub(super) fn of(
    annotations: Option<&Annotations>,
    draft: Option<&Draft>,
    settings: &Settings,
    config: &Config,
    ids: &Ids,
) -> Option<Arc<ErrorPages>> {
    let of_map = &settings.custom_http_errors;
    let by_map = !of_map.is_empty() && !settings.disable_proxy_intercept_errors;
    let default = Some(&config.default_backend);
    let own = annotations.filter(|own| !own.custom_http_errors.is_empty());
    let (statuses, intercepts, name) = match own {
        Some(own) => (
            &own.custom_http_errors,
            !own.disable_proxy_intercept_errors || by_map,
            draft.and_then(|draft| draft.pages.as_ref()).or(default),
        ),
        None => (of_map, by_map, default),
    };
    if statuses.is_empty() {
        return None;
    }
    let service = name.and_then(|name| {
        Some(Service {
            id: *ids.get(name)?,
            asked: config.error_pages.get(name).cloned(),
        })
    });
    Some(Arc::new(ErrorPages {
        is_own: own.is_some(),
        statuses: statuses.clone(),
        intercepts,
        service,
        // The default backend answers 404, and where that is of the list it looks for a page again.
        otherwise: if of_map.contains(&404) { 500 } else { 404 },
    }))
}
