//! A location of a server, compiled.
//!
//! Source: `buildProxyPass` and `locationConfigForLua` in `template.go`, ingress-nginx dbb11b92d.

use super::tenants::LONG_PATH;
use super::{Context, of};
use crate::annotations::Annotations;
use crate::body;
use crate::policy::headers::custom_headers;
use crate::policy::listed::Asked;
use crate::policy::merge::{Draft, Upstream};
use crate::policy::{authorizers, error_pages};
use crate::remark::{Effect, Field, Problem, Remark};
use crate::rewrite::Rewrite;
use crate::rewrite::template::Template;
use crate::route::location::{Backend, Kind, Location, Redirect, Ssl};
use crate::route::pattern::Pattern;
use std::sync::Arc;

impl Context<'_> {
    /// `is_closed`: its host is, or its Ingress. Then it answers 503 for whatever may be under its path: what it
    /// protected does not fall to others where that cannot be compiled.
    pub(super) fn location(
        &self,
        asked: &Asked,
        draft: &Draft,
        (is_regex, is_closed): (bool, bool),
        remarks: &mut Vec<Remark>,
    ) -> Result<Location, Box<Remark>> {
        let one = self.ingress(draft);
        let upstream = self.merged.upstreams.get(&draft.upstream);
        let mut location = Location {
            ingress: one.map_or(String::new(), |one| one.ingress.key.clone()),
            path: if draft.written.is_empty() {
                "/"
            } else {
                &draft.written
            }
            .to_owned(),
            name: draft.path.clone(),
            kind: match (is_regex, draft.exact) {
                (true, _) => Kind::Regex,
                (false, true) => Kind::Exact,
                (false, false) => Kind::Prefix,
            },
            is_implicit: draft.implicit,
            backend: self.backend(&draft.upstream, upstream),
            fallback: draft
                .fallback
                .as_ref()
                .and_then(|name| self.ids.get(name).copied()),
            upstream_name: upstream.map_or(String::new(), Upstream::name),
            service: upstream.map_or(String::new(), |upstream| upstream.service.clone()),
            port: upstream.map_or(String::new(), |upstream| upstream.port.clone()),
            relative: self.settings.relative_redirects,
            body_size: self.settings.proxy_body_size,
            closed: is_closed,
            ..Location::default()
        };
        location.cookies = self.cookies(asked, &draft.upstream, &location.path);
        let refused = self.budget.refuses(draft);
        if let Some(why) = refused.clone().filter(|_| !is_regex && !is_closed) {
            return Err(unusable(Field::Path, &draft.written, why));
        }
        if is_regex {
            let pattern = match refused.map_or_else(|| Pattern::location(&draft.path), Err) {
                Err(_) if is_closed => Pattern::around(&draft.path),
                Err(why) => return Err(unusable(Field::Path, &draft.written, why)),
                Ok(pattern) => pattern,
            };
            let longest = pattern.longest();
            if longest < LONG_PATH {
                let problem = Problem::Costly { longest };
                let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Setting);
                remarks.push(of(one, remark));
            }
            location.pattern = Some(Arc::new(pattern));
        }
        if is_closed {
            return Ok(location);
        }
        if let Some(one) = one {
            let policy = self.config.policies.get(&one.ingress.key);
            location.policy = policy.map(|name| name.as_str().into());
            self.apply(&mut location, draft, &one.annotations, remarks)?;
        }
        let said = one.map(|one| &one.annotations);
        location.error_pages =
            error_pages::of_location(&location, said, draft, self.settings, self.config, self.ids);
        if let Some(upstream) = upstream {
            location.hash_by = self.hash_by(draft, upstream, &location, remarks);
        }
        location.uses_groups = is_regex && has_groups(&location);
        Ok(location)
    }

    /// The annotations of the location's Ingress.
    fn apply(
        &self,
        location: &mut Location,
        draft: &Draft,
        annotations: &Annotations,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Box<Remark>> {
        let pattern = location.pattern.clone();
        let names = pattern.as_ref().map_or(&[][..], |pattern| pattern.names());
        let text = |name: &str, value: &str| {
            if value.is_empty() {
                return Ok(None);
            }
            let template = self.shared.borrow_mut().template(value, names, false);
            template
                .map(Some)
                .map_err(|why| unusable(Field::annotation(name), value, why))
        };
        location.denied = annotations.denied;
        location.access = annotations.access.listed().cloned().map(Box::new);
        if !starts_with_any(&draft.path, &self.settings.no_auth_locations) {
            location.basic.clone_from(&annotations.basic);
            let shared = &mut self.shared.borrow_mut();
            match authorizers::of(annotations, &self.global_auth, self.config, draft, shared) {
                Ok(authorizer) => location.authorizer = authorizer,
                Err(remark) => {
                    location.denied = true;
                    remarks.extend(remark.map(|remark| of(self.ingress(draft), *remark)));
                }
            }
        }
        location.limits = annotations.limits.clone();
        location.satisfies_any = annotations.satisfies_any;
        location.cors = annotations.cors.clone().map(Box::new);
        location.body_size = annotations.body_size;
        let maps = &self.config.config_maps;
        let custom = custom_headers(
            maps,
            self.settings,
            annotations,
            &mut self.shared.borrow_mut(),
        );
        if let Some(custom) = custom {
            location.custom_headers = custom
                .map_err(|remark| remarks.push(of(self.ingress(draft), *remark)))
                .ok();
            location.denied |= location.custom_headers.is_none();
        }
        if location.denied {
            location.body_size = body::DEFAULT;
        }
        location.ssl.port = annotations.port_in_redirects;
        location.upstream_host = text("upstream-vhost", &annotations.upstream_vhost)?;
        if let Some(at) = draft.ingress {
            let mut shared = self.shared.borrow_mut();
            let tell = |name: &str, value: &str, problem: Problem| {
                let remark = Remark::new(Field::annotation(name), value, problem, Effect::Setting);
                remarks.push(of(self.ingress(draft), remark));
            };
            location.rules = shared.rules(at, &annotations.response, self.settings, tell);
        }
        location.ssl.exempt =
            starts_with_any(&draft.path, &self.settings.no_tls_redirect_locations);
        if draft.plain {
            return Ok(());
        }
        let rewrite = &annotations.rewrite;
        location.ssl = Ssl {
            redirect: rewrite.ssl_redirect,
            force: rewrite.force_ssl_redirect,
            keep_slash: rewrite.preserve_trailing_slash,
            ..location.ssl
        };
        location.relative |= annotations.redirect.relative;
        let url = text("permanent-redirect", &annotations.redirect.url)?;
        location.redirect = url.map(|url| Redirect {
            status: annotations.redirect.code,
            url,
        });
        if !rewrite.target.is_empty() && rewrite.target != draft.path {
            let target = |source: &str, names: &[_], has_args| {
                self.shared.borrow_mut().template(source, names, has_args)
            };
            let compiled = Rewrite::compile(&draft.path, pattern.as_ref(), &rewrite.target, target);
            let field = Field::annotation("rewrite-target");
            let compiled = compiled.map_err(|why| unusable(field, &rewrite.target, why))?;
            location.forwarded_prefix = text("x-forwarded-prefix", &annotations.forwarded_prefix)?;
            location.rewrite = Some(compiled);
            location.logs_rewrites = annotations.logs_rewrites;
        }
        Ok(())
    }

    fn backend(&self, name: &str, upstream: Option<&Upstream>) -> Backend {
        match (self.ids.get(name), upstream) {
            (Some(id), Some(upstream)) if upstream.exists => Backend::Cluster(*id),
            (Some(_), _) => Backend::Missing,
            (None, _) => Backend::Nobody,
        }
    }

    fn hash_by(
        &self,
        draft: &Draft,
        upstream: &Upstream,
        location: &Location,
        remarks: &mut Vec<Remark>,
    ) -> Option<Template> {
        if upstream.hash_by.is_empty() {
            return None;
        }
        let pattern = location.pattern.as_ref();
        let names = pattern.map_or(&[][..], |pattern| pattern.names());
        let compiled = self
            .shared
            .borrow_mut()
            .template(&upstream.hash_by, names, false);
        match compiled {
            Ok(template) => Some(template),
            Err(why) => {
                let field = Field::annotation("upstream-hash-by");
                let problem = Problem::UnusableHash(why);
                let remark = Remark::new(field, &upstream.hash_by, problem, Effect::Setting);
                remarks.push(of(self.ingress(draft), remark));
                None
            }
        }
    }
}

/// `isLocationInLocationList`.
fn starts_with_any(path: &str, starts: &[String]) -> bool {
    starts.iter().any(|start| path.starts_with(start.as_str()))
}

/// Why a path is ignored.
fn unusable(field: Field, value: &str, why: String) -> Box<Remark> {
    let problem = Problem::Unusable(why);
    Box::new(Remark::new(field, value, problem, Effect::Path))
}

/// Whether a text that is filled in without a rewrite has captures.
fn has_groups(location: &Location) -> bool {
    let texts = [&location.upstream_host, &location.hash_by];
    let redirect = location.redirect.as_ref().map(|redirect| &redirect.url);
    let mut texts = texts.into_iter().flatten().chain(redirect);
    texts.any(Template::has_groups)
}
