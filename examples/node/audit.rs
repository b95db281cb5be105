//! The command `audit`: compares the checkpoint of a log with the one that was accepted last.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use hashloom::client::{Client, ClientError, Consistency, LogError};
use hashloom::evidence::{Auditor, Checkpoint, Contradiction, NoteVerifier, Policy, SignedNote, Verdict};

use crate::program::evidence::Report;
use crate::program::output::Output;

/// The exit code if the log cannot be reached.
const NOT_REACHED: u8 = 3;
/// The exit code if the checkpoint is not signed as it must be.
const NOT_SIGNED: u8 = 4;

/// What to audit.
pub(crate) struct Audit<'a> {
    /// The prefix of the log.
    pub(crate) url: &'a str,
    pub(crate) policy: Policy,
    /// The public keys of the log.
    pub(crate) keys: &'a [NoteVerifier],
    /// The file with the checkpoint that was accepted last.
    pub(crate) memory: &'a Path,
}

/// The exit code of a verdict.
const fn code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::First | Verdict::Unchanged | Verdict::Consistent => 0,
        Verdict::CutOff { .. } => 10,
        Verdict::Unproven(_) => 11,
        Verdict::Rewritten(_) => 12,
        Verdict::SplitView(_) => 13,
        _ => 1,
    }
}

impl Audit<'_> {
    pub(crate) async fn run(self) -> Result<Report> {
        let client = Client::new(self.url)?;
        let mut auditor = self.auditor()?;
        let note = match client.checkpoint().await {
            Ok(note) => note,
            Err(error) => return Ok(not_reached(self.url, &error)),
        };
        let new = match self.policy.check(&note) {
            Ok(accepted) => accepted.checkpoint,
            Err(error) => {
                let text = format!("no verdict: the checkpoint is not signed as it must be: {error}\n");
                return Ok(Report { code: NOT_SIGNED, ..text.into() });
            }
        };
        let shown = self.memory.display();
        let held = auditor.held().map(|held| held.text().parse::<Checkpoint>()).transpose()?;
        let consistency = match &held {
            Some(held) if held.size() != new.size() => match between(&client, held, &new).await {
                Ok(consistency) => consistency,
                Err(error) => return Ok(not_reached(self.url, &error)),
            },
            _ => None,
        };
        let path = consistency.as_ref().map_or(&[][..], |consistency| &consistency.proof.path);
        let verdict =
            auditor.audit(&self.policy, &note, path).map_err(|error| anyhow!("{shown}: {error}"))?;
        let verdict = self.proven(verdict, &auditor, &note, consistency);

        let (origin, size) = (new.origin(), new.size());
        let before = held.map_or(0, |held| held.size());
        let code = code(&verdict);
        let text = match &verdict {
            Verdict::First => format!("first checkpoint: {size} blocks of {origin}, accepted as they are\n"),
            Verdict::Unchanged => format!("unchanged: {size} blocks of {origin}\n"),
            Verdict::Consistent => {
                format!("consistent: {size} blocks of {origin} extend the {before} of the last audit\n")
            }
            Verdict::CutOff { .. } => format!(
                "CUT OFF: {origin} has {size} blocks, and had {before}: the end is gone, or an old checkpoint was \
                 delivered\n"
            ),
            Verdict::Unproven(error) => format!(
                "UNPROVEN: {origin} does not show that its {size} blocks extend the {before} of the last audit: {error}\n"
            ),
            Verdict::Rewritten(proof) => {
                let file = self.keep(proof)?;
                format!(
                    "REWRITTEN: {origin} has replaced blocks below {before}; {} proves it to others\n",
                    file.display()
                )
            }
            Verdict::SplitView(proof) => {
                let file = self.keep(proof)?;
                format!(
                    "SPLIT VIEW: {origin} has signed two histories of {size} blocks; {} proves it to others\n",
                    file.display()
                )
            }
            other => format!("{other:?}\n"),
        };
        if matches!(verdict, Verdict::First | Verdict::Consistent)
            && let Some(memory) = auditor.to_text()
        {
            write(self.memory, &memory)?;
        }
        Ok(Report { code, ..text.into() })
    }

    /// The auditor with its memory; a new one if the file does not exist.
    fn auditor(&self) -> Result<Auditor> {
        let shown = self.memory.display();
        let file = match File::open(self.memory) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Auditor::new()),
            Err(error) => return Err(anyhow!("cannot read {shown}: {error}")),
        };
        let mut text = String::new();
        let limit = u64::try_from(SignedNote::MAX_BYTES)? + 1;
        file.take(limit).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
        ensure!(text.len() <= SignedNote::MAX_BYTES, "{shown}: too long for the memory of an auditor");
        text.parse().with_context(|| format!("{shown} is not the memory of an auditor"))
    }

    /// Rewritten if the old root in the tiles proves it: a path omits that root if the old size is a power of two.
    fn proven(
        &self,
        verdict: Verdict,
        auditor: &Auditor,
        note: &SignedNote,
        consistency: Option<Consistency>,
    ) -> Verdict {
        if let Verdict::Unproven(_) = verdict
            && let (Some(held), Some(consistency)) = (auditor.held(), consistency)
        {
            let Consistency { proof, old_root, .. } = consistency;
            let found = Contradiction::new(held.clone(), note.clone(), old_root, proof.path);
            if self.keys.iter().any(|key| found.verify(key).is_ok()) {
                return Verdict::Rewritten(Box::new(found));
            }
        }
        verdict
    }

    /// Writes a proof beside the memory.
    fn keep(&self, proof: &Contradiction) -> Result<PathBuf> {
        let mut name = self.memory.as_os_str().to_owned();
        name.push(".contradiction");
        let path = PathBuf::from(name);
        write(&path, &proof.to_string())?;
        Ok(path)
    }
}

/// The consistency between two checkpoints; `None` if the log does not have it, which is for the auditor to judge.
async fn between(
    client: &Client,
    held: &Checkpoint,
    new: &Checkpoint,
) -> Result<Option<Consistency>, ClientError> {
    let (smaller, larger) = (held.size().min(new.size()), held.size().max(new.size()));
    match client.consistency(smaller, larger).await {
        Ok(consistency) => Ok(Some(consistency)),
        Err(LogError::Client(error)) if is_passing(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether an error says nothing about the log: the network or the server fails, and may work later.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { .. } | ClientError::Timeout { .. } | ClientError::Http { .. } => true,
        ClientError::Refused(refused) => refused.status == 429 || refused.status >= 500,
        _ => false,
    }
}

fn not_reached(url: &str, error: &ClientError) -> Report {
    Report { code: NOT_REACHED, ..format!("no verdict: {url}: {error}\n").into() }
}

/// Writes a file that appears complete or not at all, and survives a crash.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = Output::open(path, true)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.finish());
    written.with_context(|| format!("cannot write {}", path.display()))
}
