//! `--accept-loss NAME[@NAMESPACE/INGRESS]`.

use std::fmt;
use std::str::FromStr;

use limpet::nearest::nearest;
use serde_json::Value;

use crate::check::{Finding, heads_of};

/// A loss that the operator accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// An annotation without its prefix, or a key of the ConfigMap.
    name: String,
    /// Of this Ingress alone, `namespace/name`.
    ingress: Option<String>,
}

impl FromStr for Acceptance {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, ingress) = match text.split_once('@') {
            Some((name, ingress)) => (name, Some(ingress)),
            None => (text, None),
        };
        let is_id = |ingress: &str| {
            let names: Vec<&str> = ingress.split('/').collect();
            names.len() == 2 && !names.contains(&"")
        };
        if name.is_empty() || !ingress.is_none_or(is_id) {
            return Err("expected NAME or NAME@NAMESPACE/INGRESS");
        }
        Ok(Self {
            name: name.to_owned(),
            ingress: ingress.map(str::to_owned),
        })
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.ingress {
            Some(ingress) => write!(f, "@{ingress}"),
            None => Ok(()),
        }
    }
}

/// `accept_loss` in the file of `--config`, or what of it is no acceptance.
pub(super) fn given(list: Option<&Value>) -> Result<Vec<Acceptance>, &Value> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let one = |value| {
        let text = Value::as_str(value).and_then(|text| text.parse().ok());
        text.ok_or(value)
    };
    list.as_array().ok_or(list)?.iter().map(one).collect()
}

impl Acceptance {
    /// Whether it is `loss`, or what `loss`, one of `losses`, goes with: with `auth-url` goes
    /// `auth-signin`.
    pub(super) fn is_of(&self, loss: &Finding, losses: &[Finding]) -> bool {
        let is_here = self.ingress.is_none() || self.ingress == loss.ingress;
        let goes_with = || {
            let is_head = heads_of(&loss.field).any(|head| head == self.name);
            let mut beside = losses.iter().filter(|other| other.ingress == loss.ingress);
            is_head && beside.any(|other| other.field == self.name)
        };
        is_here && (loss.field == self.name || goes_with())
    }

    /// Whether there is such a loss.
    pub(super) fn is_of_any(&self, losses: &[Finding]) -> bool {
        losses.iter().any(|loss| self.is_of(loss, losses))
    }

    /// The loss that was probably meant.
    pub(super) fn meant(&self, losses: &[Finding]) -> Option<String> {
        let is_it = |loss: &&Finding| loss.field == self.name;
        match losses
            .iter()
            .find(is_it)
            .and_then(|loss| loss.ingress.as_ref())
        {
            Some(ingress) => Some(format!("{}@{ingress}", self.name)),
            None => {
                let names = losses.iter().map(|loss| loss.field.as_str());
                nearest(&self.name, names).map(str::to_owned)
            }
        }
    }
}
