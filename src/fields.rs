//! Header fields that ConfigMaps name: `add-headers`, `custom-headers`, `proxy-set-headers`.
//!
//! Source: `internal/ingress/annotations/customheaders` and the `more_set_headers` and
//! `proxy_set_header` lines of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d.

use crate::byte_kind;
use crate::edit::{Edit, FieldValue, Name};
use crate::rewrite::template::Template;
use crate::rewrite::variable::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fields of answers, in place of those that a pod sends under the same names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers(Vec<(String, String)>);

impl Answers {
    /// Those of a ConfigMap.
    pub(crate) fn of(data: &BTreeMap<String, String>) -> Self {
        let named = data.iter().filter(|(name, _)| is_name(name));
        let fields = named.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        Self(fields.collect())
    }

    /// Those of a ConfigMap that `custom-headers` names; `None`: they are refused. `allowed`:
    /// `global-allowed-response-headers`.
    pub(crate) fn custom(data: &BTreeMap<String, String>, allowed: &[String]) -> Option<Self> {
        let mut fields = data.iter();
        let are_fit =
            fields.all(|(name, value)| is_name(name) && is_value(value) && allowed.contains(name));
        are_fit.then(|| Self::of(data))
    }

    /// The edits of a response. A field without a value is taken off.
    pub(crate) fn edits(&self) -> Vec<Edit<'static>> {
        let edits = self.0.iter().map(|(name, value)| {
            let name = Name::from(name.clone());
            if value.is_empty() {
                Edit::Remove(name)
            } else {
                Edit::Set(name, FieldValue::new(value.clone().into_bytes()))
            }
        });
        edits.collect()
    }

    /// The same in an answer of limpet's own, beside what it says already.
    pub(crate) fn add_to(&self, headers: &mut Vec<(Name<'static>, FieldValue<'static>)>) {
        for (name, value) in &self.0 {
            let is_there = headers.iter().any(|(known, _)| known == name);
            if !is_there && !value.is_empty() {
                let value = FieldValue::new(value.clone().into_bytes());
                headers.push((name.clone().into(), value));
            }
        }
    }
}

/// Variables that nginx fills in when it answers.
const OF_THE_ANSWER: [&str; 3] = ["$upstream_", "${upstream_", "proxy_alternative"];

/// `add-headers`: fields of every answer, with nginx's variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Additions {
    /// Those that are the same in every answer.
    pub fixed: Answers,
    /// Those that depend on the request.
    open: Vec<(String, Template)>,
}

impl Additions {
    /// Those of a ConfigMap; `tell` is told the name of one that cannot be filled in, and why.
    pub(crate) fn of(data: &BTreeMap<String, String>, mut tell: impl FnMut(&str, String)) -> Self {
        let mut additions = Self::default();
        for (name, value) in data.iter().filter(|(name, _)| is_name(name)) {
            let key = name.to_ascii_lowercase();
            if !value.contains('$') {
                additions.fixed.0.push((key, value.clone()));
                continue;
            }
            let is_of_the_answer = OF_THE_ANSWER.iter().any(|known| value.contains(known));
            match Template::compile(value, &[]) {
                Ok(template) if !is_of_the_answer && !template.has_groups() => {
                    additions.open.push((key, template));
                }
                // Captures are a rewrite's.
                Ok(_) => tell(
                    name,
                    "is known when the answer is there, and not here".to_owned(),
                ),
                Err(why) => tell(name, why),
            }
        }
        additions
    }

    /// Whether they are the same in every answer.
    pub(crate) fn is_fixed(&self) -> bool {
        self.open.is_empty()
    }

    /// Those of the answer to one request.
    pub(crate) fn filled(&self, scope: &Scope) -> Answers {
        let mut fields = self.fixed.0.clone();
        let open = self.open.iter();
        fields.extend(open.map(|(name, value)| {
            let value = value.value(scope);
            (name.clone(), String::from_utf8_lossy(&value).into_owned())
        }));
        Answers(fields)
    }
}

/// Fields of requests, `proxy-set-headers`, with nginx's variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<[(String, Template)]>);

