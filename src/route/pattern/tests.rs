use super::*;

fn groups(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let pattern = Pattern::location(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let groups = pattern.groups(text.as_bytes(), &Work::of_a_request())?;
    let text = |(from, to): (usize, usize)| text[from..to].to_owned();
    let places = (1..=pattern.groups.len()).map(|number| groups.get(number));
    Some(places.map(|group| group.map(text)).collect())
}

#[test]
fn patterns_match_as_pcre_matches_them() {
    for (pattern, text, want) in [
        ("/(app1/.*)", "/app1/x", true),
        ("/(app1/.*)", "/APP1/x", true),
        ("/(app1/.*)", "/x/app1/", false),
        ("/a|/b", "/x/b", true),
        ("/a|/b", "/x/a", false),
        ("/something(/|$)(.*)", "/something\n", true),
        ("/something(/|$)(.*)", "/something\nx", false),
        ("/x{2}/", "/xx/", true),
        ("/x{,2}/", "/x{,2}/", true),
        ("/x{a}/", "/x{a}/", true),
        (r"/\d+\.html$", "/12.html", true),
        (r"/[^\]/]+]", "/a]", true),
        ("/[]a]+x", "/]ax", true),
        ("/[a-c-e]+$", "/a-e", true),
        ("/[a&&b]+$", "/a&b", true),
        ("/[[:digit:]_]+$", "/1_2", true),
        ("/日本/[é]+x", "/日本/éx", true),
        (r"/\Qa.b\E", "/a.b", true),
        (r"/\Qa.b\E", "/aXb", false),
        ("/#x y", "/#x y", true),
        ("/(?i)abc", "/ABC", true),
        ("/(?-i)abc", "/ABC", false),
        (r"/\h\v\x41\x{42}\103", "/ \nABC", true),
        ("/[^/]++/x", "/abc/x", true),
        ("/(?!admin)(.*)", "/x", true),
        ("/(?!admin)(.*)", "/ADMIN/x", false),
        ("/((?!_internal).*)", "/_internal/x", false),
        ("/((?!_internal).*)", "/a_internal/x", true),
        ("/(?!api|static)", "/statics", false),
        ("/(?!api/)(?!static/).*", "/api", true),
        ("/(?!api/)(?!static/).*", "/static/x", false),
        ("/v[0-9]{2}/(?!x)", "/v12/x", false),
        ("/[^/]+/(?!admin)(.*)", "/app/admin", false),
        ("/[^/]+/(?!admin)(.*)", "/app/user", true),
        ("/app(/|$)(?!admin)(.*)", "/app/admin", false),
        ("/app(/|$)(?!admin)(.*)", "/app", true),
        ("/(?=.*\\.php$).*", "/a/b.php", true),
        ("/(?=.*\\.php$).*", "/a/b.html", false),
        ("/foo(?!/bar)", "/foo/bar", false),
        ("/foo(?!/bar)", "/foo/x", true),
        ("/v[0-9]{2}(?!x)", "/v12x", false),
        ("/v[0-9]{2}(?!x)", "/v12", true),
        ("/(ab|cd)(?!x)", "/cdx", false),
        ("/(ab|cd)(?!x)", "/cdy", true),
        ("/(?i)(?!admin).*", "/admin", false),
        ("/(?i)(?!admin).*", "/user", true),
        ("^/(?!admin).*", "/admin", false),
        ("/[^/]++", "/abc", true),
        ("/[0-9]++[a-z]+x", "/12abx", true),
        ("/[0-9]++(a|b)", "/12b", true),
        ("/[^A-C]++b", "/xb", true),
        ("/[^a-c]++B", "/xB", true),
        ("/x{+2}/", "/x{{2}/", true),
        ("/x{+2}/", "/xx/", false),
        (r"/\10", "/\u{8}", true),
        ("/[a:]+$", "/a:", true),
        ("/[a:]x:]", "/:x:]", true),
        ("/[a-]+$", "/a-", true),
        ("/[a-cd]+$", "/b", true),
        ("/[a-cd]+$", "/-", false),
        ("/[+-.:]+$", "/,:", true),
        ("/[+-[]+$", "/5", true),
        (r"/[+-\.]+$", "/,", true),
        ("/[[:lower:]]+$", "/ab", true),
        ("/[[:lower:]]+$", "/a1", false),
        ("/[[:upper:]]+$", "/AB", true),
        ("/[[:upper:]]+$", "/A1", false),
        ("/(?<a_b>x)", "/x", true),
    ] {
        let compiled = Pattern::location(pattern);
        let compiled = compiled.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(
            compiled.is_match(text.as_bytes(), &Work::of_a_request()),
            want,
            "{pattern} {text:?}"
        );
    }
}

/// nginx 1.22 answers so too.
#[test]
fn two_backslashes_are_one_as_nginx_reads_its_configuration() {
    for (pattern, text, want) in [
        (r"/a\\d", "/a1", true),
        (r"/a\\d", r"/a\d", false),
        (r"/a\\.html", "/axhtml", false),
        (r"/a\\\\d", r"/a\d", true),
        (r"/a\d", "/a1", true),
    ] {
        let compiled = Pattern::location(pattern).unwrap();
        let found = compiled.is_match(text.as_bytes(), &Work::of_a_request());
        assert_eq!(found, want, "{pattern} {text}");
    }
    // What Lua reads of a variable has been through no configuration.
    let lua = Pattern::anywhere(r"^a\\d").unwrap();
    assert!(lua.is_match(br"a\d", &Work::of_a_request()));
}

#[test]
fn groups_keep_their_numbers() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(groups("/(?!(a|b))(.*)", "/x"), Some(vec![None, some("x")]));
    assert_eq!(
        groups("/something(/|$)(.*)", "/something"),
        Some(vec![some(""), some("")])
    );
    assert_eq!(
        groups("/foo(/v([0-9]+))?/(.*)", "/foo/x"),
        Some(vec![None, None, some("x")])
    );
    let named = Pattern::rewrite("/(?!(a))(?<app>x)").unwrap();
    assert_eq!(named.names(), [("app".to_owned(), 2)]);
}

