//! What `kubectl` reads, limpet reads.

use super::*;
use serde_json::json;

const INGRESS: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: größe
";

fn read(bytes: &[u8]) -> Manifests {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, bytes).unwrap();
    Manifests::load(&[file.to_string_lossy().into_owned()]).unwrap()
}

fn names(manifests: &Manifests) -> Vec<&str> {
    assert_eq!(manifests.unreadable, []);
    let ingresses = manifests.ingresses.iter();
    ingresses.map(Object::name).collect()
}

fn value(yaml: &str) -> Value {
    let text = format!("kind: Ingress\napiVersion: networking.k8s.io/v1\n{yaml}");
    let manifests = read(text.as_bytes());
    assert_eq!(manifests.unreadable, [], "{yaml}");
    manifests.ingresses[0].value["spec"].clone()
}

#[test]
fn utf_16_is_read_with_and_without_its_mark() {
    let le = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let be = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    // As `kubectl get ... > file` of Windows PowerShell writes it.
    let windows = INGRESS.replace('\n', "\r\n");
    for text in [
        le(&format!("\u{feff}{windows}")),
        be(&format!("\u{feff}{windows}")),
        le(INGRESS),
        be(INGRESS),
    ] {
        let manifests = read(&text);
        assert_eq!(names(&manifests), ["größe"]);
        assert_eq!(manifests.ingresses[0].line_of("/metadata/name"), 4);
    }
    let json =
        r#"{"kind": "Ingress", "apiVersion": "networking.k8s.io/v1", "metadata": {"name": "j"}}"#;
    assert_eq!(names(&read(&le(&format!("\u{feff}{json}")))), ["j"]);
}

// Files that were put behind each other; Helm's comment stands above the template's own mark.
#[test]
fn byte_order_marks_begin_every_document() {
    let mark = "\u{feff}";
    for text in [
        format!("{mark}{INGRESS}---\n{mark}{INGRESS}"),
        format!("{INGRESS}{mark}---\n{INGRESS}"),
        format!(
            "{mark}---\r\n# Source: a.yaml\r\n{mark}{INGRESS}---\n# Source: b.yaml\n{mark}{INGRESS}"
        ),
    ] {
        assert_eq!(
            names(&read(text.as_bytes())),
            ["größe", "größe"],
            "{text:?}"
        );
    }
    let json = format!("{mark}{{\"kind\": \"List\", \"items\": []}}");
    assert_eq!(names(&read(json.as_bytes())), [""; 0]);
}

#[test]
fn bytes_that_are_no_utf_8_cost_no_more_than_themselves() {
    let text = [
        b"# gr\xf6\xdfe, in Latin-1\n".as_slice(),
        INGRESS.as_bytes(),
    ]
    .concat();
    assert_eq!(names(&read(&text)), ["größe"]);
}

#[test]
fn line_ends_tabs_and_trailing_blanks_are_as_kubectl_takes_them() {
    let windows = format!("{INGRESS}---\n{INGRESS}").replace('\n', "\r\n");
    let manifests = read(windows.as_bytes());
    assert_eq!(names(&manifests), ["größe", "größe"]);
    assert_eq!(manifests.ingresses[1].line_of("/metadata/name"), 9);
    for (yaml, expected) in [
        ("spec:\n  a:\tb\n", json!({ "a": "b" })),
        ("spec:\t\n  a: b\t\n", json!({ "a": "b" })),
        (
            "spec:\n  a: b\t# c\n\t\n  d: e\n",
            json!({ "a": "b", "d": "e" }),
        ),
        (
            "spec:\n  a: b\n\t# c\n  d: e\n",
            json!({ "a": "b", "d": "e" }),
        ),
        (
            "spec:\n  a: |\n    b\tc\n    \td\n",
            json!({ "a": "b\tc\n\td\n" }),
        ),
        ("spec:\n  a:   \n    b   \n   \n", json!({ "a": "b" })),
        ("spec:\n- a\n-\tb\n", json!(["a", "b"])),
        (
            "spec: {\n\ta: b,\n\tc: [\n\t\td\n\t]\n}\n",
            json!({ "a": "b", "c": ["d"] }),
        ),
        (
            "spec:\n  x: {\n\t\ta: b\n  }\n",
            json!({ "x": { "a": "b" } }),
        ),
    ] {
        assert_eq!(value(yaml), expected, "{yaml:?}");
    }
}

