use crate::config;
use crate::policy;
use serde_json::{Map, Value, json};

/// One Ingress with these annotations under a ConfigMap, as it is read.
fn read(annotations: &[(&str, &str)], config_map: &Value) -> super::Annotations {
    let named = |(name, value): &(&str, &str)| {
        (format!("nginx.ingress.kubernetes.io/{name}"), json!(value))
    };
    let annotations: Map<String, Value> = annotations.iter().map(named).collect();
    let text = json!({
        "config_map": config_map,
        "ingresses": [{
            "metadata": {"name": "a", "annotations": annotations},
            "spec": {"ingressClassName": "nginx", "rules": []},
        }],
    });
    let (config, _) = config::read(text.to_string().as_bytes()).unwrap();
    policy::ingresses(&config).pop().unwrap().annotations
}

#[test]
fn an_annotation_that_cannot_be_used_leaves_what_the_config_map_says() {
    let size = |size: &str| {
        let map = json!({"proxy-body-size": "2k"});
        read(&[("proxy-body-size", size)], &map).body_size
    };
    assert_eq!(size("huge"), 2048);
    assert_eq!(size("10MB"), 2048);
    assert_eq!(size(""), 2048);
    assert_eq!(size("8m"), 8 << 20);
    assert_eq!(size("0"), 0);
    // These pass its validation, and are no size to nginx, whose own bound holds then.
    assert_eq!(size("2 m"), 1 << 20);
    assert_eq!(size("8b"), 1 << 20);

    for (name, key) in [
        ("ssl-redirect", "ssl-redirect"),
        ("force-ssl-redirect", "force-ssl-redirect"),
        ("preserve-trailing-slash", "preserve-trailing-slash"),
    ] {
        for set in [true, false] {
            let rewrite = read(&[(name, "maybe")], &json!({key: set.to_string()})).rewrite;
            let held = match name {
                "ssl-redirect" => rewrite.ssl_redirect,
                "force-ssl-redirect" => rewrite.force_ssl_redirect,
                _ => rewrite.preserve_trailing_slash,
            };
            assert_eq!(held, set, "{name}");
        }
    }
    let ports = read(
        &[("use-port-in-redirects", "x")],
        &json!({"use-port-in-redirects": "true"}),
    );
    assert!(ports.port_in_redirects);
}