#[test]
fn groups_of_a_plain_pattern_are_those_of_its_regular_expression() {
    for (pattern, is_plain) in [
        ("/(app1/.*)", true),
        ("/(.*)", true),
        ("/app(/|$)(.*)", true),
        ("/App(?:/|$)((.*))", true),
        (r"/a\.b/(x)", true),
        ("/((a)(b)(/|$).*)", true),
        ("/(a)(b)(c)(d)(e)", false),
        ("/app/?(.*)", false),
        ("/(.*)/x", false),
        ("/(a|b)(.*)", false),
        ("/($|/)(.*)", false),
        ("/app(x|$)(.*)", false),
        ("/app(/|x)(.*)", false),
        ("/(?<app>a)(.*)", false),
        ("/(?i)(a.*)", false),
        ("/(?s)(.*)", false),
        ("/(.*?)", false),
        ("/(.+)", false),
        ("/app", false),
    ] {
        let compiled = Pattern::location(pattern).unwrap();
        assert_eq!(compiled.plain.is_some(), is_plain, "{pattern}");
        let (branches, numbers) = parse::parse(format!("^{pattern}").as_bytes()).unwrap();
        let slow = Pattern::with_engine(&branches, numbers, true).unwrap();
        for text in [
            "/",
            "/app",
            "/APP1/x/y",
            "/app1/",
            "/app\n",
            "/app\nx",
            "/app/",
            "/app/x\ny",
            "/ab",
            "/ab/c",
            "/appx",
            "/a.b/x",
            "/abcde",
            "",
            "x/app/",
            "/app/\n",
        ] {
            let text = text.as_bytes();
            let matches = |pattern: &Pattern| pattern.is_match(text, &Work::of_a_request());
            assert_eq!(matches(&compiled), matches(&slow), "{pattern} {text:?}");
            let found = |pattern: &Pattern| {
                let groups = pattern.groups(text, &Work::of_a_request());
                groups.map(|groups| [1, 2, 3, 4].map(|number| groups.get(number)))
            };
            let count = compiled.groups.len().min(4);
            let of = |groups: Option<[_; 4]>| groups.map(|groups| groups[..count].to_vec());
            assert_eq!(of(found(&compiled)), of(found(&slow)), "{pattern} {text:?}");
        }
    }
}

