//! The body of a request, of whose pieces the module is told.

use super::Exchange;
use crate::engine::filter::SharedVm;
use crate::stream::{LocalReply, Phase, SharedStream};

/// Tells the module of a body that somebody else passes on.
pub(crate) struct BodyWatch {
    vm: SharedVm,
    id: u32,
    stream: SharedStream,
}

impl BodyWatch {
    /// Tells of a piece of `size` bytes; `end`: it is the last. False: the request has been answered, and no more of it
    /// is to go on.
    pub(crate) fn goes_on(&self, size: usize, end: bool) -> bool {
        // Once the exchange is over the guest does not know the stream.
        if self.stream.borrow().phase == Phase::Log {
            return true;
        }
        let told = self.vm.borrow_mut().on_request_body(self.id, size, end);
        told.is_ok() && self.stream.borrow().local_reply.is_none()
    }
}

impl Exchange {
    /// Who is to be told of the body; `None`: nobody.
    pub(crate) fn body_watch(&self) -> Option<BodyWatch> {
        let (vm, id) = self.filter.clone()?;
        let stream = self.stream.clone();
        Some(BodyWatch { vm, id, stream })
    }

    /// What the module has answered while the body went on.
    pub(super) fn answered_meanwhile(&self) -> Option<LocalReply> {
        let mut stream = self.stream.borrow_mut();
        if stream.failed {
            return Some(LocalReply::plugin_failed());
        }
        stream.local_reply.take()
    }
}
