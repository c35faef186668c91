//! Which ConfigMap holds ingress-nginx's settings.

use super::document::Object;

/// The one that is meant, and a line for the operator where that is a guess or there is none.
///
/// One whose name looks like the chart's `ingress-nginx-controller` (or the older
/// `nginx-configuration`) wins; else the only one there is.
pub(super) fn choose(config_maps: &[Object]) -> (Option<&Object>, Option<String>) {
    let named = |map: &&Object| {
        let name = map.name();
        name.ends_with("ingress-nginx-controller")
            || name.ends_with("nginx-configuration")
            || name == "nginx-ingress-controller"
    };
    let mut by_name = config_maps.iter().filter(named);
    match (by_name.next(), by_name.next(), config_maps) {
        (Some(map), None, [_]) => (Some(map), None),
        (Some(map), None, _) => (
            Some(map),
            Some(format!(
                "{}: ConfigMap {} taken as ingress-nginx's settings",
                map.place(),
                map.id()
            )),
        ),
        (Some(map), Some(second), _) => (
            Some(map),
            Some(format!(
                "{}: ConfigMap {} taken as ingress-nginx's settings; {} looks like them too and is \
                 not used",
                map.place(),
                map.id(),
                second.id()
            )),
        ),
        (None, _, [only]) => (
            Some(only),
            Some(format!(
                "{}: ConfigMap {} taken as ingress-nginx's settings: it is the only one",
                only.place(),
                only.id()
            )),
        ),
        (None, _, []) => (None, None),
        (None, _, [first, ..]) => (
            None,
            Some(format!(
                "{}: none of the {} ConfigMaps is called ingress-nginx-controller; ingress-nginx's \
                 defaults are assumed",
                first.place(),
                config_maps.len()
            )),
        ),
    }
}
