//! Export of blocks of the best chain into an archive.

use core::ops::RangeBounds;
use std::io::Write;

use super::error::ExportError;
use super::format::{Head, RunningHash, Stage, max_record_bytes};
use crate::chain::{Blockchain, Progress};
use crate::primitives::{Block, EncodeError, Hash, Transaction};

/// Writes blocks of the best chain into an archive, a few at a time.
///
/// An exporter does not borrow the chain, which may grow, and be locked and unlocked, between two steps. It
/// makes one write per block and keeps at most one block in memory.
///
/// ```
/// # use hashloom::{Blockchain, ChainSpec};
/// # use hashloom::archive::Exporter;
/// # let chain: Blockchain = Blockchain::new(ChainSpec::default());
/// let mut file = Vec::new();
/// let mut exporter = Exporter::new(&chain, .., &mut file)?;
/// while !exporter.step(&chain, 1_000)?.is_complete {
///     // Show the progress, let others have the chain.
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an archive is cut off until every block was exported"]
pub struct Exporter<W> {
    writer: W,
    start: u64,
    next: u64,
    /// The height after the last block to write.
    end: u64,
    /// The hash of the block below `next`.
    parent: Hash,
    limit: usize,
    running: RunningHash,
    /// The buffer of a record, reused.
    record: Vec<u8>,
    stage: Stage,
}

impl<T: Transaction> Blockchain<T> {
    /// Writes the blocks of the best chain at these heights into an archive in one call, and returns their
    /// number. Heights above the tip are left out, and so is genesis, which every chain has. An [`Exporter`]
    /// writes step by step; the format is described in `docs/architecture.md`.
    ///
    /// ```
    /// # use hashloom::{Blockchain, ChainSpec, Timestamp};
    /// # let mut chain: Blockchain = Blockchain::new(ChainSpec::default());
    /// # let now = Timestamp::from_millis(1_767_225_700_000);
    /// # let block = chain.template(vec!["hello".to_owned()], now)?.mine()?;
    /// # let _ = chain.import(block.into(), now)?;
    /// let mut file = Vec::new();
    /// assert_eq!(chain.export(.., &mut file)?, 1);
    ///
    /// let mut copy: Blockchain = Blockchain::new(ChainSpec::default());
    /// assert_eq!(copy.import_archive(file.as_slice(), now)?, 1);
    /// assert_eq!(copy.tip(), chain.tip());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ExportError`] if the writer fails or a block has no serde form that reads back. The output is a
    /// truncated archive then.
    pub fn export(&self, heights: impl RangeBounds<u64>, writer: impl Write) -> Result<u64, ExportError> {
        Ok(Exporter::new(self, heights, writer)?.step(self, u64::MAX)?.done)
    }
}

impl<W: Write> Exporter<W> {
    /// Begins an archive of the blocks of the best chain at these heights. Heights above the tip and genesis
    /// are left out.
    ///
    /// # Errors
    ///
    /// [`ExportError::Io`] if the writer fails.
    pub fn new<T: Transaction>(
        chain: &Blockchain<T>,
        heights: impl RangeBounds<u64>,
        mut writer: W,
    ) -> Result<Self, ExportError> {
        let range = chain.clip(heights);
        let start = range.start.max(1);
        let end = range.end.max(start);
        if start < end && start < chain.first_body() {
            return Err(ExportError::Pruned { height: start, kept_from: chain.first_body() });
        }
        let head = Head {
            genesis: *chain.genesis().hash(),
            first: start,
            count: end - start,
            name: chain.spec().name().to_owned(),
        };
        let mut record = head.to_bytes();
        let running = RunningHash::of_head(&record);
        record.extend(running.checksum());
        writer.write_all(&record)?;
        Ok(Self {
            writer,
            start,
            next: start,
            end,
            parent: chain.header_at(start - 1)?.map(|header| header.hash()).unwrap_or_default(),
            limit: max_record_bytes(chain.spec()),
            running,
            record,
            stage: Stage::Blocks,
        })
    }

    /// Writes at most `blocks` more blocks; after the last one also the end of the archive, and flushes the
    /// writer.
    ///
    /// # Errors
    ///
    /// [`ExportError`]. The archive is truncated then, and further steps write nothing.
    pub fn step<T: Transaction>(
        &mut self,
        chain: &Blockchain<T>,
        blocks: u64,
    ) -> Result<Progress, ExportError> {
        match self.stage {
            Stage::Failed => return Err(ExportError::Failed),
            Stage::Ended => {}
            Stage::Blocks => self.write(chain, blocks).inspect_err(|_| self.stage = Stage::Failed)?,
        }
        Ok(self.progress())
    }

    /// The progress so far.
    pub fn progress(&self) -> Progress {
        let is_complete = self.stage == Stage::Ended;
        Progress { done: self.next - self.start, total: self.end - self.start, is_complete }
    }

    /// The writer, for instance to sync a file to its disk.
    pub fn into_inner(self) -> W {
        self.writer
    }

    fn write<T: Transaction>(&mut self, chain: &Blockchain<T>, blocks: u64) -> Result<(), ExportError> {
        let pause = self.next.saturating_add(blocks).min(self.end);
        while self.next < pause {
            let height = self.next;
            let block = chain.block_at(height)?.filter(|block| block.header().previous_hash == self.parent);
            let Some(block) = block else {
                let kept_from = chain.first_body();
                if height < kept_from {
                    return Err(ExportError::Pruned { height, kept_from });
                }
                return Err(ExportError::Reorganised { height: height - 1 });
            };
            self.write_record(&block)?;
            self.parent = *block.hash();
            self.next += 1;
        }
        if self.next == self.end {
            self.write_end()?;
            self.stage = Stage::Ended;
        }
        Ok(())
    }

    fn write_record<T: Transaction>(&mut self, block: &Block<T>) -> Result<(), ExportError> {
        let (height, limit) = (block.height(), self.limit);
        let mut record = core::mem::take(&mut self.record);
        record.clear();
        record.extend([0; 4]);
        record = postcard::to_extend(block, record)
            .map_err(|error| ExportError::Encode { height, error: EncodeError::of_postcard(&error) })?;
        let got = record.len() - 4;
        let length = u32::try_from(got).ok().filter(|_| got <= limit);
        let length = length.ok_or(ExportError::RecordLength { height, got, limit })?;
        record[..4].copy_from_slice(&length.to_be_bytes());
        self.running.extend(&record, &[]);
        record.extend(self.running.checksum());
        self.writer.write_all(&record)?;
        self.record = record;
        Ok(())
    }

    fn write_end(&mut self) -> Result<(), ExportError> {
        let mut end = vec![0; 4];
        end.extend((self.end - self.start).to_be_bytes());
        self.running.extend(&end, &[]);
        end.extend(self.running.total().as_bytes());
        self.writer.write_all(&end)?;
        self.writer.flush()?;
        Ok(())
    }
}
