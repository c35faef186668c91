mod reading;

use super::*;
use crate::check::Report;

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
        {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"http-snippet":"\/"}}"#;
    let manifests = Manifests::parse("x.json", text).unwrap();
    assert_eq!(manifests.ingresses[0].name(), "\u{1f600}");
    assert_eq!(
        manifests.config_map().unwrap().text("/data/http-snippet"),
        Some("/")
    );
    let notes: Vec<String> = manifests.all_notes().collect();
    assert!(
        notes[0].contains("its keys are ingress-nginx's"),
        "{notes:?}"
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
            manifests.all_notes().count(),
        )
    };
    assert_eq!(
        chosen(&["a", "my-ingress-nginx-controller"]).0.unwrap(),
        "my-ingress-nginx-controller"
    );
    assert_eq!(chosen(&["a", "b"]), (None, 1));
    assert_eq!(chosen(&["ingress-nginx-controller"]).1, 0);
}

// Its keys were each told as a misspelt one of ingress-nginx's.
#[test]
fn the_only_config_map_may_be_of_another_program() {
    let chosen = |data: &str| {
        let text =
            format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: app}}\ndata: {data}\n");
        let manifests = Manifests::parse("m.yaml", &text).unwrap();
        let notes = manifests.all_notes().count();
        (manifests.config_map().is_some(), notes)
    };
    assert_eq!(
        chosen("{DATABASE_PASSWORD: x, greeting.txt: hello}"),
        (false, 1)
    );
    assert_eq!(chosen("{ssl-redirct: 'false'}"), (true, 1));
    assert_eq!(chosen("{}"), (true, 1));
}

