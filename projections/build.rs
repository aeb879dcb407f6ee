//! Names the code that folds: `FOLD_BUILD` is a hash of every source that decides what a log folds to and how a
//! snapshot of it is written, in order of names, so that equal sources give an equal name.

use std::fs;
use std::path::{Path, PathBuf};

/// Whole crates where one file of them decides: a snapshot too few costs a fold, one too many a wrong state.
const SOURCES: [&str; 5] = ["../Cargo.lock", "../domain/src", "../store/src", "src/live", "src/live.rs"];

fn main() {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    let mut hash = Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    for file in files {
        let content = fs::read(&file).expect("a source that was listed can be read");
        hash.take(file.to_string_lossy().as_bytes());
        hash.take(&content.len().to_le_bytes());
        hash.take(&content);
    }
    println!("cargo:rustc-env=FOLD_BUILD={:032x}", hash.0);
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        return files.push(path.to_owned());
    }
    for entry in fs::read_dir(path).expect("the sources stand beside this crate") {
        collect(&entry.expect("a folder that was opened can be listed").path(), files);
    }
}

/// FNV-1a of 128 bits: it tells builds apart, and nobody gains by making two alike.
struct Fnv(u128);

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}
