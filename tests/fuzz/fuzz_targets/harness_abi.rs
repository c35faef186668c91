//! The harness's reader of header maps beside the module's: what one accepts, the other reads
//! alike. The sources are included, for the harness itself would bring wasmtime.
#![no_main]
#![allow(dead_code, reason = "more is in these files than is asked here")]

#[path = "../../../host-harness/src/abi.rs"]
mod abi;
#[path = "../../../host-harness/src/headers.rs"]
mod headers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(read) = abi::read_pairs(data) else {
        return;
    };
    let ours = limpet::pairs::decode(data);
    assert_eq!(ours.len(), read.len());
    for ((name, value), (theirs, its_value)) in ours.iter().zip(read.fields()) {
        let name = String::from_utf8_lossy(name).to_lowercase();
        assert_eq!((&*name, *value), (&*theirs.to_lowercase(), &**its_value));
    }
    let mut written = Vec::new();
    abi::write_pairs(&read, &mut written);
    assert_eq!(abi::read_pairs(&written), Ok(read));
});
