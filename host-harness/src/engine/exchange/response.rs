//! The way back: an endpoint's response or a local reply, through the filters.

use super::{Exchange, State};
use crate::engine::message::{Answer, Attempted, Body, Step};
use crate::engine::session;
use crate::header_edit;
use crate::headers::Headers;
use crate::stream::{LocalReply, Phase};
use crate::summary::flag;
use crate::vm::{Action, Trapped};

impl Exchange {
    pub(super) fn note_failure(&self, attempted: &Attempted) {
        let failure = match attempted {
            Attempted::ConnectFailed(reason) => Some(format!("delayed connect error: {reason}")),
            _ => None,
        };
        self.stream.borrow_mut().summary.transport_failure = failure;
    }

    pub(super) fn take_response(&mut self, mut head: Headers, flags: u64) -> Step {
        let mut stream = self.stream.borrow_mut();
        stream.summary.flags |= flags;
        stream.summary.details = Some("via_upstream".to_owned());
        if let Some(route) = self.current_route() {
            let edits = &route.response_edits;
            header_edit::apply(edits, &mut head, &stream.request, &stream.connection);
        }
        drop(stream);
        self.encode(head, Body::Upstream)
    }

    pub(super) fn reply_with(&mut self, reply: LocalReply, flags: u64) -> Step {
        self.stream.borrow_mut().summary.flags |= flags;
        self.reply(reply)
    }

    /// Local replies take the way of all responses.
    pub(super) fn reply(&mut self, mut reply: LocalReply) -> Step {
        let mut stream = self.stream.borrow_mut();
        let flags = stream.summary.flags | reply.flags;
        if let (503, Some(status)) = (reply.status, self.engine.config.unanswered)
            && flags & flag::UNANSWERED != 0
        {
            reply.status = status;
        }
        let (head, body) = reply.into_answer(&mut stream.summary);
        drop(stream);
        self.encode(head, Body::Local(body))
    }

    pub(super) fn encode(&mut self, mut head: Headers, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        if let (Some(header), Some(served)) =
            (&self.engine.config.session_header, stream.summary.endpoint)
        {
            session::tell(&mut head, header, stream.summary.asked, served);
        }
        let count = head.len();
        stream.response = head;
        stream.phase = Phase::Response;
        stream.continued = false;
        let failed = stream.failed;
        drop(stream);
        let Some((vm, id)) = self.filter.clone() else {
            return self.answer(body);
        };
        if failed {
            return self.after_response(Err(Trapped), body);
        }
        let end = matches!(&body, Body::Local(bytes) if bytes.is_empty());
        let action = vm.borrow_mut().on_response_headers(id, count, end);
        self.after_response(action, body)
    }

    pub(super) fn after_response(&mut self, action: Result<Action, Trapped>, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        let held = !stream.continued && action == Ok(Action::Pause);
        let reply = if stream.failed || action.is_err() {
            Some(LocalReply::plugin_failed())
        } else {
            stream.local_reply.take()
        };
        if let Some(reply) = reply {
            let (head, body) = reply.into_answer(&mut stream.summary);
            stream.response = head;
            drop(stream);
            return self.answer(Body::Local(body));
        }
        drop(stream);
        if held {
            self.state = State::ResponseHeld(body);
            return Step::Paused;
        }
        self.answer(body)
    }

    pub(super) fn answer(&mut self, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        stream.phase = Phase::Log;
        stream.summary.status = stream.response.status().unwrap_or_default();
        self.state = State::Over;
        let head = stream.response.clone();
        Step::Answer(Answer { head, body })
    }
}
