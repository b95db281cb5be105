//! Checkpoints: the head of a log, as <https://c2sp.org/tlog-checkpoint> has it.

mod error;

pub use error::{CheckpointError, IssueError, OriginError};

use core::fmt;
use core::str::FromStr;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::lines;
use crate::chain::Blockchain;
use crate::primitives::{Hash, Transaction, merkle};

/// The head of a log: which log, how many entries, and the root of the RFC 6962 tree over them.
///
/// The text form, which is what a log signs, has three lines: the origin, the size, and the root in base64.
///
/// ```
/// use hashloom::evidence::Checkpoint;
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let mut chain: Blockchain = Blockchain::new(ChainSpec::on_demand("orders").build()?);
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// let block = chain.template(vec!["one order".to_owned()], now)?.mine()?;
/// chain.import(block.into(), now)?;
///
/// // The last block commits to the one before it, which is a log of one entry.
/// let checkpoint = Checkpoint::of_chain(&chain, chain.height(), "log.example/orders")?;
/// assert_eq!(checkpoint.size(), 1);
/// assert_eq!(checkpoint.root(), chain.tip().header().history_root);
/// let text = checkpoint.to_string();
/// assert!(text.starts_with("log.example/orders\n1\n"));
/// assert_eq!(text.parse(), Ok(checkpoint));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    /// The extension lines, each with its newline.
    extensions: String,
}

impl Checkpoint {
    /// The most bytes of the text form.
    pub const MAX_BYTES: usize = 16 << 10;
    /// The most bytes of an origin, as in the ML-DSA-44 cosignatures of <https://c2sp.org/tlog-cosignature>.
    pub const MAX_ORIGIN_BYTES: usize = 255;

    /// The head of the log of this name.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Origin`] if the origin is malformed, and [`CheckpointError::EmptyTree`] if the size is 0 and
    /// the root is not that of the empty tree.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        check_origin(&origin)?;
        let empty = merkle::root(&[]);
        if size == 0 && root != empty {
            return Err(CheckpointError::EmptyTree { got: root, expected: empty });
        }
        Ok(Self { origin, size, root, extensions: String::new() })
    }

    /// The head of the log of the first `size` blocks of the best chain. Each block commits to all blocks before it, so
    /// the root comes from the header at the height `size`, and takes one read of the store.
    ///
    /// # Errors
    ///
    /// - [`IssueError::Origin`] if the origin is malformed.
    /// - [`IssueError::AboveTip`] if the chain has no block at this height yet.
    /// - [`IssueError::Store`] if the store fails.
    pub fn of_chain<T: Transaction>(
        chain: &Blockchain<T>,
        size: u64,
        origin: impl Into<String>,
    ) -> Result<Self, IssueError> {
        let origin = origin.into();
        check_origin(&origin)?;
        let header = chain.header_at(size)?;
        let root = header.ok_or_else(|| IssueError::AboveTip { size, height: chain.height() })?.history_root;
        Ok(Self { origin, size, root, extensions: String::new() })
    }

    /// The origin of a chain that has none of its own: the name of the chain, a slash, and the hash of its genesis
    /// block. Characters that the name of a key may not have are replaced with `-`, so that the log's key can have the
    /// same name.
    pub fn default_origin<T: Transaction>(chain: &Blockchain<T>) -> String {
        let is_forbidden = |character: char| character == '+' || character.is_whitespace();
        let name = chain.spec().name().replace(is_forbidden, "-");
        format!("{name}/{}", chain.genesis().hash())
    }

    /// Which log this is the head of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries in the log.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over the entries.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The extension lines, which have no meaning here and are signed with the rest.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.extensions.lines()
    }
}

/// Writes the text of the note, with its final newline.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = Base64Display::new(self.root.as_bytes(), &BASE64_STANDARD);
        write!(f, "{}\n{}\n{root}\n{}", self.origin, self.size, self.extensions)
    }
}

/// Parses the text of a note.
impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > Self::MAX_BYTES {
            return Err(CheckpointError::TooLong { got: text.len() });
        }
        let mut rest = text;
        let mut next = |line| next_line(&mut rest, line)?.ok_or(CheckpointError::MissingLine { line });
        let origin = next(1)?;
        check_origin(origin)?;
        let size = next(2)?;
        let size = lines::decimal(size).ok_or_else(|| CheckpointError::Size { got: lines::quote(size) })?;
        let root = next(3)?;
        let root = lines::hash(root).ok_or_else(|| CheckpointError::Root { got: lines::quote(root) })?;
        let checkpoint = Self::new(origin, size, root)?;
        check_extensions(rest)?;
        Ok(Self { extensions: rest.to_owned(), ..checkpoint })
    }
}

pub(super) fn check_origin(origin: &str) -> Result<(), OriginError> {
    if origin.is_empty() {
        return Err(OriginError::Empty);
    }
    if origin.len() > Checkpoint::MAX_ORIGIN_BYTES {
        return Err(OriginError::TooLong { got: origin.len() });
    }
    match origin.chars().find(|&character| character < ' ') {
        Some(got) => Err(OriginError::ControlCharacter { got }),
        None => Ok(()),
    }
}

/// Checks the lines after the third.
fn check_extensions(mut rest: &str) -> Result<(), CheckpointError> {
    let mut line = 4;
    while let Some(text) = next_line(&mut rest, line)? {
        if text.is_empty() {
            return Err(CheckpointError::EmptyExtension { line });
        }
        if let Some(got) = text.chars().find(|&character| character < ' ') {
            return Err(CheckpointError::ControlCharacter { line, got });
        }
        line += 1;
    }
    Ok(())
}

/// Takes the next line, without its newline; `None` at the end.
fn next_line<'a>(rest: &mut &'a str, line: usize) -> Result<Option<&'a str>, CheckpointError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (text, after) = rest.split_once('\n').ok_or(CheckpointError::NoFinalNewline { line })?;
    *rest = after;
    Ok(Some(text))
}
