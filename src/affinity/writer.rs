//! Which of the formats a cluster's cookies are written in.

use super::{AffinitySettings, Origin, Remark};
use crate::annotations::AffinityAnnotations;
use crate::endpoints::digest::{Digest, Hmac};
use crate::warning::AS_BEFORE;

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
    let mut remark = |origin, field, value: &str, text: &str| {
        remarks.push(Remark {
            origin,
            field,
            value: value.to_owned(),
            text: text.to_owned(),
        });
    };
    let superseded_by = |by: &str| format!("is superseded by {by}: it changes nothing");
    if settings.cookie_format.is_some() {
        if settings.cookie_keys.is_some() {
            remark(
                Origin::Config,
                "cookie_keys",
                "***",
                &superseded_by("cookie_format: key"),
            );
        }
        for (field, value) in [("affinity-mode", mode), ("session-cookie-hash", hash)] {
            if let Some(value) = value.filter(|value| *value != "balanced") {
                remark(
                    Origin::First,
                    field,
                    value,
                    &superseded_by("cookie_format: key"),
                );
            }
        }
        return Writer::Ring;
    }
    if let Some(keys) = &settings.cookie_keys {
        for (field, value) in [("affinity-mode", mode), ("session-cookie-hash", hash)] {
            if let Some(value) = value {
                remark(Origin::First, field, value, &superseded_by("cookie_keys"));
            }
        }
        return match keys.is_empty() {
            true => Writer::Nothing,
            false => Writer::Keyed,
        };
    }
    if let (Some(mode), Some(hash)) = (mode, hash) {
        let by = superseded_by(&format!("affinity-mode: {mode}")) + AS_BEFORE;
        remark(Origin::First, "session-cookie-hash", hash, &by);
    }
    match (mode, hash) {
        (Some("persistent" | "persistent-drainable"), _) => Writer::Persistent,
        (Some("balanced"), _) | (None, None) => Writer::Ring,
        (Some(mode), _) => {
            let text = "is not balanced, persistent or persistent-drainable; sessions are balanced, \
                        as under ingress-nginx";
            remark(Origin::First, "affinity-mode", mode, text);
            Writer::Ring
        }
        (None, Some("sha1")) => Writer::Sha1,
        (None, Some("md5")) => Writer::Md5,
        (None, Some("index")) => {
            let text = "moves sessions whenever endpoints come or go; sha1 or md5 keeps them";
            remark(Origin::First, "session-cookie-hash", "index", text);
            Writer::Index
        }
        (None, Some(hash)) => {
            let text = "is not sha1, md5 or index; sessions are balanced, as under ingress-nginx";
            remark(Origin::First, "session-cookie-hash", hash, text);
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
        secrets.map(|secret| Digest::Keyed(Box::new(Hmac::new(secret))))
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
