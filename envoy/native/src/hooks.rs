//! Envoy's ABI for dynamic modules, the other way: what Envoy calls here.
//!
//! Envoy calls the hooks of one request on one thread, those of a configuration on the main
//! thread, and gives back the pointers that it was given. Every hook that is not needed is there
//! all the same: Envoy looks each of them up, and refuses a module that lacks one.
//!
//! A reply, or a request that goes on, may come back as another hook of the same request before
//! the call returns. So nothing is borrowed while an [`Action`] is carried out.
#![allow(
    unsafe_code,
    reason = "the ABI passes pointers, and to export a name is unsafe"
)]

use crate::abi::{Buffer, Filter, FilterConfig, Header, LogLevel, log};
use crate::config::Config;
use crate::exchange::{Action, Exchange};
use limpet::authorizer::{Answer, PATIENCE};
use limpet::discovery::UNANSWERED;
use limpet::error_pages::{Instead, LONGEST};
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::slice;
use std::sync::Arc;

/// The ABI's version, as Envoy 1.40 says it.
const VERSION: &CStr = c"v0.2.0";

/// What a hook of a head answers: the numbers of Envoy's `FilterHeadersStatus`.
const CONTINUE: u32 = 0;
const STOP_ITERATION: u32 = 1;
const STOP_ITERATION_NO_BUFFER: u32 = 3;
const STOP_ALL_ITERATION_AND_WATERMARK: u32 = 4;

