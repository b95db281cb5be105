//! The grammar of a `.tlog-proof` file, as <https://c2sp.org/tlog-proof> has it. Knows nothing of blocks.

use core::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::ParseReceiptError;
use crate::evidence::SignedNote;
use crate::evidence::lines::{self, Lines};
use crate::primitives::Hash;
use crate::primitives::merkle::InclusionProof;

/// The first line.
const VERSION: &str = "c2sp.org/tlog-proof@v1";

/// The parts of a file.
pub(super) struct ProofFile<'a> {
    /// The application's data. Not authenticated by the format.
    pub(super) extra: Vec<u8>,
    /// The index of the entry in the log.
    pub(super) index: u64,
    /// The siblings on the path from the entry to the root.
    pub(super) path: Vec<Hash>,
    /// The signed checkpoint.
    pub(super) checkpoint: &'a str,
    /// The number of the first line of the checkpoint.
    pub(super) checkpoint_line: usize,
}

impl<'a> ProofFile<'a> {
    /// The number of the line with the extra data.
    pub(super) const EXTRA_LINE: usize = 2;
    /// The most bytes of a file without the base64 of its extra data and without its checkpoint.
    pub(super) const MAX_OTHER_BYTES: usize =
        VERSION.len() + 1 + "extra \n".len() + "index \n".len() + 20 + InclusionProof::MAX_PATH * 45 + 1;
    /// The number of the line with the index.
    pub(super) const INDEX_LINE: usize = 3;

    /// Parses a file that has extra data.
    pub(super) fn parse(text: &'a str) -> Result<Self, ParseReceiptError> {
        let mut lines = Lines::of(text);
        lines.read(VERSION, |line| (line == VERSION).then_some(()))?;
        let extra = lines.read("`extra ` and base64", |line| {
            let data = BASE64_STANDARD.decode(line.strip_prefix("extra ")?).ok();
            data.filter(|data| !data.is_empty())
        })?;
        let index =
            lines.read("`index ` and a number", |line| lines::decimal(line.strip_prefix("index ")?))?;
        let limit = InclusionProof::MAX_PATH;
        let path = lines.path(limit)?;
        Ok(Self { extra, index, path, checkpoint: lines.rest, checkpoint_line: lines.number + 1 })
    }
}

/// Writes a file.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    extra: &[u8],
    index: u64,
    path: &[Hash],
    checkpoint: &SignedNote,
) -> fmt::Result {
    write!(f, "{VERSION}\nextra {}\nindex {index}\n", Base64Display::new(extra, &BASE64_STANDARD))?;
    for hash in path {
        writeln!(f, "{}", Base64Display::new(hash.as_bytes(), &BASE64_STANDARD))?;
    }
    write!(f, "\n{checkpoint}")
}
