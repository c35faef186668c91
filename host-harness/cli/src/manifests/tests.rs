use super::*;

const TWO: &str = "\
# a comment
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/affinity: \"cookie\"
spec: {x-unknown: [1, 2.5, null, true]}
---
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old}
---
kind: Role
apiVersion: rbac.authorization.k8s.io/v1
metadata: {name: r}
";

#[test]
fn objects_are_sorted_by_kind_and_the_rest_is_named() {
    let manifests = Manifests::parse("shop.yaml", TWO).unwrap();
    let ingress = &manifests.ingresses[0];
    assert_eq!(ingress.id(), "default/shop");
    assert_eq!(
        ingress.value["spec"]["x-unknown"],
        serde_json::json!([1, 2.5, null, true])
    );
    assert_eq!(manifests.services[0].id(), "prod/web");
    assert_eq!(manifests.notes.len(), 2, "{:?}", manifests.notes);
    assert!(manifests.notes[0].contains("extensions/v1beta1"));
    assert!(manifests.notes[1].contains("Role default/r"));
}

#[test]
fn every_field_knows_its_line() {
    let manifests = Manifests::parse("shop.yaml", TWO).unwrap();
    let ingress = &manifests.ingresses[0];
    let annotation = "/metadata/annotations/nginx.ingress.kubernetes.io~1affinity";
    assert_eq!(ingress.place(), "shop.yaml:2");
    assert_eq!(ingress.place_of(annotation), "shop.yaml:7");
    assert_eq!(
        ingress.place_of(&format!("{annotation}/no/such")),
        "shop.yaml:7"
    );
    assert_eq!(manifests.services[0].place(), "shop.yaml:11");
}

#[test]
fn a_list_is_opened_and_json_is_read_as_json() {
    let text = r#"{"kind":"List","apiVersion":"v1","items":[
        {"kind":"Ingress","apiVersion":"networking.k8s.io/v1","metadata":{"name":"\ud83d\ude00"}}]}
        {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"x":"\/"}}"#;
    let manifests = Manifests::parse("x.json", text).unwrap();
    assert_eq!(manifests.ingresses[0].name(), "\u{1f600}");
    assert_eq!(manifests.config_map().unwrap().text("/data/x"), Some("/"));
    assert!(
        manifests.notes[0].contains("the only one"),
        "{:?}",
        manifests.notes
    );
}

#[test]
fn of_several_config_maps_the_one_named_like_the_charts_is_meant() {
    let map =
        |name: &str| format!("---\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: {name}}}\n");
    let chosen = |names: &[&str]| {
        let text: String = names.iter().map(|name| map(name)).collect();
        let manifests = Manifests::parse("m.yaml", &text).unwrap();
        (
            manifests.config_map().map(|map| map.name().to_owned()),
            manifests.notes.len(),
        )
    };
    assert_eq!(
        chosen(&["a", "my-ingress-nginx-controller"]).0.unwrap(),
        "my-ingress-nginx-controller"
    );
    assert_eq!(chosen(&["a", "b"]), (None, 1));
    assert_eq!(chosen(&["ingress-nginx-controller"]).1, 0);
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_line() {
    let error = Manifests::parse("x.yaml", "kind: [\n")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("x.yaml: "), "{error}");
}

#[test]
fn an_ingress_class_of_ingress_nginx_with_another_name_is_noted() {
    let class = |name: &str, controller: &str| {
        let text = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: {name}}}, \
             spec: {{controller: {controller}}}}}"
        );
        Manifests::parse("c.yaml", &text).unwrap().notes.len()
    };
    assert_eq!(class("internal", "k8s.io/ingress-nginx"), 1);
    assert_eq!(class("nginx", "k8s.io/ingress-nginx"), 0);
    assert_eq!(class("traefik", "traefik.io/ingress-controller"), 0);
}