/// nginx's group is the last round, which matches nothing.
#[test]
fn a_group_that_repeats_until_nothing_is_left_is_empty() {
    for (pattern, wanted) in [
        ("/(.?)*", ""),
        ("/(.*)+", ""),
        ("/(?<all>[^/]*){2,}", ""),
        ("/(?:.?)*", "x"),
        ("/(a|b)*", "b"),
        ("/(|ab)*", ""),
        ("/(.?){0,4}", ""),
        ("/(.?){0,2}", "b"),
        ("/(?:(a)|b?)*", "a"),
        ("/((?:a|b)?)*", ""),
        ("/((?:a*)+b)*", "ab"),
        ("/(?U)(.?)*?", ""),
        ("/(?U)(.?)*$", "b"),
    ] {
        let first = groups(pattern, "/ab").and_then(|all| all.first().cloned().flatten());
        assert_eq!(first.as_deref().unwrap_or("x"), wanted, "{pattern}");
    }
}

#[test]
fn a_newline_in_the_middle_is_not_the_end() {
    let pattern = Pattern::location("/a(/|$)(.*)").unwrap();
    assert!(!pattern.is_match(b"/a\nb", &Work::of_a_request()));
    assert!(pattern.is_match(b"/a/\nb", &Work::of_a_request()));
    assert_eq!(
        pattern
            .groups(b"/a/x\nb", &Work::of_a_request())
            .unwrap()
            .get(2),
        Some((3, 4))
    );
}

#[test]
fn what_a_linear_engine_cannot_run_is_refused_by_name() {
    for (pattern, reason) in [
        (r"/(a)\1", "back reference"),
        (r"/\1", "back reference"),
        (r"/(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10", "back reference"),
        ("/(?|a)", "branch reset"),
        ("/(?(1)a)", "condition"),
        ("/(?<>a)", "whose name"),
        ("/(?<a-b>a)", "whose name"),
        (r"/\y", r"\y"),
        (r"/[\y]", r"\y"),
        ("/[^/]*a(?!b)", "look-ahead"),
        ("/v[0-9]{2,}(?!x)", "look-ahead"),
        ("/(a|ab)(?!x)", "look-ahead"),
        ("/(?:ab?|cd)(?!x)", "look-ahead"),
        // Of either case, as a location is.
        ("/[a-c]++B", "possessive"),
        ("/[A-C]++b", "possessive"),
        ("/[[:lower:]]++B", "possessive"),
        ("/[[:upper:]]++b", "possessive"),
        (r"/\w++_", "possessive"),
        ("/[0-9]++a*1", "possessive"),
        ("/[0-9]++(a|1)", "possessive"),
        (r"/\w++a", "possessive"),
        ("/(?<=a)b", "look-behind"),
        ("/(?<!a)b", "look-behind"),
        ("/(?>a)b", "atomic group"),
        ("/(?R)", "recursion"),
        ("/.*(?!a)b", "look-ahead"),
        ("/(x|(?!a)b)", "look-ahead"),
        ("/a|/(?!b)", "look-ahead"),
        ("/.*+x", "possessive"),
        ("/(a", "( without its )"),
        ("/a)", ") without its ("),
        ("/[a", "[ without its ]"),
        ("/((a{1000}){1000}){1000}", "2730 places"),
        ("/a**", "repeats nothing"),
        ("/a{2}{3}", "repeats nothing"),
        ("/a???", "repeats nothing"),
        ("/a$*", "repeats nothing"),
        (r"/a\b+", "repeats nothing"),
        (r"/\p{L}", r"\p"),
    ] {
        let error = Pattern::location(pattern).unwrap_err();
        assert!(error.contains(reason), "{pattern}: {error}");
    }
}

