//! The servers, compiled into virtual hosts.
//!
//! Source: `rootfs/etc/nginx/template/nginx.tmpl`, `enforceRegexModifier`, `buildProxyPass` and
//! `locationConfigForLua` in `template.go`; `BuildRedirects` in `pkg/util/ingress/ingress.go`;
//! `should_set_cookie` in `sticky.lua`, ingress-nginx dbb11b92d.

use super::authorizers::{self, GlobalAuth};
use super::budget::Budget;
use super::clusters::Ids;
use super::error_pages;
use super::headers::custom_headers;
use super::listed::{Asked, Listed, wildcard_of};
use super::merge::{Draft, Loaded, Merged, Server, Upstream, host_of, is_regex};
use crate::annotations::{self, Annotations};
use crate::body;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::redirect::response::Rules;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::rewrite::Rewrite;
use crate::rewrite::template::Template;
use crate::route::VirtualHost;
use crate::route::host::{DEFAULT_SERVER, Hosts};
use crate::route::location::{Backend, Cookies, Kind, Location, Redirect, Ssl};
use crate::route::lookup::Lookup;
use crate::route::pattern::Pattern;
use std::collections::HashSet;
use std::iter;
use std::sync::Arc;

/// Bytes of a path that people do send.
const LONG_PATH: u64 = 2048;

/// What compiling needs.
struct Context<'a> {
    merged: &'a Merged,
    loaded: &'a [Loaded],
    ids: &'a Ids,
    settings: &'a Settings,
    config: &'a Config,
    listed: Listed,
    budget: Budget,
    global_auth: GlobalAuth,
}

pub(super) fn compile(
    merged: &Merged,
    loaded: &[Loaded],
    ids: &Ids,
    settings: &Settings,
    config: &Config,
    remarks: &mut Vec<Remark>,
) -> Hosts {
    let context = Context {
        merged,
        loaded,
        ids,
        settings,
        config,
        listed: Listed::new(merged),
        budget: Budget::of(merged, loaded),
        global_auth: annotations::global(settings, config).map_err(|remark| remarks.push(*remark)),
    };
    let mut hosts = Hosts::default();
    for (name, server) in &merged.servers {
        if server.from_to_www
            && let Some(from) = context.www_twin(name, remarks)
        {
            hosts.add(redirect_host(from, name));
        }
    }
    let mut compiled = Vec::with_capacity(merged.servers.len());
    for (name, server) in &merged.servers {
        let one = context.host(name, server, remarks);
        hosts.add(one.host.clone());
        compiled.push(one);
    }
    // After all names: a name of its own takes precedence over an alias.
    for mut one in compiled {
        for alias in &one.server.aliases {
            let added = hosts.add_alias(alias, || context.alias(&mut one, alias));
            if let Err(reason) = added {
                let field = Field::annotation("server-alias");
                let problem = Problem::Unusable(reason);
                let remark = Remark::new(field, alias, problem, Effect::Setting);
                remarks.push(of(context.first_ingress(one.server), remark));
            }
        }
    }
    hosts
}

/// A server under its own name, and what its aliases take from it.
struct Compiled<'a> {
    name: &'a str,
    server: &'a Server,
    host: VirtualHost,
    /// Of its locations, but for one that nobody wrote.
    drafts: Vec<&'a Draft>,
    /// Its locations, for those who ask for the same.
    variants: Vec<(Asked, Arc<[Arc<Location>]>)>,
}

fn redirect_host(from: String, to: &str) -> VirtualHost {
    VirtualHost {
        name: from,
        is_regex: false,
        locations: Arc::new([]),
        lookup: Arc::new(Lookup::Regex),
        app_root: None,
        tls: false,
        client_certificate: None,
        redirect_to: Some(to.to_owned()),
    }
}

