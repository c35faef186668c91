//! What is changed in responses: the paths and domains of the application's cookies, its own
//! redirects.
//!
//! Source: `ngx_http_proxy_rewrite_cookie`, `ngx_http_proxy_rewrite_redirect` and their
//! handlers, `src/http/modules/ngx_http_proxy_module.c` of nginx 1.27.1.

use super::destination::{self, is_meant};
use crate::annotations::ResponseRules;
use crate::edit::{Edit, FieldValue, Headers, is_control};
use crate::remark::Problem;
use crate::rewrite::template::OPEN;
use crate::route::pattern::{Pattern, Work};

const PATH: &str = "proxy-cookie-path";
const DOMAIN: &str = "proxy-cookie-domain";

/// A rule, none, or why there is none.
type Compiled = Result<Option<Rule>, String>;

/// The compiled rules of one location.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    cookie_path: Option<Rule>,
    cookie_domain: Option<Rule>,
    redirect: Option<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    from: From,
    to: String,
}

#[derive(Debug, Clone)]
enum From {
    /// The beginning of the value.
    Prefix(String),
    /// The whole value, a leading dot and case aside.
    Domain(String),
    /// A match anywhere replaces the whole value; captures are filled in.
    Pattern(Pattern),
}

impl Rules {
    /// Compiles the annotations; `tell` is told annotation, value, and why it is ignored. What cannot be used leaves
    /// `defaults`.
    pub(crate) fn compile(
        rules: &ResponseRules,
        defaults: &ResponseRules,
        mut tell: impl FnMut(&str, &str, Problem),
    ) -> Self {
        let mut rule = |name: &str, compile: &dyn Fn(&ResponseRules) -> Compiled, value: &str| {
            compile(rules).unwrap_or_else(|reason| {
                tell(name, value, Problem::Unusable(reason));
                compile(defaults).unwrap_or_default()
            })
        };
        Self {
            cookie_path: rule(
                PATH,
                &|rules| pair(PATH, &rules.cookie_path),
                &rules.cookie_path,
            ),
            cookie_domain: rule(
                DOMAIN,
                &|rules| pair(DOMAIN, &rules.cookie_domain),
                &rules.cookie_domain,
            ),
            redirect: rule(
                "proxy-redirect-from",
                &|rules| redirect(&rules.redirect_from, &rules.redirect_to),
                &rules.redirect_from,
            ),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cookie_path.is_none() && self.cookie_domain.is_none() && self.redirect.is_none()
    }

    /// Whether redirects of the application change.
    pub(crate) fn redirects(&self) -> bool {
        self.redirect.is_some()
    }

    /// The edits of a response with these headers. `origin`: scheme and host of the request; nginx makes
    /// a path that it wrote into Location a URL of them (`ngx_http_header_filter`).
    pub(crate) fn edits(&self, headers: &Headers, origin: Option<&[u8]>) -> Vec<Edit<'static>> {
        let mut edits = Vec::new();
        let work = Work::of_a_header();
        if self.cookie_path.is_some() || self.cookie_domain.is_some() {
            self.cookies(headers, &work, &mut edits);
        }
        for name in ["location", "refresh"] {
            let Some(rule) = &self.redirect else { continue };
            let Some(value) = crate::edit::first(headers, name) else {
                continue;
            };
            let start = if name == "refresh" {
                url_of(value)
            } else {
                Some(0)
            };
            let changed = start.and_then(|start| {
                let (head, url) = value.split_at_checked(start)?;
                Some([head, &rule.redirect(url, &work)?].concat())
            });
            if let Some(mut changed) = changed {
                let origin = origin.filter(|_| name == "location" && changed.starts_with(b"/"));
                if let Some(origin) = origin {
                    changed.splice(..0, origin.iter().copied());
                }
                edits.push(Edit::Set(name.into(), FieldValue::new(changed)));
            }
        }
        edits
    }

    /// Set-Cookie has several fields: once one changes, all are written anew.
    fn cookies(&self, headers: &Headers, work: &Work, edits: &mut Vec<Edit<'static>>) {
        let fields: Vec<&[u8]> = crate::edit::all(headers, "set-cookie").collect();
        let changed: Vec<Option<Vec<u8>>> = fields
            .iter()
            .map(|field| self.cookie(field, work))
            .collect();
        if changed.iter().all(Option::is_none) {
            return;
        }
        edits.push(Edit::Remove("set-cookie".into()));
        for (field, changed) in fields.into_iter().zip(changed) {
            let value = changed.unwrap_or_else(|| field.to_vec());
            edits.push(Edit::Add("set-cookie".into(), FieldValue::received(value)));
        }
    }

