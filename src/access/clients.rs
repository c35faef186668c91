//! Who is kept out by what a request says of itself: `block-user-agents` and `block-referers`.
//!
//! Source: the maps `$block_ua` and `$block_ref` of `rootfs/etc/nginx/template/nginx.tmpl`,
//! ingress-nginx dbb11b92d; `ngx_http_map_module`, nginx 1.27.1.

use crate::edit::{Headers, all};
use crate::route::pattern::{Pattern, Work};

/// Both lists.
#[derive(Debug, Default)]
pub(crate) struct Clients(Vec<(&'static str, List)>);

/// One list.
#[derive(Debug)]
enum List {
    /// It has something in it that cannot be run.
    Everybody,
    Of(Vec<Entry>),
}

#[derive(Debug)]
enum Entry {
    /// The whole value, whatever its case.
    Exact(String),
    Pattern(Pattern),
}

impl Clients {
    /// Adds the list of values of a header. `Err`: why one is unusable; nobody comes in then.
    pub(crate) fn add(&mut self, header: &'static str, texts: &[String]) -> Result<(), String> {
        if texts.is_empty() {
            return Ok(());
        }
        let entries: Result<Vec<Entry>, String> = texts.iter().map(|text| entry(text)).collect();
        let (list, result) = match entries {
            Ok(entries) => (List::Of(entries), Ok(())),
            Err(why) => (List::Everybody, Err(why)),
        };
        self.0.push((header, list));
        result
    }

    /// Whether a request is kept out. Without the header its value is empty.
    pub(crate) fn has(&self, headers: &Headers) -> bool {
        self.0.iter().any(|(header, list)| {
            let List::Of(entries) = list else {
                return true;
            };
            let value = all(headers, header).collect::<Vec<_>>().join(&b", "[..]);
            let work = Work::of_a_header();
            let has = entries.iter().any(|entry| match entry {
                Entry::Exact(text) => value.eq_ignore_ascii_case(text.as_bytes()),
                Entry::Pattern(pattern) => pattern.is_match(&value, &work),
            });
            has || work.is_spent()
        })
    }
}

fn entry(text: &str) -> Result<Entry, String> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    let text = quoted('"').or_else(|| quoted('\'')).unwrap_or(text);
    let Some(pattern) = text.strip_prefix('~') else {
        return Ok(Entry::Exact(text.to_owned()));
    };
    let (pattern, ignore_case) = match pattern.strip_prefix('*') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    Pattern::compile(pattern, ignore_case).map(Entry::Pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    #[test]
    fn a_value_is_on_a_list_as_in_a_map_of_nginx() {
        for (list, value, is_on) in [
            ("curl/8", Some("CURL/8"), true),
            ("curl/8", Some("curl/8.1"), false),
            ("~*sqlmap", Some("a SqlMap/1"), true),
            ("~sqlmap", Some("SqlMap"), false),
            ("~^$", None, true),
            ("~^$", Some("x"), false),
            ("curl/8", None, false),
            ("\"~*a b\"", Some("xA By"), true),
        ] {
            let mut clients = Clients::default();
            clients.add("user-agent", &[list.to_owned()]).unwrap();
            let sent: Vec<_> = value
                .map(|value| ("user-agent", value))
                .into_iter()
                .collect();
            assert_eq!(clients.has(&fields(&sent)), is_on, "{list} {value:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_run_lets_nobody_in() {
        let mut clients = Clients::default();
        assert!(clients.add("referer", &["~(a)\\1".to_owned()]).is_err());
        assert!(clients.has(&fields(&[("a", "b")])));
    }
}
