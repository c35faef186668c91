//! Which of the formats a cluster's cookies are written in.

use super::AffinitySettings;
use crate::annotations::AffinityAnnotations;
use crate::endpoints::digest::{Digest, Hmac};
use crate::remark::{Effect, Expected, Field, Problem, Remark};

/// The format of new cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// `<ring key>|<backend key>`: ingress-nginx's balanced mode.
    Ring,
    /// `<salted md5>|<backend key>`: ingress-nginx's persistent mode.
    Persistent,
    /// `md5` of `ip:port`.
    Md5,
    /// `sha1` of `ip:port`.
    Sha1,
    /// The position in the sorted endpoints.
    Index,
    /// HMAC-SHA-1 of `ip:port`.
    Keyed,
    /// None: cookies are to be keyed, and there is no key. Any other format would tell what the
    /// key is to hide.
    Nothing,
}

impl Writer {
    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ring => "balanced",
            Self::Persistent => "persistent",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Index => "index",
            Self::Keyed => "keyed",
            Self::Nothing => "none",
        }
    }

    /// Whether cookies are to be keyed.
    pub(super) fn is_keyed(self) -> bool {
        matches!(self, Self::Keyed | Self::Nothing)
    }
}

/// The writer that annotations and configuration agree on: the configuration before
/// `affinity-mode`, that before `session-cookie-hash`, which ingress-nginx dropped in 0.24.
pub(super) fn choose(
    first: &AffinityAnnotations,
    settings: &AffinitySettings,
    remarks: &mut Vec<Remark>,
) -> Writer {
    let mode = first.mode.as_deref().filter(|mode| !mode.is_empty());
    let hash = first.hash.as_deref().filter(|hash| !hash.is_empty());
    let mut remark = |name, value: &str, problem, effect| {
        remarks.push(Remark::new(Field::annotation(name), value, problem, effect));
    };
    let superseded = |by: &str| Problem::Superseded { by: by.to_owned() };
    let said = [("affinity-mode", mode), ("session-cookie-hash", hash)];
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    if settings.cookie_format.is_some() {
        let by = "cookie_format: key";
        for (name, value) in said.filter(|(_, value)| *value != "balanced") {
            remark(name, value, superseded(by), Effect::Setting);
        }
        return Writer::Ring;
    }
    if let Some(keys) = &settings.cookie_keys {
        for (name, value) in said {
            remark(name, value, superseded("cookie_keys"), Effect::Setting);
        }
        return if keys.is_empty() {
            Writer::Nothing
        } else {
            Writer::Keyed
        };
    }
    if let (Some(mode), Some(hash)) = (mode, hash) {
        let problem = superseded(&format!("affinity-mode: {mode}"));
        remark("session-cookie-hash", hash, problem, Effect::AsBefore);
    }
    match (mode, hash) {
        (Some("persistent" | "persistent-drainable"), _) => Writer::Persistent,
        (Some("balanced"), _) | (None, None) => Writer::Ring,
        (Some(mode), _) => {
            let problem = Problem::Not(Expected::AffinityMode);
            remark("affinity-mode", mode, problem, Effect::AsBefore);
            Writer::Ring
        }
        (None, Some("sha1")) => Writer::Sha1,
        (None, Some("md5")) => Writer::Md5,
        (None, Some("index")) => {
            let problem = Problem::MovesSessions;
            remark("session-cookie-hash", "index", problem, Effect::Setting);
            Writer::Index
        }
        (None, Some(hash)) => {
            let problem = Problem::Not(Expected::CookieHash);
            remark("session-cookie-hash", hash, problem, Effect::AsBefore);
            Writer::Ring
        }
    }
}

/// The digests that keys are tried as, the writer's own first.
pub(super) fn digests(
    writer: &Writer,
    upstream_name: &str,
    settings: &AffinitySettings,
) -> Vec<Digest> {
    let keyed = || {
        let secrets = settings.cookie_keys.iter().flatten();
        secrets.filter_map(|secret| Some(Digest::Keyed(Box::new(Hmac::new(secret)?))))
    };
    let persistent = Digest::Persistent {
        salt: upstream_name.to_owned(),
    };
    let mut digests = match writer {
        Writer::Ring => return Vec::new(),
        writer if settings.cookie_keys_only && writer.is_keyed() => return keyed().collect(),
        Writer::Persistent | Writer::Index | Writer::Keyed | Writer::Nothing => {
            vec![persistent, Digest::Md5, Digest::Sha1]
        }
        Writer::Md5 => vec![Digest::Md5, persistent, Digest::Sha1],
        Writer::Sha1 => vec![Digest::Sha1, persistent, Digest::Md5],
    };
    digests.splice(0..0, keyed());
    digests
}