impl Context<'_> {
    /// The host that is sent to `name`: with `www.` or without. `None`: it has an Ingress, where
    /// `BuildRedirects` makes none either.
    fn www_twin(&self, name: &str, remarks: &mut Vec<Remark>) -> Option<String> {
        let bare = name.strip_prefix("www.");
        let host = bare.map_or_else(|| format!("www.{name}"), str::to_owned);
        let (problem, effect) = if self.merged.servers.contains_key(&host) {
            (Problem::OwnHost { host }, Effect::AsBefore)
        } else if host.contains('*') || name == DEFAULT_SERVER {
            (Problem::NoHost { host }, Effect::Setting)
        } else {
            return Some(host);
        };
        let asks = |one: &&Loaded| {
            let mut rules = one.ingress.rules.iter();
            one.annotations.redirect.from_to_www && rules.any(|rule| host_of(&rule.host) == name)
        };
        let owner = self.loaded.iter().find(asks);
        let field = Field::annotation("from-to-www-redirect");
        remarks.push(of(owner, Remark::new(field, "true", problem, effect)));
        None
    }

    /// The server `name`.
    fn host<'c>(
        &'c self,
        name: &'c str,
        server: &'c Server,
        remarks: &mut Vec<Remark>,
    ) -> Compiled<'c> {
        let asked = self.listed.asked(name, name);
        let mut seen = HashSet::new();
        let all = &server.locations;
        let is_regex = all.iter().any(|draft| is_regex(draft, self.loaded));
        let mut locations = Vec::with_capacity(all.len());
        let mut drafts = Vec::with_capacity(all.len());
        let mut app_root = None;
        for draft in all {
            if !is_regex && !seen.insert((draft.path.as_str(), draft.exact)) {
                let host = name.to_owned();
                let problem = Problem::SameLocation { host };
                let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Path);
                remarks.push(of(self.ingress(draft), remark));
                continue;
            }
            match self.location(&asked, draft, is_regex, remarks) {
                Ok(location) => {
                    if app_root.is_none() {
                        let root = self.app_root(draft, remarks);
                        app_root = root.map(|root| (locations.len(), root));
                    }
                    locations.push(Arc::new(location));
                    drafts.push(draft);
                }
                Err(remark) => remarks.push(of(self.ingress(draft), *remark)),
            }
        }
        if name == DEFAULT_SERVER && !is_regex {
            locations.push(Arc::new(Location::health_check()));
        }
        let locations: Arc<[_]> = locations.into();
        let host = VirtualHost {
            name: name.to_owned(),
            is_regex,
            lookup: Arc::new(Lookup::new(&locations, is_regex)),
            locations: Arc::clone(&locations),
            app_root,
            tls: self.has_certificate(name, name, server),
            client_certificate: server.client_certificate.clone(),
            redirect_to: None,
        };
        Compiled {
            name,
            server,
            host,
            drafts,
            variants: vec![(asked, locations)],
        }
    }

    /// The same under an alias. Nothing is compiled again: locations differ in who may set cookies.
    fn alias<'c>(&'c self, one: &mut Compiled<'c>, alias: &str) -> VirtualHost {
        let asked = self.listed.asked(one.name, alias);
        let mut known = one.variants.iter();
        let known = known.find(|(known, _)| *known == asked);
        let locations = known.map(|(_, locations)| Arc::clone(locations));
        let locations = locations.unwrap_or_else(|| {
            let locations = self.asked_by(one, &asked);
            one.variants.push((asked, Arc::clone(&locations)));
            locations
        });
        VirtualHost {
            name: alias.to_owned(),
            locations,
            tls: self.has_certificate(one.name, alias, one.server),
            ..one.host.clone()
        }
    }

    /// The locations of a server for requests that ask so; where nothing differs, its own.
    fn asked_by(&self, one: &Compiled<'_>, asked: &Asked) -> Arc<[Arc<Location>]> {
        let own = &one.host.locations;
        let drafts = one.drafts.iter().map(Some).chain(iter::repeat(None));
        let mut differs = false;
        let mut locations = Vec::with_capacity(own.len());
        for (location, draft) in own.iter().zip(drafts) {
            let cookies = draft.map(|draft| self.cookies(asked, &draft.upstream, &location.path));
            let cookies = cookies.filter(|cookies| *cookies != location.cookies);
            differs |= cookies.is_some();
            locations.push(match cookies {
                None => Arc::clone(location),
                Some(cookies) => Arc::new(Location {
                    cookies,
                    ..Location::clone(location)
                }),
            });
        }
        if differs {
            locations.into()
        } else {
            Arc::clone(own)
        }
    }

    /// Whose cookies the location `path` of an upstream may set.
    fn cookies(&self, asked: &Asked, upstream: &str, path: &str) -> Cookies {
        let upstreams = &self.merged.upstreams;
        let upstream = upstreams.get(upstream);
        let sets = |upstream: &Upstream| asked.sets_cookie(upstream, path);
        let canary = upstream.and_then(|upstream| upstream.alternatives.first());
        let canary = canary.and_then(|name| upstreams.get(name));
        Cookies {
            primary: upstream.is_some_and(sets),
            canary: canary.is_some_and(sets),
        }
    }

    /// A name has a certificate if its host does, or the wildcard above it. An alias has one
    /// where its host's certificate names it (`configureCertificates` in `nginx.go`,
    /// `IsValidHostname` in `ssl.go`): here, where it is listed beside that host.
    fn has_certificate(&self, name: &str, host: &str, server: &Server) -> bool {
        let wildcard = wildcard_of(host);
        let above = wildcard.as_ref();
        let above = above.and_then(|above| self.merged.servers.get(above));
        let names = |listed: &String| {
            let mut names = wildcard.iter().map(String::as_str).chain([host]);
            names.any(|name| name.eq_ignore_ascii_case(listed))
        };
        let own = server.tls && (name == host || server.certificate.iter().any(names));
        own || above.is_some_and(|above| above.tls)
    }

    fn location(
        &self,
        asked: &Asked,
        draft: &Draft,
        is_regex: bool,
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
            ..Location::default()
        };
        location.cookies = self.cookies(asked, &draft.upstream, &location.path);
        if is_regex {
            if let Some(why) = self.budget.refuses(draft) {
                return Err(unusable(Field::Path, &draft.written, why));
            }
            let pattern = Pattern::location(&draft.path);
            let pattern = pattern.map_err(|why| unusable(Field::Path, &draft.written, why))?;
            let longest = pattern.longest();
            if longest < LONG_PATH {
                let problem = Problem::Costly { longest };
                let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Setting);
                remarks.push(of(one, remark));
            }
            location.pattern = Some(Arc::new(pattern));
        }
        if let Some(one) = one {
            location.closed = one.closed;
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
            let template = Template::compile(value, names);
            template
                .map(Some)
                .map_err(|why| unusable(Field::annotation(name), value, why))
        };
        location.denied = annotations.denied;
        location.access = annotations.access.listed().cloned().map(Box::new);
        if !starts_with_any(&draft.path, &self.settings.no_auth_locations) {
            location.basic.clone_from(&annotations.basic);
            match authorizers::of(annotations, &self.global_auth, self.config, draft) {
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
        if let Some(custom) = custom_headers(&self.config.config_maps, self.settings, annotations) {
            location.custom_headers = custom
                .map(Box::new)
                .map_err(|remark| remarks.push(of(self.ingress(draft), *remark)))
                .ok();
            location.denied |= location.custom_headers.is_none();
        }
        if location.denied {
            location.body_size = body::DEFAULT;
        }
        location.ssl.port = annotations.port_in_redirects;
        location.upstream_host = text("upstream-vhost", &annotations.upstream_vhost)?;
        location.rules = Rules::compile(&annotations.response, |name, value, problem| {
            let remark = Remark::new(Field::annotation(name), value, problem, Effect::Setting);
            remarks.push(of(self.ingress(draft), remark));
        });
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
            let compiled = Rewrite::compile(&draft.path, pattern.as_ref(), &rewrite.target);
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

    fn app_root(&self, draft: &Draft, remarks: &mut Vec<Remark>) -> Option<Template> {
        let one = self.ingress(draft).filter(|_| !draft.plain)?;
        let root = &one.annotations.rewrite.app_root;
        if root.is_empty() {
            return None;
        }
        match Template::compile(&format!("$scheme://$http_host{root}"), &[]) {
            Ok(template) => Some(template),
            Err(why) => {
                let (field, problem) = (Field::annotation("app-root"), Problem::Unusable(why));
                let remark = Remark::new(field, root, problem, Effect::Setting);
                remarks.push(of(self.ingress(draft), remark));
                None
            }
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
        match Template::compile(&upstream.hash_by, names) {
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

    fn ingress(&self, draft: &Draft) -> Option<&Loaded> {
        self.loaded.get(draft.ingress?)
    }

    fn first_ingress(&self, server: &Server) -> Option<&Loaded> {
        let mut drafts = server.locations.iter();
        drafts.find_map(|draft| self.ingress(draft))
    }
}

/// `isLocationInLocationList`.
fn starts_with_any(path: &str, starts: &[String]) -> bool {
    starts.iter().any(|start| path.starts_with(start.as_str()))
}

/// The remark, of that Ingress.
fn of(one: Option<&Loaded>, remark: Remark) -> Remark {
    match one {
        Some(one) => remark.of(&one.ingress.key),
        None => remark,
    }
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