// It is called nginx where AKS manages it: its keys were lost in silence beside any other ConfigMap.
#[test]
fn a_config_map_of_any_name_is_known_by_its_keys() {
    let map = |name: &str, data: &str| {
        format!("---\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: {name}}}\ndata: {data}\n")
    };
    let app = map("app", "{LOG_LEVEL: debug, keep-alive: '75'}");
    let nginx = map(
        "nginx",
        "{use-gzip: 'true', ssl-redirct: 'false', hsts: 'true'}",
    );
    let chart = map("ingress-nginx-controller", "{}");
    let chosen = |text: String| {
        let manifests = Manifests::parse("m.yaml", &text).unwrap();
        let others = manifests.other_config_maps();
        (
            manifests.config_map().map(|map| map.name().to_owned()),
            others.iter().map(|map| map.name().to_owned()).collect(),
        )
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(
        chosen([&app[..], &nginx].concat()),
        (Some("nginx".to_owned()), none)
    );
    assert_eq!(
        chosen([&app[..], &nginx, &chart].concat()),
        (
            Some("ingress-nginx-controller".to_owned()),
            vec!["nginx".to_owned()]
        )
    );
}

#[test]
fn text_that_is_no_yaml_is_refused_with_its_line() {
    let error = Manifests::parse("x.yaml", "kind: [\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "x.yaml:1:7: a document that cannot be read: unclosed bracket '['"
    );
}

#[test]
fn ingress_classes_say_whose_ingresses_are_taken() {
    let classes = |declared: &[(&str, &str)]| {
        let documents = declared.iter().map(|(name, controller)| {
            format!(
                "{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: \
                 {name}}}, spec: {{controller: {controller}}}}}\n---\n"
            )
        });
        let manifests = Manifests::parse("c.yaml", &documents.collect::<String>()).unwrap();
        let classes = manifests.classes();
        classes.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let (ours, other) = ("k8s.io/ingress-nginx", "nginx.org/ingress-controller");
    assert_eq!(classes(&[]), None);
    assert_eq!(classes(&[("nginx", ours)]), None);
    assert_eq!(
        classes(&[("traefik", "traefik.io/ingress-controller")]),
        None
    );
    let both = vec!["nginx".to_owned(), "internal".to_owned()];
    assert_eq!(classes(&[("internal", ours)]), Some(both.clone()));
    assert_eq!(classes(&[("internal", ours), ("nginx", ours)]), Some(both));
    assert_eq!(classes(&[("nginx", other)]), Some(Vec::new()));
}

// The API server gives the default class to an Ingress that names none.
#[test]
fn a_default_class_of_ingress_nginx_takes_ingresses_without_one() {
    let classes = |controller: &str, default: &str| {
        let text = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: nginx, \
             annotations: {{ingressclass.kubernetes.io/is-default-class: \"{default}\"}}}}, \
             spec: {{controller: {controller}}}}}"
        );
        let manifests = Manifests::parse("c.yaml", &text).unwrap();
        let classes = manifests.classes();
        classes.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let both = vec!["nginx".to_owned(), String::new()];
    assert_eq!(classes("k8s.io/ingress-nginx", "true"), Some(both));
    assert_eq!(classes("k8s.io/ingress-nginx", "false"), None);
    assert_eq!(classes("traefik.io/x", "true"), Some(Vec::new()));
}

#[test]
fn a_whole_cluster_is_read_with_its_lines() {
    let ingress = |n: usize| {
        let labels: String = (0..150).map(|l| format!("    l{l}: v\n")).collect();
        format!(
            "---\nkind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata:\n  name: i{n}\n  labels:\n{labels}"
        )
    };
    let text: String = (0..1_200).map(ingress).collect();
    let manifests = Manifests::parse("cluster.yaml", &text).unwrap();
    assert_eq!(manifests.ingresses.len(), 1_200);
    let last = manifests.ingresses.last().unwrap();
    assert_eq!(last.id(), "default/i1199");
    assert_eq!(last.line_of("/metadata/name"), 1_199 * 156 + 5);
}

/// An IngressClass.
fn class(name: &str, controller: &str, is_default: bool) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: {name}, \
         annotations: {{ingressclass.kubernetes.io/is-default-class: \"{is_default}\"}}}}, \
         spec: {{controller: {controller}}}}}\n"
    )
}

#[test]
fn flags_say_whose_ingresses_are_taken() {
    let (ours, second) = ("k8s.io/ingress-nginx", "k8s.io/internal-ingress-nginx");
    let declared = [
        class("nginx", ours, true),
        class("internal", second, false),
        class("spare", second, true),
    ]
    .concat();
    let strings = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    for (names, controllers, declared, taken) in [
        (&["internal"][..], &[][..], "", Some(vec!["internal"])),
        (&["internal"], &[], &declared, Some(vec!["internal"])),
        (&["spare"], &[], &declared, Some(vec!["spare", ""])),
        (
            &[],
            &[second],
            &declared,
            Some(vec!["internal", "spare", ""]),
        ),
        (&[], &[second], "", Some(vec![])),
        (&["x"], &[second], "", Some(vec!["x"])),
        (&["nginx"], &[], "", None),
        (
            &[],
            &[ours, second],
            &declared,
            Some(vec!["nginx", "internal", "spare", ""]),
        ),
    ] {
        let manifests = Manifests::parse("c.yaml", declared).unwrap();
        let flags = Selection {
            classes: strings(names),
            controllers: strings(controllers),
            annotations_prefix: None,
            config_map: None,
        };
        let manifests = manifests.with_selection(&flags);
        assert_eq!(manifests.classes(), taken, "{names:?} {controllers:?}");
    }
}

#[test]
fn the_file_of_config_says_whose_ingresses_are_taken_and_flags_win() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("given.yaml");
    let given = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Manifests::default().with_config(Some(&file))
    };
    let manifests = given(
        "ingress_classes: [internal]\ncontrollers: [example.com/x]\nannotations_prefix: ingress.kubernetes.io/\n",
    )
    .unwrap();
    assert_eq!(manifests.selection.classes, ["internal"]);
    assert_eq!(manifests.selection.controllers, ["example.com/x"]);
    assert_eq!(manifests.selection.prefix(), "ingress.kubernetes.io");
    assert!(manifests.given.is_empty(), "{:?}", manifests.given);
    let flags = Selection {
        classes: vec!["other".to_owned()],
        ..Selection::default()
    };
    let manifests = manifests.with_selection(&flags);
    assert_eq!(manifests.classes(), Some(vec!["other"]));
    assert_eq!(manifests.selection.prefix(), "ingress.kubernetes.io");
    for text in [
        "ingress_classes: nginx",
        "controllers: [1]",
        "annotations_prefix: a b",
    ] {
        let error = format!("{:#}", given(text).unwrap_err());
        assert!(error.contains("expected a"), "{error}");
    }
}

#[test]
fn what_holds_values_is_skipped_with_a_word_on_what_it_makes() {
    let text = "\
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-ingress-nginx, namespace: kube-system}
spec: {valuesContent: 'controller: {config: {use-forwarded-headers: \"true\"}}'}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web}
spec: {values: {ingress: {enabled: true}}}
";
    let manifests = Manifests::parse("in.yaml", text).unwrap();
    let notes = &manifests.notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0]
            .starts_with("in.yaml:1: HelmChartConfig kube-system/rke2-ingress-nginx: holds values")
    );
    assert!(
        notes[1].starts_with("in.yaml:6: HelmRelease default/web: holds values"),
        "{notes:?}"
    );
}