/// What ingress-nginx sets itself: a field of the same name comes beside it.
pub(crate) const BUILT_IN: [&str; 10] = [
    "x-request-id",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
    "x-original-forwarded-for",
    "x-original-forwarded-host",
];

impl Requests {
    /// Whether both are one in memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Those of a ConfigMap; `tell` is told the name of one that cannot be filled in, and why.
    pub(crate) fn of(data: &BTreeMap<String, String>, mut tell: impl FnMut(&str, String)) -> Self {
        let mut fields = Vec::new();
        for (name, value) in data {
            // A second Host beside the first makes the request a bad one.
            if !is_name(name) || name.eq_ignore_ascii_case("host") {
                tell(name, "cannot be set".to_owned());
                continue;
            }
            match Template::compile(value, &[]) {
                Ok(value) => fields.push((name.to_ascii_lowercase(), value)),
                Err(why) => tell(name, why),
            }
        }
        Self(fields.into())
    }

    /// Those that have a value, for whoever is asked about the request.
    pub(crate) fn values(&self, scope: &Scope) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let values = self.0.iter();
        let values = values.map(|(name, value)| (name.as_str(), value.value(scope)));
        values.filter(|(_, value)| !value.is_empty())
    }

    /// Whether one is called so.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The edits of a request's head. A field without a value is none.
    pub(crate) fn edits<'p>(&'p self, scope: &Scope) -> impl Iterator<Item = Edit<'p>> {
        self.0.iter().filter_map(|(name, value)| {
            let value = value.value(scope);
            let is_built_in = BUILT_IN.contains(&name.as_str());
            let name = Name::from(name.as_str());
            match (value.is_empty(), is_built_in) {
                (true, true) => None,
                (true, false) => Some(Edit::Remove(name)),
                (false, true) => Some(Edit::Add(name, FieldValue::new(value))),
                (false, false) => Some(Edit::Set(name, FieldValue::new(value))),
            }
        })
    }
}

/// `ValidHeader`.
pub(crate) fn is_name(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    !name.is_empty() && byte_kind::any(name) & byte_kind::ODD_IN_NAME == 0
}

/// `ValidValue`.
fn is_value(value: &str) -> bool {
    const FURTHER: &[u8] = br#"_ :;.,\/"'?!(){}[]@<>=-+*#$&`|~^%"#;
    let is_of_value = |byte: u8| byte.is_ascii_alphanumeric() || FURTHER.contains(&byte);
    !value.is_empty() && value.bytes().all(is_of_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        let fields = fields.iter();
        fields
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn custom_headers_are_those_that_the_config_map_allows() {
        let allowed = ["X-A".to_owned()];
        let custom = |name: &str, value: &str| Answers::custom(&map(&[(name, value)]), &allowed);
        assert_eq!(
            custom("X-A", "1 $2"),
            Some(Answers(vec![("x-a".to_owned(), "1 $2".to_owned())]))
        );
        assert_eq!(custom("x-a", "1"), None);
        assert_eq!(custom("X-B", "1"), None);
        assert_eq!(custom("X-A", ""), None);
        assert_eq!(custom("X-A", "a\nb"), None);
        assert_eq!(
            Answers::custom(&map(&[]), &allowed),
            Some(Answers::default())
        );
    }

    #[test]
    fn what_is_known_with_the_answer_alone_is_left_out_and_told() {
        let mut told = Vec::new();
        let said = map(&[
            ("X-A", "$host"),
            ("X-B", "${upstream_addr}"),
            ("X-C", "/$2"),
            ("X-D", "$proxy_alternative_upstream_name"),
            ("X-E", "costs $"),
        ]);
        let additions = Additions::of(&said, |name, _| told.push(name.to_owned()));
        assert_eq!(additions.open.len(), 1);
        assert_eq!(told, ["X-B", "X-C", "X-D", "X-E"]);
    }

    #[test]
    fn an_answer_of_ones_own_keeps_what_it_says_already() {
        let mut headers = vec![("x-a".into(), FieldValue::new(&b"own"[..]))];
        Answers::of(&map(&[("X-A", "1"), ("X-B", "2"), ("X-C", "")])).add_to(&mut headers);
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["x-a", "x-b"]);
        assert_eq!(&*headers[0].1, b"own");
    }
}
