//! The certificates of Secrets, each once: who else has a copy has the same certificate.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Value, json};

use super::shared::Named;
use crate::certificates;
use crate::manifests::Manifests;
use crate::render::envoy::client::Asking;

/// One certificate and the hosts it serves.
#[derive(Debug)]
pub(super) struct Certificate {
    /// In small letters.
    pub(super) hosts: Vec<String>,
    /// With its key, as Envoy takes it.
    pub(super) pair: Rc<Value>,
    /// What it is for; `None`: not known.
    pub(super) named: Option<Rc<Named>>,
    /// What is asked of the clients of these hosts; `None`: no certificate.
    pub(super) asked: Option<Asking>,
    /// Whether Envoy would choose it for each of them.
    pub(super) is_for_its_hosts: bool,
    /// Where an Ingress gives it, `file:line`.
    pub(super) place: String,
    /// `namespace/name` of the Secret; empty: it is no Secret's.
    pub(super) secret: String,
}

impl Certificate {
    /// Whose it is.
    pub(super) fn namespace(&self) -> &str {
        match (self.secret.split_once('/'), &self.asked) {
            (Some((namespace, _)), _) => namespace,
            (None, Some(asked)) => asked.namespace(),
            (None, None) => "",
        }
    }
}

/// A certificate that was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) pair: Rc<Value>,
    named: Option<Rc<Named>>,
    secret: String,
    /// Which one it is.
    number: usize,
}

impl Read {
    /// As Envoy finds it in files.
    pub(super) fn of_files(chain: &Value, key: &Value) -> Self {
        Self::new(chain, key, 0)
    }

    fn new(chain: &Value, key: &Value, number: usize) -> Self {
        Self {
            pair: Rc::new(json!({ "certificate_chain": chain, "private_key": key })),
            named: None,
            secret: String::new(),
            number,
        }
    }
}

/// Secrets, each read once.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: HashMap<String, Option<Result<Read, String>>>,
    /// By certificate and key.
    same: HashMap<[String; 2], Read>,
}

impl Secrets {
    /// What the Secret `id` holds; `None`: there is none.
    pub(super) fn read(
        &mut self,
        manifests: &Manifests,
        id: &str,
    ) -> Option<Result<&Read, &String>> {
        if !self.known.contains_key(id) {
            let read = self.fresh(manifests, id);
            self.known.insert(id.to_owned(), read);
        }
        let known = self.known.get(id)?;
        known.as_ref().map(Result::as_ref)
    }

    fn fresh(&mut self, manifests: &Manifests, id: &str) -> Option<Result<Read, String>> {
        let pair = match certificates::known_pair(manifests.tls_secret(id)?) {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error.to_owned())),
        };
        // Those of files have the first number.
        let number = self.same.len().saturating_add(1);
        let read = self.same.entry([pair.chain.clone(), pair.key.clone()]);
        let read = read.or_insert_with_key(|[chain, key]| {
            let [chain, key] = [chain, key].map(|text| json!({ "inline_string": text }));
            let named = pair.servers.as_deref();
            let named = named.map(|names| Rc::new(Named::new(names, pair.is_elliptic)));
            Read {
                named,
                ..Read::new(&chain, &key, number)
            }
        });
        let secret = id.to_owned();
        Some(Ok(Read {
            secret,
            ..read.clone()
        }))
    }
}

/// Certificates by what they are and what is asked with them.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) certificates: Vec<Certificate>,
    places: HashMap<(usize, bool, Option<Asking>), usize>,
}

impl Gathered {
    /// Gives a host a certificate. Of one that is for some of its hosts alone the others are kept apart.
    pub(super) fn add(
        &mut self,
        read: &Read,
        asked: Option<Asking>,
        host: String,
        place: impl FnOnce() -> String,
    ) {
        let named = read.named.as_ref();
        let is_for_it = named.is_some_and(|named| named.chosen(&host).is_some());
        let next = self.certificates.len();
        let key = (read.number, is_for_it, asked.clone());
        let at = *self.places.entry(key).or_insert(next);
        match self.certificates.get_mut(at) {
            Some(known) => known.hosts.push(host),
            None => self.certificates.push(Certificate {
                hosts: vec![host],
                pair: read.pair.clone(),
                named: read.named.clone(),
                asked,
                is_for_its_hosts: is_for_it,
                place: place(),
                secret: read.secret.clone(),
            }),
        }
    }
}
