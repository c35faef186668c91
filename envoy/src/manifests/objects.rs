//! Objects of one kind that are found by their names.

use std::collections::HashMap;
use std::ops::Deref;

use super::document::{DuplicateKey, Object};

/// Objects of one kind in the order read. Of those with one name the last one is kept, as `kubectl apply`
/// does.
#[derive(Debug, Default)]
pub struct Objects {
    all: Vec<Object>,
    /// Where each one stands, by `namespace/name`.
    at: HashMap<String, usize>,
}

impl Deref for Objects {
    type Target = [Object];

    fn deref(&self) -> &[Object] {
        &self.all
    }
}

impl Objects {
    /// The one called `namespace/name`.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&Object> {
        self.all.get(*self.at.get(id)?)
    }

    /// One more; the one that it takes the place of, where that one said otherwise.
    pub fn push(&mut self, object: Object) -> Option<DuplicateKey> {
        let id = object.id();
        let known = self.at.get(&id).and_then(|&at| self.all.get_mut(at));
        let Some(known) = known.filter(|_| !object.name().is_empty()) else {
            self.at.insert(id, self.all.len());
            self.all.push(object);
            return None;
        };
        if known.value == object.value {
            return None;
        }
        let twice = DuplicateKey {
            key: format!("{} {id}", object.kind()),
            first: known.origin.clone(),
            origin: object.origin.clone(),
            ingress: None,
        };
        *known = object;
        Some(twice)
    }
}
