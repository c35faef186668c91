//! The key-value store that VMs share, with compare-and-swap.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Why a value was not stored: the number given is not the one the key has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compare-and-swap number is stale")]
pub struct CasMismatch;

/// One namespace for each `vm_id`; numbers grow over all of them, as in Envoy.
#[derive(Debug, Default)]
pub struct SharedData {
    state: Mutex<State>,
}

/// Values with their compare-and-swap numbers.
type Namespace = HashMap<Vec<u8>, (Vec<u8>, u32)>;

#[derive(Debug, Default)]
struct State {
    by_vm: HashMap<String, Namespace>,
    last_cas: u32,
}

impl SharedData {
    /// The value of `key` and its compare-and-swap number; `None` if never set.
    #[must_use]
    pub fn get(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.by_vm.get(vm_id)?.get(key).cloned()
    }

    /// Stores `value`. `cas` 0 stores in any case; so does any number on a key never set.
    ///
    /// # Errors
    ///
    /// [`CasMismatch`] if `cas` is not the key's number; nothing is stored.
    pub fn set(&self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Result<(), CasMismatch> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { by_vm, last_cas } = &mut *state;
        let values = by_vm.entry(vm_id.to_owned()).or_default();
        let current = values.get(key).map(|(_, current)| *current);
        if cas != 0 && current.is_some_and(|current| current != cas) {
            return Err(CasMismatch);
        }
        *last_cas = last_cas.wrapping_add(1).max(1); // 0 means "no number"
        values.insert(key.to_vec(), (value.to_vec(), *last_cas));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_number_is_refused_and_numbers_grow_over_all_namespaces() {
        let data = SharedData::default();
        data.set("vm", b"key", b"1", 0).unwrap();
        data.set("other", b"key", b"x", 0).unwrap();
        let (_, first) = data.get("vm", b"key").unwrap();
        let (_, second) = data.get("other", b"key").unwrap();
        assert!(second > first);
        data.set("vm", b"key", b"2", first).unwrap();
        assert_eq!(data.set("vm", b"key", b"3", first), Err(CasMismatch));
        assert_eq!(data.get("vm", b"key").unwrap().0, b"2");
        assert_eq!(data.get("vm", b"absent"), None);
    }
}
