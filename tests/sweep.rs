//! Runs the sweep of the simulator, one seed after another, until a run violates an invariant, and prints which.
//! `.ci/flaws` builds this program with each patch of `tests/flaws`. It is not a test, because the library compiles
//! much faster without its unit tests.

use std::process::ExitCode;

use clap::Parser;
use hashloom::sim::random_faults;

/// The command that replays a run.
const REPLAY: &str = "cargo run -p hashloom-tests --example sweep --no-default-features --features test-utils -- \
                      --first {seed} --runs 1";

/// Runs the sweep until a run violates an invariant. The exit status is 1 if no run does.
#[derive(Parser)]
struct Arguments {
    /// Continues after violations of other invariants.
    #[arg(long)]
    rule: Option<String>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// The maximum number of seeds.
    #[arg(long, default_value_t = 1_000)]
    runs: u64,
}

fn main() -> ExitCode {
    let Arguments { rule, first, runs } = Arguments::parse();
    for seed in first..first.saturating_add(runs) {
        let Err(violation) = random_faults(seed, REPLAY) else { continue };
        let violated = violation.breach().rule();
        println!("{violated} in run {seed}: {}", violation.breach());
        if rule.as_deref().is_none_or(|rule| rule == violated) {
            println!("replay it with: {}", violation.replay());
            return ExitCode::SUCCESS;
        }
    }
    let rule = rule.as_deref().unwrap_or("any rule");
    println!("no violation of {rule} in {runs} runs from {first}");
    ExitCode::FAILURE
}