/// A panic ends here, and the caller goes on with `otherwise`.
fn guard<T>(otherwise: T, hook: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|_| {
        log(
            LogLevel::Critical,
            "limpet: a panic, which is a fault of limpet's: please report it",
        );
        otherwise
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    VERSION.as_ptr()
}

/// Null: refused; Envoy keeps the configuration before, or does not start.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    envoy: *mut c_void,
    _name: Buffer,
    config: Buffer,
) -> *const Config {
    guard(null(), || {
        // SAFETY: the bytes live as long as the hook.
        let bytes = unsafe { config.bytes() };
        Config::new(FilterConfig(envoy), bytes).map_or(null(), Arc::into_raw)
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: *const Config) {
    if config.is_null() {
        return;
    }
    // SAFETY: from `into_raw` above, and given back once.
    let config = unsafe { Arc::from_raw(config) };
    guard((), || config.stop());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    _envoy: *mut c_void,
    config: *const Config,
    _event: u64,
) {
    // SAFETY: Envoy knows it until it is destroyed.
    guard((), || unsafe { &*config }.on_scheduled());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
    _envoy: *mut c_void,
    config: *const Config,
    id: u64,
    result: u32,
    headers: *const Header,
    headers_len: usize,
    chunks: *const Buffer,
    chunks_len: usize,
) {
    guard((), || {
        // SAFETY: Envoy knows the configuration until it is destroyed; the answer lives as
        // long as the hook, and is null where there is none.
        let (config, headers, chunks) = unsafe {
            (
                &*config,
                array(headers, headers_len),
                array(chunks, chunks_len),
            )
        };
        // SAFETY: as above.
        let bytes = |buffer: &Buffer| unsafe { buffer.bytes() };
        let status = headers
            .iter()
            .find(|field| bytes(&field.name) == b":status");
        let answer = match status.map(|field| bytes(&field.value)) {
            _ if result != 0 => Err(UNANSWERED.to_owned()),
            Some(b"200") => Ok(chunks.iter().map(bytes).collect::<Vec<_>>().concat()),
            status => Err(format!(
                "status {:?}",
                String::from_utf8_lossy(status.unwrap_or_default())
            )),
        };
        config.on_answer(id, answer);
    });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: *const Config,
    _envoy: *mut c_void,
) -> *mut Exchange {
    guard(null_mut(), || {
        // SAFETY: Envoy's filter keeps its configuration; one more owner here.
        let config = unsafe {
            Arc::increment_strong_count(config);
            Arc::from_raw(config)
        };
        Box::into_raw(Box::new(Exchange::new(config)))
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(exchange: *mut Exchange) {
    if !exchange.is_null() {
        // SAFETY: from `into_raw` above, and given back once.
        guard((), || drop(unsafe { Box::from_raw(exchange) }));
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    envoy: *mut c_void,
    exchange: *mut Exchange,
    end_of_stream: bool,
) -> u32 {
    // SAFETY: the exchange is this filter's, and nobody else's during this borrow.
    let decide = || unsafe { &mut *exchange }.on_request(&mut filter(envoy), !end_of_stream);
    begin(envoy, exchange, guard(Action::fault(), decide))
}

/// Carries out what was decided about a request that has just come.
fn begin(envoy: *mut c_void, exchange: *mut Exchange, action: Action) -> u32 {
    match action {
        Action::Continue => CONTINUE,
        Action::Pause => STOP_ALL_ITERATION_AND_WATERMARK,
        Action::Ask(question) if filter(envoy).ask(&question, PATIENCE) => {
            STOP_ALL_ITERATION_AND_WATERMARK
        }
        Action::Ask(_) => begin(
            envoy,
            exchange,
            answered(envoy, exchange, Answer::default()),
        ),
        Action::Reply(reply) => {
            filter(envoy).reply(&reply);
            STOP_ITERATION
        }
    }
}

/// The same about one that was paused.
fn go_on(envoy: *mut c_void, exchange: *mut Exchange, action: Action) {
    match action {
        Action::Continue => filter(envoy).continue_decoding(),
        Action::Pause => {}
        Action::Ask(question) if filter(envoy).ask(&question, PATIENCE) => {}
        Action::Ask(_) => go_on(
            envoy,
            exchange,
            answered(envoy, exchange, Answer::default()),
        ),
        Action::Reply(reply) => filter(envoy).reply(&reply),
    }
}

/// With an answer nobody is asked again.
fn answered(envoy: *mut c_void, exchange: *mut Exchange, answer: Answer) -> Action {
    // SAFETY: the exchange is this filter's, and nobody else's during this borrow.
    let decide = || unsafe { &mut *exchange }.on_answer(&mut filter(envoy), answer);
    guard(Action::fault(), decide)
}

/// The answer of who was asked; without a head there is none.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_http_callout_done(
    envoy: *mut c_void,
    exchange: *mut Exchange,
    _id: u64,
    result: u32,
    headers: *const Header,
    headers_len: usize,
    chunks: *const Buffer,
    chunks_len: usize,
) {
    // SAFETY: the exchange is this filter's, and nobody else's during this borrow.
    let (is_paging, wants_body) = unsafe { ((*exchange).is_paging(), (*exchange).wants_body()) };
    let read = || {
        // SAFETY: the answer lives as long as the hook, and is null where there is none.
        let (headers, chunks) = unsafe { (array(headers, headers_len), array(chunks, chunks_len)) };
        // SAFETY: as above.
        let bytes = |buffer: &Buffer| unsafe { buffer.bytes() };
        let fields = headers.iter().map(|it| (bytes(&it.name), bytes(&it.value)));
        let mut answer = Answer::of(fields);
        if wants_body {
            let size = chunks.iter().map(|chunk| bytes(chunk).len()).sum::<usize>();
            if size > LONGEST {
                return Answer::default();
            }
            answer.body = chunks.iter().map(bytes).collect::<Vec<_>>().concat();
        }
        answer
    };
    let answer = match result {
        0 => guard(Answer::default(), read),
        _ => Answer::default(),
    };
    if is_paging {
        replace(envoy, exchange, answer);
    } else {
        go_on(envoy, exchange, answered(envoy, exchange, answer));
    }
}

/// Puts a page in place of the response.
fn replace(envoy: *mut c_void, exchange: *mut Exchange, answer: Answer) {
    // SAFETY: as above.
    let page = || unsafe { &mut *exchange }.on_page(answer);
    let reply = guard(None, page).unwrap_or_else(Exchange::fault);
    filter(envoy).reply(&reply);
}

/// The numbers of Envoy's `FilterDataStatus` begin like those of heads; the second one keeps what came.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    envoy: *mut c_void,
    exchange: *mut Exchange,
    _end_of_stream: bool,
) -> u32 {
    if is_paging(exchange) {
        return STOP_ITERATION_NO_BUFFER;
    }
    // SAFETY: as above.
    let count = || unsafe { &mut *exchange }.on_body(&mut filter(envoy));
    match guard(None, count) {
        None => CONTINUE,
        Some(instead) => {
            stand_in(envoy, exchange, &instead);
            STOP_ITERATION_NO_BUFFER
        }
    }
}

/// No pod takes the end of a body that was too long for the end of a whole one.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    _envoy: *mut c_void,
    exchange: *mut Exchange,
) -> u32 {
    match is_paging(exchange) {
        true => STOP_ITERATION,
        false => CONTINUE,
    }
}

fn is_paging(exchange: *mut Exchange) -> bool {
    // SAFETY: as above.
    unsafe { &*exchange }.is_paging()
}

/// A paused request is decided once more.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    envoy: *mut c_void,
    exchange: *mut Exchange,
    _event: u64,
) {
    // SAFETY: as above.
    let decide = || unsafe { &mut *exchange }.on_scheduled(&mut filter(envoy));
    go_on(envoy, exchange, guard(Action::fault(), decide));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    envoy: *mut c_void,
    exchange: *mut Exchange,
    _end_of_stream: bool,
) -> u32 {
    // A page is on its way already: the pod has answered a body that is too long.
    if !is_paging(exchange) {
        // SAFETY: as above.
        let decide = || unsafe { &mut *exchange }.on_response(&mut filter(envoy));
        match guard(None, decide) {
            None => return CONTINUE,
            Some(instead) => stand_in(envoy, exchange, &instead),
        }
    }
    STOP_ALL_ITERATION_AND_WATERMARK
}

/// Answers with this, once it is there.
fn stand_in(envoy: *mut c_void, exchange: *mut Exchange, instead: &Instead) {
    match instead {
        Instead::Reply(reply) => filter(envoy).reply(reply),
        Instead::Ask(question) => {
            if !filter(envoy).ask(question, PATIENCE) {
                replace(envoy, exchange, Answer::default());
            }
        }
    }
}

fn filter<'h>(envoy: *mut c_void) -> Filter<'h> {
    // SAFETY: called in hooks alone, with their own filter.
    unsafe { Filter::of(envoy) }
}

/// # Safety
/// `items` is null, or the beginning of so many that live as long as what `'a` is taken from.
unsafe fn array<'a, T>(items: *const T, len: usize) -> &'a [T] {
    match items.is_null() {
        true => &[],
        // SAFETY: as the caller says.
        false => unsafe { slice::from_raw_parts(items, len) },
    }
}

/// The hooks that Envoy wants to find, and that have nothing to do: bodies of answers, trailers and
/// calls of single requests go by.
mod idle_hooks {
    use super::CONTINUE;
    use crate::abi::{Buffer, Header};
    use crate::exchange::Exchange;
    use std::ffi::c_void;

    macro_rules! idle {
        ($($hook:ident($($argument:ty),*) $(-> $answer:expr)?;)*) => {$(
            #[unsafe(no_mangle)]
            extern "C" fn $hook(_: *mut c_void, _: *mut Exchange, $(_: $argument),*) -> u32 {
                0 $(+ $answer)?
            }
        )*};
    }

    idle! {
        envoy_dynamic_module_on_http_filter_response_body(bool) -> CONTINUE;
        envoy_dynamic_module_on_http_filter_response_trailers() -> CONTINUE;
        envoy_dynamic_module_on_http_filter_stream_complete();
        envoy_dynamic_module_on_http_filter_http_stream_headers(u64, *const Header, usize, bool);
        envoy_dynamic_module_on_http_filter_http_stream_data(u64, *const Buffer, usize, bool);
        envoy_dynamic_module_on_http_filter_http_stream_trailers(u64, *const Header, usize);
        envoy_dynamic_module_on_http_filter_http_stream_complete(u64);
        envoy_dynamic_module_on_http_filter_http_stream_reset(u64, u32);
        envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark();
        envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark();
    }
}
