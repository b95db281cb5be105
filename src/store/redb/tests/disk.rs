//! An in-memory disk that records operations and refuses those that a test selects.

use core::mem;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use ::redb::StorageBackend;

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// The operations so far, if they are recorded.
    log: Option<Vec<Operation>>,
    /// The number of operations that change the disk, including refused ones.
    count: usize,
    bytes_read: usize,
    refusal: Option<Refusal>,
    /// The error of every read, if reads are refused.
    reads: Option<io::ErrorKind>,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
}

/// The operations to refuse, by number, and the error.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) numbers: Range<usize>,
    pub(super) kind: io::ErrorKind,
    /// Refuses only operations that would make the file longer.
    pub(super) growth_only: bool,
}

impl Disk {
    pub(super) fn with_bytes(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }

    pub(super) fn recording() -> Self {
        Self(Arc::new(Mutex::new(State { log: Some(Vec::new()), ..State::default() })))
    }

    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        self.state().refusal = refusal;
    }

    pub(super) fn refuse_reads(&self, kind: Option<io::ErrorKind>) {
        self.state().reads = kind;
    }

    pub(super) fn count(&self) -> usize {
        self.state().count
    }

    pub(super) fn bytes_read(&self) -> usize {
        self.state().bytes_read
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Moves the bytes out of the disk, which is empty afterwards.
    pub(super) fn take_bytes(&self) -> Vec<u8> {
        mem::take(&mut self.state().bytes)
    }

    pub(super) fn log(&self) -> Vec<Operation> {
        self.state().log.clone().unwrap_or_default()
    }

    pub(super) fn log_len(&self) -> usize {
        self.state().log.as_ref().map_or(0, Vec::len)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        let state = &mut *self.state();
        state.count += 1;
        if let Some(kind) = state.refused(&operation) {
            // A write that runs out of space may be done in part.
            if let Operation::Write { offset, mut data } = operation {
                data.truncate(data.len() / 2);
                data.truncate(state.bytes.len().saturating_sub(offset));
                Operation::Write { offset, data }.apply(&mut state.bytes);
            }
            return Err(kind.into());
        }
        operation.apply(&mut state.bytes);
        if let Some(log) = &mut state.log {
            log.push(operation);
        }
        Ok(())
    }
}

impl State {
    fn refused(&self, operation: &Operation) -> Option<io::ErrorKind> {
        let refusal = self.refusal.as_ref()?;
        let is_growth = operation.end() > self.bytes.len();
        let is_meant = refusal.numbers.contains(&(self.count - 1)) && (is_growth || !refusal.growth_only);
        is_meant.then_some(refusal.kind)
    }
}

impl Operation {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::SetLen(len) => bytes.resize(*len, 0),
            Self::Sync => {}
        }
    }

    /// The minimum length of the file after the operation.
    fn end(&self) -> usize {
        match self {
            Self::Write { offset, data } => offset + data.len(),
            Self::SetLen(len) => *len,
            Self::Sync => 0,
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let end = offset.saturating_add(out.len());
        let state = &mut *self.state();
        if let Some(kind) = state.reads {
            return Err(kind.into());
        }
        let found = state.bytes.get(offset..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        state.bytes_read += out.len();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Operation::Write { offset: usize::try_from(offset).unwrap(), data: data.to_vec() })
    }
}
