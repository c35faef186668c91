//! The filter chain without sockets: wasm filter, header session state, router.
//!
//! A driver hands in heads and carries out [`Step`]s. Nothing here waits: time limits,
//! timers and connections are the driver's.

mod config;
mod exchange;
mod filter;
mod message;
mod router;
mod session;
mod shared;

pub use config::EngineConfig;
pub(crate) use exchange::BodyWatch;
pub use exchange::Exchange;
pub use message::{Answer, Attempt, Attempted, Body, PickRequest, Picker, Step};

use crate::admin;
use crate::connection::Connection;
use crate::environment::Environment;
use crate::headers::Headers;
use crate::http_call::{CallResponse, HttpCall};
use crate::plugin::StartError;
use filter::Filter;
use shared::Shared;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// The filter chain of one worker. Cloning shares it; it stays on its thread.
#[derive(Clone)]
pub struct Engine {
    shared: Rc<Shared>,
}

impl Engine {
    /// Starts the VM and configures the plugin, if there is one.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the module does not run or refuses its configuration.
    pub fn start(config: &EngineConfig, environment: &Environment) -> Result<Self, StartError> {
        let filter = Filter::start(config, environment)?;
        Ok(Self {
            shared: Rc::new(Shared {
                config: config.clone(),
                environment: environment.clone(),
                filter: RefCell::new(filter),
            }),
        })
    }

    /// Takes a request head. `end_of_stream`: there is no body.
    ///
    /// `picker` may dictate the endpoint of each attempt.
    #[must_use]
    pub fn request(
        &self,
        head: Headers,
        connection: Connection,
        end_of_stream: bool,
        picker: Option<Picker>,
    ) -> (Exchange, Step) {
        Exchange::open(&self.shared, head, connection, end_of_stream, picker)
    }

    /// How often [`Engine::tick`] wants to be called; `None`: not at all. May change with
    /// every callback.
    #[must_use]
    pub fn tick_period(&self) -> Option<Duration> {
        self.shared.filter.borrow().vm()?.borrow().tick_period()
    }

    /// The wasm instructions that the module has run so far; `None`: there is no module, or it is none of
    /// [`Module::compile_counting`](crate::Module::compile_counting).
    #[must_use]
    pub fn guest_work(&self) -> Option<u64> {
        self.shared.filter.borrow().vm()?.borrow().guest_work()
    }

    /// How many bytes of memory the module has taken, which never become fewer; `None`: there is no module.
    #[must_use]
    pub fn guest_memory(&self) -> Option<usize> {
        self.shared.filter.borrow().vm()?.borrow().guest_memory()
    }

    /// Hands the plugin another configuration in the VM that it has, as Envoy does where nothing else of it
    /// changes. No [`Exchange`] may be under way.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the module refuses it; nothing is served then.
    pub fn reconfigure(&self, configuration: Vec<u8>) -> Result<(), StartError> {
        self.shared.filter.borrow_mut().reconfigure(configuration)
    }

    /// Runs `proxy_on_tick`.
    pub fn tick(&self) {
        let vm = self.shared.filter.borrow().vm();
        if let Some(vm) = vm {
            vm.borrow_mut().tick();
        }
    }

    /// The calls that the module has made since the last time and that go over the network.
    /// Calls to the admin are answered here and do not show.
    #[must_use]
    pub fn poll_calls(&self) -> Vec<HttpCall> {
        let mut over_network = Vec::new();
        while let Some(calls) = self.take_calls() {
            for mut call in calls {
                if self.shared.config.admin_clusters.contains(&call.cluster) {
                    let path = call.head.first(":path").unwrap_or_default();
                    let path = String::from_utf8_lossy(path);
                    let response = admin::answer(&self.shared.environment, &path);
                    self.answer_call(call.token, Some(response));
                } else {
                    for name in &self.shared.config.dropped_from_calls {
                        call.head.remove(name);
                    }
                    over_network.push(call);
                }
            }
        }
        over_network
    }

    fn take_calls(&self) -> Option<Vec<HttpCall>> {
        let calls = self.shared.filter.borrow().vm()?.borrow_mut().take_calls();
        (!calls.is_empty()).then_some(calls)
    }

    /// Hands the response of a call to the module; `None`: there was none.
    pub fn answer_call(&self, token: u32, response: Option<CallResponse>) {
        let vm = self.shared.filter.borrow().vm();
        if let Some(vm) = vm {
            vm.borrow_mut().answer_call(token, response);
        }
    }

    /// Wakes `waker`, once, when there are calls to poll or the tick period has changed.
    pub fn register(&self, waker: &Waker) {
        self.shared.filter.borrow_mut().register(waker);
    }

    /// What the engine shares with others.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }
}
