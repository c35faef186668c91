//! Why nothing is rendered.

use std::fmt;

use limpet::config::ConfigError;
use serde_json::Value;

use super::acceptance::Acceptance;
use crate::check::Finding;
use crate::inert;

/// Why nothing is rendered.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// The manifests cannot be compiled.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// Protection would be lost.
    #[error("{}", Refusal(.0))]
    Refused(Vec<Finding>),
    /// What was accepted is not lost.
    #[error("--accept-loss {acceptance}: nothing of that name is lost{}", hint(.meant.as_deref()))]
    Unmatched {
        /// As given.
        acceptance: Acceptance,
        /// The loss that was probably meant.
        meant: Option<String>,
    },
    /// `accept_loss` in the file of `--config` is no list of names.
    #[error("accept_loss: {0} is not in a list of NAME and NAME@NAMESPACE/INGRESS")]
    Malformed(Value),
}

fn hint(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| {
        format!("; did you mean {}?", inert::word(meant))
    })
}

/// Every loss with its place, what does its job elsewhere, and the ways out.
struct Refusal<'f>(&'f [Finding]);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is rendered, for protection would be lost\n")?;
        let mut helped: Vec<&[String]> = Vec::new();
        for loss in self.0 {
            writeln!(f, "  {}", inert::line(&loss.located()))?;
            if !helped.contains(&loss.help.as_slice()) {
                for line in &loss.help {
                    writeln!(f, "    {line}")?;
                }
                helped.push(&loss.help);
            }
        }
        f.write_str(
            "  When something else does it, or nobody has to, say --accept-loss \
             NAME[@NAMESPACE/INGRESS] for each; --close answers 503 there and moves the rest",
        )
    }
}
