//! `callmarket`: see `api::cli`. Its allocator is chosen here: docs/adr/0014-allocator-and-lto.md.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    api::cli::main()
}
