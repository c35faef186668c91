//! Policies: the module, the listener's manners, retries.

use serde_json::{Value, json};

use super::listener::GATEWAY;
use super::route::{ClusterRoute, ROUTE, catch_all_names, clusters_names};
use super::{EnvoyGatewayArgs, names};
use crate::render::resource::Resource;
use crate::render::scene::{CLUSTER_HEADER, ENDPOINT_HEADER, Scene};

const GROUP: &str = "gateway.networking.k8s.io";

pub(super) fn resources(
    scene: &Scene<'_>,
    args: &EnvoyGatewayArgs,
    routes: &[ClusterRoute<'_>],
) -> Vec<Resource> {
    let mut all = vec![client_traffic(args)];
    let by_namespace = clusters_names(scene, routes);
    all.extend(
        by_namespace
            .iter()
            .map(|(namespace, routes)| backend_traffic(namespace, routes)),
    );
    all.push(extension(scene, args, routes));
    all
}

fn client_traffic(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({
        "targetRefs": [target(GATEWAY.1, "limpet")],
        "headers": {
            "earlyRequestHeaders": { "remove": [CLUSTER_HEADER, ENDPOINT_HEADER] },
            "withUnderscoresAction": "DropHeader",
        },
        "path": { "disableMergeSlashes": true, "escapedSlashesAction": "KeepUnchanged" },
    });
    policy("ClientTrafficPolicy", &args.namespace, spec)
        .comment("Client copies of limpet's headers go before anything reads them; paths stay as they came;")
        .comment("headers with underscores are dropped, as nginx does.")
}

fn backend_traffic(namespace: &str, routes: &[String]) -> Resource {
    let targets: Vec<Value> = routes.iter().map(|route| target(ROUTE.1, route)).collect();
    let spec = json!({
        "targetRefs": targets,
        "retry": {
            "numRetries": 2,
            "retryOn": { "triggers": ["connect-failure", "refused-stream"] },
        },
    });
    policy("BackendTrafficPolicy", namespace, spec)
        .comment("proxy-next-upstream as ingress-nginx has it by default: an endpoint that cannot be reached.")
}

fn extension(scene: &Scene<'_>, args: &EnvoyGatewayArgs, routes: &[ClusterRoute<'_>]) -> Resource {
    let targets: Vec<Value> = catch_all_names(scene)
        .iter()
        .map(|name| target(ROUTE.1, name))
        .collect();
    let spec = json!({
        "targetRefs": targets,
        "wasm": [{
            "name": "limpet",
            "rootID": "limpet",
            "failOpen": false,
            "code": { "type": "Image", "image": { "url": args.image } },
            "config": scene.plugin_config(&names(routes), (args.strict, true)),
        }],
    });
    policy("EnvoyExtensionPolicy", &args.namespace, spec)
        .comment("The module, with the Ingresses as they are.")
}

fn policy(kind: &str, namespace: &str, spec: Value) -> Resource {
    Resource::new(
        ("gateway.envoyproxy.io/v1alpha1", kind),
        (namespace, "limpet"),
        spec,
    )
}

fn target(kind: &str, name: &str) -> Value {
    json!({ "group": GROUP, "kind": kind, "name": name })
}
