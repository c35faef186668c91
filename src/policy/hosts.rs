//! The servers, compiled into virtual hosts.
//!
//! Source: `rootfs/etc/nginx/template/nginx.tmpl`, `enforceRegexModifier`, `buildProxyPass` and
//! `locationConfigForLua` in `template.go`; `BuildRedirects` in `pkg/util/ingress/ingress.go`;
//! `should_set_cookie` in `sticky.lua`, ingress-nginx dbb11b92d.

mod location;
mod tenants;

use super::authorizers::GlobalAuth;
use super::budget::Budget;
use super::clusters::Ids;
use super::listed::{Asked, Listed, wildcard_of};
use super::merge::{Draft, Loaded, Merged, Server, Upstream, host_of, is_regex};
use super::shared::Shared;
use crate::annotations;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::rewrite::template::Template;
use crate::route::VirtualHost;
use crate::route::host::{DEFAULT_SERVER, Hosts};
use crate::route::location::{Cookies, Location};
use crate::route::lookup::Lookup;
use crate::route::tenants::Tenants;
use std::cell::RefCell;
use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

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
    shared: RefCell<Shared>,
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
        shared: RefCell::default(),
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
    let mut given = vec![false; loaded.len()];
    for mut one in compiled {
        // All hosts of an Ingress have all of its aliases: the first one counts.
        let of_it = one.server.aliases_of;
        let is_given = of_it.and_then(|of_it| given.get_mut(of_it));
        if is_given.is_none_or(|is_given| std::mem::replace(is_given, true)) {
            continue;
        }
        let refused = context.budget.refuses_all(of_it);
        // Of those that do not fit one is told for all.
        let told = refused.as_ref().map_or(usize::MAX, |_| 1);
        for alias in one.server.aliases.iter().take(told) {
            let added = match &refused {
                Some(why) => Err(why.clone()),
                None => hosts.add_alias(alias, of_it, || context.alias(&mut one, alias)),
            };
            if let Err(reason) = added {
                let field = Field::annotation("server-alias");
                let problem = Problem::Unusable(reason);
                let remark = Remark::new(field, alias, problem, Effect::Setting);
                remarks.push(of(context.first_ingress(one.server), remark));
            }
        }
    }
    hosts.share(|ingresses| context.ages(ingresses));
    context.tell_aliases(&hosts, remarks);
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
        lookup: Arc::new(Lookup::Regex(Tenants::default())),
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
        let is_closed = self.config.close.iter().any(|closed| closed == name);
        let all = &server.locations;
        let is_regex = all.iter().any(|draft| is_regex(draft, self.loaded));
        let mut compiled = Vec::with_capacity(all.len());
        for draft in all {
            let is_closed = is_closed || self.ingress(draft).is_some_and(|one| one.closed);
            match self.location(&asked, draft, (is_regex, is_closed), remarks) {
                Ok(location) => compiled.push((draft, location)),
                Err(remark) => remarks.push(of(self.ingress(draft), *remark)),
            }
        }
        // Of two that nginx would not take together the oldest Ingress's is served. What could not be compiled
        // takes nobody's place.
        let mut served: HashMap<(&str, bool), Option<usize>> = HashMap::new();
        for (draft, _) in compiled.iter().filter(|_| !is_regex) {
            let oldest = served.entry(draft.place()).or_insert(draft.ingress);
            *oldest = draft.ingress.min(*oldest);
        }
        // A path is `path/` and `= path`: whose one half is another's has none of both.
        let mut lost: HashMap<(&str, bool), Option<usize>> = HashMap::new();
        for (draft, _) in &compiled {
            let owner = served.get(&draft.place());
            if owner.is_some_and(|owner| *owner != draft.ingress) {
                lost.insert((&draft.written, false), draft.ingress);
            }
        }
        let mut locations = Vec::with_capacity(compiled.len());
        let mut drafts = Vec::with_capacity(compiled.len());
        let mut app_root = None;
        let ingresses: Vec<_> = compiled.iter().map(|(draft, _)| draft.ingress).collect();
        for ((draft, mut location), age) in compiled.into_iter().zip(self.ages(&ingresses)) {
            location.age = age;
            // Of several of one Ingress the first is.
            let is_lost = lost.get(&(&*draft.written, false)) == Some(&draft.ingress);
            let is_own = served.get(&draft.place()) == Some(&draft.ingress);
            let is_served = is_regex || (is_own && !is_lost);
            if !is_served {
                let host = name.to_owned();
                let problem = Problem::SameLocation { host };
                let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Path);
                remarks.push(of(self.ingress(draft), remark));
                continue;
            }
            served.remove(&draft.place());
            if app_root.is_none() {
                let root = self.app_root(draft, remarks);
                app_root = root.map(|root| (locations.len(), root));
            }
            locations.push(Arc::new(location));
            drafts.push(draft);
        }
        if name == DEFAULT_SERVER && !is_regex {
            locations.push(Arc::new(Location::health_check()));
        }
        let locations: Arc<[_]> = locations.into();
        let lookup = if is_regex {
            self.tell_cost(name, &drafts, &locations, remarks);
            Lookup::patterns(&locations)
        } else {
            Lookup::fixed(&locations)
        };
        let host = VirtualHost {
            name: name.to_owned(),
            is_regex,
            lookup: Arc::new(lookup),
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
        let sets = |upstream: &Upstream| self.listed.sets_cookie(asked, upstream, path);
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

    fn ingress(&self, draft: &Draft) -> Option<&Loaded> {
        self.loaded.get(draft.ingress?)
    }

    fn first_ingress(&self, server: &Server) -> Option<&Loaded> {
        let mut drafts = server.locations.iter();
        drafts.find_map(|draft| self.ingress(draft))
    }
}

/// The remark, of that Ingress.
fn of(one: Option<&Loaded>, remark: Remark) -> Remark {
    match one {
        Some(one) => remark.of(&one.ingress.key),
        None => remark,
    }
}
