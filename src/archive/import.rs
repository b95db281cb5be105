//! Import of an archive into a chain. Trusts nothing in the file: lengths are bounded, and every block has to
//! pass the checks of a block from a peer.

use std::io::{self, Read};
use std::sync::Arc;

use super::error::{ArchivePosition, ImportError};
use super::format::{
    ARCHIVE_VERSION, CHECKSUM_LEN, FACTS_LEN, Head, MAGIC, RunningHash, Stage, max_record_bytes,
};
use crate::chain::{Blockchain, Progress, Verdict};
use crate::consensus::RuleError;
use crate::primitives::{Block, Timestamp, Transaction};

/// Imports the blocks of an archive, a few at a time.
///
/// Blocks that the chain has are skipped, so an interrupted import is resumed by another one over the same
/// file. A file of another branch is imported as a side branch, within the limits of
/// [`ChainConfig`](crate::ChainConfig), and becomes the best chain once it has more work.
///
/// The importer reads in small pieces: give it a [`BufReader`](std::io::BufReader). It keeps about a megabyte
/// of blocks in memory, which it makes durable together, and none of more than [`max_record_bytes`] bytes. A
/// recursive transaction type has to limit its depth when it is deserialised, as for every format without
/// such a limit.
///
/// ```
/// # use hashloom::{Blockchain, ChainSpec, Timestamp};
/// # use hashloom::archive::Importer;
/// # let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
/// # let now = Timestamp::from_millis(1_767_225_700_000);
/// # let mut file = Vec::new();
/// # chain.export(.., &mut file)?;
/// let mut importer = Importer::new(&chain, file.as_slice())?;
/// while !importer.step(&mut chain, 1_000, now)?.is_complete {
///     // Show the progress, let others have the chain.
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an importer imports nothing until it is stepped"]
pub struct Importer<R> {
    source: Source<R>,
    head: Head,
    limit: usize,
    running: RunningHash,
    done: u64,
    /// The buffer of a record, reused.
    record: Vec<u8>,
    stage: Stage,
}

impl<T: Transaction> Blockchain<T> {
    /// Imports the blocks of an archive in one call, and returns the number of blocks in it, including those
    /// that the chain already had. An [`Importer`] works step by step and returns more details. There is an
    /// example at [`export`](Self::export).
    ///
    /// # Errors
    ///
    /// [`ImportError`] for a damaged file, and at the first block that breaks a rule. The blocks before it
    /// are in the chain.
    pub fn import_archive(&mut self, reader: impl Read, now: Timestamp) -> Result<u64, ImportError> {
        Ok(Importer::new(self, reader)?.step(self, u64::MAX, now)?.done)
    }
}

impl<R: Read> Importer<R> {
    /// Reads the head of an archive and compares it with the chain that is to import it.
    ///
    /// # Errors
    ///
    /// [`ImportError`] if the input is no archive, has a newer format, is of another chain, or is damaged.
    pub fn new<T: Transaction>(chain: &Blockchain<T>, reader: R) -> Result<Self, ImportError> {
        let at = ArchivePosition { record: 0, offset: 0 };
        let mut source = Source { reader, at, offset: 0 };
        let magic = source.array()?;
        if magic != MAGIC {
            return Err(ImportError::Magic { got: magic });
        }
        let version = u32::from_be_bytes(source.array()?);
        if version != ARCHIVE_VERSION {
            return Err(ImportError::Version { got: version });
        }
        let facts: [u8; FACTS_LEN] = source.array()?;
        let mut name = Vec::new();
        source.bytes(facts[FACTS_LEN - 1].into(), &mut name)?;
        let running = RunningHash::of_head(&[&magic[..], &version.to_be_bytes(), &facts, &name].concat());
        source.checksum(&running)?;
        let head = Head::from_parts(&facts, &name);
        let expected = *chain.genesis().hash();
        if head.genesis != expected {
            return Err(ImportError::OtherChain { name: head.name, got: head.genesis, expected });
        }
        let limit = max_record_bytes(chain.spec());
        Ok(Self { source, head, limit, running, done: 0, record: Vec::new(), stage: Stage::Blocks })
    }

    /// Imports at most `blocks` more blocks into the chain that the importer was made for; after the last one
    /// also checks the end of the archive.
    ///
    /// # Errors
    ///
    /// [`ImportError`]. The blocks before stay in the chain, and further steps import nothing.
    pub fn step<T: Transaction>(
        &mut self,
        chain: &mut Blockchain<T>,
        blocks: u64,
        now: Timestamp,
    ) -> Result<Progress, ImportError> {
        match self.stage {
            Stage::Failed => return Err(ImportError::Failed),
            Stage::Ended => {}
            Stage::Blocks => self.read(chain, blocks, now).inspect_err(|_| self.stage = Stage::Failed)?,
        }
        Ok(self.progress())
    }

    /// The progress so far.
    pub fn progress(&self) -> Progress {
        let is_complete = self.stage == Stage::Ended;
        Progress { done: self.done, total: self.head.count, is_complete }
    }

    /// The height of the first block of the archive, by its head.
    pub const fn first_height(&self) -> u64 {
        self.head.first
    }

    fn read<T: Transaction>(
        &mut self,
        chain: &mut Blockchain<T>,
        blocks: u64,
        now: Timestamp,
    ) -> Result<(), ImportError> {
        let pause = self.done.saturating_add(blocks).min(self.head.count);
        while self.done < pause {
            let mut batch = Batch::default();
            let read = self.read_batch(chain, pause - self.done, &mut batch);
            // The blocks before a bad record are still imported: their checksums match, and the chain checks
            // them.
            self.import(chain, batch, now)?;
            read?;
        }
        if self.done == self.head.count {
            self.read_end()?;
            self.stage = Stage::Ended;
        }
        Ok(())
    }

