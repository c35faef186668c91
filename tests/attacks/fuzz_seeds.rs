//! Replays what fuzzing began with, and what it found: `tests/fuzz/seeds`.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "public for the fuzz targets")]
mod fuzz;

use std::fs;
use std::path::Path;

#[test]
fn what_fuzzing_found_stays_found() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in fuzz::TARGETS {
        let files: Vec<_> = fs::read_dir(seeds.join(name)).unwrap().collect();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let file = file.unwrap().path();
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}
