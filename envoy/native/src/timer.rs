//! Ticks: Envoy's ABI has no timer, so a thread wakes the main one.

use crate::abi::ConfigScheduler;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that commits a tick every so often. It begins with the first period and ends with
/// [`Timer::stop`].
#[derive(Debug)]
pub(crate) struct Timer {
    face: Arc<Face>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Face {
    state: Mutex<State>,
    changed: Condvar,
    scheduler: ConfigScheduler,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: no ticks.
    period: Option<Duration>,
    /// A tick was committed that the main thread has not come to yet.
    pending: bool,
    stopped: bool,
}

impl Timer {
    pub(crate) fn new(scheduler: ConfigScheduler) -> Self {
        Self {
            face: Arc::new(Face {
                state: Mutex::default(),
                changed: Condvar::new(),
                scheduler,
            }),
            thread: Mutex::default(),
        }
    }

    /// From now on it ticks so often, in ms; 0: never. On any thread.
    pub(crate) fn set(&self, ms: u32) {
        let period = (ms > 0).then(|| Duration::from_millis(ms.into()));
        let mut state = self.face.lock();
        state.period = period;
        if state.stopped || period.is_none() {
            return;
        }
        drop(state);
        self.face.changed.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let face = Arc::clone(&self.face);
            let spawned = thread::Builder::new().name("limpet".to_owned());
            *thread = spawned.spawn(move || face.run()).ok();
        }
    }

    /// Has the main thread come soon, once.
    pub(crate) fn tick_now(&self) {
        self.face.tick(&mut self.face.lock());
    }

    /// The main thread has come to a tick.
    pub(crate) fn ticked(&self) {
        self.face.lock().pending = false;
    }

    /// Ends the thread, and waits for its end.
    pub(crate) fn stop(&self) {
        self.face.lock().stopped = true;
        self.face.changed.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A thread that panicked has ended, too.
            let _ = thread.join();
        }
    }
}

impl Face {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, state: &mut State) {
        if !state.stopped && !std::mem::replace(&mut state.pending, true) {
            self.scheduler.commit();
        }
    }

    fn run(&self) {
        let mut state = self.lock();
        while !state.stopped {
            let Some(period) = state.period else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = self.changed.wait_timeout(state, period);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                self.tick(&mut state);
            }
        }
    }
}