    /// One Set-Cookie; `None`: nothing changes.
    fn cookie(&self, field: &[u8], work: &Work) -> Option<Vec<u8>> {
        let mut changed = false;
        let mut out = Vec::with_capacity(field.len());
        for (at, attribute) in field.split(|byte| *byte == b';').enumerate() {
            let (name, value) = attribute_of(attribute);
            // A cookie without a value is left alone.
            if at == 0 && value.is_none() {
                return None;
            }
            let rules = [("path", &self.cookie_path), ("domain", &self.cookie_domain)];
            let mut rules = rules.into_iter().filter(|_| at > 0);
            let rule = rules.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
            let rule = rule.and_then(|(_, rule)| rule.as_ref());
            let new = rule
                .zip(value)
                .and_then(|(rule, value)| rule.apply(value, work));
            changed |= new.is_some();
            if at > 0 {
                out.extend_from_slice(b"; ");
            }
            out.extend_from_slice(name);
            if let Some(value) = new.as_deref().or(value) {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
        changed.then_some(out)
    }
}

fn attribute_of(attribute: &[u8]) -> (&[u8], Option<&[u8]>) {
    let equals = attribute.iter().position(|byte| *byte == b'=');
    let (name, value) = attribute.split_at(equals.unwrap_or(attribute.len()));
    (
        trim(name),
        value.split_first().map(|(_, value)| trim(value)),
    )
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b" ") {
        text = rest;
    }
    text
}

/// Where the URL of a Refresh header begins.
fn url_of(value: &[u8]) -> Option<usize> {
    let at = value
        .windows(4)
        .position(|four| four.eq_ignore_ascii_case(b"url="));
    at.map(|at| at.saturating_add(4))
}

impl Rule {
    /// The new URL of a redirect; `None`: the upstream's own stays. Whatever it puts behind the
    /// beginning of its URL, it leads to its own host or to one that the rule names.
    fn redirect(&self, url: &[u8], work: &Work) -> Option<Vec<u8>> {
        let open = match &self.from {
            From::Pattern(_) => fill(self.to.as_bytes(), work, |_| &[OPEN])?,
            From::Prefix(_) | From::Domain(_) => [self.to.as_bytes(), &[OPEN]].concat(),
        };
        let own = destination::host(url);
        self.apply(url, work)
            .filter(|new| is_meant(new, &open, own.as_slice()))
    }

    /// The new value; `None`: it stays, also where that is more than `work` has left.
    fn apply(&self, value: &[u8], work: &Work) -> Option<Vec<u8>> {
        let to = self.to.as_bytes();
        // However often a pod sends what is replaced, a response makes only so much of it.
        if !work.copies(to) {
            return None;
        }
        match &self.from {
            From::Prefix(prefix) => {
                let rest = value.strip_prefix(prefix.as_bytes())?;
                Some([to, rest].concat())
            }
            From::Domain(domain) => {
                let bare = value.strip_prefix(b".");
                let same = bare
                    .unwrap_or(value)
                    .eq_ignore_ascii_case(domain.as_bytes());
                let dot: &[u8] = if bare.is_some() { b"." } else { b"" };
                same.then(|| [dot, to].concat())
            }
            From::Pattern(pattern) => {
                let groups = pattern.groups(value, work)?;
                let group = |number| {
                    let place = groups.get(number);
                    let text = place.and_then(|(from, to)| value.get(from..to));
                    text.unwrap_or_default()
                };
                fill(to, work, group)
            }
        }
    }
}

/// Puts captures in place of `$1` to `$9`. `None`: that is more than `work` has left.
fn fill<'v>(to: &[u8], work: &Work, group: impl Fn(usize) -> &'v [u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(to.len());
    let mut rest = to;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail.first()) {
            (b'$', Some(digit @ b'1'..=b'9')) => {
                let text = group(usize::from(digit.wrapping_sub(b'0')));
                if !work.copies(text) {
                    return None;
                }
                out.extend_from_slice(text);
                rest = tail.get(1..).unwrap_or_default();
            }
            _ => out.push(*byte),
        }
    }
    Some(out)
}

fn rule(from: String, to: String, is_domain: bool) -> Result<Rule, String> {
    let from = match from.strip_prefix('~') {
        Some(pattern) => {
            let (pattern, ignore_case) = match pattern.strip_prefix('*') {
                Some(pattern) => (pattern, true),
                None => (pattern, is_domain),
            };
            let compiled = Pattern::compile(pattern, ignore_case);
            From::Pattern(compiled.map_err(|reason| format!("{pattern:?} {reason}"))?)
        }
        None if is_domain => From::Domain(from.strip_prefix('.').unwrap_or(&from).to_owned()),
        None => From::Prefix(from),
    };
    // `$1` to `$9` are filled in, other variables are gone when the response comes.
    let has_variable = |text: &str| {
        let mut after = text.split('$').skip(1);
        after.any(|after| !after.starts_with(|c: char| ('1'..='9').contains(&c)))
    };
    if has_variable(&to) {
        return Err("has a variable, which limpet does not know on the way back".to_owned());
    }
    if to.bytes().any(is_control) {
        return Err("has a control character, which no header may carry".to_owned());
    }
    Ok(Rule { from, to })
}

