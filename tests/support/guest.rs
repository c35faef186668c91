//! Guests written as data: a list of host calls becomes a proxy-wasm module.
//!
//! What the host answered to each call that asks something is kept and shown as one
//! response header `x-seen` per call, in order: `<status>` or `<status>:<hex of the bytes>`.
//! The module imports nothing but `env`, as one built for `wasm32-unknown-unknown` does.

use serde::Deserialize;
use std::fmt::Write as _;

/// What a guest does in each callback; an absent list is an absent export.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// `proxy_on_configure`; answers true.
    #[serde(default)]
    pub on_configure: Vec<Call>,
    /// `proxy_on_request_headers`; goes on unless a call says otherwise.
    #[serde(default)]
    pub on_request: Vec<Call>,
    /// `proxy_on_response_headers`; goes on unless a call says otherwise.
    #[serde(default)]
    pub on_response: Vec<Call>,
    /// `proxy_on_http_call_response`, which comes to the plugin's context, not the stream's;
    /// what waits, request or response, is resumed afterwards unless it is answered.
    #[serde(default)]
    pub on_reply: Vec<Call>,
}

/// One host call. `request` and `response` name the header map.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Replaces a request header; seen: the status.
    Set(String, String),
    /// Adds a request header; seen: the status.
    Add(String, String),
    /// Removes a request header; seen: the status.
    Remove(String),
    /// Reads a request header; seen: the status and the value.
    Get(String),
    /// Replaces a response header; seen: the status.
    SetResponse(String, String),
    /// Adds a response header; seen: the status.
    AddResponse(String, String),
    /// Removes a response header; seen: the status.
    RemoveResponse(String),
    /// Reads a response header; seen: the status and the value.
    GetResponse(String),
    /// All request headers as serialised pairs; seen: the status and their bytes.
    Pairs,
    /// All response headers as serialised pairs; seen: the status and their bytes.
    PairsResponse,
    /// A property by its path; seen: the status and the value.
    Property(Vec<String>),
    /// Sets a property of one name; seen: the status.
    SetProperty(String, String),
    /// Answers locally with this status and body; seen: the status of the call.
    Reply(u16, String),
    /// Traps.
    Trap,
    /// Stores shared data, guarded by the number of the last [`Call::GetShared`] or, without
    /// one, by nothing; seen: the status.
    SetShared(String, String),
    /// As [`Call::SetShared`], guarded by a number that is certainly stale.
    SetSharedStale(String, String),
    /// Reads shared data; seen: the status and the value.
    GetShared(String),
    /// Defines a counter (0), gauge (1) or histogram (2), and records this value.
    Metric(u8, String, i64),
    /// Sends a GET to a cluster with `:path` and waits; seen: the status.
    Ask(String, String),
    /// The body of the answer to [`Call::Ask`]; seen: the status and the body.
    ReplyBody,
    /// A header of the answer to [`Call::Ask`]; seen: the status and the value.
    ReplyHeader(String),
}

/// The text of a module that does this.
#[must_use]
pub fn wat(guest: &Guest) -> String {
    let mut out = Assembly::default();
    let configure = out.calls(&guest.on_configure);
    let request = out.calls(&guest.on_request);
    let response = out.calls(&guest.on_response);
    let reply = out.calls(&guest.on_reply);
    let seen = out.text(b"x-seen");
    let mut module = String::from(PRELUDE);
    let _ = write!(
        module,
        r#"
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    {configure} (global.set $mark (global.get $kept)) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $stream (local.get 0))
    (global.set $kept (global.get $mark)) (global.set $pause (i32.const 0)) (global.set $half (i32.const 0))
    {request} (global.get $pause))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (global.set $pause (i32.const 0))
    {reply} (drop (call $effective (global.get $stream)))
    (if (i32.eqz (global.get $pause)) (then (drop (call $continue (global.get $half))))))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (global.set $pause (i32.const 0)) (global.set $half (i32.const 1))
    {response} (call $show {seen}) (global.get $pause))
  {}
)"#,
        out.data
    );
    module
}

/// The module itself.
///
/// # Panics
/// [`wat()`] made something that is no module.
#[must_use]
pub fn module(guest: &Guest) -> Vec<u8> {
    wat::parse_str(wat(guest)).unwrap_or_else(|why| panic!("{why}\n{}", wat(guest)))
}

