//! The lower bound: an append-only file of records with length and checksum, and an index in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(crate) struct Log {
    file: BufWriter<File>,
    /// The offset and the length of each record.
    index: Vec<(u64, usize)>,
    end: u64,
}

impl Log {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::options().create_new(true).read(true).append(true).open(path)?;
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file), index: Vec::new(), end: 0 })
    }

    /// Appends records, and syncs the file after every `batch` of them.
    pub(crate) fn append_all(&mut self, records: &[Vec<u8>], batch: usize) -> Result<()> {
        for records in records.chunks(batch) {
            for record in records {
                self.append(record)?;
            }
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
        }
        Ok(())
    }

    fn append(&mut self, record: &[u8]) -> Result<()> {
        self.file.write_all(&u32::try_from(record.len())?.to_be_bytes())?;
        self.file.write_all(&checksum(record))?;
        self.file.write_all(record)?;
        self.index.push((self.end, record.len()));
        self.end += 4 + CHECKSUM_LEN as u64 + record.len() as u64;
        Ok(())
    }

    /// Reads these records and verifies their checksums.
    pub(crate) fn read_all(&self, order: &[usize]) -> Result<()> {
        let mut bytes = Vec::new();
        for index in order {
            let (at, len) = self.index[*index];
            bytes.resize(CHECKSUM_LEN + len, 0);
            self.file.get_ref().read_exact_at(&mut bytes, at + 4)?;
            let (found, record) = bytes.split_at(CHECKSUM_LEN);
            ensure!(found == checksum(record), "a damaged record");
        }
        Ok(())
    }
}

const CHECKSUM_LEN: usize = 8;

fn checksum(record: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest = Sha256::digest(record);
    core::array::from_fn(|index| digest[index])
}
