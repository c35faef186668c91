#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| limpet_fuzz::locations(data));
