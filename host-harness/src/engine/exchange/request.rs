//! The way there: filter, route, attempts.

use super::{Exchange, State};
use crate::cluster::balance::Choice;
use crate::engine::filter::SharedVm;
use crate::engine::message::{Attempt, PickRequest, Step};
use crate::engine::{router, session};
use crate::header_edit;
use crate::route::Route;
use crate::stream::{LocalReply, Phase};
use crate::vm::{Action, Trapped};
use std::net::SocketAddr;
use std::rc::Rc;

impl Exchange {
    pub(super) fn filter_request(&mut self, vm: SharedVm, end_of_stream: bool) -> Step {
        let count = self.stream.borrow().request.len();
        let id = vm.borrow_mut().open(&self.stream);
        self.filter = Some((Rc::clone(&vm), id));
        let action = vm.borrow_mut().on_request_headers(id, count, end_of_stream);
        self.after_request(action)
    }

    pub(super) fn after_request(&mut self, action: Result<Action, Trapped>) -> Step {
        let mut stream = self.stream.borrow_mut();
        let held = !stream.continued && action == Ok(Action::Pause);
        let reply = match action {
            _ if stream.failed => Some(LocalReply::plugin_failed()),
            Err(Trapped) => Some(LocalReply::plugin_failed()),
            Ok(_) => stream.local_reply.take(),
        };
        stream.request_held = held;
        drop(stream);
        match reply {
            Some(reply) => self.reply(reply),
            None if held => {
                self.state = State::RequestHeld;
                Step::Paused
            }
            None => self.route_request(),
        }
    }

    pub(super) fn select_route(&mut self) {
        let mut stream = self.stream.borrow_mut();
        let routes = &self.engine.config.routes;
        let (route, cluster) = router::select(routes, &stream.request);
        let name = route
            .and_then(|index| routes.get(index))
            .map(|route| &route.name);
        stream.summary.route = name.cloned();
        stream.summary.cluster = cluster;
        stream.route_cleared = false;
        self.route = route;
    }

    pub(super) fn route_request(&mut self) -> Step {
        if self.stream.borrow().route_cleared {
            self.select_route();
        }
        let engine = Rc::clone(&self.engine);
        let Some(route) = self.route.and_then(|index| engine.config.routes.get(index)) else {
            return self.reply(LocalReply::route_not_found());
        };
        let mut stream = self.stream.borrow_mut();
        stream.phase = Phase::Upstream;
        let header = engine.config.session_header.as_deref();
        stream.summary.asked = header.and_then(|header| session::asked(&stream.request, header));
        let name = stream.summary.cluster.as_deref();
        self.cluster = name.and_then(|name| engine.environment.clusters.get(name));
        if self.cluster.is_none() {
            stream.summary.cluster = None;
            drop(stream);
            return self.reply(LocalReply::cluster_not_found());
        }
        self.upstream_head = stream.request.clone();
        let (head, edits) = (&mut self.upstream_head, &route.request_edits);
        header_edit::apply(edits, head, &stream.request, &stream.connection);
        drop(stream);
        self.attempt()
    }

    pub(super) fn attempt(&mut self) -> Step {
        let picked = self.pick();
        self.stream.borrow_mut().summary.attempts += 1; // one that finds nobody counts too
        let Some(endpoint) = picked else {
            return self.reply(LocalReply::no_healthy_upstream());
        };
        self.tried.push(endpoint);
        let engine = Rc::clone(&self.engine);
        let route = self.route.and_then(|index| engine.config.routes.get(index));
        let head = if route.is_some_and(|route| self.may_retry(route)) {
            self.upstream_head.clone()
        } else {
            std::mem::take(&mut self.upstream_head)
        };
        let mut stream = self.stream.borrow_mut();
        let summary = &mut stream.summary;
        summary.endpoint = Some(endpoint);
        self.state = State::Attempting;
        Step::Attempt(Attempt {
            cluster: summary.cluster.clone().unwrap_or_default(),
            endpoint,
            head,
            number: summary.attempts,
            timeout: route.and_then(|route| route.timeout),
        })
    }

    pub(super) fn pick(&mut self) -> Option<SocketAddr> {
        let cluster = self.cluster.as_ref()?;
        let stream = self.stream.borrow();
        let asked = stream.summary.asked;
        let avoid = self
            .current_route()
            .is_some_and(|route| route.retry.previous_hosts);
        let balanced = cluster.choose(Choice {
            asked: asked.filter(|_| self.tried.is_empty()),
            tried: if avoid { &self.tried } else { &[] },
        })?;
        let request = PickRequest {
            cluster: stream.summary.cluster.as_deref().unwrap_or_default(),
            balanced,
            asked,
            attempt: stream.summary.attempts + 1,
        };
        let dictated = self.picker.as_mut().and_then(|picker| picker(&request));
        let endpoint = dictated.unwrap_or(balanced);
        cluster.count(endpoint);
        Some(endpoint)
    }

    pub(super) fn current_route(&self) -> Option<&Route> {
        self.engine.config.routes.get(self.route?)
    }

    /// Whether another attempt may follow the ones made.
    pub(super) fn may_retry(&self, route: &Route) -> bool {
        let retries = usize::try_from(route.retry.retries).unwrap_or(usize::MAX);
        !self.last_attempt && self.tried.len() <= retries
    }
}