#[test]
fn json_may_be_indented_with_tabs() {
    let text = "{\n\t\"kind\": \"Ingress\",\n\t\"apiVersion\": \"networking.k8s.io/v1\",\n\t\"spec\": [\n\t\t1\n\t]\n}";
    for text in [text.to_owned(), text.replace('"', "")] {
        let manifests = read(text.as_bytes());
        assert_eq!(names(&manifests), [""]);
        assert_eq!(manifests.ingresses[0].line_of("/spec/0"), 5);
    }
}

// Kubernetes refuses it too: nobody knows how far a tab indents.
#[test]
fn tabs_that_indent_a_block_cost_the_document() {
    let manifests = read(b"kind: X\nspec:\n\ta: {\n\t\tb: c\n\t}\n");
    assert_eq!(manifests.unreadable[0].line, 3);
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    for (yaml, expected) in [
        ("spec: {a: &x [1], b: *x}", json!({ "a": [1], "b": [1] })),
        (
            "spec:\n  a: &x {p: 1, q: 2}\n  b:\n    <<: *x\n    q: 3\n",
            json!({ "a": { "p": 1, "q": 2 }, "b": { "p": 1, "q": 3 } }),
        ),
        (
            "spec:\n  a: &x {p: 1}\n  b: &y {p: 2, q: 2}\n  c:\n    r: 3\n    <<: [*x, *y]\n",
            json!({ "a": { "p": 1 }, "b": { "p": 2, "q": 2 }, "c": { "r": 3, "p": 1, "q": 2 } }),
        ),
    ] {
        assert_eq!(value(yaml), expected, "{yaml}");
    }
    let twice = read(b"kind: X\na: &x {p: 1}\nb:\n  <<: *x\n  p: 2\n");
    assert_eq!(twice.duplicates, [], "to override is to write it once");
}

#[test]
fn an_alias_bomb_costs_its_document() {
    let bomb: String = ('b'..='i')
        .zip('a'..)
        .map(|(key, of)| format!("{key}: &{key} [{}]\n", vec![format!("*{of} "); 9].join(",")))
        .collect();
    let text = format!("kind: X\na: &a [x,x,x,x,x,x,x,x,x]\n{bomb}---\n{INGRESS}");
    let manifests = read(text.as_bytes());
    assert_eq!(manifests.ingresses.len(), 1);
    let [bomb] = &manifests.unreadable[..] else {
        panic!("{:?}", manifests.unreadable);
    };
    assert!(!bomb.to_string().contains("max_"), "{bomb}");
}

#[test]
fn of_duplicate_keys_the_last_is_taken_and_both_lines_are_told() {
    let text = "\
kind: Ingress
apiVersion: networking.k8s.io/v1
metadata:
  name: shop
  annotations:
    a: first
    b: once
    a: last
spec: {x: 1}
metadata:
  name: other
  annotations:
    a: last
    'a': of all
";
    let manifests = read(text.as_bytes());
    let [ingress] = &manifests.ingresses[..] else {
        panic!("{:?}", manifests.ingresses);
    };
    assert_eq!(ingress.id(), "default/other");
    assert_eq!(
        ingress.value["metadata"]["annotations"],
        json!({ "a": "of all" })
    );
    assert_eq!(ingress.line_of("/metadata/annotations/a"), 14);
    let told: Vec<_> = manifests
        .duplicates
        .iter()
        .map(|one| (one.key.as_str(), one.first.line, one.origin.line))
        .collect();
    assert_eq!(told, [("metadata", 3, 10), ("a", 13, 14)]);
    let json = r#"{"kind": "Ingress", "apiVersion": "networking.k8s.io/v1", "spec": 1,
"spec": 2}"#;
    let manifests = read(json.as_bytes());
    assert_eq!(manifests.ingresses[0].value["spec"], 2);
    assert_eq!(
        (
            manifests.duplicates[0].first.line,
            manifests.duplicates[0].origin.line
        ),
        (1, 2)
    );
}

#[test]
fn one_bad_document_costs_itself() {
    let text = format!(
        "{INGRESS}---\nkind: [\n--- # more\n{INGRESS}---\n{{{{ template }}}}\n---\n{{\"kind\": ]}}\n---\n{INGRESS}"
    );
    let manifests = read(text.as_bytes());
    assert_eq!(manifests.ingresses.len(), 3);
    let lines: Vec<u64> = manifests.unreadable.iter().map(|one| one.line).collect();
    assert_eq!(lines, [6, 13, 15]);
    let last = manifests.ingresses.last().unwrap();
    assert_eq!(last.line_of("/metadata/name"), 20);
    for unreadable in &manifests.unreadable {
        let text = unreadable.to_string();
        assert!(
            !text.contains("Policy") && !text.contains("options"),
            "{text}"
        );
    }
}

