//! `limit-rps` and what goes with it.
//!
//! Source: `Parse` of `internal/ingress/annotations/ratelimit`, ingress-nginx dbb11b92d.

use super::read::{Reader, Unset};
use crate::access::Networks;
use crate::config::settings::Settings;
use crate::limits::Limits;
use crate::remark::{Effect, Expected, Problem};
use crate::zone::{Rate, Zone};
use std::sync::Arc;

/// `Err`: who is not counted cannot be read, and nobody comes in.
pub(super) fn limits(reader: &mut Reader, settings: &Settings) -> Result<Option<Arc<Limits>>, ()> {
    let per_minute = number(reader, "limit-rpm")?;
    let per_second = number(reader, "limit-rps")?;
    let connections = number(reader, "limit-connections")?;
    let burst = reader.number("limit-burst-multiplier").unwrap_or(5);
    let burst = u64::try_from(burst).unwrap_or_default();
    if per_minute == 0 && per_second == 0 && connections == 0 {
        return Ok(None);
    }
    let name = "limit-allowlist";
    let name = match reader.raw(name) {
        Some(_) => name,
        None => "limit-whitelist",
    };
    let spared = match reader.text(name) {
        Ok(spared) => spared,
        Err(Unset::Missing | Unset::Content) => String::new(),
        Err(Unset::Refused) => return Err(()),
    };
    let texts = spared.split(',').filter(|text| !text.trim().is_empty());
    let Some(networks) = Networks::read(texts) else {
        let problem = Problem::Not(Expected::Networks);
        reader.remark(name, &spared, problem, Effect::Path);
        return Err(());
    };
    let rate = |name: &'static str, limit: u64, seconds: u64| {
        (limit > 0).then(|| Rate {
            name,
            rate: limit.saturating_mul(1000) / seconds,
            burst: limit.saturating_mul(burst).saturating_mul(1000),
        })
    };
    let rates = [rate("rps", per_second, 1), rate("rpm", per_minute, 60)];
    Ok(Some(Arc::new(Limits {
        zone: Arc::new(Zone {
            name: format!("{}_{}", reader.ingress.key, reader.ingress.uid),
            rates: rates.into_iter().flatten().collect(),
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
        }),
        spared: networks,
        header: settings.limit_header.clone(),
        too_fast: settings.limit_req_status_code,
        too_many: settings.limit_conn_status_code,
    })))
}

/// 0: no limit. A text that is no number limits nobody knows how much: `Err`.
fn number(reader: &mut Reader, name: &str) -> Result<u64, ()> {
    if reader.raw(name).is_none_or(str::is_empty) {
        return Ok(0);
    }
    let value = reader.checked(name).map_err(drop)?;
    let Ok(number) = value.parse::<i64>() else {
        let problem = Problem::Not(Expected::WholeNumber);
        reader.remark(name, value, problem, Effect::Path);
        return Err(());
    };
    Ok(u64::try_from(number).unwrap_or_default())
}
