//! The proxy-wasm shell: what the host calls, and which context it means.
//!
//! It decides nothing: heads go in to [`crate::stream`], edits come out; the time, shared
//! values and answers go in to [`crate::discovery`], effects come out. The callbacks are
//! exported here and not by the SDK, whose dispatcher panics on ids it does not know and on
//! answers of calls it did not make.

mod announce;
mod endpoints;
mod exports;
mod host;
mod http;
mod metrics;
mod root;
mod tables;

use http::HttpStream;
use root::Root;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The answers of the header callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Continue = 0,
    Pause = 1,
}

/// Everything one VM holds. Its host calls it from one thread.
#[derive(Default)]
struct Vm {
    roots: BTreeMap<u32, Root>,
    streams: BTreeMap<u32, HttpStream>,
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

/// Runs a callback. One that comes while another runs is not carried out: `otherwise`.
fn with_vm<T>(otherwise: T, callback: impl FnOnce(&mut Vm) -> T) -> T {
    VM.with(|vm| match vm.try_borrow_mut() {
        Ok(mut vm) => callback(&mut vm),
        Err(_) => otherwise,
    })
}

impl Vm {
    fn create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::new(context));
        } else if let Some(root) = self.roots.get_mut(&root) {
            self.streams
                .extend(root.stream(context).map(|stream| (context, stream)));
        }
    }

    fn delete(&mut self, context: u32) {
        if self.streams.remove(&context).is_none() {
            self.roots.remove(&context);
        }
    }

    fn configure(&mut self, context: u32, size: usize) -> bool {
        self.roots
            .get_mut(&context)
            .is_some_and(|root| root.configure(size))
    }

    fn tick(&mut self, context: u32) {
        if let Some(root) = self.roots.get_mut(&context) {
            root.tick();
            root.resume(&mut self.streams);
        }
    }

    fn answered(&mut self, context: u32, token: u32, headers: usize, body: usize) {
        if let Some(root) = self.roots.get_mut(&context) {
            root.answered(token, headers, body);
            root.resume(&mut self.streams);
        }
    }

    fn request(&mut self, context: u32) -> Action {
        self.stream(context, HttpStream::on_request)
    }

    fn response(&mut self, context: u32) -> Action {
        self.stream(context, HttpStream::on_response)
    }

    /// A stream that is not known, or whose plugin is not configured, goes on untouched.
    fn stream(
        &mut self,
        context: u32,
        callback: impl FnOnce(&mut HttpStream, &mut Root) -> Action,
    ) -> Action {
        let Some(stream) = self.streams.get_mut(&context) else {
            return Action::Continue;
        };
        let Some(root) = self.roots.get_mut(&stream.root) else {
            return Action::Continue;
        };
        callback(stream, root)
    }
}
