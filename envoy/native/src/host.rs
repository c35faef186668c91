//! The process, as the core's plugin asks it.

use limpet::plugin::Host;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What plugins of several configurations share.
static SHARED: Mutex<BTreeMap<String, Shared>> = Mutex::new(BTreeMap::new());

/// Tells the calls of a process apart.
static TOKENS: AtomicU32 = AtomicU32::new(1);

/// A shared value.
struct Shared {
    bytes: Vec<u8>,
    /// Another one with every change; never 0.
    number: u32,
}

/// A question to a cluster that is still to be sent: Envoy may answer within the call, so nothing
/// may be locked then.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) token: u32,
    pub(crate) cluster: String,
    pub(crate) path: String,
    pub(crate) timeout_ms: u64,
}

/// The host during one callback, which may be on any thread.
#[derive(Debug, Default)]
pub(crate) struct Process {
    calls: RefCell<Vec<Call>>,
}

impl Process {
    /// What was asked for meanwhile.
    pub(crate) fn into_calls(self) -> Vec<Call> {
        self.calls.into_inner()
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

impl Host for Process {
    fn now_ns(&self) -> u64 {
        now_ns()
    }

    /// What the plugin itself asks for tells a sidecar, which this shell is not made for.
    fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }

    fn environment(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, value) in env::vars_os() {
            all.extend(name.into_vec());
            all.push(b'=');
            all.extend(value.into_vec());
            all.push(0);
        }
        all
    }

    fn shared_data(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        let all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key)
            .map(|shared| (shared.bytes.clone(), shared.number))
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> bool {
        let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.get(key).map_or(0, |shared| shared.number);
        if cas != 0 && cas != number {
            return false;
        }
        let shared = Shared {
            bytes: value.to_vec(),
            number: number.wrapping_add(1).max(1),
        };
        all.insert(key.to_owned(), shared);
        true
    }

    fn http_call(&self, cluster: &str, path: &str, timeout_us: u64) -> Result<u32, String> {
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        self.calls.borrow_mut().push(Call {
            token,
            cluster: cluster.to_owned(),
            path: path.to_owned(),
            timeout_ms: timeout_us / 1000,
        });
        Ok(token)
    }
}
