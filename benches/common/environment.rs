//! The environment of a run: machine and versions, as far as the system reports them.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

/// The lock file, which has the versions of the formats' crates.
const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"));

/// A paragraph about the machine, the system and the versions of these crates.
pub(crate) fn describe(crates: &[&str]) -> String {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let versions: Vec<String> =
        crates.iter().filter_map(|name| Some(format!("`{name}` {}", version(name)?))).collect();
    let profile = if cfg!(debug_assertions) { "a debug build, whose times mean nothing" } else { "release" };
    format!(
        "{}; {cores} processors; {}; load {} at the start. hashloom {} ({profile}), {}, {}.\n",
        processor(),
        system(),
        load(),
        env!("CARGO_PKG_VERSION"),
        rustc(),
        versions.join(", "),
    )
}

fn version(name: &str) -> Option<&'static str> {
    let (_, after) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
        value.map_or("?", str::trim)
    };
    format!(
        "{} (family {}, model {}), {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::env::consts::ARCH
    )
}

fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = name.map_or(std::env::consts::OS, |name| name.trim_matches('"'));
    format!("{name}, kernel {}", if kernel.is_empty() { "?" } else { kernel.trim() })
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("?").to_owned()
}

/// The version of the compiler in the path, most likely the one that built this benchmark.
fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.ok().filter(|output| output.status.success());
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    version.map_or_else(|| "rustc ?".to_owned(), |version| version.trim().to_owned())
}