#[test]
fn a_prefix_never_answers_otherwise_than_the_regular_expression() {
    let patterns = [
        "/(app1/.*)",
        "/app1/?(.*)",
        "/app(/|$)(.*)",
        "/(.*)",
        "/",
        "",
        "/a|/b",
        "/(?-i)abc",
        "/(?-i:abc).*",
        "/ab?c*",
        "/ab{0}c",
        "/a(b(c.*)d?)?",
        "/a(?:b|c|)",
        "/(a|b)c",
        "^/a.*",
        "/(?!a).*",
        "/a(?!b)(.*)",
        r"/\Qa.b\E",
        r"/a\.b.*",
        "/[a]b*",
        "/[^a]",
        "/a$",
        "/a/*",
        "/(?i)AB.*",
        "/é.*",
        "/(?P<x>a)b",
        r"/a\b.*",
        "/a.*b",
        "/(?s).",
        "/a(?#x)b.*",
        "/a++b",
        "/ab+",
        "/a+",
        "/a{2,}",
        "/a(?:b+|c{1,2})",
    ];
    let texts = [
        "", "/", "/a", "/A", "/ab", "/aB", "/abc", "/ABC", "/ac", "/b", "/bc", "x/b", "/app",
        "/app1", "/app1/", "/APP1/x", "/app/", "/app\n", "/appx", "/a.b", "/a.bc", "/axb", "/a/",
        "/a//x", "/é", "/É", "/a\n", "/a\nb", "\n/a", "/abcd", "/aab", "a",
    ];
    for source in patterns {
        for pattern in [Pattern::location(source), Pattern::rewrite(source)] {
            let pattern = pattern.unwrap_or_else(|error| panic!("{source}: {error}"));
            for text in texts.map(str::as_bytes) {
                let asked = pattern.groups(text, &Work::of_a_request()).is_some();
                assert_eq!(
                    pattern.is_match(text, &Work::of_a_request()),
                    asked,
                    "{source} {text:?}"
                );
            }
        }
        let sensitive = Pattern::compile(&format!("^{source}"), false).unwrap();
        for text in texts.map(str::as_bytes) {
            let asked = sensitive.groups(text, &Work::of_a_request()).is_some();
            assert_eq!(
                sensitive.is_match(text, &Work::of_a_request()),
                asked,
                "~ {source} {text:?}"
            );
        }
    }
}

#[test]
fn a_pattern_is_as_wide_as_its_places_that_may_be_tried_at_once() {
    for (source, want) in [
        ("/app", 1),
        ("/(app[0-9]/.*)", 2),
        // Without an engine: each byte is looked at once.
        ("/api(/|$)(.*)", 0),
        ("/(a|b|c)", 3),
        ("/(ab|cd)x", 2),
        // Both classes of a UUID's part are of one length, so one place follows the other.
        ("/[0-9a-f]{8}-[0-9a-f]{4}/x", 1),
        ("/.*[ab].{25}q$", 30),
        ("/(x.*)?/(y.*)?", 9),
        ("/(a?){100}q", 201),
        // `/a` from the start alone, `b` anywhere.
        ("/a|b", 4),
    ] {
        let pattern = Pattern::location(source).unwrap();
        assert_eq!(pattern.width, want, "{source}");
    }
}

#[test]
fn a_text_is_not_tried_where_it_would_cost_too_much() {
    let pattern = Pattern::location("/.*[ab].{500}q$").unwrap();
    let text = |length: u64| vec![b'/'; usize::try_from(length).unwrap()];
    let longest = pattern.longest();
    let work = Work::of_a_request();
    pattern.is_match(&text(longest), &work);
    assert!(!work.is_spent(), "{longest} bytes");
    pattern.is_match(&text(longest), &work);
    assert!(work.is_spent());
    // Not even a short one, from then on: what was found before is not sure.
    assert!(!pattern.is_match(b"/x", &work) && work.is_spent());
    // What a literal decides costs nothing.
    let plain = Pattern::location("/a").unwrap();
    let many = Work::of_a_request();
    assert!((0..1_000).all(|_| plain.is_match(b"/a", &many)));
    assert!(!many.is_spent());
}

