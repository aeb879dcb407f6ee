//! Where a figure was measured: processor, cores, kernel, file system, versions. A figure without these is a rumour.
//!
//! Not here: names of machines and their folders.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The versions that this program was built with, and with it the server: both come from one lock file.
const LOCKED: &str = include_str!("../../Cargo.lock");

/// The machine, one fact a line: name and value. `data`: a folder on the disk that is written to.
pub(crate) fn facts(data: &Path) -> Vec<(&'static str, String)> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let after_colon = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let unknown = || "unknown".to_owned();
    let cores = std::thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let memory = after_colon(&read("/proc/meminfo"), "MemTotal").and_then(|text| {
        let kilobytes: u64 = text.split(' ').next()?.parse().ok()?;
        Some(format!("{:.1} GiB", kilobytes as f64 / f64::from(1 << 20)))
    });
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    vec![
        ("processor", after_colon(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown)),
        ("cores", cores),
        ("memory", memory.unwrap_or_else(unknown)),
        ("kernel", if kernel.is_empty() { unknown() } else { kernel }),
        ("filesystem", file_system(data).unwrap_or_else(unknown)),
        ("load before", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
    ]
}

/// Type and options of the mount that a folder lies on: the one with the longest path above it.
fn file_system(data: &Path) -> Option<String> {
    let data = data.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind, options) = (words.next()?, words.next()?, words.next()?);
        data.starts_with(at).then(|| (at.len(), format!("{kind} ({options})")))
    });
    above.max_by_key(|(length, _)| *length).map(|(_, found)| found)
}

/// What was built and with what.
pub(crate) fn versions() -> String {
    let mut parts = vec![format!("callmarket {}{}", env!("CARGO_PKG_VERSION"), revision())];
    parts.extend(said("rustc", &["--version"]).map(|text| text.split(" (").next().unwrap_or(&text).to_owned()));
    for name in ["async-graphql", "axum", "tokio", "rusqlite"] {
        parts.extend(locked(name).map(|version| format!("{name} {version}")));
    }
    parts.join(", ")
}

fn locked(name: &str) -> Option<&'static str> {
    let (_, rest) = LOCKED.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

/// The commit, and whether files differ from it.
fn revision() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let git = |arguments: &[&str]| said("git", &[&["-C", root], arguments].concat());
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]).filter(|text| !text.is_empty()) else {
        return String::new();
    };
    let changed = git(&["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
    format!(" ({commit}{})", if changed { " and changes" } else { "" })
}

/// The first line that a program prints; none where it is not there or fails.
pub(crate) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}