#[test]
fn documents_begin_where_yaml_lets_them() {
    let text = "\
%YAML 1.1
# a directive needs the line below
---
kind: Ingress
apiVersion: networking.k8s.io/v1
metadata: {name: a}
--- {kind: Ingress, apiVersion: networking.k8s.io/v1, metadata: {name: b}}
...
---
kind: Ingress
apiVersion: networking.k8s.io/v1
metadata: {name: c}
data: |
  ---
  no end
x: ---y
---";
    let manifests = read(text.as_bytes());
    assert_eq!(names(&manifests), ["a", "b", "c"]);
    let lines = manifests
        .ingresses
        .iter()
        .map(|one| one.line_of("/metadata/name"));
    assert_eq!(lines.collect::<Vec<_>>(), [6, 7, 12]);
}

#[test]
fn the_file_of_config_is_read_as_manifests_are() {
    let folder = tempfile::tempdir().unwrap();
    let given = |bytes: &[u8]| {
        let file = folder.path().join("given.yaml");
        std::fs::write(&file, bytes).unwrap();
        Manifests::default().with_config(Some(&file))
    };
    let text = "\u{feff}report: why\r\nreport: summary\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let manifests = given(&utf16).unwrap();
    assert_eq!(manifests.given["report"], "summary");
    assert_eq!(
        (
            manifests.duplicates[0].first.line,
            manifests.duplicates[0].origin.line
        ),
        (1, 2)
    );
    let error = given(b"report: [").unwrap_err().to_string();
    assert!(error.contains("given.yaml:1:9"), "{error}");
}

// With a base and an overlay at hand the base's port was taken, without a word.
#[test]
fn of_an_object_that_is_given_twice_the_last_is_taken_as_kubectl_does() {
    let service = |port: u16| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: prod}}\nspec: {{ports: \
             [{{port: {port}}}]}}\n---\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_string_lossy().into_owned()
    };
    let base = write("base.yaml", &service(80));
    let overlay = write("overlay.yaml", &[service(81), service(81)].concat());
    let manifests = Manifests::load(&[base.clone(), overlay.clone()]).unwrap();
    assert_eq!(manifests.services.len(), 1);
    assert_eq!(manifests.services[0].value["spec"]["ports"][0]["port"], 81);
    let told: Vec<String> = manifests
        .duplicates
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = format!(
        "{overlay}:1: \"Service prod/web\" is written twice, in {base}:1 too; the last one is taken"
    );
    assert_eq!(told, [expected], "the same text twice is no contest");
}

// As kubectl writes what the API server takes of a tenant: each of these cost all others their objects, or their rules.
#[test]
fn what_kubectl_writes_of_one_object_costs_no_other() {
    for (annotation, expected) in [
        // An empty line is one, whatever ends it.
        (
            "|-\n        /x\n\u{2028}        k: '\n        y",
            "/x\n\nk: '\ny",
        ),
        ("|2-\n\u{2028}\n        a", "\n\na"),
        (
            "|-\n        x'\n\u{2029}        j: |1\n        y",
            "x'\n\nj: |1\ny",
        ),
        ("|+\n        x\n\u{2028}      b: c", "x\n\n"),
        ("|2+\n\u{2028}\n\u{2028}      b: c", "\n\n\n"),
        ("|+\n        x\u{2028}      b: c", "x\u{2028}"),
        ("'x\u{2028}        y'", "x\u{2028}y"),
        ("1e400", "1e400"),
        ("7e47312", "7e47312"),
        ("oN", "oN"),
    ] {
        let text = format!(
            "apiVersion: v1
items:
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    annotations:
      a: {annotation}
    name: evil
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    name: other
kind: List
"
        );
        let manifests = read(text.as_bytes());
        assert_eq!(names(&manifests), ["evil", "other"], "{annotation}");
        let own = manifests.ingresses[0].text("/metadata/annotations/a");
        assert_eq!(own, Some(expected), "{annotation}");
    }
}

#[test]
fn a_list_with_other_fields_than_a_list_has_is_not_read_in_part() {
    let text = "apiVersion: v1\nkind: List\nitems: []\nitmes: []\n";
    let unreadable = read(text.as_bytes()).unreadable;
    let told: Vec<(u64, &str)> = unreadable
        .iter()
        .map(|one| (one.line, one.reason.as_str()))
        .collect();
    assert_eq!(told, [(4, "a list has no field \"itmes\"")]);
}

#[test]
fn items_of_which_nobody_says_the_kind_are_not_passed_over() {
    let text = "apiVersion: v1\nitems:\n- kind: Ingress\n";
    let unreadable = read(text.as_bytes()).unreadable;
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
}
