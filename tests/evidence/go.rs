//! Runs `tests/go`, which checks evidence with the packages of Go: code that shares nothing with this crate.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::skip::skip;

/// Where Debian's packages of Go libraries put their sources.
const GOPATH: &str = "/usr/share/gocode";

/// Runs a subcommand with this standard input. `None` if the machine has no Go, which is reported on stderr.
///
/// # Panics
///
/// If Go is missing and `HASHLOOM_NO_SKIP=1`, or if the program does not compile.
pub(crate) fn run<S: AsRef<OsStr>>(args: &[S], input: &[u8]) -> Option<Output> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = match PROGRAM.get_or_init(build) {
        Ok(program) => program,
        Err(reason) => {
            skip("a check of evidence by Go", reason);
            return None;
        }
    };
    // A file, not a pipe: an input larger than a pipe needs a second thread.
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, input).unwrap();
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::from(File::open(&path).unwrap()));
    Some(command.output().unwrap())
}

/// As [`run`], with the standard output as text.
///
/// # Panics
///
/// As [`run`], and if the subcommand fails.
pub(crate) fn check<S: AsRef<OsStr>>(args: &[S], input: &[u8]) -> Option<String> {
    let output = run(args, input)?;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Builds the program, or says what is missing.
fn build() -> Result<PathBuf, String> {
    if !Path::new(GOPATH).join("src/golang.org/x/mod/sumdb").is_dir() {
        return Err(format!("there is no package golang.org/x/mod in {GOPATH}"));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("check-evidence{}", env::consts::EXE_SUFFIX));
    let compiler = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .env("GOFLAGS", "")
        .env("GOCACHE", folder.join("go-cache"))
        .output();
    let output = match compiler {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("there is no program `go`".to_owned());
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}
