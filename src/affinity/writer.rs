//! Which of the formats a cluster's cookies are written in, and how a value is made.

use super::{Affinity, AffinitySettings, Origin, Remark};
use crate::annotations::AffinityAnnotations;
use crate::cluster::digest::{Digest, Hmac};
use crate::cluster::{ring, ring_key};
use crate::endpoints::ClusterTable;
use crate::facts::Facts;
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

impl Affinity {
    /// The value of a cookie that names the endpoint `address`. `None` where that takes a table
    /// which does not know it (a ring key, a position).
    pub(super) fn mint(
        &self,
        address: &str,
        table: Option<&ClusterTable>,
        facts: &Facts,
    ) -> Option<String> {
        let digest = || Some(self.digests.first()?.of(address).as_str().to_owned());
        match self.writer {
            Writer::Ring => Some(self.with_backend_key(&ring_key(address, table?, facts)?)),
            Writer::Persistent => Some(self.with_backend_key(&digest()?)),
            Writer::Md5 | Writer::Sha1 | Writer::Keyed => digest(),
            Writer::Index => Some(table?.position(address)?.to_string()),
            Writer::Nothing => None,
        }
    }

    /// The value of a cookie once more: a ring key as it came where it can be sent as it is.
    pub(super) fn again(
        &self,
        address: &str,
        key: &[u8],
        table: Option<&ClusterTable>,
        facts: &Facts,
    ) -> Option<String> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        match std::str::from_utf8(key) {
            Ok(key) if self.writer == Writer::Ring && key.bytes().all(|b| plain(&b)) => {
                Some(self.with_backend_key(key))
            }
            _ => self.mint(address, table, facts),
        }
    }

    fn with_backend_key(&self, key: &str) -> String {
        format!("{key}|{}", self.backend_key)
    }
}

/// A new key that the ring maps to `address`: each hash that the endpoint answers for is as
/// likely as the others, as with ingress-nginx, which draws keys until one fits.
fn ring_key(address: &str, table: &ClusterTable, facts: &Facts) -> Option<String> {
    let arcs: Vec<ring::Arc> = table
        .ring()
        .arcs(address, table.position(address)?)
        .collect();
    let total: u64 = arcs.iter().map(|arc| arc.length).sum();
    let random = (facts.random)();
    let mut left = random.checked_rem(total)?;
    let arc = arcs.iter().find(|arc| {
        let here = left < arc.length;
        if !here {
            left = left.saturating_sub(arc.length);
        }
        here
    })?;
    let hash = arc
        .after
        .wrapping_add(u32::try_from(left).ok()?)
        .wrapping_add(1);
    // ingress-nginx shows the time of its first try as a second ahead.
    let seconds = (facts.now)().saturating_add(1);
    Some(ring_key::key(seconds, hash, (facts.random)()))
}
