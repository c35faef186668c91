//! Log lines.

use super::answer::answer;
use crate::abi::Status;
use crate::environment::LogLevel;
use crate::guest::Span;
use crate::host::Host;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_log", log)?;
    linker.func_wrap("env", "proxy_get_log_level", get_log_level)?;
    Ok(())
}

fn log(caller: Caller<'_, Host>, level: u32, message: u32, size: u32) -> u32 {
    answer(caller, "proxy_log", |guest| {
        let level = LogLevel::from_number(level).ok_or(Status::BadArgument)?;
        let (message, host) = guest.read(Span::new(message, size))?;
        host.log(level, &String::from_utf8_lossy(message));
        Ok(())
    })
}

fn get_log_level(caller: Caller<'_, Host>, level_to: u32) -> u32 {
    answer(caller, "proxy_get_log_level", |guest| {
        let level = guest.host().environment.log.level();
        guest.write_number(level_to, level as u32)
    })
}
