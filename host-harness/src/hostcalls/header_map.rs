//! Header maps: which can be read and written when, and what a write clears.
//!
//! Envoy has no request headers on the response path once they were let go on; asking for
//! them answers `BadArgument`, at which the Rust SDK panics. So does this host.

use super::answer::answer;
use crate::abi::{self, MapType, Status};
use crate::guest::{Guest, Span};
use crate::headers::Headers;
use crate::host::Host;
use crate::stream::Phase;
use wasmtime::{Caller, Linker, Result};

type Outcome<T> = std::result::Result<T, Status>;

pub(super) fn define(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_header_map_pairs", get_pairs)?;
    linker.func_wrap("env", "proxy_set_header_map_pairs", set_pairs)?;
    linker.func_wrap("env", "proxy_get_header_map_value", get_value)?;
    linker.func_wrap("env", "proxy_get_header_map_size", get_size)?;
    linker.func_wrap("env", "proxy_add_header_map_value", add_value)?;
    linker.func_wrap("env", "proxy_replace_header_map_value", replace_value)?;
    linker.func_wrap("env", "proxy_remove_header_map_value", remove_value)?;
    Ok(())
}

/// A map that cannot be read has no pairs, which is no error in Envoy.
fn get_pairs(caller: Caller<'_, Host>, map: u32, address_to: u32, size_to: u32) -> u32 {
    answer(caller, "proxy_get_header_map_pairs", |guest| {
        guest.give_filled(address_to, size_to, |host, out| {
            let written = read(host, map, |headers| {
                abi::write_pairs(headers, out);
                Ok(())
            });
            match written {
                Err(Status::BadArgument) if MapType::from_number(map).is_ok() => Ok(()),
                written => written,
            }
        })
    })
}

/// The length of what `proxy_get_header_map_pairs` gives.
fn get_size(caller: Caller<'_, Host>, map: u32, size_to: u32) -> u32 {
    answer(caller, "proxy_get_header_map_size", |guest| {
        let mut bytes = Vec::new();
        read(guest.host(), map, |headers| {
            abi::write_pairs(headers, &mut bytes);
            Ok(())
        })?;
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        guest.write_number(size_to, size)
    })
}

fn set_pairs(caller: Caller<'_, Host>, map: u32, start: u32, size: u32) -> u32 {
    answer(caller, "proxy_set_header_map_pairs", |guest| {
        let (bytes, host) = guest.read(Span::new(start, size))?;
        let new = abi::read_pairs(bytes)?;
        write(host, map, |headers| *headers = new)
    })
}

/// The first value; Envoy does not join duplicates.
fn get_value(
    caller: Caller<'_, Host>,
    map: u32,
    name: u32,
    name_size: u32,
    address_to: u32,
    size_to: u32,
) -> u32 {
    answer(caller, "proxy_get_header_map_value", |guest| {
        let name = guest.text(Span::new(name, name_size))?;
        guest.give_filled(address_to, size_to, |host, out| {
            read(host, map, |headers| {
                let value = headers.first(&name).ok_or(Status::NotFound)?;
                out.extend_from_slice(value);
                Ok(())
            })
        })
    })
}

fn add_value(
    caller: Caller<'_, Host>,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> u32 {
    answer(caller, "proxy_add_header_map_value", |guest| {
        let (name, value) = field(
            guest,
            Span::new(name, name_size),
            Span::new(value, value_size),
        )?;
        write(guest.host(), map, |headers| headers.add(name, value))
    })
}

fn replace_value(
    caller: Caller<'_, Host>,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> u32 {
    answer(caller, "proxy_replace_header_map_value", |guest| {
        let (name, value) = field(
            guest,
            Span::new(name, name_size),
            Span::new(value, value_size),
        )?;
        write(guest.host(), map, |headers| headers.set(&name, value))
    })
}

fn remove_value(caller: Caller<'_, Host>, map: u32, name: u32, name_size: u32) -> u32 {
    answer(caller, "proxy_remove_header_map_value", |guest| {
        let name = guest.text(Span::new(name, name_size))?;
        write(guest.host(), map, |headers| {
            headers.remove(&name);
        })
    })
}

fn field(guest: &mut Guest<'_>, name: Span, value: Span) -> Outcome<(String, Vec<u8>)> {
    Ok((guest.text(name)?, guest.copy(value)?))
}

/// Shows `reader` the map, if it is there in this phase.
fn read(host: &Host, map: u32, reader: impl FnOnce(&Headers) -> Outcome<()>) -> Outcome<()> {
    let map = MapType::from_number(map)?;
    let response = host.call_response.as_ref();
    match map {
        MapType::CallResponseHeaders => reader(&response.ok_or(Status::BadArgument)?.head),
        MapType::CallResponseTrailers => reader(&response.ok_or(Status::BadArgument)?.trailers),
        MapType::RequestHeaders | MapType::ResponseHeaders => {
            let stream = host.stream().ok_or(Status::BadArgument)?.borrow();
            let headers = if map == MapType::RequestHeaders {
                stream.readable_request()
            } else {
                stream.readable_response()
            };
            reader(headers.ok_or(Status::BadArgument)?)
        }
        MapType::Absent => Err(Status::BadArgument),
    }
}

/// Lets `writer` change the map, if this is its phase. Any write to the request head clears
/// the chosen route, a write that changes nothing too.
fn write(host: &Host, map: u32, writer: impl FnOnce(&mut Headers)) -> Outcome<()> {
    let map = MapType::from_number(map)?;
    let mut stream = host.stream().ok_or(Status::BadArgument)?.borrow_mut();
    match (map, stream.phase) {
        (MapType::RequestHeaders, Phase::Request) => {
            stream.route_cleared = true;
            writer(&mut stream.request);
        }
        (MapType::ResponseHeaders, Phase::Response) => writer(&mut stream.response),
        _ => return Err(Status::BadArgument),
    }
    Ok(())
}
