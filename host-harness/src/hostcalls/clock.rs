//! Time, ticks and random bytes.

use super::answer::{answer, answer_wasi};
use crate::guest::Span;
use crate::host::Host;
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", current_time)?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", set_tick_period)?;
    linker.func_wrap("wasi_snapshot_preview1", "random_get", random_get)?;
    Ok(())
}

fn current_time(caller: Caller<'_, Host>, to: u32) -> u32 {
    answer(caller, "proxy_get_current_time_nanoseconds", |guest| {
        let nanos = guest.host().environment.clock.unix_nanos();
        guest.write(to, &nanos.to_le_bytes())
    })
}

/// 0 stops the ticks.
fn set_tick_period(caller: Caller<'_, Host>, milliseconds: u32) -> u32 {
    answer(caller, "proxy_set_tick_period_milliseconds", |guest| {
        let host = guest.host_mut();
        let period = Duration::from_millis(milliseconds.into());
        host.tick_period = Some(period).filter(|period| !period.is_zero());
        host.wake();
        Ok(())
    })
}

fn random_get(caller: Caller<'_, Host>, start: u32, length: u32) -> u32 {
    answer_wasi(caller, "random_get", |guest| {
        let mut bytes = guest.copy(Span::new(start, length))?;
        guest.host().environment.random.fill(&mut bytes);
        guest.write(start, &bytes)
    })
}
