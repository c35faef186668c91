use super::*;
use std::collections::BTreeSet;

fn protection(prefixes: &[&str]) -> Protection {
    let written: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    Protection::read(&written).unwrap()
}

#[track_caller]
fn refused(prefix: &str, paths: &[&str]) {
    let protection = protection(&[prefix]);
    for path in paths {
        assert!(
            protection.is_ambiguous(None, path.as_bytes()),
            "{prefix} does not refuse {path}"
        );
    }
}

#[track_caller]
fn let_through(prefix: &str, paths: &[&str]) {
    let protection = protection(&[prefix]);
    for path in paths {
        assert!(
            !protection.is_ambiguous(None, path.as_bytes()),
            "{prefix} refuses {path}"
        );
    }
}

#[test]
fn what_may_be_read_as_protected_is_refused_unless_it_is_spelled_so() {
    refused(
        "/admin",
        &[
            "/z/../admin",
            "//admin",
            "/./admin",
            "/%61dmin",
            "/ADMIN",
            "/Admin/x",
            "/%2e%2e/admin",
            "/../admin",
            "/a/%2e%2e/admin",
            "/a/.%2e/admin/x",
            "/%2fadmin",
            "/%5cadmin",
            "/\\admin",
            "\\admin",
            "admin",
            "http://shop.example.com/admin",
            "/;x/admin",
            "/.;x/admin",
            "/a/..;/admin",
            "/a/..;x=1/admin",
            "/admin;x",
            "/admin;x/y",
            "/admin%00",
            "/admin%00.html",
            "/admin%3fx",
            "/admin%23x",
            "/admin#x",
            "/admin%2fx",
            "/admin\\x",
            "/admin%20",
            "/%20admin",
            "/admin.",
            "/%2561dmin",
            "/%25252561dmin",
            "/%%361dmin",
            "/%u0061dmin",
            "/%c1%a1dmin",
            "/%e0%81%a1dmin",
            "/adm%C4%B1n",
            "/adm\u{130}n",
            "/%f0%80%81%a1dmin",
            "/%EF%BD%81dmin",
            "/\u{ff21}dmin",
            "/a/\u{ff0e}.\u{ff0f}admin",
            "/%c0%afadmin",
            "/a/%c0%ae%c0%ae/admin",
            "/a/%252e%252e/admin",
            "/a%2f../admin",
            "/a/..%2fadmin",
            // One server takes `a%2fb` for one segment and goes up one.
            "/a%2fb/%252e%252e/admin",
            "/a;%2fb/../admin",
            // Out of it again.
            "/admin/..",
            "/admin/../x",
            "/admin/x/../..",
            "/admin/x%2f../..",
            "/admin/%2e%2e/x",
            "/admin/..;/x",
            // Beside it, for a rule on letters.
            "/z/../administrator",
            "/%61dministrator",
            "/ADMINISTRATOR",
        ],
    );
    refused(
        "/a/b",
        &[
            "/a//b",
            "/a/x/../b",
            "/a/./b",
            "/A/b",
            "/a%2fb",
            "/a;/b",
            "/b/../a/b",
        ],
    );
    refused("/Admin", &["/admin", "/ADMIN"]);
    refused("/tasks", &["/ta\u{17f}ks", "/tas%E2%84%AAs"]);
    // More pieces than are read.
    refused("/admin", &[&"/x".repeat(300), &"/x".repeat(257)]);
    let_through("/admin", &[&"/x".repeat(256)]);
}

#[test]
fn other_paths_are_let_through() {
    let_through(
        "/admin",
        &[
            "/",
            "*",
            "/admin",
            "/admin/",
            "/admin//x",
            "/admin?x=/../y",
            "/admin/a/../b",
            "/admin/a%2fb",
            "/admin/a;b",
            "/admin/%61",
            "/admin/../admin",
            "/adminx",
            "/administrator;x",
            "/adminx%20y",
            "/x",
            "/x/admin",
            "/x//admin",
            "/x%2fadmin",
            "/x;/admin",
            "/ad/min",
            "/a//b",
            "/a/../b",
            "/a/./b/%2e%2e/c;d/%2561",
            "/caf%C3%A9",
            "/a%20b",
            "/A?/../admin",
            "/api/v4/projects/group%2Fproject",
            "/%",
            "/%zz%u12%c0",
            // No escape of a letter, but near one.
            "/adm\u{12f}n",
            "/admin\u{ff00}",
            "/%c1%ef%bd%a1dmin",
            "/zu0061dmin",
            "/%x0061dmin",
            "/zz0061dmin",
            "/%u0161dmin",
        ],
    );
    let_through("/tasks", &["/ta\u{17e}ks", "/tas\u{2129}s"]);
    let_through(
        "/a/b",
        &[
            "/a", "/a/", "/a/c", "/a/bc", "/b", "/a/b/c", "/c/../a", "/ax//c",
        ],
    );
}

/// What servers do to a path; each is done or not, in any order, any number of times.
const STEPS: [fn(&str) -> String; 9] = [
    |path| decode(path, |_| true),
    |path| {
        decode(path, |byte| {
            byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
        })
    },
    |path| decode(path, |byte| byte != b'/'),
    |path| path.replace('\\', "/"),
    |path| each_segment(path, |segment| segment.split(';').next().unwrap()),
    |path| each_segment(path, |segment| segment.trim_end_matches(' ')),
    |path| path.split('\0').next().unwrap().to_owned(),
    str::to_ascii_lowercase,
    resolve,
];