// A ConfigMap of that name in a tenant's namespace had its settings hold for everybody where it came first.
#[test]
fn settings_are_not_those_of_a_namespace_with_ingresses_where_others_have_some() {
    let map = |namespace: &str, name: &str| {
        format!(
            "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             data: {{use-forwarded-headers: 'true'}}\n"
        )
    };
    let ingress = |namespace: &str| {
        format!(
            "---\nkind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: {{name: i, namespace: {namespace}}}\n\
             spec: {{rules: [{{host: a.example}}]}}\n"
        )
    };
    let tenants = map("aaa", "ingress-nginx-controller");
    for (operators, want) in [
        (
            map("ingress-nginx", "ingress-nginx-controller"),
            "ingress-nginx",
        ),
        (map("edge", "ingress-nginx-controller"), "edge"),
        (map("edge", "nginx-config"), "edge"),
    ] {
        for text in [
            [&tenants[..], &operators].concat(),
            [&operators[..], &tenants].concat(),
        ] {
            let both = [&text[..], &ingress("aaa"), &ingress("bbb")].concat();
            let both = Manifests::parse("m.yaml", &both).unwrap();
            let said = Selection {
                config_map: both
                    .config_maps
                    .iter()
                    .map(Object::id)
                    .find(|id| id.starts_with(want)),
                ..Selection::default()
            };
            if want == "edge" {
                // Either may be a tenant's, who would decide for another one.
                assert!(both.config_map().is_none(), "{text}");
                assert_eq!(both.other_config_maps().len(), 2, "{text}");
            }
            let manifests = both.with_selection(&said);
            assert_eq!(manifests.config_map().unwrap().namespace(), want, "{text}");
            assert!(manifests.other_config_maps().is_empty(), "{text}");
            let text = [text, ingress("aaa")].concat();
            let manifests = Manifests::parse("m.yaml", &text).unwrap();
            assert_eq!(manifests.config_map().unwrap().namespace(), want, "{text}");
            // Nothing of it is lost: it closed everybody.
            assert!(manifests.other_config_maps().is_empty(), "{text}");
            assert_eq!(manifests.set_aside_config_maps().len(), 1, "{text}");
        }
    }
    // It would hold for the other namespace: for its own alone it is taken.
    let beside = [&tenants[..], &ingress("aaa")].concat();
    let manifests = Manifests::parse("m.yaml", &beside).unwrap();
    assert_eq!(manifests.config_map().unwrap().namespace(), "aaa");
    let text = [beside, ingress("bbb")].concat();
    let manifests = Manifests::parse("m.yaml", &text).unwrap();
    assert!(manifests.config_map().is_none());
    let report = Report::new(&manifests, false, None);
    assert_eq!(report.exit_status(), 1, "{:?}", report.findings);
    // Whatever it is called: the only one of a shared cluster is nobody's guess.
    let text = "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: app, namespace: aaa}\ndata: {block-cidrs: 0.0.0.0/0, a: b}\n";
    let text = [text, &ingress("aaa"), &ingress("bbb")].concat();
    let manifests = Manifests::parse("m.yaml", &text).unwrap();
    assert!(manifests.config_map().is_none());
    // Nothing tells which: a tenant may have a namespace without Ingresses.
    let text = [tenants, map("edge", "ingress-nginx-controller")].concat();
    let manifests = Manifests::parse("m.yaml", &text).unwrap();
    assert!(manifests.config_map().is_none());
    assert_eq!(manifests.other_config_maps().len(), 2);
    let report = Report::new(&manifests, false, None);
    // What one of them says of believed proxies is lost.
    assert_eq!(report.exit_status(), 2, "{:?}", report.findings);
}

// A megabyte that 9,000 aliases named took 6 GB.
#[test]
fn aliases_that_repeat_too_much_text_make_a_document_unreadable() {
    let named = |length: usize, times: usize| {
        let text = "y".repeat(length);
        let aliases = vec!["*a"; times].join(", ");
        format!(
            "kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: &a {text}}}\nspec: [{aliases}]\n---\n{TWO}"
        )
    };
    let few = Manifests::parse("few.yaml", &named(100, 90)).unwrap();
    assert_eq!(few.deployments.len(), 1);
    let mut many = Manifests::default();
    many.add("many.yaml", &named(1_000_000, 90));
    let [unreadable] = &many.unreadable[..] else {
        panic!("{:?}", many.unreadable);
    };
    assert_eq!(unreadable.reason, "aliases repeat too much text");
    let keys = format!(
        "a: &a {}\nb: [{}]\n",
        "y".repeat(1_000_000),
        vec!["{*a : 1}"; 90].join(", ")
    );
    let error = Manifests::parse("keys.yaml", &keys)
        .unwrap_err()
        .to_string();
    assert!(error.contains("aliases repeat too much text"), "{error}");
}

#[test]
fn no_more_notes_are_told_than_anybody_reads() {
    let many = "---\nkind: Unknown\n".repeat(1000);
    let manifests = Manifests::parse("many.yaml", &many).unwrap();
    let notes: Vec<String> = manifests.all_notes().collect();
    assert_eq!(notes.len(), 101);
    assert!(notes[100].starts_with("900 more"), "{}", notes[100]);
}
