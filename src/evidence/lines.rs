//! Reading of the text forms line by line.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::primitives::Hash;

/// The lines of a text, each of which ends in a newline.
pub(super) struct Lines<'a> {
    /// The text after the last line that was read.
    pub(super) rest: &'a str,
    /// The number of lines that were read.
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { rest: text, number: 0 }
    }

    /// Reads a line; `expected` describes the lines that `read` accepts.
    pub(super) fn read<R>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<R>,
    ) -> Result<R, LineError> {
        self.number += 1;
        let line = self.number;
        let (text, rest) = self.rest.split_once('\n').ok_or(LineError { line, expected, got: None })?;
        self.rest = rest;
        read(text).ok_or_else(|| LineError { line, expected, got: Some(quote(text)) })
    }

    /// Reads lines with one hash each, at most `limit`, up to and with an empty line.
    pub(super) fn path(&mut self, limit: usize) -> Result<Vec<Hash>, LineError> {
        let mut path = Vec::new();
        let read = |line: &str| if line.is_empty() { Some(None) } else { Some(Some(hash(line)?)) };
        while path.len() < limit {
            match self.read("the base64 of a hash, or an empty line", read)? {
                Some(hash) => path.push(hash),
                None => return Ok(path),
            }
        }
        self.read("an empty line, behind as many hashes as a path may have", |line| {
            line.is_empty().then_some(path)
        })
    }
}

/// As much of a line as an error quotes.
pub(super) fn quote(line: &str) -> String {
    line.chars().take(LineError::MAX_QUOTED).collect()
}

/// A decimal number without a sign and without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// 32 bytes in standard base64 with padding.
pub(super) fn hash(text: &str) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// A line of a text is not what the format has in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, got {}", got.as_ref().map_or("the end of the text".to_owned(), |got| format!("{got:?}")))]
#[non_exhaustive]
pub struct LineError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What the line has to be.
    pub expected: &'static str,
    /// The first [`MAX_QUOTED`](Self::MAX_QUOTED) characters of the line; `None` if the text ends before the line does.
    pub got: Option<String>,
}

impl LineError {
    /// The most characters of a line that an error quotes.
    pub const MAX_QUOTED: usize = 80;
}
