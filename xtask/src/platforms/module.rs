//! A module that does nothing, in limpet's place: who hands it on does not look into it, and what
//! limpet does on what was recorded is what the tests show. Envoy takes seconds to compile the real one.

/// Name and content of a section, or of an export: with the length in front.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    assert!(length < 0x80, "one byte holds the length");
    [&[length], content].concat()
}

/// What Envoy asks for: a memory, who allocates in it, and the version of proxy-wasm.
pub(super) fn idle() -> Vec<u8> {
    const FUNCTION: u8 = 0;
    const MEMORY: u8 = 2;
    let export =
        |name: &str, kind, index| [with_length(name.as_bytes()), vec![kind, index]].concat();
    let exports = [
        vec![3],
        export("memory", MEMORY, 0),
        export("proxy_abi_version_0_2_1", FUNCTION, 0),
        export("malloc", FUNCTION, 1),
    ];
    // Two functions, of nothing and of a number; the second returns 0.
    let sections: [(u8, Vec<u8>); 5] = [
        (1, vec![2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f]),
        (3, vec![2, 0, 1]),
        (5, vec![1, 0, 1]),
        (7, exports.concat()),
        (10, vec![2, 2, 0, 0x0b, 4, 0, 0x41, 0, 0x0b]),
    ];
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        module.push(id);
        module.extend(with_length(&content));
    }
    module
}
