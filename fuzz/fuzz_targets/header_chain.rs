//! Valid and invalid headers in any order: a chain accepts exactly those that follow the rules.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use hashloom::{BlockError, Blockchain, Retarget, RuleError, Timestamp};
use hashloom_fuzz::fixture::{self, Note, START};
use hashloom_fuzz::model::Model;
use hashloom_fuzz::mutation::{Edits, pick};
use libfuzzer_sys::fuzz_target;

/// The maximum number of headers of a run. For each header the model walks to genesis.
const MAX_STEPS: usize = 64;

#[derive(Debug, Arbitrary)]
struct Run {
    retarget: Rule,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Rule {
    Fixed,
    Step,
    Window(u8),
    Lwma(u8),
    Asert(u32),
    BoundedLwma(u8),
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// A header of the fixture, edited.
    Mined(u8, Edits),
    /// A child of an accepted header, edited.
    Child(u8, Edits),
    /// Moves the clock forward or back.
    Clock(i16),
}

impl Rule {
    fn retarget(&self) -> Retarget {
        match *self {
            Self::Fixed => Retarget::Fixed,
            Self::Step => Retarget::Step,
            Self::Window(blocks) => Retarget::Window { blocks: u32::from(blocks).max(1) },
            Self::Lwma(blocks) => Retarget::Lwma { blocks: u32::from(blocks).max(1) },
            Self::Asert(millis) => Retarget::Asert { half_life_ms: u64::from(millis).max(1) },
            Self::BoundedLwma(blocks) => Retarget::BoundedLwma { blocks: u32::from(blocks).max(1) },
        }
    }
}

fuzz_target!(|run: Run| {
    let retarget = run.retarget.retarget();
    let mut chain = Blockchain::<Note>::new(fixture::spec_with(retarget));
    let mut model = Model::new(chain.spec().clone(), *chain.genesis().header());
    let mut now = START;
    for step in run.steps.iter().take(MAX_STEPS) {
        let header = match step {
            Step::Mined(index, edits) => edits.of(*pick(fixture::blocks(), *index).header()),
            Step::Child(index, edits) => edits.of(model.child(pick(model.order(), *index))),
            Step::Clock(seconds) => {
                now = moved(now, *seconds);
                continue;
            }
        };
        let fault = model.fault(&header, now);
        match chain.import_header(&header, now) {
            Ok(false) => assert!(model.contains(&header.hash()), "{header:?} was never accepted"),
            Ok(true) => {
                assert_eq!(fault, None, "accepted: {header:?}");
                model.insert(header);
            }
            // The model does not compute adjusted targets.
            Err(BlockError::Rule(RuleError::Target { .. })) if retarget != Retarget::Fixed => {}
            Err(error) => assert!(fault.is_some(), "refused for {error}: {header:?}"),
        }
        let (best, header) = chain.best_header();
        assert!(model.contains(best) && header.hash() == *best);
        assert_eq!(chain.height(), 0, "a header is no block");
    }
});

fn moved(time: Timestamp, seconds: i16) -> Timestamp {
    let by = Duration::from_secs(seconds.unsigned_abs().into());
    match seconds {
        0.. => time.saturating_add(by),
        _ => Timestamp::from_millis(time.as_millis().saturating_sub(by.as_secs() * 1_000)),
    }
}
