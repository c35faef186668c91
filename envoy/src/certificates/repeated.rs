//! What is written of certificates again and again: an authority and a chain for each host that asks its clients,
//! and for each Service port whose pods are verified. A Secret of 268 KB and 360 Ingresses made 127 MB of Envoy's
//! configuration.

use std::collections::BTreeMap;

/// Bytes for the Ingresses of one namespace: 1,000 hosts with 8 KB each.
const MOST: usize = 8 << 20;

/// What each namespace has written, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Repeated(BTreeMap<String, usize>);

impl Repeated {
    /// Takes the room of `times` copies of `bytes` bytes.
    ///
    /// # Errors
    /// Why there is none: the certificates are not to be used then.
    pub(crate) fn take(
        &mut self,
        namespace: &str,
        bytes: usize,
        times: usize,
    ) -> Result<(), String> {
        let taken = self.0.entry(namespace.to_owned()).or_default();
        let with_it = taken.saturating_add(bytes.saturating_mul(times));
        if with_it > MOST {
            return Err(format!(
                "written {times} times, the {bytes} bytes of its certificates are more than the {MOST} bytes that \
                 the certificates of one namespace may have, in all copies"
            ));
        }
        *taken = with_it;
        Ok(())
    }
}