fn each_segment(path: &str, of: fn(&str) -> &str) -> String {
    path.split('/').map(of).collect::<Vec<_>>().join("/")
}

fn decode(path: &str, is_meant: fn(u8) -> bool) -> String {
    let mut rest = path;
    let mut out = String::new();
    while let Some(first) = rest.chars().next() {
        let hex = rest.get(1..3).filter(|_| first == '%');
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|byte| is_meant(*byte)) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[3..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Resolves dots, and merges slashes.
fn resolve(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Every reading that [`STEPS`] come to.
fn every_reading(path: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::from([path.to_owned()]);
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        for step in STEPS {
            let next = step(&path);
            if all.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    all
}

// The readings are followed as ranges of depths: none that a server really makes may be left out.
#[test]
fn no_reading_is_left_out() {
    const PIECES: [&str; 13] = [
        "/", "/..", "/.", "/a", "a", "%2f", "%61", "%252e", "..", ";", "\\", "%00", "A",
    ];
    let one = protection(&["/a"]);
    let two = protection(&["/a/b"]);
    let mut refusals = [0, 0];
    let mut paths = vec![String::from("/")];
    for at in 0..30_000 {
        let path = paths[at].clone();
        if paths.len() < 30_000 {
            paths.extend(PIECES.map(|piece| format!("{path}{piece}")));
        }
        for (count, (protection, path)) in [(&one, path.clone()), (&two, format!("{path}/b"))]
            .into_iter()
            .enumerate()
        {
            let prefix = &protection.prefixes[0];
            let spelled = prefix.place(path.as_bytes());
            let other = every_reading(&path)
                .into_iter()
                .find(|reading| prefix.place(reading.as_bytes()) != spelled);
            if let Some(other) = other {
                refusals[count] += 1;
                assert!(
                    protection.is_ambiguous(None, path.as_bytes()),
                    "{path} can be read as {other}: {prefix}"
                );
            }
        }
    }
    assert!(refusals.iter().all(|count| *count > 1_000), "{refusals:?}");
}

#[test]
fn a_rewrite_may_stay_and_leave_and_not_enter() {
    let protection = protection(&["/admin", "shop.example.com/own/x"]);
    let entered = |host: &str, from: &str, to: &str| {
        protection.is_entered(Some(host.as_bytes()), from.as_bytes(), to.as_bytes())
    };
    assert!(entered("a", "/x/admin", "/admin"));
    assert!(entered("a", "/x", "/admin/x?y"));
    assert!(entered("a", "/adminx", "/admin/x"));
    assert!(entered("a", "/x", "/adminx"));
    assert!(!entered("a", "/admin/x", "/admin"));
    assert!(!entered("a", "/admin/x", "/adminx"));
    assert!(!entered("a", "/admin/x", "/x"));
    assert!(!entered("a", "/x", "/y/admin"));
    assert!(entered("shop.example.com", "/x", "/own/x"));
    assert!(!entered("a", "/x", "/own/x"));
}

#[test]
fn a_prefix_may_be_of_one_host() {
    let protection = protection(&["Shop.example.com/admin", "*.wild.test/x/"]);
    let refuses = |host: Option<&str>, path: &str| {
        protection.is_ambiguous(host.map(str::as_bytes), path.as_bytes())
    };
    assert!(refuses(Some("shop.example.com"), "//admin"));
    assert!(!refuses(Some("other.example.com"), "//admin"));
    assert!(refuses(None, "//admin"));
    assert!(refuses(Some("a.wild.test"), "//x"));
    assert!(refuses(Some("a.b.wild.test"), "//x"));
    assert!(!refuses(Some("wild.test"), "//x"));
}

#[test]
fn what_is_no_prefix_is_an_error() {
    for wrong in [
        "", "/", "admin", "//", "//a", "/a//b", "/a/..", "/./a", "/a/*", "/a%2fb", "/a?b", "/a;b",
        "/a\\b", "/a b", "/é", "/a.", "h h/a", "*./a", "*/a", "h:80/a", "/a#", "/a//",
    ] {
        assert!(Protection::read(&[wrong.to_owned()]).is_err(), "{wrong}");
    }
    let many: Vec<String> = (0..65).map(|at| format!("/p{at}x")).collect();
    assert!(Protection::read(&many).is_err());
    assert!(Protection::read(&many[..64]).is_ok());
    let deep = |segments: usize| vec!["/p".repeat(segments) + "x"; 8];
    assert!(Protection::read(&deep(65)).is_err());
    assert!(Protection::read(&deep(64)).is_ok());
}

#[test]
fn prefixes_of_which_one_refuses_the_other_are_an_error() {
    let read = |two: [&str; 2]| Protection::read(&two.map(str::to_owned));
    for two in [
        ["/Admin", "/admin"],
        ["/Api", "/apiary"],
        ["/Api", "*.a.test/api"],
        ["b.a.test/Api", "*.a.test/api"],
        ["*.a.test/Api", "b.a.test/api"],
    ] {
        let error = read(two).unwrap_err().to_string();
        assert!(error.contains(two[0]) && error.contains(two[1]), "{error}");
    }
    for two in [
        ["/admin", "/admin/x"],
        ["/admin", "/admin"],
        ["a.test/Api", "b.test/api"],
    ] {
        assert!(read(two).is_ok(), "{two:?}");
    }
}

#[test]
fn without_prefixes_nothing_is_refused() {
    let none = Protection::default();
    for path in ["//x", "\\", "", "/a/../b", "/%00"] {
        assert!(!none.is_ambiguous(None, path.as_bytes()));
    }
}