    fn read_record<T: Transaction>(&mut self) -> Result<Block<T>, ImportError> {
        let at = self.source.next_record();
        let length: [u8; 4] = self.source.array()?;
        let got = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if got == 0 {
            return Err(ImportError::Count { at, expected: self.head.count });
        }
        if got > self.limit {
            return Err(ImportError::RecordLength { at, got, limit: self.limit });
        }
        self.source.bytes(got, &mut self.record)?;
        self.running.extend(&length, &self.record);
        self.source.checksum(&self.running)?;
        match postcard::take_from_bytes(&self.record) {
            Ok((block, [])) => Ok(block),
            Ok((_, tail)) => Err(ImportError::RecordTail { at, got: tail.len() }),
            Err(error) => Err(ImportError::Decode { at, error: error.into() }),
        }
    }

    /// Reads the next blocks, at most `blocks` of them.
    fn read_batch<T: Transaction>(
        &mut self,
        chain: &Blockchain<T>,
        blocks: u64,
        batch: &mut Batch<T>,
    ) -> Result<(), ImportError> {
        while (batch.blocks.len() as u64) < blocks.min(MAX_BATCH_BLOCKS) && batch.bytes < MAX_BATCH_BYTES {
            let block = self.read_record::<T>()?;
            let at = self.source.at;
            let height = self.head.first.saturating_add(self.done + batch.blocks.len() as u64);
            let (got, parent) = (block.height(), block.header().previous_hash);
            if got != height {
                let error = RuleError::Height { got, expected: height }.into();
                return Err(ImportError::Block { at, height, error });
            }
            let follows = batch.blocks.last().is_some_and(|(_, last)| *last.hash() == parent);
            // Such a block would only become an orphan. Genesis, which has no parent block, is already in the
            // chain.
            if !follows && chain.header(&parent)?.is_none() && chain.header(block.hash())?.is_none() {
                return Err(ImportError::MissingParent { at, height, missing: parent });
            }
            // The checks of the import use the digest.
            block.digest_ahead();
            batch.bytes += block.memory_size();
            batch.blocks.push((at, Arc::new(block)));
        }
        Ok(())
    }

    fn import<T: Transaction>(
        &mut self,
        chain: &mut Blockchain<T>,
        batch: Batch<T>,
        now: Timestamp,
    ) -> Result<(), ImportError> {
        let (places, blocks): (Vec<ArchivePosition>, Vec<Arc<Block<T>>>) = batch.blocks.into_iter().unzip();
        let imported = chain.import_all(blocks, now)?;
        for (at, verdict) in places.into_iter().zip(imported.verdicts) {
            let height = self.head.first.saturating_add(self.done);
            match verdict {
                Ok(Verdict::Orphan { missing }) => {
                    return Err(ImportError::MissingParent { at, height, missing });
                }
                Ok(_) => self.done += 1,
                Err(error) => return Err(ImportError::Block { at, height, error }),
            }
        }
        Ok(())
    }

    fn read_end(&mut self) -> Result<(), ImportError> {
        let at = self.source.next_record();
        let length: [u8; 4] = self.source.array()?;
        let count: [u8; 8] = self.source.array()?;
        if length != [0; 4] || u64::from_be_bytes(count) != self.head.count {
            return Err(ImportError::Count { at, expected: self.head.count });
        }
        self.running.extend(&length, &count);
        if self.source.array()? != *self.running.total().as_bytes() {
            return Err(ImportError::Checksum { at });
        }
        let offset = self.source.offset;
        match self.source.array::<1>() {
            Err(ImportError::Truncated { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(ImportError::TrailingBytes { offset }),
        }
    }
}

/// A batch: blocks that are imported, and made durable, together.
#[derive(Debug)]
struct Batch<T> {
    blocks: Vec<(ArchivePosition, Arc<Block<T>>)>,
    /// Of memory.
    bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), bytes: 0 }
    }
}

/// The most blocks that are made durable together.
const MAX_BATCH_BLOCKS: u64 = 1_000;

/// The size of a batch in bytes of memory above which no block is added.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// A reader that tracks its position.
#[derive(Debug)]
struct Source<R> {
    reader: R,
    /// The record that is being read.
    at: ArchivePosition,
    /// Bytes read so far.
    offset: u64,
}

impl<R: Read> Source<R> {
    fn next_record(&mut self) -> ArchivePosition {
        self.at = ArchivePosition { record: self.at.record + 1, offset: self.offset };
        self.at
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ImportError::Truncated { at: self.at },
            _ => error.into(),
        })?;
        self.offset += N as u64;
        Ok(bytes)
    }

    /// Replaces `bytes` by the next `len` ones. Allocates as bytes arrive, not for the claimed length.
    fn bytes(&mut self, len: usize, bytes: &mut Vec<u8>) -> Result<(), ImportError> {
        bytes.clear();
        if self.reader.by_ref().take(len as u64).read_to_end(bytes)? < len {
            return Err(ImportError::Truncated { at: self.at });
        }
        self.offset += len as u64;
        Ok(())
    }

    fn checksum(&mut self, running: &RunningHash) -> Result<(), ImportError> {
        if self.array::<CHECKSUM_LEN>()? != running.checksum() {
            return Err(ImportError::Checksum { at: self.at });
        }
        Ok(())
    }
}
