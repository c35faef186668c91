//! What many locations say in the same words, compiled once: 1,500 paths beside 20,000 names in
//! `auth-response-headers` filled the memory of a proxy.

use crate::annotations::ResponseRules;
use crate::config::settings::Settings;
use crate::fields::{Answers, Requests};
use crate::redirect::response::Rules;
use crate::remark::Problem;
use crate::rewrite::template::Template;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was compiled by now: by the kind, and the text, the ConfigMap or the place of the Ingress. One map, for
/// each kind of map is some KiB of the module.
#[derive(Debug, Default)]
pub(super) struct Shared(BTreeMap<String, Known>);

/// `None`: it says what may not be sent.
#[derive(Debug, Clone)]
enum Known {
    Template(Template),
    /// `auth-proxy-set-headers`.
    Requests(Option<Requests>),
    /// `custom-headers`.
    Answers(Option<Arc<Answers>>),
    Rules(Arc<Rules>),
}

impl Shared {
    /// A text. `names`: those of its location's groups, which are the location's own; `has_args`: its first
    /// question mark begins the arguments.
    pub(super) fn template(
        &mut self,
        source: &str,
        names: &[(String, usize)],
        has_args: bool,
    ) -> Result<Template, String> {
        let compile = || {
            if has_args {
                Template::with_args(source, names)
            } else {
                Template::compile(source, names)
            }
        };
        if !names.is_empty() {
            return compile();
        }
        let key = [if has_args { "args " } else { "text " }, source].concat();
        if let Some(Known::Template(known)) = self.0.get(&key) {
            return Ok(known.clone());
        }
        let template = compile()?;
        self.0.insert(key, Known::Template(template.clone()));
        Ok(template)
    }

    /// What a ConfigMap has questions say.
    pub(super) fn requests(
        &mut self,
        map: &str,
        compile: impl FnOnce() -> Option<Requests>,
    ) -> Option<Requests> {
        let key = ["requests ", map].concat();
        if let Some(Known::Requests(known)) = self.0.get(&key) {
            return known.clone();
        }
        let requests = compile();
        self.0.insert(key, Known::Requests(requests.clone()));
        requests
    }

    /// What a ConfigMap has answers say.
    pub(super) fn answers(
        &mut self,
        map: &str,
        compile: impl FnOnce() -> Option<Answers>,
    ) -> Option<Arc<Answers>> {
        let key = ["answers ", map].concat();
        if let Some(Known::Answers(known)) = self.0.get(&key) {
            return known.clone();
        }
        let answers = compile().map(Arc::new);
        self.0.insert(key, Known::Answers(answers.clone()));
        answers
    }

    /// What the Ingress at a place does to responses; `tell` is told once what is ignored.
    pub(super) fn rules(
        &mut self,
        ingress: usize,
        rules: &ResponseRules,
        settings: &Settings,
        tell: impl FnMut(&str, &str, Problem),
    ) -> Arc<Rules> {
        let key = format!("rules {ingress}");
        if let Some(Known::Rules(known)) = self.0.get(&key) {
            return Arc::clone(known);
        }
        let defaults = ResponseRules {
            cookie_path: settings.proxy_cookie_path.clone(),
            cookie_domain: settings.proxy_cookie_domain.clone(),
            redirect_from: settings.proxy_redirect_from.clone(),
            redirect_to: settings.proxy_redirect_to.clone(),
        };
        let rules = Arc::new(Rules::compile(rules, &defaults, tell));
        self.0.insert(key, Known::Rules(Arc::clone(&rules)));
        rules
    }
}
