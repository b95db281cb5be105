//! The memory of an auditor.

use hashloom::evidence::{AuditError, Auditor, CheckpointError, NoteError, ParseAuditorError, Verdict};

use super::{auditor_of, resigned};
use crate::log::Log;

#[test]
fn the_memory_is_the_signed_note() {
    let log = Log::of(9);
    let text = auditor_of(&log, 7).to_text().unwrap();
    assert_eq!(text, log.checkpoint(7).to_string());
    let mut auditor: Auditor = text.parse().unwrap();
    assert_eq!(auditor, auditor_of(&log, 7));
    assert_eq!(auditor.audit(&log.policy(), &log.checkpoint(9), &log.path(7, 9)), Ok(Verdict::Consistent));
    assert_eq!(auditor.to_text().unwrap(), log.checkpoint(9).to_string());
}

#[test]
fn an_auditor_without_a_checkpoint_has_no_memory() {
    assert_eq!((Auditor::new().to_text(), Auditor::new().held()), (None, None));
}

/// A file that was truncated must not make an auditor that accepts everything.
#[test]
fn a_memory_that_ends_early_is_refused() {
    let log = Log::of(7);
    let text = auditor_of(&log, 7).to_text().unwrap();
    assert_eq!("".parse::<Auditor>(), Err(ParseAuditorError::Note(NoteError::NoBlankLine)));
    for (end, _) in text.char_indices() {
        assert!(text[..end].parse::<Auditor>().is_err(), "{end}");
    }
}

#[test]
fn a_note_that_is_no_checkpoint_is_no_memory() {
    let note = resigned("all is well\n", &Log::of(0).key);
    let error = ParseAuditorError::Checkpoint(CheckpointError::MissingLine { line: 2 });
    assert_eq!(note.to_string().parse::<Auditor>(), Err(error));
}

#[test]
fn a_memory_that_was_changed_gets_no_verdict() {
    let log = Log::of(9);
    let text = auditor_of(&log, 7).to_text().unwrap().replacen("\n7\n", "\n6\n", 1);
    let mut auditor: Auditor = text.parse().unwrap();
    let error = auditor.audit(&log.policy(), &log.checkpoint(9), &log.path(7, 9)).unwrap_err();
    assert!(matches!(error, AuditError::Held(_)), "{error:?}");
    assert_eq!(auditor.to_text().unwrap(), text);
}