/// Why the value of `proxy-cookie-path` or `proxy-cookie-domain` cannot be used; `None`: it can.
#[must_use]
pub fn why_unusable(name: &str, value: &str) -> Option<String> {
    pair(name, value).err()
}

fn redirect(from: &str, to: &str) -> Compiled {
    // `default` stands for nginx's own name of the upstream, which no application sees.
    if matches!(from, "" | "off" | "default") || matches!(to, "" | "off") {
        return Ok(None);
    }
    rule(from.to_owned(), to.to_owned(), false).map(Some)
}

fn pair(name: &str, value: &str) -> Compiled {
    if value.is_empty() || value == "off" {
        return Ok(None);
    }
    let (from, to) = two_words(value)?;
    rule(from, to, name == DOMAIN).map(Some)
}

/// Two words, either in quotes or not, as nginx reads a directive.
fn two_words(text: &str) -> Result<(String, String), String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, tail) = match first {
            '"' | '\'' => quoted(rest.get(1..).unwrap_or_default(), first)?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                (word.to_owned(), tail)
            }
        };
        words.push(word);
        rest = tail.trim_start();
    }
    match <[String; 2]>::try_from(words) {
        Ok([from, to]) => Ok((from, to)),
        Err(words) => Err(format!("has {} words, expected two", words.len())),
    }
}

fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next().map(|(_, letter)| letter)),
            letter if letter == quote => {
                let end = at.saturating_add(letter.len_utf8());
                return Ok((word, text.get(end..).unwrap_or_default()));
            }
            letter => word.push(letter),
        }
    }
    Err(format!("has a {quote} without its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits<'h>(rules: &ResponseRules, headers: &'h [(&str, &str)]) -> Vec<Edit<'h>> {
        let rules = Rules::compile(rules, &ResponseRules::default(), |name, value, problem| {
            panic!("{name} {value} {problem:?}")
        });
        rules.edits(&crate::edit::fields(headers), Some(b"https://shop.test"))
    }

    #[test]
    fn cookie_paths_and_domains_are_translated() {
        let rules = ResponseRules {
            cookie_path: "/app /".into(),
            cookie_domain: "internal.svc example.com".into(),
            ..ResponseRules::default()
        };
        for (cookie, want) in [
            ("a=b; Path=/app/x", Some("a=b; Path=//x")),
            ("a=b;path = /app ;HttpOnly", Some("a=b; path=/; HttpOnly")),
            ("a=b; Path=/other; Secure", None),
            (
                "a=b; Domain=.INTERNAL.svc",
                Some("a=b; Domain=.example.com"),
            ),
            ("a=b; Domain=x.internal.svc", None),
            ("a; Path=/app", None),
            ("path=/app", None),
            ("domain=internal.svc", None),
        ] {
            let sent = [("set-cookie", cookie)];
            let got = edits(&rules, &sent);
            let want = want.map_or(Vec::new(), |value| {
                vec![
                    Edit::Remove("set-cookie".into()),
                    Edit::Add("set-cookie".into(), FieldValue::new(value.as_bytes())),
                ]
            });
            assert_eq!(got, want, "{cookie}");
        }
    }

    #[test]
    fn a_cookie_path_may_be_a_pattern_and_carry_flags() {
        let rules = ResponseRules {
            cookie_path: r#"~*^/user/(.+) "/u/$1; Secure""#.into(),
            ..ResponseRules::default()
        };
        let got = edits(&rules, &[("set-cookie", "a=b; Path=/USER/x")]);
        let want = Edit::Add(
            "set-cookie".into(),
            FieldValue::new(&b"a=b; Path=/u/x; Secure"[..]),
        );
        assert_eq!(got.last(), Some(&want));
    }

    // 60 KB of a pod's Set-Cookie and 100 KB of an annotation were 750 MB in a worker.
    #[test]
    fn however_often_a_pod_sends_a_path_it_becomes_so_long_and_no_longer() {
        let cookie = format!("a=b{}", ";path=/x".repeat(7_500));
        for from in ["/", "~/", "~*(/)"] {
            let cookie_path = format!("{from} /{}", "y".repeat(1_000));
            let rules = ResponseRules {
                cookie_path,
                ..ResponseRules::default()
            };
            let sent = [("set-cookie", cookie.as_str())];
            let got = edits(&rules, &sent);
            let Some(Edit::Add(_, value)) = got.last() else {
                panic!("{from}: nothing changed");
            };
            let length = value.len();
            assert!((60_000..140_000).contains(&length), "{from}: {length}");
        }
    }

    /// An upstream redirects within its own folder, where a link says what follows: the host is
    /// that of the rule or the upstream's own, never one that the link chose.
    #[test]
    fn no_translated_redirect_leads_to_a_host_that_a_link_chose() {
        for (from, to, value, want) in [
            ("/go/", "https://a.example", "/go/.evil", None),
            ("/go/", "https://a.example", "/go/@evil", None),
            (
                "/go/",
                "https://a.example/",
                "/go/.evil",
                Some("https://a.example/.evil"),
            ),
            ("/go", "/", "/go/evil", None),
            ("/go", "https:", "/go/evil", None),
            ("~^/to/(.*)", "https://$1", "/to/evil", None),
            ("~^/to/(.*)", "$1", "/to///evil", None),
            (
                "http://",
                "https://",
                "http://a.test/",
                Some("https://a.test/"),
            ),
            (
                "~^http://(.*)",
                "https://$1",
                "http://a.test:8080/",
                Some("https://a.test:8080/"),
            ),
            (
                "~^http://([^.]+).svc/",
                "https://$1.a.example/",
                "http://b.svc/",
                Some("https://b.a.example/"),
            ),
            (
                "http://app",
                "https://a.example",
                "http://app:80@evil/",
                None,
            ),
            (
                "http://app/",
                "/",
                "http://app/cart",
                Some("https://shop.test/cart"),
            ),
        ] {
            let rules = ResponseRules {
                redirect_from: from.into(),
                redirect_to: to.into(),
                ..ResponseRules::default()
            };
            let sent = [("location", value)];
            let want =
                want.map(|url| Edit::Set("location".into(), FieldValue::new(url.as_bytes())));
            let want: Vec<Edit> = want.into_iter().collect();
            assert_eq!(edits(&rules, &sent), want, "{from} {to} {value}");
        }
    }

    #[test]
    fn a_rule_with_a_line_break_is_refused_and_told() {
        for rules in [
            ResponseRules {
                cookie_path: "/ \"/\nSet-Cookie: a=b\"".into(),
                ..ResponseRules::default()
            },
            ResponseRules {
                cookie_domain: "a.test \"b.test\r\n\"".into(),
                ..ResponseRules::default()
            },
            ResponseRules {
                redirect_from: "/".into(),
                redirect_to: "/\nSet-Cookie: a=b".into(),
                ..ResponseRules::default()
            },
        ] {
            let mut told = Vec::new();
            let compiled = Rules::compile(&rules, &ResponseRules::default(), |name, _, text| {
                told.push(format!("{name} {text:?}"))
            });
            assert!(compiled.is_empty());
            assert!(told.concat().contains("control character"), "{told:?}");
        }
    }

    #[test]
    fn redirects_of_the_upstream_are_translated() {
        let rules = ResponseRules {
            redirect_from: "http://internal:8080/".into(),
            redirect_to: "https://example.com/".into(),
            ..ResponseRules::default()
        };
        for (name, value, want) in [
            (
                "location",
                "http://internal:8080/x",
                Some("https://example.com/x"),
            ),
            ("location", "/x", None),
            (
                "refresh",
                "5; url=http://internal:8080/x",
                Some("5; url=https://example.com/x"),
            ),
        ] {
            let sent = [(name, value)];
            let got = edits(&rules, &sent);
            let want = want.map(|value| Edit::Set(name.into(), FieldValue::new(value.as_bytes())));
            assert_eq!(got, want.into_iter().collect::<Vec<_>>(), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_used_leaves_what_the_config_map_says() {
        let set = ResponseRules {
            cookie_path: "/a /b".into(),
            redirect_from: "http://a/".into(),
            redirect_to: "http://b/".into(),
            ..ResponseRules::default()
        };
        let cookie = [("set-cookie", "a=1; Path=/a"), ("location", "http://a/x")];
        let changed = |path: &str, from: &str| {
            let own = ResponseRules {
                cookie_path: path.into(),
                redirect_from: from.into(),
                ..set.clone()
            };
            let rules = Rules::compile(&own, &set, |_, _, _| {});
            rules.edits(&crate::edit::fields(&cookie), None).len()
        };
        assert_eq!(changed("/a /b", "http://a/"), 3);
        assert_eq!(changed("/c", "~(a"), 3);
        assert_eq!(changed("off", "~(a"), 1);
        assert_eq!(changed("/c", "off"), 2);
    }
}