/// What each class has of `aZ5_ \t-\n` and of the bytes after ASCII.
#[test]
fn every_class_has_the_bytes_of_pcre() {
    const SAMPLE: [u8; 11] = *b"aZ5_ \t-\n\x01\x85\xa0";
    for (class, want) in [
        (r"\d", &b"5"[..]),
        (r"\D", b"aZ_ \t-\n\x01\x85\xa0"),
        (r"\w", b"aZ5_"),
        (r"\W", b" \t-\n\x01\x85\xa0"),
        (r"\s", b" \t\n"),
        (r"\S", b"aZ5_-\x01\x85\xa0"),
        (r"\h", b" \t\xa0"),
        (r"\H", b"aZ5_-\n\x01\x85"),
        (r"\v", b"\n\x85"),
        (r"\V", b"aZ5_ \t-\x01\xa0"),
        ("[[:alnum:]]", b"aZ5"),
        ("[[:alpha:]]", b"aZ"),
        ("[[:ascii:]]", b"aZ5_ \t-\n\x01"),
        ("[[:blank:]]", b" \t"),
        ("[[:cntrl:]]", b"\t\n\x01"),
        ("[[:digit:]]", b"5"),
        ("[[:graph:]]", b"aZ5_-"),
        ("[[:print:]]", b"aZ5_ -"),
        ("[[:punct:]]", b"_-"),
        ("[[:space:]]", b" \t\n"),
        ("[[:word:]]", b"aZ5_"),
        ("[[:xdigit:]]", b"a5"),
        ("[[:^alpha:]]", b"5_ \t-\n\x01\x85\xa0"),
    ] {
        let pattern = Pattern::location(&format!("/x{class}y")).unwrap();
        let has = |byte: &u8| {
            let text = [b"/x", &[*byte][..], b"y"].concat();
            pattern.groups(&text, &Work::of_a_request()).is_some()
        };
        let has: Vec<u8> = SAMPLE.iter().copied().filter(has).collect();
        assert_eq!(has, want, "{class}");
    }
}
// A pattern near the limit was refused by what checks it, with 64 bits, and taken by the module, with 32.
#[test]
fn how_large_a_pattern_may_be_depends_on_its_text_alone() {
    for element in [
        "z",
        "5",
        r"\w",
        "(a)",
        "(?:ab|cd)",
        "(?:a?)",
        "(?:a*b)",
        "(?:[^/]+)",
        "(?:a|b|c|d)",
        "[acegikmoqsuwy]",
        "(?:(?:(?:a?)?)?)",
        "(?:a{0,3})",
        "(?:|a)",
        "(?:(a)|(b)|())",
        "(?:(?:a+b*)*)",
        r"(?:\b)",
    ] {
        for times in ["", "0,"] {
            let source = |count: u32| format!("/{element}{{{times}{count}}}q");
            let states = |count: u32| {
                let (branches, groups) = parse::parse(source(count).as_bytes()).unwrap();
                let translated = translate::translate(&branches, groups).unwrap();
                (width::states(&branches), translated.pattern)
            };
            let refused = (1..).find(|count| states(*count).0 > MOST_STATES).unwrap();
            assert!(Pattern::location(&source(refused)).is_err(), "{element}");
            let (_, pattern) = states(refused);
            let half = RegexBuilder::new(&pattern)
                .unicode(false)
                .case_insensitive(true)
                .size_limit(SIZE_LIMIT / 2)
                .build();
            assert!(half.is_ok(), "{element}");
        }
    }
}

// 3.6 KB of one path were 450 engines of 1,300 places each, some 100 MB, and counted as 3,600 places.
#[test]
fn what_stands_before_a_look_ahead_counts_with_it() {
    let path = |letters: usize, aheads: usize| {
        format!("/{}{}", "a".repeat(letters), "(?!b)".repeat(aheads))
    };
    let refused = Pattern::location(&path(1_300, 450)).unwrap_err();
    assert!(refused.contains("2730 places"), "{refused}");
    assert!(Pattern::location(&path(200, 8)).is_ok());
    for (path, least) in [
        (path(200, 8), 8 * 200),
        ("/x{1}(?!.{2600})".to_owned(), 2_600),
        ("/(?=.{2600})".to_owned(), 2_600),
        ("/a(b(?!c{100})d)(?!e{200})".to_owned(), 300),
    ] {
        let places = Pattern::places(&path);
        assert!((least..2 * least).contains(&places), "{path}: {places}");
    }
}

// One request for `/%0Ax` made a second engine for each of 1,000 paths that end with `$`.
#[test]
fn a_request_makes_so_many_engines_and_no_more() {
    let patterns: Vec<_> = (0..1_000)
        .map(|n| Pattern::location(&format!("/.*a.*{n}$")).unwrap())
        .collect();
    let made = || {
        let ending = |pattern: &&Pattern| pattern.ending.as_ref().unwrap().regex.get().is_some();
        patterns.iter().filter(ending).count()
    };
    let ask = || {
        let work = Work::of_a_search();
        let found = patterns
            .iter()
            .any(|pattern| pattern.is_match(b"/\na", &work));
        (found, work.is_spent())
    };
    assert_eq!(ask(), (false, true));
    let first = made();
    assert!((100..500).contains(&first), "{first}");
    // They stay: the next one makes others.
    for _ in 0..20 {
        ask();
    }
    assert_eq!((made(), ask()), (1_000, (false, false)));
}

#[test]
fn groups_nest_so_deep_and_no_deeper() {
    let nested = |depth: usize| format!("/{}a{}", "(?:".repeat(depth), ")".repeat(depth));
    assert!(Pattern::location(&nested(50)).is_ok());
    let error = Pattern::location(&nested(51)).unwrap_err();
    assert!(error.contains("deeper"), "{error}");
}