/// Where the texts of the calls begin in memory; results and allocations lie beyond.
const TEXTS: usize = 1024;

#[derive(Default)]
struct Assembly {
    data: String,
    used: usize,
}

impl Assembly {
    /// A constant of the module, as the two arguments that name it: pointer and length.
    fn text(&mut self, bytes: &[u8]) -> String {
        let at = TEXTS + self.used;
        self.used += bytes.len();
        let escaped = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        });
        let _ = writeln!(self.data, "  (data (i32.const {at}) \"{escaped}\")");
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    fn word(&mut self, text: &str) -> String {
        self.text(&crate::http::bytes(text))
    }

    fn calls(&mut self, calls: &[Call]) -> String {
        calls
            .iter()
            .map(|call| self.call(call) + "\n    ")
            .collect()
    }

    fn call(&mut self, call: &Call) -> String {
        const REQUEST: &str = "(i32.const 0)";
        const RESPONSE: &str = "(i32.const 2)";
        const REPLY: &str = "(i32.const 6)";
        match call {
            Call::Set(name, value) => self.pair("replace", REQUEST, name, value),
            Call::Add(name, value) => self.pair("add", REQUEST, name, value),
            Call::SetResponse(name, value) => self.pair("replace", RESPONSE, name, value),
            Call::AddResponse(name, value) => self.pair("add", RESPONSE, name, value),
            Call::Remove(name) => self.remove(REQUEST, name),
            Call::RemoveResponse(name) => self.remove(RESPONSE, name),
            Call::Get(name) => self.get(REQUEST, name),
            Call::GetResponse(name) => self.get(RESPONSE, name),
            Call::ReplyHeader(name) => self.get(REPLY, name),
            Call::Pairs => asked("(call $pairs (i32.const 0) (i32.const 0) (i32.const 4))"),
            Call::PairsResponse => asked("(call $pairs (i32.const 2) (i32.const 0) (i32.const 4))"),
            Call::Property(path) => {
                let path = self.word(&path.join("\0"));
                asked(&format!(
                    "(call $property {path} (i32.const 0) (i32.const 4))"
                ))
            }
            Call::SetProperty(name, value) => {
                let (name, value) = (self.word(name), self.word(value));
                told(&format!("(call $set_property {name} {value})"))
            }
            Call::Reply(status, body) => {
                let (none, body) = ("(i32.const 0) (i32.const 0)", self.word(body));
                let stream = "(drop (call $effective (global.get $stream))) ";
                stream.to_owned()
                    + &told(&format!(
                        "(call $reply (i32.const {status}) {none} {body} {none} (i32.const -1))"
                    ))
                    + " (global.set $pause (i32.const 1))"
            }
            Call::Trap => "unreachable".to_owned(),
            Call::SetShared(key, value) => self.share(key, value, "(global.get $cas)"),
            Call::SetSharedStale(key, value) => self.share(key, value, "(i32.const 1)"),
            Call::GetShared(key) => {
                let key = self.word(key);
                asked(&format!(
                    "(call $get_shared {key} (i32.const 0) (i32.const 4) (i32.const 8))"
                )) + " (global.set $cas (i32.load (i32.const 8)))"
            }
            Call::Metric(kind, name, value) => self.metric(*kind, name, *value),
            Call::Ask(cluster, path) => self.ask(cluster, path),
            Call::ReplyBody => asked(
                "(call $buffer (i32.const 4) (i32.const 0) (i32.const 1000) (i32.const 0) (i32.const 4))",
            ),
        }
    }

    fn pair(&mut self, verb: &str, map: &str, name: &str, value: &str) -> String {
        let (name, value) = (self.word(name), self.word(value));
        told(&format!("(call ${verb} {map} {name} {value})"))
    }

    fn remove(&mut self, map: &str, name: &str) -> String {
        let name = self.word(name);
        told(&format!("(call $remove {map} {name})"))
    }

    fn get(&mut self, map: &str, name: &str) -> String {
        let name = self.word(name);
        asked(&format!(
            "(call $get {map} {name} (i32.const 0) (i32.const 4))"
        ))
    }

    fn share(&mut self, key: &str, value: &str, guard: &str) -> String {
        let (key, value) = (self.word(key), self.word(value));
        told(&format!("(call $set_shared {key} {value} {guard})"))
    }

    fn metric(&mut self, kind: u8, name: &str, value: i64) -> String {
        let name = self.word(name);
        let define = told(&format!(
            "(call $define (i32.const {kind}) {name} (i32.const 0))"
        ));
        let record = format!("(call $metric (i32.load (i32.const 0)) (i64.const {value}))");
        format!("{define} {}", told(&record))
    }

    fn ask(&mut self, cluster: &str, path: &str) -> String {
        let head = [(":method", "GET"), (":path", path), (":authority", "guest")];
        let (head, cluster) = (self.text(&pairs(&head)), self.word(cluster));
        let none = "(i32.const 0) (i32.const 0)";
        told(&format!(
            "(call $ask {cluster} {head} {none} {none} (i32.const 5000) (i32.const 0))"
        )) + " (global.set $pause (i32.const 1))"
    }
}

