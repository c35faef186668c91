//! Metrics; Envoy prefixes their names with `wasmcustom.`.

use super::answer::answer;
use crate::abi::Status;
use crate::guest::{Guest, Span};
use crate::host::Host;
use crate::metrics::{Kind, Metric};
use std::sync::Arc;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_define_metric", define_metric)?;
    linker.func_wrap("env", "proxy_get_metric", get_metric)?;
    linker.func_wrap("env", "proxy_record_metric", record_metric)?;
    linker.func_wrap("env", "proxy_increment_metric", increment_metric)?;
    Ok(())
}

fn define_metric(
    caller: Caller<'_, Host>,
    kind: u32,
    name: u32,
    name_size: u32,
    id_to: u32,
) -> u32 {
    answer(caller, "proxy_define_metric", |guest| {
        let kind = Kind::from_number(kind).ok_or(Status::BadArgument)?;
        let name = guest.text(Span::new(name, name_size))?;
        let metrics = &guest.host().environment.metrics;
        let (id, metric) = metrics.define(kind, &format!("wasmcustom.{name}"));
        guest.host_mut().metrics.insert(id, metric);
        guest.write_number(id_to, id)
    })
}

fn get_metric(caller: Caller<'_, Host>, id: u32, value_to: u32) -> u32 {
    answer(caller, "proxy_get_metric", |guest| {
        let value = find(guest, id)?.number().map_err(|_| Status::BadArgument)?;
        guest.write(value_to, &value.to_le_bytes())
    })
}

fn record_metric(caller: Caller<'_, Host>, id: u32, value: u64) -> u32 {
    answer(caller, "proxy_record_metric", |guest| {
        find(guest, id)?.record(value);
        Ok(())
    })
}

fn increment_metric(caller: Caller<'_, Host>, id: u32, by: i64) -> u32 {
    answer(caller, "proxy_increment_metric", |guest| {
        let incremented = find(guest, id)?.increment(by);
        incremented.map_err(|_| Status::BadArgument)
    })
}

fn find(guest: &mut Guest<'_>, id: u32) -> std::result::Result<Arc<Metric>, Status> {
    let host = guest.host_mut();
    if let Some(metric) = host.metrics.get(&id) {
        return Ok(Arc::clone(metric));
    }
    let metric = host.environment.metrics.by_id(id).ok_or(Status::NotFound)?;
    host.metrics.insert(id, Arc::clone(&metric));
    Ok(metric)
}
