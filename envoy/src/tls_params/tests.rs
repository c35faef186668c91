use serde_json::{Value, json};

use super::TlsParams;
use crate::manifests::Manifests;

fn listeners(protocols: &str, ciphers: &str) -> Option<Value> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
        "data": { "ssl-protocols": protocols, "ssl-ciphers": ciphers },
    });
    let manifests = Manifests::parse("m.yaml", &map.to_string()).unwrap();
    TlsParams::of_listeners(&manifests).on_envoy()
}

#[test]
fn clients_are_spoken_to_by_the_versions_and_ciphers_of_the_config_map() {
    let versions = |lowest: &str, highest: &str| {
        Some(json!({
            "tls_minimum_protocol_version": lowest, "tls_maximum_protocol_version": highest,
        }))
    };
    for (protocols, said) in [
        ("", None),
        ("TLSv1.2 TLSv1.3", versions("TLSv1_2", "TLSv1_3")),
        ("TLSv1.3", versions("TLSv1_3", "TLSv1_3")),
        ("TLSv1.2", versions("TLSv1_2", "TLSv1_2")),
        // OpenSSL takes none below 1.2 either, but where ssl-ciphers has @SECLEVEL=0.
        ("TLSv1 TLSv1.1 TLSv1.2", versions("TLSv1_2", "TLSv1_2")),
        ("TLSv1.1", versions("TLSv1_2", "TLSv1_2")),
        ("modern", None),
    ] {
        assert_eq!(listeners(protocols, ""), said, "{protocols}");
    }
    let suites = |suites: &[&str]| Some(json!({ "cipher_suites": suites }));
    let both = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"];
    for (ciphers, said) in [
        (&*both.join(":"), suites(&both)),
        // One that Envoy lacks would cost all hosts their listener.
        (
            "DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
            suites(&both[..1]),
        ),
        ("DHE-RSA-AES256-GCM-SHA384", None),
        ("HIGH:!aNULL:!MD5", None),
        ("ECDHE-RSA-AES256-GCM-SHA384:\"}]", None),
    ] {
        assert_eq!(listeners("", ciphers), said, "{ciphers}");
    }
    // They are of TLS 1.2, and the API server takes none beside 1.3 alone.
    assert_eq!(
        listeners("TLSv1.3", &both.join(":")),
        versions("TLSv1_3", "TLSv1_3")
    );
}