/// A call that answers only a status.
fn told(call: &str) -> String {
    format!("(call $keep {call} (i32.const 0) (i32.const 0))")
}

/// A call that also leaves a pointer at 0 and a length at 4.
fn asked(call: &str) -> String {
    format!("(call $answer {call})")
}

/// Header pairs as the ABI serialises them.
fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let size = |text: &str| u32::try_from(text.len()).unwrap().to_le_bytes();
    let mut out = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in pairs {
        out.extend(size(name));
        out.extend(size(value));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    out
}

/// Reads serialised header pairs.
///
/// # Panics
/// The bytes are not such a list.
#[must_use]
pub fn read_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let count = number(0);
    let mut at = 4 + 8 * count;
    let mut text = |size: usize| {
        at += size + 1;
        crate::http::latin1(&bytes[at - size - 1..at - 1])
    };
    let sizes = (0..count).map(|i| (number(4 + 8 * i), number(8 + 8 * i)));
    sizes
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// Memory: 0..16 what host calls return, from 1024 the texts, from 64 KiB what was seen
/// (length, bytes), from 256 KiB allocations, never freed: a guest lives for a few requests.
const PRELUDE: &str = r#"(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_record_metric" (func $metric (param i32 i64) (result i32)))
  (import "env" "proxy_http_call" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
  (memory (export "memory") 32)
  (global $heap (mut i32) (i32.const 262144))
  (global $kept (mut i32) (i32.const 65536))
  (global $mark (mut i32) (i32.const 65536))
  (global $pause (mut i32) (i32.const 0))
  (global $half (mut i32) (i32.const 0))
  (global $stream (mut i32) (i32.const 0))
  (global $cas (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap)
      (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8)))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func $byte (param $b i32)
    (i32.store8 (global.get $kept) (local.get $b))
    (global.set $kept (i32.add (global.get $kept) (i32.const 1))))
  (func $hex (param $digit i32)
    (call $byte (i32.add (local.get $digit)
      (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10))))))
  (func $keep (param $status i32) (param $at i32) (param $size i32)
    (local $start i32)
    (local.set $start (global.get $kept))
    (global.set $kept (i32.add (global.get $kept) (i32.const 4)))
    (if (i32.ge_u (local.get $status) (i32.const 10))
      (then (call $byte (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 10))))))
    (call $byte (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
    (if (i32.gt_s (local.get $size) (i32.const -1)) (then
      (if (local.get $at) (then (call $byte (i32.const 58))))
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $size)))
        (call $hex (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
        (call $hex (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $size (i32.sub (local.get $size) (i32.const 1)))
        (br $next)))))
    (i32.store (local.get $start)
      (i32.sub (i32.sub (global.get $kept) (local.get $start)) (i32.const 4))))
  (func $answer (param $status i32)
    (if (local.get $status)
      (then (call $keep (local.get $status) (i32.const 0) (i32.const 0)))
      (else (call $keep (i32.const 0)
        (select (i32.load (i32.const 0)) (i32.const 16) (i32.load (i32.const 4)))
        (i32.load (i32.const 4)))))
    (i64.store (i32.const 0) (i64.const 0)))
  (func $show (param $name i32) (param $name_size i32)
    (local $at i32)
    (local.set $at (i32.const 65536))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (global.get $kept)))
      (drop (call $add (i32.const 2) (local.get $name) (local.get $name_size)
        (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at))))
      (local.set $at (i32.add (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at))))
      (br $next))))
"#;
