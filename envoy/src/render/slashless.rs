//! Paths that a `rewrite-target` leaves without a slash, where the platform makes the routes.

use super::served::Served;
use crate::rewrite_target::without_a_slash;

/// Which Ingresses have them, one line each.
pub fn notes<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let ingresses = served.compiled().ingresses.iter();
    ingresses.filter_map(|ingress| {
        let what = without_a_slash(ingress)?;
        let place = ingress.place_of("rewrite-target");
        let target = &ingress.annotations.rewrite.target;
        Some(format!(
            "{place}: rewrite-target {target:?} {what}: no route takes such a path here: 404, where ingress-nginx \
             sends it to pods, which most of them answer with 400; write a slash before it"
        ))
    })
}
