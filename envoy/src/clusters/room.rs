//! How many endpoints are written of what one namespace says: each of a Service's ports has its addresses once
//! more, so that few objects would make as many as they have ports times addresses.

use std::collections::HashMap;

use super::endpoint_slices::count;
use super::service_port::ServicePort;
use crate::manifests::Object;

/// Of one namespace, whatever it has.
const OF_ALL: usize = 65_536;

/// For each of its addresses: an Ingress that names more ports of each pod is not to be expected.
const OF_AN_ADDRESS: usize = 8;

/// Of one that is asked about requests, whosever it is: those whom a tenant asks are not his.
pub(super) const ASKED: usize = 256;

/// What is left of it.
#[derive(Debug, Default)]
pub(super) struct Room<'m> {
    left: HashMap<&'m str, usize>,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
}

impl<'m> Room<'m> {
    /// Before anything is written of `slices`.
    pub(super) fn of(slices: &'m [Object]) -> Self {
        let mut left: HashMap<&str, usize> = HashMap::new();
        for slice in slices {
            let of_it = left.entry(slice.namespace()).or_default();
            *of_it = of_it.saturating_add(count(slice).saturating_mul(OF_AN_ADDRESS));
        }
        left.values_mut()
            .for_each(|left| *left = (*left).max(OF_ALL));
        Self {
            left,
            notes: Vec::new(),
        }
    }

    /// How many more there may be of `namespace`.
    pub(super) fn left(&self, namespace: &str) -> usize {
        self.left.get(namespace).copied().unwrap_or_default()
    }

    /// So many are written.
    pub(super) fn take(&mut self, namespace: &str, written: usize) {
        if let Some(left) = self.left.get_mut(namespace) {
            *left = left.saturating_sub(written);
        }
    }

    /// That no more than `written` are of a Service port.
    pub(super) fn note(&mut self, place: &str, port: &ServicePort, written: usize) {
        let (key, namespace) = (port.key(), &port.namespace);
        self.notes.push(format!(
            "{place}: Service {key} has more endpoints than there is room for: {written} of them get requests. The \
             ports of Services of namespace {namespace} have {OF_ALL} together, or {OF_AN_ADDRESS} for each address \
             of its EndpointSlices where that is more"
        ));
    }
}
