//! The attack corpus: what a hostile peer may do, as a table, over every transport. Each row has a node of
//! its own with an honest peer, and defines how the attack ends, when at the latest, and how much memory it
//! may take. Afterwards the node must still mine and answer.
//!
//! A separate binary, because the counting allocator counts the whole process. The rows run one after the
//! other for this reason.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which fail by panicking")]

mod caller;
mod carrier;
mod chain;
mod documented;
mod rows;
mod socket;
mod stage;
mod table;

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use peak_alloc::PeakAlloc;

use crate::carrier::{CARRIERS, Carrier};
use crate::table::Row;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Far more real time than a row takes on a busy machine. Ends a row that hangs. The rows themselves use a
/// paused clock, which they advance explicitly.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials = vec![Trial::test("the_table_is_documented", documented::check)];
    for row in rows::all() {
        for carrier in CARRIERS.iter().filter(|carrier| carrier.plays.contains(&row.over)) {
            for &discovery in row.discovery.settings() {
                let setting = if discovery { "::discovery" } else { "" };
                let name = format!("{}::{}{setting}", row.name, carrier.name);
                trials.push(Trial::test(name, move || play(row, carrier, discovery)));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs one row in a thread of its own, which is abandoned if it hangs.
fn play(row: &'static Row, carrier: &'static Carrier, discovery: bool) -> Result<(), Failed> {
    let (ending, ended) = channel::<()>();
    let thread = thread::spawn(move || {
        let _ending = ending;
        stage::play(row, carrier, discovery);
    });
    match ended.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => Err(format!("no end within {PATIENCE:?}").into()),
        _ => thread.join().map_err(|panic| resume_unwind(panic)),
    }
}
