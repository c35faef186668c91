//! What copies see in place of the request's own path and Host: texts with nginx's variables.
//!
//! Source: the mirror's location in `nginx.tmpl`, ingress-nginx dbb11b92d; `ngx_http_proxy_eval`,
//! nginx 1.27.1: a target with a variable is the whole of what is asked, and one without gets the
//! request's arguments.

use serde_json::{Value, json};

/// The variables that a copy is asked with, and what they are in the script.
const VARIABLES: [(&str, &str); 8] = [
    ("request_uri", "uri"),
    ("args", "args"),
    ("query_string", "args"),
    ("is_args", "is_args"),
    ("host", "host"),
    ("request_method", "headers:get(\":method\")"),
    ("http_host", "http_host"),
    ("best_http_host", "http_host"),
];

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// As it is told apart from others.
    pub(super) name: String,
    /// An expression of Lua.
    code: String,
    /// It has no variable, and the request's arguments come behind it.
    pub(super) takes_arguments: bool,
    /// It is the same for all requests.
    pub(super) is_fixed: bool,
}

impl Text {
    /// `known`: the variables that are the same for all requests. `None`: nginx alone knows one of it, or
    /// it has what would need an escape in a URL or in Lua.
    pub(super) fn read(text: &str, known: &[(&str, &str)]) -> Option<Self> {
        let mut name = String::new();
        let mut code = Vec::new();
        let mut pieces = text.split('$');
        let mut fixed = pieces.next()?.to_owned();
        for piece in pieces {
            let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let (variable, rest) = piece.split_at(end.unwrap_or(piece.len()));
            let is_it = |(name, _): &&(&str, &str)| *name == variable;
            if let Some((_, value)) = known.iter().find(is_it) {
                fixed.push_str(value);
            } else {
                let (_, expression) = VARIABLES.iter().find(is_it)?;
                quote(&mut fixed, &mut name, &mut code)?;
                name.push('$');
                name.push_str(variable);
                code.push((*expression).to_owned());
            }
            fixed.push_str(rest);
        }
        let is_fixed = code.is_empty();
        quote(&mut fixed, &mut name, &mut code)?;
        Some(Self {
            name,
            code: code.join(" .. "),
            takes_arguments: !text.contains('$'),
            is_fixed,
        })
    }
}

/// Takes what is the same for all requests into a text; `None`: it would need an escape.
fn quote(fixed: &mut String, name: &mut String, code: &mut Vec<String>) -> Option<()> {
    let fixed = std::mem::take(fixed);
    let is_plain = fixed
        .bytes()
        .all(|byte| is_of_url(byte) || b"?=&%".contains(&byte));
    if !fixed.is_empty() {
        name.push_str(&fixed);
        code.push(format!("\"{fixed}\""));
    }
    is_plain.then_some(())
}

/// What needs no escape, neither in a URL nor in Lua.
pub(super) fn is_of_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte)
}

/// A filter of a cluster that puts them in place. The Host is read from X-Forwarded-Host, which stands there as
/// pods are told, before another one was put in its place.
pub(super) fn script(path: Option<&Text>, host: Option<&Text>) -> Value {
    let code = match (path, host) {
        (Some(path), None) if path.takes_arguments => format!(
            "function envoy_on_request(handle)\n  \
               local headers = handle:headers()\n  \
               local path = headers:get(\":path\")\n  \
               local query = path:find(\"?\", 1, true)\n  \
               headers:replace(\":path\", {} .. (query and path:sub(query) or \"\"))\n\
             end\n",
            path.code
        ),
        _ => {
            let replace =
                |name: &str, code: &str| format!("  headers:replace(\"{name}\", {code})\n");
            let path = path.map(|path| {
                let arguments = if path.takes_arguments {
                    " .. is_args .. args"
                } else {
                    ""
                };
                replace(":path", &format!("{}{arguments}", path.code))
            });
            let host = host.map(|host| replace(":authority", &host.code));
            format!(
                "function envoy_on_request(handle)\n  \
                   local headers = handle:headers()\n  \
                   local uri = headers:get(\":path\")\n  \
                   local query = uri:find(\"?\", 1, true)\n  \
                   local args = query and uri:sub(query + 1) or \"\"\n  \
                   local is_args = args ~= \"\" and \"?\" or \"\"\n  \
                   local http_host = headers:get(\"x-forwarded-host\") or headers:get(\":authority\")\n  \
                   local host = http_host:gsub(\":%d*$\", \"\"):lower()\n\
                 {}{}end\n",
                path.unwrap_or_default(),
                host.unwrap_or_default()
            )
        }
    };
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": code },
        },
    })
}
