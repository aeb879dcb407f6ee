//! The pages that `web` built are in the binary; new ones make a new binary.

fn main() {
    println!("cargo:rerun-if-changed=../web/dist");
}
