//! Headers that ConfigMaps name.

use super::shared::Shared;
use crate::annotations::Annotations;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::fields::{Additions, Answers, Requests};
use crate::remark::{Effect, Expected, Field, Problem, Remark};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `proxy-set-headers`.
pub(super) fn requests(
    settings: &Settings,
    config: &Config,
    remarks: &mut Vec<Remark>,
) -> Requests {
    let name = &settings.proxy_set_headers;
    let Some(data) = config.config_maps.get(name) else {
        return Requests::default();
    };
    Requests::of(data, |field, why| {
        remarks.push(unusable(name, field, data, why));
    })
}

/// `add-headers`.
pub(super) fn additions(
    settings: &Settings,
    config: &Config,
    remarks: &mut Vec<Remark>,
) -> Additions {
    let name = &settings.add_headers;
    let Some(data) = config.config_maps.get(name) else {
        return Additions::default();
    };
    Additions::of(data, |field, why| {
        remarks.push(unusable(name, field, data, why));
    })
}

fn unusable(map: &str, field: &str, data: &BTreeMap<String, String>, why: String) -> Remark {
    let key = format!("config_maps.{map}.{field}");
    let problem = Problem::Unusable(why);
    Remark::key(&key, data.get(field).cloned(), problem, Effect::Setting)
}

/// `custom-headers`; `None`: there are none. `Err`: a ConfigMap that is not there, or says what it may
/// not, denies the location.
pub(super) fn custom_headers(
    maps: &BTreeMap<String, BTreeMap<String, String>>,
    settings: &Settings,
    annotations: &Annotations,
    shared: &mut Shared,
) -> Option<Result<Arc<Answers>, Box<Remark>>> {
    let name = &annotations.custom_headers;
    if name.is_empty() {
        return None;
    }
    let map = maps.get(name);
    let allowed = &settings.allowed_response_headers;
    let custom = map.and_then(|data| shared.answers(name, || Answers::custom(data, allowed)));
    Some(custom.ok_or_else(|| {
        let problem = Problem::Not(Expected::CustomHeaders);
        let field = Field::annotation("custom-headers");
        Box::new(Remark::new(field, name, problem, Effect::Path))
    }))
}
